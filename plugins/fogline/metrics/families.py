"""What the exporter tells of the ledger: each metric's name, type, labels and meaning, in one table."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

BRANCH = ("federation", "branch")
FOG = (*BRANCH, "fog")


class Sample(NamedTuple):
    """One value of a metric; ``labels`` in the order of its family."""

    name: str
    labels: tuple[str, ...]
    value: float


class Family(NamedTuple):
    """A metric."""

    kind: Literal["gauge", "counter"]
    labels: tuple[str, ...]
    meaning: str


# A cleared round is judged again and the aggregation may still reject what collect accepted, so counts of rounds and
# answers can fall: they are gauges. What is only ever added to is a counter.
FAMILIES: dict[str, Family] = {
    "fogline_ledger_up": Family("gauge", (), "1 when the ledger answered this scrape in time, else 0"),
    "fogline_ledger_read_seconds": Family("gauge", (), "How long reading the ledger took in this scrape"),
    "fogline_rounds": Family(
        "gauge", (*BRANCH, "outcome"), "Ended rounds on record by their present outcome; clearing one changes it"
    ),
    "fogline_rounds_without_model_in_a_row": Family(
        "gauge", BRANCH, "Newest ended rounds in a row that failed, were refused or skipped (100 at most)"
    ),
    "fogline_open_round": Family("gauge", BRANCH, "1 while a round is open, else 0"),
    "fogline_open_round_opened_timestamp_seconds": Family("gauge", BRANCH, "When the open round was opened"),
    "fogline_open_round_closes_by_timestamp_seconds": Family("gauge", BRANCH, "When the open round is over at last"),
    "fogline_last_round_ended_timestamp_seconds": Family("gauge", BRANCH, "When the newest ended round ended"),
    "fogline_last_round_duration_seconds": Family("gauge", BRANCH, "From opening to end of the newest ended round"),
    "fogline_answers": Family(
        "gauge",
        (*FOG, "verdict"),
        "Answers on record by their present verdict; what names no plan or member of the ledger counts as fog unknown",
    ),
    "fogline_last_round_verdict": Family(
        "gauge",
        (*FOG, "verdict"),
        "1 for the verdict on each member in the newest closed plan to train (no_answer: silent)",
    ),
    "fogline_rounds_without_update_in_a_row": Family(
        "gauge", FOG, "Newest closed training plans in a row without an accepted update of the fog (10 at most)"
    ),
    "fogline_last_round_update_norm_l2": Family("gauge", FOG, "L2 norm of the update in the newest closed round"),
    "fogline_last_round_examples": Family("gauge", FOG, "Examples that the update was trained on"),
    "fogline_last_round_answer_seconds": Family("gauge", FOG, "From the plan's arrival on Kafka to the fog's answer"),
    "fogline_last_round_link_bytes": Family(
        "gauge",
        (*FOG, "direction"),
        "Bytes of the newest closed round: to_cloud its update and manifest, to_fog the models its plans name",
    ),
    "fogline_interval_seconds": Family("gauge", BRANCH, "Event time that a round adds"),
    "fogline_evaluation_rmse": Family(
        "gauge", (*BRANCH, "model"), "Held-out RMSE of all fogs together at the last evaluation, in the target's unit"
    ),
    "fogline_evaluation_fog_rmse": Family("gauge", (*FOG, "model"), "Held-out RMSE of each fog, in the target's unit"),
    "fogline_evaluation_loss": Family(
        "gauge", (*BRANCH, "model"), "Held-out loss of all fogs: half the mean squared error of the scaled target"
    ),
    "fogline_evaluation_fog_loss": Family("gauge", (*FOG, "model"), "Held-out loss of each fog"),
    "fogline_evaluation_wrong_ratio": Family(
        "gauge", (*BRANCH, "model"), "Held-out share of wrong classes of all fogs (classification, instead of RMSE)"
    ),
    "fogline_evaluation_fog_wrong_ratio": Family("gauge", (*FOG, "model"), "Held-out share of wrong classes by fog"),
    "fogline_evaluation_fog_rows": Family("gauge", FOG, "Held-out rows that the last evaluation counted"),
    "fogline_head_version": Family("gauge", BRANCH, "Version of the branch's head"),
    "fogline_head_examples": Family("gauge", BRANCH, "Examples that the head was trained on in its round"),
    "fogline_head_moves_total": Family("counter", (*BRANCH, "reason"), "Moves of the head"),
    "fogline_last_commit_timestamp_seconds": Family("gauge", BRANCH, "When the branch's newest version was committed"),
}


def metric_families(samples: Iterable[Sample]) -> Iterator[Metric]:
    """Gather samples into the families that have any, in the table's order."""
    by_name: dict[str, list[Sample]] = {}
    for sample in samples:
        by_name.setdefault(sample.name, []).append(sample)
    for name, family in FAMILIES.items():
        if name in by_name:
            metric = empty_family(name, family)
            for _, labels, value in by_name[name]:
                metric.add_metric(labels, value)
            yield metric


def empty_family(name: str, family: Family) -> GaugeMetricFamily | CounterMetricFamily:
    """Return a metric without values."""
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    return kind(name, family.meaning, labels=family.labels)
