"""A federation's file: what it may say, how it is read, and the part of it that decides a round's bytes."""

from fogline.federation.files import FederationError, federation_file, federations_folder
from fogline.federation.load import load_federation, load_federations, parse_federation
from fogline.federation.new_branch import NewBranch, check_new_branch, write_branch
from fogline.federation.settings import Federation, Specification

__all__ = [
    "Federation",
    "FederationError",
    "NewBranch",
    "Specification",
    "check_new_branch",
    "federation_file",
    "federations_folder",
    "load_federation",
    "load_federations",
    "parse_federation",
    "write_branch",
]
