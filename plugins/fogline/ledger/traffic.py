"""What crossed each link, from what the ledger has on answers and plans; nothing is measured on the wire."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from fogline.blocks import WIRE_DTYPE
from fogline.federation.settings import Specification
from fogline.ledger.plans import ANY_BRANCH, STATISTICS_PURPOSE, candidate_purpose
from fogline.ledger.schema import AnswerRow, PlanRow
from fogline.network import Network


@dataclass(frozen=True)
class LinkTraffic:
    """One fog's link, over all rounds and evaluations.

    Attributes
    ----------
    n_answers, n_updates
        The records that it sent, and those of them that came with weights.
    up_n_bytes
        From fog to cloud: these records, and the weights of each update.
    n_plans
        The plans that it answered, each counted once.
    down_n_bytes
        From cloud to fog: these plans, and each model that they name. A fog that still holds a model doesn't fetch it
        again, so this is the most that it can have been.
    """

    fog: str
    n_answers: int
    n_updates: int
    up_n_bytes: int
    n_plans: int
    down_n_bytes: int


def link_traffic(
    session: Session,
    federation: str,
    branches: Collection[str],
    fogs: Collection[str],
    specification: Specification,
) -> list[LinkTraffic]:
    """Return what crossed each fog's link for some branches, by fog; every model of a federation has one size."""
    model = Network(len(specification.features), specification.model).n_parameters * WIRE_DTYPE.itemsize
    # The specification that an update answers holds for all of a federation's branches, its size too.
    n_models = case(
        (PlanRow.purpose == STATISTICS_PURPOSE, 0), (PlanRow.purpose.like(candidate_purpose(ANY_BRANCH)), 2), else_=1
    )
    is_update = AnswerRow.body.like('%"kind":"update"%')
    by_plan = (
        select(
            AnswerRow.fog.label("fog"),
            func.count().label("n_answers"),
            func.sum(case((is_update, 1), else_=0)).label("n_updates"),
            func.sum(func.octet_length(AnswerRow.body)).label("answer_n_bytes"),
            func.max(n_models).label("n_models"),
            func.max(func.octet_length(PlanRow.body)).label("plan_n_bytes"),
        )
        .join(PlanRow, PlanRow.plan_id == AnswerRow.plan_id)
        .where(PlanRow.federation == federation, PlanRow.branch.in_(branches), AnswerRow.body.is_not(None))
        .where(AnswerRow.fog.in_(fogs))
        .group_by(AnswerRow.fog, AnswerRow.plan_id)
        .subquery()
    )
    sums = [
        func.sum(by_plan.c[name]) for name in ("n_answers", "n_updates", "answer_n_bytes", "n_models", "plan_n_bytes")
    ]
    rows = session.execute(select(by_plan.c.fog, func.count(), *sums).group_by(by_plan.c.fog).order_by(by_plan.c.fog))
    return [
        LinkTraffic(
            fog=fog,
            n_answers=int(n_answers),
            n_updates=int(n_updates),
            up_n_bytes=int(answer_n_bytes) + int(n_updates) * model,
            n_plans=n_plans,
            down_n_bytes=int(plan_n_bytes) + int(named) * model,
        )
        for fog, n_plans, n_answers, n_updates, answer_n_bytes, named, plan_n_bytes in rows
    ]
