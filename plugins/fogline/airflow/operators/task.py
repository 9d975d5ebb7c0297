"""What every Fogline task has: its federation, its services, and a log of plain lines."""

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from fogline.airflow.lineage import lineage_of
from fogline.federation import Federation, load_federation
from fogline.messages.plan import Plan

if TYPE_CHECKING:
    from airflow.sdk.types import Logger


class FederationTask:
    """Mixin for operators of one federation.

    The file is read anew by each run, so that an edit needs no restart and the plan carries what the file says then.
    """

    federation_file: str
    # Topics and models, for lineage.
    reads: ClassVar[tuple[str, ...]] = ()
    writes: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def said(cls) -> str:
        """Return what the task does, for Airflow to show beside it: it is said once, in the class' docstring."""
        return inspect.getdoc(cls) or ""

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return what the task read and wrote; OpenLineage's provider asks for it by this name."""
        return lineage_of(self.federation, self.reads, self.writes)

    @property
    def federation(self) -> Federation:
        """The federation as its file describes it now; its expressions are tried when a plan with them is announced."""
        return load_federation(Path(self.federation_file), check_sql=False)


class FederationOperator(FederationTask, BaseOperator):
    """A task of one federation that runs in one go."""

    def __init__(self, *, federation_file: str, **kwargs: Any) -> None:
        super().__init__(doc_md=self.said(), **kwargs)
        self.federation_file = federation_file


def log_lines(log: "Logger", text: str) -> None:
    """Log a text of several lines, each as a line of its own."""
    for line in text.splitlines():
        log.info("%s", line)


def run_id_of(context: Any) -> str:
    """Return the DAG run's id."""
    return str(context["dag_run"].run_id)


def describe(plan: Plan) -> str:
    """Return what a plan asks for, in lines."""
    task = "train" if plan.kind == "train" else f"measure {plan.measure} on {plan.rows} rows"
    models = ", ".join(
        f"{m.name} {'' if m.version is None else f'@{m.version} '}({m.weights.digest[:12]})" for m in plan.models
    )
    return "\n".join(
        [
            f"Plan {plan.plan_id}: {task}",
            f"  window    {plan.window}",
            f"  fogs      {', '.join(plan.members)}; quorum {plan.quorum}",
            f"  closes    {plan.deadline_s:g} s after the announcement, or {plan.grace_s:g} s after the quorum",
            f"  models    {models or 'none'}",
            f"  spec      {plan.specification_sha256[:12]}",
        ]
    )
