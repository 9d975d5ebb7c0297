import datetime as dt

from fogline.holdout import held_out_dates, is_held_out

START = dt.date(2014, 1, 1)


def test_the_share_holds_over_many_days_and_depends_on_seed_and_sensor() -> None:
    days = held_out_dates(1, "R80711", START, START + dt.timedelta(days=10_000), 0.05)
    assert 400 < len(days) < 600
    assert days != held_out_dates(2, "R80711", START, START + dt.timedelta(days=10_000), 0.05)
    assert days != held_out_dates(1, "R80721", START, START + dt.timedelta(days=10_000), 0.05)


def test_a_larger_share_keeps_the_days_of_a_smaller_one() -> None:
    end = START + dt.timedelta(days=1000)
    assert set(held_out_dates(1, "s", START, end, 0.05)) <= set(held_out_dates(1, "s", START, end, 0.2))


def test_no_share_holds_nothing_out() -> None:
    assert not is_held_out(1, "s", START, 0.0)
