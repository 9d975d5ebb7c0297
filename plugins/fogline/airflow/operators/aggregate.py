"""Aggregate a round's updates on Spark: by spark-submit, or on a warm Spark Connect server."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.apache.spark.hooks.spark_connect import SparkConnectHook
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import BaseOperator

from fogline.airflow.connections import SPARK, SPARK_CONNECT, open_services, require_connection
from fogline.airflow.failures import airflow_failures
from fogline.airflow.lineage import CANDIDATE, MODEL
from fogline.airflow.operators.task import FederationOperator, FederationTask, log_lines, run_id_of
from fogline.airflow.pages.link import CandidateLink, RoundPageLink
from fogline.airflow.submission import ROOT, SubmissionError, environment_of, prepared
from fogline.federation.settings import Federation
from fogline.kafka.topics import MODEL_WEIGHTS
from fogline.ledger.verdicts import verdict_rows
from fogline.messages.seal import Result, Seal
from fogline.rounds.tables import contributions_table, verdicts_table
from fogline.steps.aggregate import record_result, require_candidate, sealed_plan
from fogline.steps.ending import ending_round
from fogline.steps.services import Services
from fogline.steps.train import training_key

if TYPE_CHECKING:
    from airflow.sdk.types import Logger
    from pyspark.sql import SparkSession as ClassicSession

JOB = ROOT / "spark_jobs" / "aggregate_round.py"


class AggregatesRound(FederationTask):
    """What both engines share: find the seal before, record the result after."""

    reads, writes = (MODEL, MODEL_WEIGHTS), (CANDIDATE,)

    def sealed(self, services: Services, context: Any) -> Seal:
        """Return the seal to aggregate."""
        return sealed_plan(services, training_key(self.federation), run_id_of(context), "collect_weights")

    def finish(self, services: Services, seal: Seal, context: Any, log: "Logger") -> None:
        """Record the result and say what came of it.

        Raises
        ------
        NoCandidate
            The global model stays as it is.
        """
        with ending_round(services, self.federation, run_id_of(context)):
            result: Result = record_result(services, seal)
            log_lines(log, contributions_table(result))
            with services.ledger.transaction() as session:
                rows = verdict_rows(session, result.plan_id)
            log_lines(log, verdicts_table(f"Final verdicts on the answers to {result.plan_id}", rows))
            candidate = require_candidate(result).candidate
        assert candidate is not None
        log.info("Candidate %s from %d examples", candidate.digest[:12], candidate.n_examples)


class AggregateBySparkSubmit(AggregatesRound, SparkSubmitOperator):
    """Submit the aggregation job to the cluster of the connection ``fogline_spark``."""

    operator_extra_links = (RoundPageLink(), CandidateLink())

    def __init__(self, *, federation_file: str, **kwargs: Any) -> None:
        # A job tried again compares with its earlier result, so it need not be found again on the cluster.
        super().__init__(
            application=str(JOB), conn_id=SPARK, name="aggregate_round", durable=False, doc_md=self.said(), **kwargs
        )
        self.federation_file = federation_file

    def execute(self, context: Any) -> None:
        """Run the job for this run's seal."""
        with airflow_failures():
            # Without this the provider would silently submit to YARN.
            require_connection(SPARK)
            services = open_services()
            seal = self.sealed(services, context)
        self.submit(services, seal.plan.plan_id, context)
        with airflow_failures():
            self.finish(services, seal, context, self.log)

    def submit(self, services: Services, plan_id: str, context: Any) -> None:
        """Run the job for a plan and return when it has ended."""
        self.application_args = ["--plan", plan_id]
        with airflow_failures():
            master, deploy_mode = self._cluster()
        with ExitStack() as stack:
            with airflow_failures():
                submission = stack.enter_context(prepared(services, master, deploy_mode))
            self.env_vars, self.py_files, self.files = submission.env_vars, submission.py_files, submission.files
            stack.enter_context(environment_of(submission))
            super().execute(context)

    def _cluster(self) -> tuple[str, str | None]:
        try:
            where = self._get_hook()._connection
        except NameError:
            # What the provider comes to where the other provider, which has the Kubernetes client, is not installed.
            raise SubmissionError(
                f"connection {SPARK}: for k8s:// install apache-airflow-providers-cncf-kubernetes"
            ) from None
        except ValueError as error:
            raise SubmissionError(f"connection {SPARK}: {error}") from None
        return where["master"], where["deploy_mode"]


class AggregateOnSparkConnect(AggregatesRound, FederationOperator):
    """Run the same function on the Spark Connect server of the connection ``fogline_spark_connect``."""

    operator_extra_links = (RoundPageLink(), CandidateLink())

    def execute(self, context: Any) -> None:
        """Run the aggregation for this run's seal."""
        from pyspark.sql.connect.session import SparkSession

        # The one place outside their mains where a job's function is called: a warm session has no main.
        from spark_jobs.aggregate_round import run

        with airflow_failures():
            require_connection(SPARK_CONNECT)
            services = open_services()
            seal = self.sealed(services, context)
            url = SparkConnectHook(SPARK_CONNECT).get_connection_url()
            session = cast("ClassicSession", SparkSession.builder.remote(url).getOrCreate())
            try:
                run(session, services.store, seal.plan.plan_id, services.kafka)
            finally:
                session.stop()
            self.finish(services, seal, context, self.log)


def aggregate_weights(federation: Federation, **kwargs: Any) -> BaseOperator:
    """Return the aggregation task on the engine that the federation chose."""
    engine = AggregateOnSparkConnect if federation.aggregation == "spark-connect" else AggregateBySparkSubmit
    return engine(task_id="aggregate_weights", **kwargs)
