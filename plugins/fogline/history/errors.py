"""What a history raises."""

from fogline.errors import FoglineError


class HistoryError(FoglineError):
    """The history does not hold what was asked for, or can't take what was given."""


class HistoryConflict(HistoryError):
    """The history holds another version or move under the same number: it is not this ledger's."""


class WeightsDamaged(HistoryError):
    """The weights that came back are not those of the version."""


class HistoryRefused(HistoryError):
    """The store refuses the login, or the login has not the rights."""


class HistoryDown(FoglineError):
    """The store does not answer; trying again later may do."""


class HistoryAddressError(HistoryError):
    """An address that names no history that can be opened; says what is wrong with it, and never its password."""
