"""An aggregation on real servers: exact numbers, rejections by name, and what is left in the store."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from fogline import model
from fogline.artifacts import ArtifactStore, StoreError
from fogline.blocks import BLOCK_N_PARAMETERS, Vector
from fogline.kafka.clients import KafkaLayerError
from fogline.kafka.publish import Publisher, Record
from fogline.kafka.topics import MODEL_WEIGHTS
from fogline.messages.seal import Result
from fogline.messages.weights import BlockedVector, BlockLocation
from spark_jobs.aggregate_round import main
from spark_jobs.aggregation import job
from spark_jobs.aggregation.errors import AggregationError
from spark_jobs.aggregation.job import run
from spark_jobs.aggregation.results import ResultDiffersError
from spark_jobs.aggregation.rules import RULES, Rule

if TYPE_CHECKING:
    from conftest import NewRound, Round
    from pyspark.sql import SparkSession

HIDDEN = (1000, 999)  # five blocks, the last one short: more than there are partitions
N_HIDDEN_PARAMETERS = 2 * 1000 + 1000 * 999 + 2 * 999 + 1
MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "another topic": (
        {"topic": "sensor-data"},
        "wrong_blocks: its blocks lie on topic sensor-data, not on model-weights",
    ),
    "another network": ({"n_parameters": 3}, "wrong_blocks: 3 parameters declared, the model has 2"),
    "another digest": ({"digest": "f" * 64}, "digest_mismatch: the only block's digest is"),
}


@pytest.fixture(params=["in the driver", "in tasks"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of reducing, whatever the size."""
    monkeypatch.setattr(job, "MAX_DRIVER_BYTES", 2**40 if request.param == "in the driver" else 0)
    return str(request.param)


class Aggregate:
    """Seals a round, aggregates it and reads the candidate."""

    def __init__(self, spark: "SparkSession", kafka_config: Mapping[str, str]) -> None:
        self.spark, self.kafka_config = spark, kafka_config

    def __call__(self, round_: "Round") -> Result:
        round_.seal()
        return run(self.spark, round_.store, round_.plan.plan_id, self.kafka_config)


@pytest.fixture
def aggregate(spark: "SparkSession", kafka_config: Mapping[str, str]) -> Aggregate:
    """Aggregate a round on the session's kind of Spark."""
    return Aggregate(spark, kafka_config)


def candidate(round_: "Round", result: Result) -> model.GlobalModel:
    assert result.candidate is not None, result.reason
    return model.from_bytes(round_.store.read(result.candidate.path), result.candidate.path)


def rejections(result: Result) -> dict[str, str]:
    return {row.fog: f"{row.cause}: {row.reason}" for row in result.contributions if row.cause}


@pytest.mark.usefixtures("way")
def test_weighs_by_examples_and_leaves_a_loadable_model(new_round: "NewRound", aggregate: Aggregate) -> None:
    round_ = new_round(["a", "b"], quorum=2)
    round_.update("b", 300, [3, 4])
    round_.update("a", 100, [1, 2])
    result = aggregate(round_)
    loaded = candidate(round_, result)
    assert loaded.parameters.tolist() == [2.5, 3.5]
    assert loaded.lineage.seal_digest == result.seal_digest == round_.seal().digest()
    assert loaded.lineage.base_digest == round_.plan.model_named("base").weights.digest
    assert loaded.scaler == round_.plan.scaler
    assert [(row.fog, row.share, row.cause) for row in result.contributions] == [
        ("a", 0.25, None),
        ("b", 0.75, None),
    ]
    assert result.candidate is not None and result.candidate.n_examples == 400
    assert Result.from_bytes(round_.store.read("farm/main/7/result.json")) == result


def test_both_ways_give_the_same_bytes(
    new_round: "NewRound", aggregate: Aggregate, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    round_ = new_round(["a", "b", "c"], hidden=HIDDEN)
    vectors = rng.normal(size=(3, N_HIDDEN_PARAMETERS)).astype(np.float32)
    for fog, n_examples, vector in zip("abc", (7, 1, 12), vectors, strict=True):
        round_.update(fog, n_examples, vector)
    models = []
    for limit_bytes in (2**40, 0):
        monkeypatch.setattr(job, "MAX_DRIVER_BYTES", limit_bytes)
        models.append(candidate(round_, aggregate(round_)))
    assert models[0].parameters.size == N_HIDDEN_PARAMETERS
    assert models[0].digest == models[1].digest
    expected = np.average(vectors.astype(np.float64), axis=0, weights=(7, 1, 12)).astype(np.float32)
    np.testing.assert_allclose(models[0].parameters, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.usefixtures("way")
def test_a_fog_without_examples_is_rejected_and_changes_nothing(new_round: "NewRound", aggregate: Aggregate) -> None:
    round_ = new_round(["a", "b"])
    round_.update("a", 0, [1, 2])
    round_.update("b", 300, [3, 4])
    result = aggregate(round_)
    assert candidate(round_, result).parameters.tolist() == [3, 4]
    assert rejections(result) == {"a": "wrong_n_examples: trained on no example; a fog without any declines"}


@pytest.mark.usefixtures("way")
def test_adds_up_in_the_order_of_the_plan_not_of_the_answers(new_round: "NewRound", aggregate: Aggregate) -> None:
    round_ = new_round(["a", "b", "c"])
    # In the plan's order the one is lost beside 2^60; where the huge ones meet first it would be left over.
    round_.update("c", 1, [-(2.0**60), 0])
    round_.update("a", 1, [2.0**60, 0])
    round_.update("b", 1, [1, 0])
    assert candidate(round_, aggregate(round_)).parameters.tolist() == [0, 0]


def test_no_examples_at_all_leave_the_model_unchanged(new_round: "NewRound", aggregate: Aggregate) -> None:
    round_ = new_round(["a", "b"])
    round_.update("a", 0, [1, 2])
    round_.update("b", 0, [3, 4])
    result = aggregate(round_)
    assert result.candidate is None
    why = "wrong_n_examples: trained on no example; a fog without any declines"
    assert result.reason == (
        f"0 usable updates, below quorum 1: a rejected ({why}); b rejected ({why}); the global model is unchanged"
    )
    assert round_.store.exists("farm/main/7/result.json")


@pytest.mark.usefixtures("way")
def test_numbers_that_are_none_are_rejected_by_fog_and_block(new_round: "NewRound", aggregate: Aggregate) -> None:
    round_ = new_round(["a", "b", "c"])
    round_.update("a", 100, [1, 2])
    round_.update("b", 300, [np.nan, 4])
    round_.update("c", 300, [5, -np.inf])
    result = aggregate(round_)
    assert candidate(round_, result).parameters.tolist() == [1, 2]
    assert rejections(result) == {
        "b": "not_finite: block 0: parameter 0 of it is nan, not a finite number",
        "c": "not_finite: block 0: parameter 1 of it is -inf, not a finite number",
    }
    assert [row.share for row in result.contributions] == [1, 0, 0]


@pytest.mark.usefixtures("way")
def test_of_several_bad_blocks_the_first_is_named(new_round: "NewRound", aggregate: Aggregate) -> None:
    round_ = new_round(["a", "b"], hidden=HIDDEN)
    zeros = np.zeros(N_HIDDEN_PARAMETERS, np.float32)
    round_.update("a", 1, zeros)
    zeros[BLOCK_N_PARAMETERS + 3 :] = np.nan
    round_.update("b", 1, zeros)
    result = aggregate(round_)
    assert result.candidate is not None
    assert rejections(result) == {"b": "not_finite: block 1: parameter 3 of it is nan, not a finite number"}


@pytest.mark.usefixtures("way")
def test_below_the_quorum_after_rejections_there_is_no_candidate(new_round: "NewRound", aggregate: Aggregate) -> None:
    round_ = new_round(["a", "b"], quorum=2)
    round_.update("a", 100, [1, 2])
    round_.update("b", 300, [np.nan, 4])
    result = aggregate(round_)
    assert result.candidate is None
    assert result.reason == (
        "1 usable updates, below quorum 2: b rejected (not_finite: block 0: parameter 0 of it is nan, not a finite "
        "number); the global model is unchanged"
    )
    assert list(rejections(result)) == ["b"]


@pytest.mark.usefixtures("way")
def test_a_block_that_is_another_is_rejected(
    new_round: "NewRound", aggregate: Aggregate, kafka_config: Mapping[str, str]
) -> None:
    round_ = new_round(["a", "b", "c", "d", "e"])
    good = round_.update("a", 100, [1, 2])

    def declare(fog: str, place: int, sha256: str) -> None:
        block = BlockLocation(partition=0, offset=place, n_bytes=8, sha256=sha256)
        round_.declare(fog, 1, good.model_copy(update={"digest": sha256, "blocks": (block,)}))

    sent = Publisher(kafka_config).publish(
        [Record(MODEL_WEIGHTS, "other", value, 0) for value in (b"123456789abc", b"1234", None)]
    )
    declare("b", good.blocks[0].offset, "0" * 64)
    for fog, where in zip("cde", sent, strict=True):
        declare(fog, where.offset, "1" * 64)
    result = aggregate(round_)
    assert candidate(round_, result).parameters.tolist() == [1, 2]
    assert rejections(result) == {
        "b": f"digest_mismatch: block 0: digest {good.digest[:12]}, 000000000000 was declared",
        "c": "too_large: block 0: 12 bytes, 8 were declared",
        "d": "digest_mismatch: block 0: 4 bytes, 8 were declared",
        "e": f"block_missing: block 0: no record with a value at partition 0 offset {sent[2].offset}",
    }


def test_updates_that_are_not_finite_leave_the_model_unchanged_and_all_are_named(
    new_round: "NewRound", aggregate: Aggregate
) -> None:
    round_ = new_round(["a", "b"])
    for fog in "ab":
        round_.update(fog, 100, [np.nan, np.nan])
    result = aggregate(round_)
    assert result.candidate is None
    assert str(result.reason).startswith("0 usable updates, below quorum 1: a rejected (not_finite: ")
    assert "; b rejected (not_finite: " in str(result.reason)


@pytest.mark.usefixtures("way")
def test_huge_finite_updates_have_a_finite_mean(new_round: "NewRound", aggregate: Aggregate) -> None:
    round_ = new_round(["a", "b"])
    round_.update("a", 100, [3e38, 2])
    round_.update("b", 300, [3e38, 2])
    assert candidate(round_, aggregate(round_)).parameters.tolist() == [np.float32(3e38), 2]


def test_a_sum_that_overflows_is_no_candidate(
    new_round: "NewRound", aggregate: Aggregate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add_up(updates: Vector, n_examples: npt.NDArray[np.int64]) -> Vector:
        with np.errstate(over="ignore"):
            return np.asarray(updates.sum(axis=0, dtype=np.float32))

    monkeypatch.setitem(cast("dict[str, Rule]", RULES), "weighted_mean", add_up)
    round_ = new_round(["a", "b"])
    round_.update("a", 100, [1, 3e38])
    round_.update("b", 300, [1, 3e38])
    result = aggregate(round_)
    assert result.candidate is None
    assert result.reason == "the sum overflows: parameter 1 of it is inf; the global model is unchanged"


@pytest.mark.parametrize(("changes", "reason"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_manifest_that_does_not_fit_is_rejected(
    new_round: "NewRound", aggregate: Aggregate, changes: dict[str, Any], reason: str
) -> None:
    round_ = new_round(["a", "b"])
    round_.update("a", 100, [1, 2])
    round_.update("b", 300, [3, 4], **changes)
    result = aggregate(round_)
    assert candidate(round_, result).parameters.tolist() == [1, 2]
    assert rejections(result)["b"].startswith(reason)


def test_places_that_were_never_written_are_rejected(new_round: "NewRound", aggregate: Aggregate) -> None:
    round_ = new_round(["a", "b", "c", "d"])
    good = round_.update("a", 100, [1, 2])
    for fog, where in (("b", {"offset": 2**70}), ("c", {"partition": 99})):
        round_.declare(fog, 1, good.model_copy(update={"blocks": (good.blocks[0].model_copy(update=where),)}))
    round_.declare("d", 1, None, kind="decline")
    result = aggregate(round_)
    assert candidate(round_, result).parameters.tolist() == [1, 2]
    assert rejections(result) == {
        "b": f"block_missing: block 0: nothing was ever written to partition 0 offset {2**70}",
        "c": "wrong_blocks: block 0: lies on partition 99, it belongs to 0",
        "d": "wrong_kind: its answer of kind decline carries no weights",
    }


def test_expired_blocks_fail_the_job_and_blame_no_fog(
    new_round: "NewRound", aggregate: Aggregate, kafka_config: Mapping[str, str]
) -> None:
    round_ = new_round(["a", "b"])
    expired: BlockedVector = round_.update("a", 100, [1, 2])
    round_.update("b", 300, [3, 4])
    upto = TopicPartition(MODEL_WEIGHTS, 0, expired.blocks[0].offset + 1)
    admin = AdminClient(dict(kafka_config))
    admin.delete_records([upto])[upto].result(30)
    with pytest.raises(AggregationError, match=r"a: block 0 at model-weights partition 0 offset .* has expired"):
        aggregate(round_)
    assert not round_.store.exists("farm/main/7/result.json")


def test_the_same_result_is_left_and_another_is_kept_beside_it(new_round: "NewRound", aggregate: Aggregate) -> None:
    round_ = new_round(["a", "b"])
    round_.update("a", 100, [1, 2])
    first = aggregate(round_)
    assert aggregate(round_) == first
    round_.update("b", 300, [3, 4])
    with pytest.raises(ResultDiffersError, match=r"the seal was .* and is now .*result\.differs-[0-9a-f]{12}\.json"):
        aggregate(round_)
    assert Result.from_bytes(round_.store.read("farm/main/7/result.json")) == first


def test_a_seal_that_counts_a_fog_twice_is_refused(new_round: "NewRound", aggregate: Aggregate) -> None:
    round_ = new_round(["a"])
    round_.update("a", 100, [1, 2])
    round_.update("a", 100, [1, 2])
    with pytest.raises(AggregationError, match="holds a, twice; clear collect_weights"):
        aggregate(round_)


def test_kafka_away_is_one_clear_error(
    new_round: "NewRound", spark: "SparkSession", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fogline.kafka.read.METADATA_TIMEOUT_S", 1.0)
    round_ = new_round(["a"])
    round_.update("a", 100, [1, 2])
    round_.seal()
    with pytest.raises(KafkaLayerError, match=r"127\.0\.0\.1:1: .*is the broker up"):
        run(spark, round_.store, "farm/main/7", {"bootstrap.servers": "127.0.0.1:1"})


def test_a_missing_seal_is_one_clear_error(spark: "SparkSession", store: ArtifactStore) -> None:
    with pytest.raises(StoreError, match=r"no farm/main/8/seal\.json; the task that writes it must run first"):
        run(spark, store, "farm/main/8", {"bootstrap.servers": "127.0.0.1:1"})


def test_main_names_the_setting_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("FOGLINE_MODEL_STORE", raising=False)
    assert main(["--plan", "farm/main/7"]) == 1
    assert "FOGLINE_MODEL_STORE is not set" in caplog.text
