"""Show what became of the records that fogs received.

``python spark_jobs/fog_readings.py --federation wind_farm [--fog fog-1 …] [--from TIME --to TIME]``, where
FOGLINE_FOG_DATA is the fogs' folder. The fogs may run.
"""

import argparse
import datetime as dt
import sys
from collections.abc import Sequence
from pathlib import Path

from fogline.errors import FoglineError
from fogline.federation import Federation, federations_folder
from fogline.messages.plan import EventTimeSpan
from fogline.rounds.tables import AccountRow, accounts_table
from spark_jobs.fog.environment import data_folder, load_fogs
from spark_jobs.fog.errors import FogError
from spark_jobs.fog.paths import FogPaths
from spark_jobs.fog.report import Stored
from spark_jobs.fog.state import LOST, FogState


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table; a wrong setting, or an account that does not balance, returns 1."""
    arguments = _parse(argv)
    try:
        federation = load_fogs(arguments.federations, arguments.federation, arguments.fog or ())
        window = _window(arguments.start, arguments.end)
        data = data_folder()
        rows = [_row(federation, fog, data, window) for fog in arguments.fog or federation.fogs]
    except FoglineError as error:
        print(f"fog_readings: {error}", file=sys.stderr)
        return 1
    print(accounts_table(f"Readings of {window or 'all times'}", rows))
    wrong = [f"{row.fog}: {row.account.balance} records are not accounted for" for row in rows if row.account.balance]
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    return 1 if wrong else 0


def _row(federation: Federation, fog: str, data: Path, window: EventTimeSpan | None) -> AccountRow:
    paths = FogPaths(data, federation.federation, fog)
    if not paths.state.is_file():
        raise FogError(f"{paths.path}: {fog} has no data here; FOGLINE_FOG_DATA names the folder that it writes to")
    stored = Stored.at(paths, federation)
    state = FogState(paths.state)
    n_lost = state.totals().get(LOST, 0)
    state.close()
    return AccountRow(fog, stored.account(window), n_lost)


def _window(start: dt.datetime | None, end: dt.datetime | None) -> EventTimeSpan | None:
    if start is None and end is None:
        return None
    if start is None or end is None or start >= end:
        raise FogError("--from and --to: give both, the earlier one first")
    return EventTimeSpan(start=start, end=end)


def _moment(text: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time in ISO 8601; write it as 2014-01-01T00:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fog_readings", description="Show what became of the fogs' records.")
    parser.add_argument("--federation", required=True, help="name of the federation's file, without .yaml")
    parser.add_argument("--fog", action="append", help="only this fog; may be given again")
    parser.add_argument("--from", dest="start", type=_moment, help="event time to start at (ISO 8601; UTC)")
    parser.add_argument("--to", dest="end", type=_moment, help="event time to end before")
    parser.add_argument("--federations", type=Path, default=federations_folder(), help="folder (%(default)s)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
