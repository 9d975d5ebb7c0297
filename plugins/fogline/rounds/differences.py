"""Say in words why two seals of the same interval differ: which fog, which sensor and day, which platform."""

from fogline.messages.answer import Answer, SensorDay
from fogline.messages.seal import Seal


def differences(before: Seal, after: Seal) -> list[str]:
    """Compare what two seals were computed from.

    Returns
    -------
    list of str
        One sentence per difference; empty when both hold the same updates.
    """
    found = []
    if before.plan.specification_sha256 != after.plan.specification_sha256:
        found.append("the federation's specification has changed since")
    then = {answer.fog: answer for answer in before.answers}
    now = {answer.fog: answer for answer in after.answers}
    for fog in sorted(then.keys() | now.keys()):
        if fog not in now:
            found.append(f"{fog} took part then and does not now")
        elif fog not in then:
            found.append(f"{fog} takes part now and did not then")
        else:
            found += _fog_differences(then[fog], now[fog])
    return found


def _fog_differences(then: Answer, now: Answer) -> list[str]:
    if then.weights is None or now.weights is None or then.weights.digest == now.weights.digest:
        return []
    found = [f"{then.fog}: weights {now.weights.digest[:12]}, then {then.weights.digest[:12]}"]
    found += [f"{then.fog}: {text}" for text in _reading_differences(then.readings, now.readings)]
    if then.platform != now.platform:
        found.append(f"{then.fog}: platform {now.platform}, then {then.platform}")
    return found


def _reading_differences(then: tuple[SensorDay, ...], now: tuple[SensorDay, ...]) -> list[str]:
    before = {(day.sensor_id, day.date): day for day in then}
    after = {(day.sensor_id, day.date): day for day in now}
    return [
        f"sensor {key[0]} on {key[1]}: {_count(after.get(key))}, then {_count(before.get(key))}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def _count(day: SensorDay | None) -> str:
    return "no readings" if day is None else f"{day.n_readings} readings ({day.sha256[:12]})"
