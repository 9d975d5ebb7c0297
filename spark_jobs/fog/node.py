"""A fog node's two threads: one follows the plans, one answers them; neither dies of an error."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from fogline.errors import FoglineError
from fogline.federation.settings import Federation
from fogline.kafka.clients import ClientConfig
from fogline.kafka.publish import Publisher, Record
from fogline.kafka.read import Cursor, Received, TailReader, open_consumer
from fogline.kafka.topics import MODEL_UPDATES, MODEL_WEIGHTS, N_WEIGHTS_PARTITIONS, ROUND_PLANS
from fogline.kafka.vectors import send_vector
from fogline.messages.answer import Answer
from fogline.messages.base import MessageError
from fogline.messages.plan import Plan
from spark_jobs.fog.answer import Answerer, Computed
from spark_jobs.fog.errors import Decline, PlanDeclined
from spark_jobs.fog.memory import give_back
from spark_jobs.fog.metrics import FogMeter
from spark_jobs.fog.models import ModelCache
from spark_jobs.fog.plans import AnnouncedPlan, PlanBoard, behind
from spark_jobs.fog.state import FogState
from spark_jobs.fog.store import ReadingStore
from spark_jobs.fog.unused import UnusedRecords

POLL_S = 1.0
RETRY_S = 2.0
# The broker answers a fetch at once when a record arrives; until then one question in half a second is enough.
TAIL_CONFIG = {"fetch.wait.max.ms": "500"}


class FogNode:
    """Answers the plans of one fog.

    Parameters
    ----------
    models
        May be shared with other fogs.
    config
        The cloud's broker.
    """

    def __init__(
        self,
        federation: Federation,
        fog: str,
        store: ReadingStore,
        unused: UnusedRecords,
        state: FogState,
        models: ModelCache,
        config: ClientConfig,
        meter: FogMeter,
    ) -> None:
        self._federation, self._fog, self._state, self._config = federation.federation, fog, state, config
        self._sensors: Sequence[str] = federation.fogs[fog].sensors
        self._board = PlanBoard(fog, self._sensors)
        self._answerer = Answerer(federation.specification(), fog, store, unused, models.fetch)
        self._publisher = Publisher(config, idempotent=True)
        self._stopping = threading.Event()
        self._meter, self._log = meter, logging.getLogger(fog)
        self._cursor: Cursor = {}
        self._threads: list[threading.Thread] = []

    def start(self, on_death: Callable[[str], None]) -> None:
        """Start both threads; ``on_death`` is told why one ended that should not have."""

        def run(name: str, loop: Callable[[], None]) -> None:
            try:
                loop()
            except BaseException as error:
                on_death(f"{self._fog}: the thread that {name} ended: {type(error).__name__}: {error}")
                raise

        for name, loop in (("follows plans", self._follow_plans), ("answers plans", self._answer_plans)):
            self._threads.append(threading.Thread(target=run, args=(name, loop), name=f"{self._fog} {name}"))
            self._threads[-1].start()

    def stop(self) -> None:
        """End both threads; an answer that is being computed is published first."""
        self._stopping.set()
        with self._state.changed:
            self._state.changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _follow_plans(self) -> None:
        said = ""
        while not self._stopping.is_set():
            try:
                with open_consumer({**self._config, **TAIL_CONFIG}) as consumer:
                    reader = TailReader(consumer, ROUND_PLANS, self._cursor)
                    while not self._stopping.is_set():
                        self._take(reader.poll(POLL_S))
                        self._cursor, said = dict(reader.cursor), ""
            except FoglineError as error:
                if str(error) != said:
                    self._log.warning("can't follow plans, trying again: %s", error)
                said = str(error)
                self._stopping.wait(RETRY_S)

    def _take(self, records: Sequence[Received]) -> None:
        taken = [plan for plan in map(self._parse, records) if plan]
        if not taken:
            return
        with self._state.changed:
            for announced in taken:
                self._board.add(announced.plan, announced.appended_s)
            self._state.changed.notify_all()

    def _parse(self, record: Received) -> AnnouncedPlan | None:
        if record.key.split("/")[0] != self._federation:
            return None
        try:
            plan = Plan.from_bytes(record.value)
        except MessageError as error:
            self._log.error("%s[%d] offset %d: no plan: %s", record.topic, record.partition, record.offset, error)
            return None
        return AnnouncedPlan(plan, record.timestamp_ms / 1000) if plan.federation == self._federation else None

    def _answer_plans(self) -> None:
        while not self._stopping.is_set():
            with self._state.changed:
                due = self._board.due(self._state.progress, time.time(), self._state.is_answered)
                if due.announced is None:
                    self._state.changed.wait(due.wait_s)
                    continue
            self._answer(due.announced.plan)
            give_back()

    def _answer(self, plan: Plan) -> None:
        progress = self._state.progress
        silent = behind(self._sensors, progress, plan.window.end)
        if set(silent) - progress.silent:
            self._log.warning(
                "plan %s: no reading yet past %s from %s", plan.plan_id, plan.window.end, ", ".join(silent)
            )
            self._state.mark_silent(silent)
        self._log.info("plan %s: %s over %s", plan.plan_id, plan.measure or plan.kind, plan.window)
        started = time.perf_counter()
        computed = self._compute(plan, silent)
        answer = self._publish(plan, computed)
        if answer is None:
            self._stopping.wait(RETRY_S)
            return
        self._state.mark_answered(plan.plan_id)
        self._meter.answer(answer, computed.cause)
        took = f"{time.perf_counter() - started:.3f} s"
        if answer.kind == "decline":
            self._log.warning("plan %s: declined in %s: %s", plan.plan_id, took, answer.reason)
        else:
            self._log.info("plan %s: %s from %d rows in %s", plan.plan_id, answer.kind, answer.n_examples, took)

    def _compute(self, plan: Plan, silent: tuple[str, ...]) -> Computed:
        try:
            return self._answerer.answer(plan, silent)
        except FoglineError as error:
            cause = error.cause if isinstance(error, PlanDeclined) else Decline.UNAVAILABLE
            return Computed(self._answerer.decline(plan, str(error), silent), cause=cause)
        except Exception as error:
            # A plan must get an answer whatever is wrong with it; the log has the place.
            self._log.exception("plan %s: an error that nobody foresaw", plan.plan_id)
            reason = f"internal error: {type(error).__name__}: {error}"
            return Computed(self._answerer.decline(plan, reason, silent), cause=Decline.INTERNAL_ERROR)

    def _publish(self, plan: Plan, computed: Computed) -> Answer | None:
        answer = computed.answer
        try:
            if computed.weights is not None:
                key = f"{plan.plan_id}/{self._fog}"
                sent = send_vector(self._publisher, MODEL_WEIGHTS, key, computed.weights, N_WEIGHTS_PARTITIONS)
                answer = answer.model_copy(update={"weights": sent})
            self._publisher.publish([Record(MODEL_UPDATES, self._fog, answer.to_bytes())])
        except FoglineError as error:
            self._log.error("plan %s: the answer could not be published, trying again: %s", plan.plan_id, error)
            return None
        return answer
