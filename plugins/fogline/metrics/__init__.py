"""Prometheus metrics: what the ledger knows (`python -m fogline.metrics`), and the port of a fog or the producer."""
