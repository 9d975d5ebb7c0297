"""Where a vector of parameters lies on Kafka, and what it must be once it is fetched."""

from pydantic import Field

from fogline.messages.base import Message


class BlockLocation(Message):
    """One block: one Kafka record."""

    partition: int = Field(ge=0)
    offset: int = Field(ge=0)
    n_bytes: int = Field(ge=0)
    sha256: str


class BlockedVector(Message):
    """A flat float32 vector on a topic, block by block in order."""

    topic: str
    n_parameters: int = Field(ge=1)
    digest: str
    blocks: tuple[BlockLocation, ...] = Field(min_length=1)
