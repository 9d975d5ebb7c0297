"""The verbs for branches: begin, list, compare, promote, roll back."""

import getpass
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fogline.federation import Federation, NewBranch, federation_file, load_federation
from fogline.stack.commands import main, make_stack
from fogline.stack.errors import StackError
from fogline.stack.ports import listening
from fogline.stack.stack import Stack
from fogline.versions import MAIN, parse_version

if TYPE_CHECKING:
    from fogline.steps.branches import MovedHead


class Place:
    """The running stack's federation: its files, its ledger, its broker.

    Raises
    ------
    StackError
        Kafka and Postgres are not up.
    """

    def __init__(self, federation: str | None) -> None:
        # Only these verbs need the ledger, and importing it takes longer than most verbs do.
        from fogline.artifacts import ArtifactStore
        from fogline.ledger.database import Ledger
        from fogline.steps.services import Services

        stack = running_stack("Kafka", "Postgres")
        self.settings = stack.settings
        self.name = federation or self.settings.federation
        store = ArtifactStore((self.settings.home / "models").as_uri())
        kafka = {"bootstrap.servers": self.settings.bootstrap_servers}
        self.services: Services = Services(Ledger(stack.parts.ledger_url), kafka, store)

    def federation(self, branch: str = MAIN) -> Federation:
        """Load the file of the federation or of one of its branches."""
        return load_federation(federation_file(self.name, branch, self.settings.federations))


def running_stack(*servers: str) -> Stack:
    """Return the running stack, of which these servers answer.

    Raises
    ------
    StackError
        They don't; names those, and what to start.
    """
    asked = make_stack()
    if not asked.supervisor.running():
        raise StackError(f"Fogline is not up, and this needs its {' and '.join(servers)}: ./fogline up")
    settings = asked.running_settings()
    ports = {"Kafka": settings.kafka_port, "Postgres": settings.postgres_port}
    dead = [f"{name} (port {ports[name]})" for name in servers if not listening(ports[name])]
    if dead:
        raise StackError(f"{' and '.join(dead)} does not answer, and this needs it: see ./fogline status, ./fogline up")
    return Stack(settings)


def federation_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the option that names a federation."""
    described = "Name of the federation's file; the stack's own by default."
    return click.option("--federation", metavar="NAME", help=described)(command)


@main.group()
def branch() -> None:
    """Begin a branch, or list the branches."""


@branch.command("new")
@click.argument("name")
@click.option("--from", "begins_at", required=True, metavar="VERSION", help="Where it begins, such as main@12.")
@click.option("--exclude", multiple=True, metavar="FOG", help="A fog that it leaves out; may be given again.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Such as training.learning_rate=0.02.")
@click.option("--description", help="What it is for; shown in Airflow.")
@federation_option
def new_branch(
    name: str,
    begins_at: str,
    exclude: tuple[str, ...],
    settings: tuple[str, ...],
    description: str | None,
    federation: str | None,
) -> None:
    """Write the file of a new branch NAME, which Airflow makes a DAG of."""
    from fogline.steps.branch_desk import begin_new_branch

    place = Place(federation)
    new = NewBranch(place.name, name, str(parse_version(begins_at, MAIN)), exclude, settings, description)
    click.echo(begin_new_branch(place.services, place.settings.federations, new))
    click.echo(f"Then: ./fogline compare {MAIN} {name}")


@branch.command("list")
@federation_option
def list_branches(federation: str | None) -> None:
    """Show the branches: where they began, their heads, the last interval of each."""
    from fogline.steps.branch_desk import branches_table

    place = Place(federation)
    click.echo(branches_table(place.services, place.settings.federations, place.name))


@main.command()
@click.argument("first")
@click.argument("second")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Also draw it: a .png or .svg file.")
@federation_option
def compare(first: str, second: str, plot: Path | None, federation: str | None) -> None:
    """Compare the branches FIRST and SECOND by interval, on held-out days."""
    from fogline.chart import chart_format
    from fogline.steps.comparison import compare_branches, picture_of, table_of

    suffix = chart_format(str(plot)) if plot else ""
    place = Place(federation)
    described = place.federation()
    comparison = compare_branches(place.services, described, first, second)
    click.echo(table_of(described, comparison))
    if plot:
        write_file(plot, picture_of(described, comparison, suffix))
        click.echo(f"Drawn: {plot}")


@main.command()
@click.argument("branch")
@federation_option
def promote(branch: str, federation: str | None) -> None:
    """Make the head of BRANCH the next version of main."""
    from fogline.steps import branches

    place = Place(federation)
    described = place.federation()
    _tell(place, described, branches.promote(place.services, described, branch, _user()))


@main.command()
@click.argument("version")
@click.option("--branch", default=MAIN, show_default=True, help="The branch whose head moves.")
@federation_option
def rollback(version: str, branch: str, federation: str | None) -> None:
    """Move the head of main back to VERSION, such as main@11; the intervals after it can be trained again."""
    from fogline.steps import branches

    place = Place(federation)
    described = place.federation(branch)
    _tell(place, described, branches.roll_back(place.services, described, parse_version(version, branch), _user()))


def _tell(place: Place, federation: Federation, moved: "MovedHead") -> None:
    from fogline.steps.branch_desk import describe_move

    click.echo(describe_move(place.services, federation, moved))


def write_file(path: Path, content: bytes) -> None:
    """Write what a person asked for; where that can't be, it is said in one line."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise click.ClickException(f"{path}: can't be written: {error.strerror}") from error


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have no name.
        return f"user {os.getuid()}"
