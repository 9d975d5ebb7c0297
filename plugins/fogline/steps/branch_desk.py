"""What people do with branches and are told of them: a new one, the list of them, a head move."""

from pathlib import Path

from sqlalchemy.orm import Session

from fogline.dag_ids import ROUND, dag_id
from fogline.federation import Federation, NewBranch, check_new_branch, load_federations, write_branch
from fogline.ledger import models
from fogline.ledger.history import branches_of
from fogline.ledger.schema import ModelRow
from fogline.rounds.intervals import interval_at
from fogline.rounds.tables import text_table
from fogline.steps.branches import MovedHead, first_interval, next_interval
from fogline.steps.services import Services
from fogline.versions import MAIN


def begin_new_branch(services: Services, folder: Path, new: NewBranch) -> str:
    """Write a new branch's file and return what to do with it, in lines.

    Raises
    ------
    FederationError
        It would be no sound branch, is there already, or can't be written.
    LedgerError, RoundRefused
        It can't begin where it should.
    """
    first = first_interval(services, check_new_branch(folder, new))
    path = write_branch(folder, new)
    rounds = dag_id(ROUND, new.federation, new.name)
    command = f"airflow backfill create --dag-id {rounds} --from-date {first.start:%Y-%m-%dT%H:%M:%SZ} --to-date …"
    return "\n".join(
        [
            f"{path} is written; {new.name} begins at {new.begins_at}, its first interval is {first.index} ({first})",
            f"The DAG {rounds} appears in Airflow within a minute: unpause it and backfill it, in the UI or by",
            f"  ./fogline run {command} --max-active-runs 1",
        ]
    )


def branches_table(services: Services, folder: Path, name: str) -> str:
    """Return a federation's branches as text: from the files, from the ledger, or from both.

    Parameters
    ----------
    folder
        Where the federation files lie.
    """
    sound, broken = load_federations(folder)
    files = {one.branch: one for one in sound if one.federation == name}
    faults = {stem.partition(".")[2]: text for stem, text in broken.items() if stem.startswith(f"{name}.")}
    rows = []
    with services.ledger.transaction() as session:
        known = branches_of(session, name)
        for branch in sorted({*files, *faults, *known}):
            begins, head, last = "-", "none yet", "-"
            if branch in known:
                begins, head, last = _in_ledger(session, name, branch, files)
            elif branch in files:
                begins = files[branch].begins_at or "-"
            state = "sound" if branch in files else "is broken" if branch in faults else "is gone"
            rows.append((branch, begins, head, last, state))
    return text_table(f"Branches of {name}", ("branch", "began at", "head", "last interval", "its file"), rows)


def _in_ledger(session: Session, name: str, branch: str, files: dict[str, Federation]) -> tuple[str, str, str]:
    moves = models.moves_of(session, name, branch)
    first, head = models.model_of_head(session, moves[0]), models.model_of_head(session, moves[-1])
    began = session.get_one(ModelRow, first.copy_of_id).name if first.copy_of_id else "-"
    grid = files.get(branch) or files.get(MAIN)
    if head.interval_index is None:
        return began, head.name, "-"
    interval = interval_at(grid, head.interval_index) if grid else None
    return began, head.name, f"{head.interval_index}" + (f" ({interval})" if interval else "")


def describe_move(services: Services, federation: Federation, moved: MovedHead) -> str:
    """Return what a head move did and what comes next, in lines."""
    branch = federation.branch
    origin = f" (the model of {moved.origin})" if moved.origin else ""
    following = next_interval(services, federation)
    rounds = dag_id(ROUND, federation.federation, branch)
    return "\n".join(
        [
            f"{branch}: {moved.before} → {moved.model.name}{origin}, head number {moved.move.head_no}, "
            f"{moved.move.reason} by {moved.move.moved_by}",
            "Fogs train from it with the next plan, and subscribers of global-model have it now",
            f"Next: interval {following.index} ({following}), by a run or backfill of {rounds}",
        ]
    )
