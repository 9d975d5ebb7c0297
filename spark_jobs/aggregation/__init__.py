"""The aggregation of a round: the sealed updates, checked and reduced block by block to a candidate model."""
