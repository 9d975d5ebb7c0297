"""The tasks of Fogline's DAGs: thin callers of `fogline.steps` that log what a person wants to read."""
