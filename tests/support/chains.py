"""A ledger with branches, promotions and a rollback, made without fogs: the ledger's own functions and model files."""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np

from fogline.artifacts import ArtifactStore
from fogline.federation import Federation
from fogline.history.ledger import LedgerHistory
from fogline.ledger import models, plans
from fogline.ledger.database import Ledger
from fogline.ledger.migrate import upgrade
from fogline.ledger.schema import ModelRow
from fogline.model import GlobalModel, Lineage
from fogline.network import Network
from fogline.scaling import Scaler
from fogline.sums import Moments, ScoreSums
from fogline.versions import Version
from tests.support.federations import small_federation
from tests.support.plans import measure_plan, train_plan

BEGAN = dt.datetime(2024, 6, 1, 12, 0, 0, 123_456, tzinfo=dt.UTC)


class ChainMaker:
    """Commits versions to a ledger of its own, a minute apart."""

    def __init__(self, folder: Path, name: str, seed: int = 0, **changes: Any) -> None:
        url = f"sqlite:///{folder}/{name}.db"
        upgrade(url)
        self.ledger, self.store = Ledger(url), ArtifactStore(f"file://{folder}/models")
        self.federation: Federation = small_federation(folder, name=name, **changes)
        self._now, self._seed = BEGAN, seed

    @property
    def name(self) -> str:
        """The federation's name."""
        return self.federation.federation

    @property
    def history(self) -> LedgerHistory:
        """The ledger as a history."""
        return LedgerHistory(self.ledger, self.store)

    def commit(self, branch: str = "main", index: int | None = None) -> ModelRow:
        """Commit the next version of a branch: version 0 without an interval, else one trained on it."""
        name = self.name
        with self.ledger.transaction() as session:
            head = models.head_of(session, name, branch)
            base = models.model_of_head(session, head) if head else None
            key = plans.PlanKey(name, branch, f"round/{branch}/train")
            plan_id = plans.reserve_plan(session, key, f"run-{index}", None).plan_id or ""
            changes = {"plan_id": plan_id, "branch": branch}
            made = measure_plan(self.federation, measure="statistics", **changes)
            plan = made if index is None else train_plan(self.federation, index, **changes)
            plans.record_body(session, plan)
            plans.record_announcement(session, plan, 1_000_000)
            model = self._model(branch, plan_id, base.digest if base else None)
            self.store.write(model.path, model.to_bytes())
            new = models.NewModel(
                base_id=base.id if base else None,
                digest=model.digest,
                path=model.path,
                plan_id=plan_id,
                dag_run_id=f"run-{index}",
                interval_index=index,
                n_examples=0 if index is None else 400 + index,
                base_scores=None if index is None else _scores(2.0),
                scores=None if index is None else _scores(1.0 + index / 10),
            )
            head_no = head.head_no if head else 0
            return models.commit_version(session, name, branch, new, head_no, self._later())

    def begin(self, branch: str, at: Version) -> None:
        """Begin a branch."""
        with self.ledger.transaction() as session:
            origin = models.version_of(session, self.federation.federation, at)
            row = models.copy_model(session, origin, branch, origin.version, self._later())
            models.move_head(session, row, 1, "branched", "ann", self._later())

    def promote(self, branch: str) -> None:
        """Make a branch's head the next version of main."""
        name = self.name
        with self.ledger.transaction() as session:
            head, theirs = models.head_of(session, name, "main"), models.head_of(session, name, branch)
            assert head is not None and theirs is not None
            number = models.next_version(session, name, "main")
            row = models.copy_model(session, models.model_of_head(session, theirs), "main", number, self._later())
            models.move_head(session, row, head.head_no + 1, "promoted", "ann", self._later())

    def roll_back(self, to: Version) -> None:
        """Move a branch's head back."""
        name = self.name
        with self.ledger.transaction() as session:
            head = models.head_of(session, name, to.branch)
            assert head is not None
            row = models.version_of(session, name, to)
            models.move_head(session, row, head.head_no + 1, "rolled back", "ben", self._later())

    def everything(self) -> None:
        """Make a chain with all that happens: two rounds, a branch, its promotion, a rollback, a round after it."""
        for index in (None, 0, 1):
            self.commit(index=index)
        self.begin("slow", Version("main", 1))
        self.commit("slow", 1)
        self.promote("slow")
        self.roll_back(Version("main", 2))
        self.commit(index=2)

    def _model(self, branch: str, plan_id: str, base_digest: str | None) -> GlobalModel:
        specification = self.federation.specification()
        n_parameters = Network(len(specification.features), specification.model).n_parameters
        number = int(plan_id.rsplit("/", 1)[-1])
        lineage = Lineage(
            federation=self.federation.federation,
            branch=branch,
            plan_id=plan_id,
            base_digest=base_digest,
            seal_digest=None,
        )
        column = Moments(n=3, mean=1.0, m2=2.0)
        return GlobalModel(
            parameters=np.random.default_rng((self._seed, number)).standard_normal(n_parameters, np.float32),
            specification=specification,
            scaler=Scaler.of(dict.fromkeys(specification.features, column), column),
            lineage=lineage,
        )

    def _later(self) -> dt.datetime:
        self._now += dt.timedelta(minutes=1)
        return self._now


def _scores(error: float) -> dict[str, Any]:
    """Return what two fogs would say, the second without a held-out reading."""
    sums = ScoreSums(n=10, sum_error=1.0, sum_error2=10 * error**2, sum_target=5.0, sum_target2=50.0)
    return {"fog-a": sums.model_dump(), "fog-b": ScoreSums(n=0).model_dump()}
