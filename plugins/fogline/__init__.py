"""Fogline: federated learning that an operations team can run."""
