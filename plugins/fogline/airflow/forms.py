"""The forms of the DAGs: what a person may choose when starting a run by hand."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Param

from fogline.airflow.timetable import humanise
from fogline.federation.settings import Federation
from fogline.versions import MAIN


def round_form(federation: Federation) -> dict[str, Param]:
    """Return the form of a round."""
    return {
        "interval_start": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="Interval to train (its start, UTC)",
            description="Empty: the first interval that has no model yet. Intervals are "
            f"{humanise(federation.interval)} long, counted from {federation.start:%Y-%m-%d %H:%M} UTC. "
            "The logical date of a manual run is ignored.",
        )
    }


def initialise_form(federation: Federation) -> dict[str, Param]:
    """Return the form of `initialise_federation`."""
    return {
        "window_start": _moment(
            federation.initialise.window_start.isoformat(),
            "First event time of the statistics",
            "Every fog sends count, mean and spread of its readings in this window; merged, they scale the model.",
        ),
        "window_end": _moment(federation.initialise.window_end.isoformat(), "End of the statistics", "Exclusive."),
        "deadline_s": _deadline(federation),
    }


def evaluation_form(federation: Federation) -> dict[str, Param]:
    """Return the form of `evaluate_model`."""
    return {
        "version": Param(
            None,
            type=["null", "string"],
            title="Version",
            description="Of any branch, such as main@12 or without_fog_3@20; a number alone is main's. "
            "Empty: main's current version.",
        ),
        "window_start": _moment(federation.start.isoformat(), "First event time to score", "Inclusive."),
        "window_end": _moment(
            (federation.start + federation.window).isoformat(), "End of the window to score", "Exclusive."
        ),
        "rows": Param(
            "all",
            type="string",
            enum=["all", "held_out", "training"],
            title="Rows",
            description="Which rows of the window are scored.",
            values_display={
                "all": "all rows",
                "held_out": "rows of the held-out days",
                "training": "rows that training may see",
            },
        ),
        "deadline_s": _deadline(federation),
    }


def new_branch_form(fogs: Sequence[str]) -> dict[str, Param]:
    """Return the form of `new_branch`; the fogs are those that may be left out."""
    return {
        "name": _text("", "Name", "Letters, digits, - and _; the new DAG's id ends with it.", minLength=1),
        "begins_at": _text(
            "", "Begins at", "The version that it starts from, of any branch, such as main@12.", minLength=1
        ),
        "exclude": _lines("Fogs to leave out", "One a line. None: all fogs train.", list(fogs)),
        "settings": _lines(
            "Settings that differ",
            "One a line, as key=value with dots between nested keys: training.learning_rate=0.02. A branch may change "
            "owner, schedule, training, strategy, aggregation, round, promotion and window.",
        ),
        "description": Param(
            None, type=["null", "string"], title="Description", description="What it is for; empty: what differs."
        ),
    }


def compare_form(branches: Sequence[str]) -> dict[str, Param]:
    """Return the form of `compare_branches`."""
    others = [branch for branch in branches if branch != MAIN]
    return {
        "first": _text(MAIN, "One branch", "What the other is compared with.", examples=list(branches)),
        "second": _text(others[0] if others else "", "Other branch", "The differences are its own less the first's.",
                        examples=list(branches), minLength=1),
    }  # fmt: skip


def promote_form(branches: Sequence[str]) -> dict[str, Param]:
    """Return the form of `promote_branch`."""
    others = [branch for branch in branches if branch != MAIN]
    said = "Its head becomes main's next version; the fogs train from that, and the next interval follows its last one."
    return {"branch": _text("", "Branch", said, examples=others, minLength=1)}


def roll_back_form(branches: Sequence[str]) -> dict[str, Param]:
    """Return the form of `roll_back`."""
    return {
        "version": _text(
            "", "Version", "Where the head moves to, such as main@11. What was trained after it can be trained again.",
            minLength=1,
        ),
        "branch": _text(MAIN, "Branch", "Whose head moves.", examples=list(branches)),
    }  # fmt: skip


def _moment(default: str, title: str, description: str) -> Param:
    return Param(default, type="string", format="date-time", title=title, description=description)


def _deadline(federation: Federation) -> Param:
    return Param(
        federation.round.deadline_s,
        type="number",
        exclusiveMinimum=0,
        maximum=12 * 3600,
        title="Deadline in seconds",
        description="After so long the plan closes; below its quorum the task fails.",
    )


def _text(default: str, title: str, description: str, **schema: Any) -> Param:
    return Param(default, type="string", title=title, description=description, **schema)


def _lines(title: str, description: str, examples: Sequence[str] = ()) -> Param:
    proposed: dict[str, Any] = {"examples": list(examples)} if examples else {}
    return Param([], type="array", items={"type": "string"}, title=title, description=description, **proposed)
