"""A federation's file: what it may say, how it is read, and the part of it that decides a round's bytes."""

from fogline.federation.load import (
    FederationError,
    federation_file,
    federations_folder,
    load_federation,
    load_federations,
)
from fogline.federation.settings import Federation, Specification

__all__ = [
    "Federation",
    "FederationError",
    "Specification",
    "federation_file",
    "federations_folder",
    "load_federation",
    "load_federations",
]
