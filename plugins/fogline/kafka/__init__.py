"""Kafka as Fogline uses it: declared topics, publishing with delivery reports, reading by offset and never by group."""
