"""One field's value: a finite number in its range, none, or a fault."""

import math
import re
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from fogline.federation.reading_rules import FieldRule, TextForm
from spark_jobs.fog.rules.faults import Fault, RejectionKind, shown

Floats = npt.NDArray[np.float64]

ABSENT = msgspec.UNSET
_NONE = frozenset({type(ABSENT), type(None)})
_PLAIN = frozenset({float, int})
NOT_A_NUMBER = "NaN"


class NumberRule:
    """The rule of one field."""

    def __init__(self, name: str, rule: FieldRule) -> None:
        self.name, self._rule = name, rule
        self._missing_numbers = np.array([one for one in rule.missing if not isinstance(one, str)], np.float64)
        self._missing_texts = frozenset(one.strip() for one in rule.missing if isinstance(one, str))
        self._text = _pattern(rule.text) if rule.text else None

    def column(self, raws: Sequence[Any]) -> tuple[Floats, dict[int, Fault]]:
        """Judge a column.

        Parameters
        ----------
        raws
            Values as JSON has them, `ABSENT` where the field is absent.

        Returns
        -------
        tuple
            The values, shape ``(n,)``, NaN where there is none; and the fault of each place that has one.
        """
        values = np.full(len(raws), np.nan)
        odd = self._take_plain(raws, values)
        faults = {}
        for place in odd.tolist():
            found = self.value(raws[place])
            if isinstance(found, Fault):
                faults[place] = found
            else:
                values[place] = found
        return values, faults

    def _take_plain(self, raws: Sequence[Any], values: Floats) -> npt.NDArray[np.int64]:
        """Fill in the numbers that are plainly right, and return the places of all others."""
        kinds = set(map(type, raws))
        if not kinds <= _PLAIN | _NONE:
            return np.arange(len(raws))
        present = np.ones(len(raws), bool)
        if kinds & _NONE:
            present = np.fromiter((type(raw) not in _NONE for raw in raws), bool, len(raws))
        try:
            numbers = np.array(raws if present.all() else [raw for raw in raws if type(raw) not in _NONE], np.float64)
        except OverflowError:
            return np.arange(len(raws))
        right = self._in_range(numbers)
        if self._rule.type == "boolean":
            right[:] = False
        places = np.flatnonzero(present)
        values[places[right]] = numbers[right]
        present[places] = right
        return np.flatnonzero(~present) if self._rule.required else places[~right]

    def plainly_right(self, numbers: Floats) -> npt.NDArray[np.bool_]:
        """Tell which values of a column are plainly right; NaN is an absent one, and booleans came as such."""
        right = self._in_range(numbers)
        return right if self._rule.required else right | np.isnan(numbers)

    def _in_range(self, numbers: Floats) -> npt.NDArray[np.bool_]:
        right: npt.NDArray[np.bool_] = (numbers >= self._rule.min) & (numbers <= self._rule.max)
        if self._missing_numbers.size:
            right &= ~np.isin(numbers, self._missing_numbers)
        if self._rule.type == "integer":
            right &= numbers == np.floor(numbers)
        return right

    def value(self, raw: Any) -> float | Fault:
        """Return a number, NaN for none, or what is wrong.

        Parameters
        ----------
        raw
            A value as JSON has it, or `ABSENT`.
        """
        if raw is ABSENT or raw is None:
            return self._none("is absent" if raw is ABSENT else "is null")
        if isinstance(raw, str) and raw.strip() in self._missing_texts:
            return self._none(f"{shown(raw)} stands for none")
        number = self._number(raw)
        if isinstance(number, Fault):
            return number
        if math.isnan(number) and NOT_A_NUMBER in self._missing_texts:
            return self._none("NaN stands for none")
        if not math.isfinite(number):
            return self._fault(
                RejectionKind.NOT_FINITE, raw, f"is not finite; if it means none, declare {self._place}.missing"
            )
        if number in self._missing_numbers:
            return self._none(f"{shown(raw)} stands for none")
        return self._judged(number, raw)

    @property
    def _place(self) -> str:
        return f"fields.{self.name}"

    def _judged(self, number: float, raw: Any) -> float | Fault:
        rule = self._rule
        if rule.type == "integer" and not number.is_integer():
            return self._fault(RejectionKind.NOT_WHOLE, raw, f"is not whole; declare {self._place}.type: number")
        if not rule.min <= number <= rule.max:
            where = f"is not within {rule.min:g} and {rule.max:g} {rule.unit}".rstrip()
            return self._fault(RejectionKind.OUT_OF_RANGE, raw, f"{where}; see {self._place}.min, .max and .missing")
        return number

    def _number(self, raw: Any) -> float | Fault:
        if isinstance(raw, bool) or self._rule.type == "boolean":
            if isinstance(raw, bool) and self._rule.type == "boolean":
                return float(raw)
            wanted = "true or false" if self._rule.type == "boolean" else "a number"
            return self._fault(RejectionKind.WRONG_TYPE, raw, f"is not {wanted}; see {self._place}.type")
        if isinstance(raw, str):
            return self._number_of_text(raw)
        if isinstance(raw, int | float):
            try:
                return float(raw)
            except OverflowError:
                return math.inf
        return self._fault(RejectionKind.WRONG_TYPE, raw, "is not a number; send one, or null for none")

    def _number_of_text(self, raw: str) -> float | Fault:
        if self._text is None:
            if any(sign.isdigit() for sign in raw):
                return self._fault(
                    RejectionKind.NUMBER_AS_TEXT, raw, f"is text; send a number, or declare {self._place}.text"
                )
            return self._fault(
                RejectionKind.WRONG_TYPE, raw, f"is text; send a number, or declare it in {self._place}.missing"
            )
        pattern, form = self._text
        found = pattern.fullmatch(raw.strip())
        if not found:
            return self._fault(RejectionKind.NOT_A_NUMBER, raw, f"is not written as {self._place}.text says")
        digits = found["number"]
        return float((digits.replace(form.thousands, "") if form.thousands else digits).replace(form.decimal, "."))

    def _none(self, what: str) -> float | Fault:
        if self._rule.required:
            reason = f"{self.name}: {what}, and {self._place}.required says that each reading has it"
            return Fault(RejectionKind.MISSING, self.name, reason)
        return math.nan

    def _fault(self, kind: RejectionKind, raw: Any, why: str) -> Fault:
        return Fault(kind, self.name, f"{self.name}: {shown(raw)} {why}")


def _pattern(form: TextForm) -> tuple[re.Pattern[str], TextForm]:
    whole = "[0-9]+"
    if form.thousands:
        whole = f"(?:[0-9]{{1,3}}(?:{re.escape(form.thousands)}[0-9]{{3}})+|[0-9]+)"
    number = f"(?P<number>[+-]?{whole}(?:{re.escape(form.decimal)}[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    return re.compile(number + (rf"\s*{re.escape(form.suffix)}" if form.suffix else "")), form
