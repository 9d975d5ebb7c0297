"""The forms of the DAGs: what a person may choose when starting a run by hand."""

from airflow.sdk import Param

from fogline.airflow.timetable import humanise
from fogline.federation.settings import Federation


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
