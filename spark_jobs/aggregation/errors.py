"""What the aggregation raises."""

from fogline.errors import FoglineError


class AggregationError(FoglineError):
    """A seal can't be aggregated as it stands; a fog's own fault is no error but a rejection."""
