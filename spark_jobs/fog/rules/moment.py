"""A reading's event time: microseconds since 1970, or a fault."""

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fogline.federation.reading_rules import ISO_8601, TimeRule
from fogline.zones import zone_named
from spark_jobs.fog.rules.faults import Fault, RejectionKind, shown

Times = npt.NDArray[np.int64]

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)
# Below a microsecond there is nothing to keep: sensors that fast are not meant.
ISO_WITH_OFFSET = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})"
)
ISO = f"{ISO_WITH_OFFSET}?"
# What stands where between the digits of the most common one.
N_IN_SECONDS = 25
IN_SECONDS = {4: b"-", 7: b"-", 10: b"T ", 13: b":", 16: b":", 19: b"+-", 22: b":"}
# No unit makes a time of this.
BEYOND = 1e30
_US_PER_UNIT = {"s": 1_000_000, "ms": 1_000, "us": 1}


class MomentRule:
    """The rule of the event time."""

    def __init__(self, rule: TimeRule) -> None:
        self._rule = rule
        self._iso = re.compile(ISO)
        self._zone = zone_named(rule.zone) if rule.zone else None
        self._earliest_us = (rule.earliest - EPOCH) // MICROSECOND

    def latest_us(self, now: dt.datetime) -> int:
        """Return the last time that is not in the future, at the fog's time ``now``."""
        return (now + self._rule.max_ahead - EPOCH) // MICROSECOND

    def column(self, raws: Sequence[Any], latest_us: int) -> tuple[Times, dict[int, Fault]]:
        """Judge a column.

        Parameters
        ----------
        raws
            Values as JSON has them, or `ABSENT`.

        Returns
        -------
        tuple
            The times in microseconds since 1970, shape ``(n,)``, and the fault of each place that has one.
        """
        times, odd = self._plain(raws, latest_us)
        faults = {}
        for place in odd.tolist():
            found = self.value(raws[place], latest_us)
            if isinstance(found, Fault):
                faults[place] = found
            else:
                times[place] = found
        return times, faults

    def _plain(self, raws: Sequence[Any], latest_us: int) -> tuple[Times, npt.NDArray[np.int64]]:
        """Return the times that are plainly right, and the places of all others."""
        n, everywhere = len(raws), np.arange(len(raws))
        if self._rule.text != ISO_8601 or set(map(type, raws)) != {str}:
            return np.zeros(n, np.int64), everywhere
        try:
            texts = pa.array(raws, pa.string())
        except UnicodeEncodeError:
            return np.zeros(n, np.int64), everywhere
        times, plain = self.plain(texts, latest_us)
        return times, np.flatnonzero(~plain)

    def plain(self, texts: pa.StringArray, latest_us: int) -> tuple[Times, npt.NDArray[np.bool_]]:
        """Return the times of texts in ISO 8601, and which of them are plainly right, both of shape ``(n,)``."""
        times, nowhere = np.zeros(len(texts), np.int64), np.zeros(len(texts), bool)
        formed = _is_formed(texts)
        at = np.flatnonzero(formed)
        try:
            # What Arrow does not read is looked at one by one.
            chosen = texts if at.size == len(texts) else texts.filter(pa.array(formed))
            times[at] = np.array(chosen.cast(pa.timestamp("us", "UTC")).cast(pa.int64()))
        except pa.ArrowException:
            return times, nowhere
        return times, formed & (times >= self._earliest_us) & (times <= latest_us)

    def value(self, raw: Any, latest_us: int) -> int | Fault:
        """Return a time in microseconds since 1970, or what is wrong."""
        if isinstance(raw, str):
            time_us = self._of_text(raw.strip())
        elif isinstance(raw, int | float) and not isinstance(raw, bool):
            time_us = self._of_number(raw)
        else:
            kind = RejectionKind.WRONG_TYPE if isinstance(raw, bool | list | dict) else RejectionKind.MISSING
            return self._fault(kind, raw, "a reading needs its time")
        if isinstance(time_us, Fault):
            return time_us
        if time_us < self._earliest_us:
            remedy = f"is before {self._rule.earliest.isoformat()}; check the sensor's clock and readings.time"
            return self._fault(RejectionKind.ANCIENT_TIME, raw, remedy)
        if time_us > latest_us:
            return self._fault(
                RejectionKind.FUTURE_TIME, raw, "is in the future; check the sensor's clock, zone and readings.time"
            )
        return time_us

    def _of_number(self, raw: float) -> int | Fault:
        unit = self._rule.number
        if unit is None:
            return self._fault(RejectionKind.BAD_TIME, raw, "is a number; declare its unit in readings.time.number")
        if not abs(raw) < BEYOND:
            return self._fault(RejectionKind.BAD_TIME, raw, "is no time")
        if unit == "ns":
            return round(raw / 1000) if isinstance(raw, float) else raw // 1000
        return round(raw * _US_PER_UNIT[unit])

    def _of_text(self, text: str) -> int | Fault:
        rule = self._rule
        if rule.text is None:
            return self._fault(RejectionKind.BAD_TIME, text, "is text; send a number, or declare readings.time.text")
        try:
            if rule.text != ISO_8601:
                moment = dt.datetime.strptime(text, rule.text)
            elif self._iso.fullmatch(text):
                moment = dt.datetime.fromisoformat(text)
            else:
                raise ValueError("not of the form")
            return self._of_moment(text, moment)
        except (ValueError, OverflowError):
            wanted = "ISO 8601 such as 2026-01-31T12:00:00+01:00" if rule.text == ISO_8601 else rule.text
            return self._fault(RejectionKind.BAD_TIME, text, f"is not {wanted}; see readings.time.text")

    def _of_moment(self, text: str, moment: dt.datetime) -> int | Fault:
        if moment.tzinfo is None:
            if self._zone is None:
                return self._fault(RejectionKind.BAD_TIME, text, "has no zone; send one, or declare readings.time.zone")
            moment = moment.replace(tzinfo=self._zone)
            # Where clocks are set back an hour comes twice; where they are set forward, one is left out.
            if moment.utcoffset() != moment.replace(fold=1).utcoffset():
                return self._fault(
                    RejectionKind.AMBIGUOUS_TIME,
                    text,
                    f"is twice or never in {self._rule.zone}; send it with its offset",
                )
        return (moment - EPOCH) // MICROSECOND

    def _fault(self, kind: RejectionKind, raw: Any, why: str) -> Fault:
        key = self._rule.key
        what = "is absent" if kind is RejectionKind.MISSING and raw is not None else shown(raw)
        return Fault(
            kind, key, f"{key}: {what} {why}" if kind is not RejectionKind.MISSING else f"{key}: {what}; {why}"
        )


def _is_formed(texts: pa.StringArray) -> npt.NDArray[np.bool_]:
    """Tell which texts have the form of `ISO_WITH_OFFSET`, which Arrow reads; nulls have not."""
    if not texts.null_count and _all_in_seconds(texts):
        return np.ones(len(texts), bool)
    formed: npt.NDArray[np.bool_] = (
        pc.match_substring_regex(texts, f"^{ISO_WITH_OFFSET}$").fill_null(False).to_numpy(zero_copy_only=False)
    )
    return formed


def _all_in_seconds(texts: pa.StringArray) -> bool:
    """Tell whether all are written as 2026-01-31T12:00:00+01:00, by the signs between digits: Arrow reads the rest."""
    bounds: Any
    content: Any
    _, bounds, content = texts.buffers()
    if bounds is None or content is None:
        return False
    at = np.frombuffer(bounds, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    if not len(texts) or not (np.diff(at) == N_IN_SECONDS).all():
        return False
    signs = np.frombuffer(content, np.uint8)[at[0] : at[-1]].reshape(len(texts), N_IN_SECONDS)
    return all(np.isin(signs[:, place], list(wanted)).all() for place, wanted in IN_SECONDS.items())
