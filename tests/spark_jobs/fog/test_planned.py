"""What of a batch is left for a fog, and where several fogs begin."""

from pathlib import Path

import numpy as np

from spark_jobs.fog.planned import Planned, Range, lowest, within

CHECKPOINT = Path("checkpoint")
PLANNED = Planned("t", {0: 10, 1: 20}, {0: 16, 1: 25})


def test_a_fog_before_its_first_batch_takes_all_from_where_the_query_began() -> None:
    assert PLANNED.left_for({}, CHECKPOINT) == {0: Range(10, 16), 1: Range(20, 25)}
    assert PLANNED.is_whole_for({})


def test_a_fog_that_recorded_a_batch_has_nothing_left_of_it() -> None:
    assert PLANNED.left_for({0: 16, 1: 25}, CHECKPOINT) == {}
    assert not PLANNED.is_whole_for({0: 16, 1: 25})


def test_a_fog_that_is_ahead_takes_what_lies_behind_its_position() -> None:
    left = PLANNED.left_for({0: 12, 1: 25}, CHECKPOINT)
    assert left == {0: Range(12, 16)}
    partitions, offsets = np.array([0, 0, 1, 0]), np.array([11, 12, 24, 15])
    assert within(left, partitions, offsets).tolist() == [False, True, False, True]


def test_a_fog_that_is_behind_does_not_pass_over_what_no_batch_held() -> None:
    assert PLANNED.left_for({0: 7, 1: 20}, CHECKPOINT)[0] == Range(7, 16)


def test_several_fogs_begin_at_the_lowest_position_and_from_the_start_where_one_has_none() -> None:
    positions = [{0: 5, 1: 9}, {0: 7}, {0: 6, 1: 2}]
    assert lowest(positions, [0, 1, 2]) == {0: 5, 1: None, 2: None}
