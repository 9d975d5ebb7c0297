"""Where readings come from, one source a file; each gives Arrow batches in the order of event time."""
