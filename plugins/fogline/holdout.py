"""Which days are held out of training for ever: whole UTC days of a sensor, by a hash that every party can compute."""

import datetime as dt

from fogline.canonical import sha256_hex


def is_held_out(seed: int, sensor_id: str, date: dt.date, share: float) -> bool:
    """Tell whether a sensor's UTC day belongs to the held-out share.

    The answer depends on nothing but its arguments, so no branch, round or fog can ever train on such a day.
    """
    uniform = int(sha256_hex(f"{seed}/{sensor_id}/{date.isoformat()}".encode())[:16], 16) / 2**64
    return uniform < share


def held_out_dates(seed: int, sensor_id: str, start: dt.date, end: dt.date, share: float) -> list[dt.date]:
    """Return the held-out days of one sensor from ``start`` up to, but without, ``end``."""
    days = (start + dt.timedelta(days=i) for i in range((end - start).days))
    return [day for day in days if is_held_out(seed, sensor_id, day, share)]
