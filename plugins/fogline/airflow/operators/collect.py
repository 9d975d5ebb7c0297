"""Sensors that collect the answers to a plan: a poke polls some seconds, then the task is rescheduled."""

from typing import Any, ClassVar

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from fogline.airflow.connections import open_services
from fogline.airflow.failures import airflow_failures
from fogline.airflow.operators.task import FederationTask, log_lines, run_id_of
from fogline.airflow.pages.link import RoundPageLink
from fogline.federation.settings import Federation
from fogline.kafka.topics import MODEL_UPDATES
from fogline.ledger.answers import JudgedRecord
from fogline.ledger.plans import PlanKey, newest_plan
from fogline.ledger.verdicts import verdict_rows
from fogline.messages.answer import Answer
from fogline.messages.seal import Seal
from fogline.rounds.errors import RoundRefused
from fogline.rounds.judge import PlanState, Verdict
from fogline.rounds.tables import AccountRow, accounts_table, verdicts_table
from fogline.steps.aggregate import hand_over
from fogline.steps.collect import Collector
from fogline.steps.ending import ending_round
from fogline.steps.services import Services
from fogline.steps.train import training_key

# Long enough for a quick round to be over in one poke, short enough not to hold a worker.
POLL_S = 8.0
POKE_INTERVAL_S = 10.0


class CollectAnswers(FederationTask, BaseSensorOperator):
    """Collect the answers to one plan of this run, and seal them.

    Subclasses say which plan, and what is done with the seal.
    """

    ui_color = "#d9ead3"
    reads: ClassVar[tuple[str, ...]] = (MODEL_UPDATES,)

    def __init__(self, *, federation_file: str, **kwargs: Any) -> None:
        kwargs.setdefault("mode", "reschedule")
        kwargs.setdefault("poke_interval", POKE_INTERVAL_S)
        super().__init__(doc_md=self.said(), **kwargs)
        self.federation_file = federation_file

    def plan_of(self, services: Services, federation: Federation, dag_run_id: str) -> PlanState:
        """Return the plan whose answers are collected."""
        raise NotImplementedError

    def on_sealed(self, services: Services, federation: Federation, dag_run_id: str, seal: Seal) -> None:
        """Use the seal."""
        raise NotImplementedError

    def poke(self, context: Any) -> PokeReturnValue:
        """Collect for some seconds; there is no XCom, since who goes on asks the ledger."""
        with airflow_failures():
            services, federation, dag_run_id = open_services(), self.federation, run_id_of(context)
            state = self.plan_of(services, federation, dag_run_id)
            collector = Collector(services, state)
            try:
                with ending_round(services, federation, dag_run_id):
                    seal = collector.poll_for(POLL_S)
            finally:
                for judged in collector.judged:
                    self.log.info("%s", _line(judged))
            if seal is None:
                self.log.info("Plan %s is still open; looking again in %g s", state.plan.plan_id, POKE_INTERVAL_S)
                return PokeReturnValue(is_done=False)
            log_lines(self.log, _verdict_table(services, state))
            self.on_sealed(services, federation, dag_run_id, seal)
        return PokeReturnValue(is_done=True)

    def announced(self, services: Services, key: PlanKey, dag_run_id: str, task: str) -> PlanState:
        """Return the run's newest plan of a purpose.

        Raises
        ------
        RoundRefused
            It was not announced; names the task to clear.
        """
        with services.ledger.transaction() as session:
            state = newest_plan(session, key, dag_run_id)
        if state is None:
            raise RoundRefused(f"this run has announced no plan; clear {task} with everything after it")
        return state


class CollectWeights(CollectAnswers):
    """Collect the fogs' updates and hand the seal to the aggregation."""

    operator_extra_links = (RoundPageLink(),)

    def plan_of(self, services: Services, federation: Federation, dag_run_id: str) -> PlanState:
        """Return the run's training plan."""
        return self.announced(services, training_key(federation), dag_run_id, "announce_round")

    def on_sealed(self, services: Services, federation: Federation, dag_run_id: str, seal: Seal) -> None:
        """Say what the fogs' readings are like, and put the seal where the Spark job reads it."""
        rows = [AccountRow(answer.fog, answer.account) for answer in seal.answers if answer.account]
        log_lines(self.log, accounts_table(f"Readings of {seal.plan.window}", rows))
        for answer in seal.answers:
            for flag in answer.flags:
                self.log.warning("%s: %s", answer.fog, flag)
        hand_over(services, seal)


def _line(judged: JudgedRecord) -> str:
    judgement = judged.judgement
    why = ": ".join(part for part in (judgement.cause, judgement.reason) if part)
    text = f"{judged.fog or 'somebody'}: {judgement.verdict}" + (f" ({why})" if why else "")
    if judgement.verdict is Verdict.ACCEPTED and judged.body is not None:
        answer = Answer.from_bytes(judged.body.encode())
        silent = f"; silent sensors: {', '.join(answer.silent_sensors)}" if answer.silent_sensors else ""
        text += f", {answer.n_examples} examples in {answer.compute_s:.3f} s{silent}"
    return text


def _verdict_table(services: Services, state: PlanState) -> str:
    with services.ledger.transaction() as session:
        rows = verdict_rows(session, state.plan.plan_id)
    return verdicts_table(f"Verdicts on the answers to {state.plan.plan_id}", rows)
