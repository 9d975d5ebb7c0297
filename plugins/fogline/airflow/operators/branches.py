"""What a person does with branches: begin one, compare two, promote one, roll one back."""

from pathlib import Path
from typing import Any

from fogline.airflow.assets import tell_of_model
from fogline.airflow.connections import open_services
from fogline.airflow.failures import airflow_failures
from fogline.airflow.lineage import MODEL
from fogline.airflow.operators.task import FederationOperator, log_lines, run_id_of
from fogline.federation import Federation, NewBranch, federation_file, load_federation
from fogline.kafka.topics import GLOBAL_MODEL
from fogline.steps import branches
from fogline.steps.branch_desk import begin_new_branch, describe_move
from fogline.steps.branches import MovedHead
from fogline.steps.comparison import compare_branches, keep_picture, table_of
from fogline.steps.services import Services
from fogline.versions import MAIN, parse_version


class BeginBranch(FederationOperator):
    """Write a branch's file into the folder of the federation files."""

    ui_color = "#cfe8f3"

    def execute(self, context: Any) -> str:
        """Write the file and return its path."""
        form, folder = context["params"], Path(self.federation_file).parent
        with airflow_failures():
            federation = self.federation.federation
            begins_at = str(parse_version(form["begins_at"], MAIN))
            new = NewBranch(federation, form["name"], begins_at, form["exclude"], form["settings"], form["description"])
            log_lines(self.log, begin_new_branch(open_services(), folder, new))
        return str(federation_file(federation, new.name, folder))


class CompareBranches(FederationOperator):
    """Show two branches' errors by interval, and draw them."""

    ui_color = "#d9ead3"

    def execute(self, context: Any) -> str | None:
        """Log the table and return the picture's path in the model store; None when there is nothing to draw."""
        form = context["params"]
        with airflow_failures():
            services, federation = open_services(), self.federation
            comparison = compare_branches(services, federation, form["first"], form["second"])
            log_lines(self.log, table_of(federation, comparison))
            if comparison.is_same or not comparison.is_scored:
                return None
            path = keep_picture(services, federation, comparison)
        self.log.info("Drawn: %s/%s", services.store.url, path)
        return path


class MoveHead(FederationOperator):
    """Move a head on record; a task that runs again moves nothing twice."""

    ui_color = "#fce5cd"
    writes = (MODEL, GLOBAL_MODEL)

    def move(self, services: Services, federation: Federation, form: dict[str, Any], dag_run_id: str) -> MovedHead:
        """Move the branch's head as the form says."""
        raise NotImplementedError

    def branch_moved(self, form: dict[str, Any]) -> Federation:
        """Return the branch whose head moves."""
        return self.federation

    def execute(self, context: Any) -> dict[str, Any]:
        """Move the head; the XCom says from where to where."""
        form, dag_run_id = context["params"], run_id_of(context)
        with airflow_failures():
            services, federation = open_services(), self.branch_moved(form)
            moved = branches.move_of_run(services, federation, dag_run_id)
            if moved is not None:
                self.log.info("This run has moved the head before")
            else:
                moved = self.move(services, federation, form, dag_run_id)
            log_lines(self.log, describe_move(services, federation, moved))
        tell_of_model(context, moved.model, moved.move.reason)
        return {"before": moved.before, "after": moved.model.name, "head_no": moved.move.head_no}


class PromoteBranch(MoveHead):
    """Make a branch's head the next version of main."""

    def move(self, services: Services, federation: Federation, form: dict[str, Any], dag_run_id: str) -> MovedHead:
        """Promote the form's branch."""
        return branches.promote(services, federation, form["branch"], dag_run_id)


class RollBack(MoveHead):
    """Move a branch's head back to a version on the way to it."""

    def branch_moved(self, form: dict[str, Any]) -> Federation:
        """Return the form's branch."""
        file = Path(self.federation_file)
        return load_federation(federation_file(self.federation.federation, form["branch"], file.parent))

    def move(self, services: Services, federation: Federation, form: dict[str, Any], dag_run_id: str) -> MovedHead:
        """Roll back to the form's version."""
        return branches.roll_back(services, federation, parse_version(form["version"], federation.branch), dag_run_id)
