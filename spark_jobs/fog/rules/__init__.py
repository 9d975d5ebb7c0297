"""The rules by which a record is a reading, or is not and why: the same for the stream and for any single record."""

from spark_jobs.fog.rules.faults import Fault, Rejection, RejectionKind
from spark_jobs.fog.rules.judge import Judged, ReadingJudge, store_schema

__all__ = ["Fault", "Judged", "ReadingJudge", "Rejection", "RejectionKind", "store_schema"]
