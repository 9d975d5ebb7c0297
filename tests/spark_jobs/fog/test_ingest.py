"""What Spark's offset texts say about lost records."""

from spark_jobs.fog.ingest import n_offsets


def test_offsets_are_counted_over_partitions() -> None:
    assert n_offsets('{"t":{"0":5,"1":7}}', '{"t":{"0":8,"1":7}}') == 3


def test_a_partition_without_a_start_is_left_out() -> None:
    assert n_offsets('{"t":{"0":5}}', '{"t":{"0":8,"1":7}}') == 3


def test_a_first_batch_has_no_start() -> None:
    assert n_offsets(None, '{"t":{"0":8}}') == 0
    assert n_offsets("null", '{"t":{"0":8}}') == 0
