"""Why an answer is rejected, by name."""

from enum import StrEnum
from typing import NamedTuple


class Cause(StrEnum):
    """The causes for which an answer is rejected: by collect, or by the aggregation once it has read the blocks."""

    UNDECODABLE = "undecodable"
    UNKNOWN_PLAN = "unknown_plan"
    UNKNOWN_FOG = "unknown_fog"
    FOREIGN_KEY = "foreign_key"
    WRONG_KIND = "wrong_kind"
    WRONG_SPECIFICATION = "wrong_specification"
    WRONG_LAYERS = "wrong_layers"
    WRONG_BLOCKS = "wrong_blocks"
    WRONG_N_EXAMPLES = "wrong_n_examples"
    WRONG_SCORES = "wrong_scores"
    WRONG_STATISTICS = "wrong_statistics"
    TOO_LARGE = "too_large"
    NOT_FINITE = "not_finite"
    BLOCK_MISSING = "block_missing"
    DIGEST_MISMATCH = "digest_mismatch"


class Fault(NamedTuple):
    """What is wrong with an answer: the cause by name, and the reason with the values that were found."""

    cause: Cause
    reason: str

    def __str__(self) -> str:
        return f"{self.cause}: {self.reason}"
