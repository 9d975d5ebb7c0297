"""Prometheus metrics: what the ledger knows (`python -m fogline.metrics`), and the port of a fog or the producer."""

PORT_VARIABLE = "FOGLINE_METRICS_PORT"
ADDRESS_VARIABLE = "FOGLINE_METRICS_ADDRESS"
