"""What every record has in common: strict keys, finite numbers, a size limit checked before parsing."""

from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from fogline.canonical import canonical_json
from fogline.errors import FoglineError

# The default limit of brokers and clients for one record.
MAX_RECORD_BYTES = 1_000_000
# What our own database and model store may hold: a seal of thousands of fogs.
MAX_STORED_BYTES = 1_000_000_000


class MessageError(FoglineError):
    """A record that can't be read; the message names the field."""


class RecordTooLarge(MessageError):
    """A record above the size limit; it was not parsed."""


class Message(BaseModel):
    """A JSON record."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def to_bytes(self) -> bytes:
        """Serialise to canonical JSON."""
        return canonical_json(self.model_dump(mode="json"))

    @classmethod
    def from_bytes(cls, data: bytes | None, max_bytes: int = MAX_RECORD_BYTES) -> Self:
        """Parse and validate a record; its size is checked before it is parsed.

        Raises
        ------
        MessageError
            The record is absent, no JSON, or has a wrong field; the message names the first one.
        RecordTooLarge
            It is above ``max_bytes``.
        """
        if data is None:
            raise MessageError(f"{cls.__name__}: the record has no value")
        if len(data) > max_bytes:
            raise RecordTooLarge(f"{cls.__name__}: {len(data)} bytes are above the limit of {max_bytes}")
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            fault = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(str(part) for part in fault["loc"]) or "the whole"
            raise MessageError(f"{cls.__name__}: {place}: {fault['msg']}") from error
