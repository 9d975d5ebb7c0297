"""The command line ``./fogline``."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import click
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from fogline.command_line import OneLineErrors
from fogline.stack.bootstrap import REPOSITORY
from fogline.stack.processes import memory_mib
from fogline.stack.programs import addresses
from fogline.stack.settings import Settings
from fogline.stack.stack import Stack

# Most tests on the whole stack mostly wait, so the others run beside them.
LANES = ("long_lane", "not long_lane")
STYLE = (["ruff", "check", "."], ["ruff", "format", "--check", "."])
TYPES = ["mypy"]
PASSED_ON = {"ignore_unknown_options": True, "help_option_names": ["--help"]}


@click.group(cls=OneLineErrors)
def main() -> None:
    """Run Fogline on this machine: Kafka, Postgres, Spark, Airflow, the fogs and their readings' producer.

    All state lies in .fogline/ (or FOGLINE_HOME). Ports are changed by the variables that an error names, for
    example FOGLINE_AIRFLOW_PORT.
    """


def make_stack() -> Stack:
    """Return the stack of the environment's settings.

    Raises
    ------
    click.ClickException
        When a setting is not valid; the message names the variable.
    """
    try:
        return Stack(Settings())
    except ValidationError as error:
        faults = [f"FOGLINE_{str(one['loc'][0]).upper()}={one['input']}: {one['msg']}" for one in error.errors()]
        raise click.ClickException("; ".join(faults)) from None


@main.command()
@click.option("--separate", is_flag=True, help="One Spark application for each fog instead of one for all.")
@click.option("--no-producer", is_flag=True, help="Don't replay readings.")
def up(separate: bool, no_producer: bool) -> None:
    """Start everything, with the data of the last time."""
    stack = make_stack()
    started = stack.up(separate=separate, producer=not no_producer)
    click.echo("Fogline is up" if started else "Fogline is already up")
    click.echo(f"Airflow: {stack.settings.airflow_url} (user admin, password {stack.parts.airflow.password})")


@main.command()
@click.option(
    "--rounds", "n_rounds", default=12, show_default=True, type=click.IntRange(1), help="How many to backfill."
)
def demo(n_rounds: int) -> None:
    """Start everything, replay a wind farm and backfill weekly rounds; it stays up afterwards."""
    from fogline.stack.demo import demo_on

    stack = make_stack()
    stack.up()
    demo_on(stack, Console()).run(n_rounds)
    click.echo(f"Airflow: {stack.settings.airflow_url} (user admin, password {stack.parts.airflow.password})")
    click.echo("It is left running; ./fogline down ends it")


@main.command()
def down() -> None:
    """Stop everything; the data stay."""
    click.echo("Fogline is down" if make_stack().down() else "Fogline was not up")


@main.command()
def status() -> None:
    """Show each process: its state, address and memory."""
    stack = make_stack()
    if not stack.supervisor.running():
        click.echo("Fogline is not up")
        return
    table = Table("process", "state", "pid", "address", "memory MiB")
    where = addresses(stack.running_settings())
    for one in stack.supervisor.states():
        state = "DONE" if one.ended_well else one.state
        memory = f"{memory_mib(one.pid):.0f}" if one.pid else ""
        table.add_row(one.name, state, str(one.pid or ""), where.get(one.name, ""), memory)
    Console().print(table)


@main.command()
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on showing what is added.")
@click.option("-n", "--lines", "n_lines", default=200, show_default=True, help="How many lines to show.")
def logs(name: str, follow: bool, n_lines: int) -> None:
    """Show the log of the process NAME (as in status)."""
    log = make_stack().supervisor.log(name)
    if not log.is_file():
        known = ", ".join(sorted(path.stem for path in log.parent.glob("*.log"))) or "none yet"
        raise click.ClickException(f"there is no log of {name}; there are logs of: {known}")
    replace_process(["tail", "-n", str(n_lines), *(["-F"] if follow else []), str(log)])


@main.command(context_settings=PASSED_ON)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(command: tuple[str, ...]) -> None:
    """Run COMMAND inside the environment, for example: ./fogline run airflow dags list"""
    stack = make_stack()
    stack.parts.spark.prepare()
    stack.parts.airflow.prepare()
    replace_process(list(command), stack.environment())


@main.command(context_settings=PASSED_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...]) -> None:
    """Check style and types, then run the tests; ARGUMENTS go to pytest."""
    os.chdir(REPOSITORY)
    spark = make_stack().parts.spark
    spark.prepare()
    environment = os.environ | spark.environment(Path(sys.executable))
    # Of everything types take a minute of one core the first time, so they are checked beside the lanes.
    first = [*STYLE, TYPES, ["pytest", *arguments]] if arguments else STYLE
    failed = [check[0] for check in first if not _passed(check, environment)]
    failed += [] if arguments else _failed_in_two_lanes(environment)
    if failed:
        raise click.ClickException(f"failed: {', '.join(failed)}")


def _passed(check: Sequence[str], environment: Mapping[str, str]) -> bool:
    click.echo(f"== {' '.join(check)}")
    return subprocess.run([sys.executable, "-m", *check], env=environment).returncode == 0


def _failed_in_two_lanes(environment: Mapping[str, str]) -> list[str]:
    """Run all tests in two lanes, check types beside them, show what each said after the other; return what failed."""
    own, beside = [["pytest", "-m", lane] for lane in LANES]
    with _in_the_background(TYPES, environment) as types_passed:
        with _in_the_background(beside, {**environment, "FOGLINE_TEST_LANE": "1"}) as other_passed:
            passed = _passed(own, {**environment, "FOGLINE_TEST_LANE": "0"})
            passed &= other_passed()
        types = types_passed()
    return [*([] if types else ["mypy"]), *([] if passed else ["pytest"])]


@contextlib.contextmanager
def _in_the_background(check: Sequence[str], environment: Mapping[str, str]) -> Iterator[Callable[[], bool]]:
    """Start a check; give what waits for its end, shows what it said and tells whether it passed."""
    with tempfile.TemporaryFile() as output:
        command = [sys.executable, "-m", *check]
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)

        def passed() -> bool:
            code = process.wait()
            click.echo(f"== {' '.join(check)}")
            output.seek(0)
            shutil.copyfileobj(output, sys.stdout.buffer)
            sys.stdout.flush()
            return code == 0

        yield passed


def replace_process(command: list[str], environment: dict[str, str] | None = None) -> NoReturn:
    """Become ``command``, so that signals and the exit code are its own.

    Raises
    ------
    click.ClickException
        When there is no such command.
    """
    used = dict(os.environ) if environment is None else environment
    try:
        os.execvpe(command[0], command, used)
    except OSError as problem:
        raise click.ClickException(f"{command[0]} can't be run: {problem.strerror}") from None
