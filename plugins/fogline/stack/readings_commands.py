"""The verb for what became of the fogs' readings."""

import os
import sys
from pathlib import Path

import click

from fogline.stack.bootstrap import REPOSITORY
from fogline.stack.commands import PASSED_ON, main, make_stack, replace_process


@main.command(context_settings=PASSED_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def readings(arguments: tuple[str, ...]) -> None:
    """Show what became of the records that each fog received.

    ARGUMENTS: --federation NAME, --fog NAME (may be given again), --from TIME --to TIME (event time); without times, of
    all that the fogs hold. The fogs may run.
    """
    stack = make_stack()
    chosen = () if "--federation" in arguments else ("--federation", stack.settings.federation)
    job = str(REPOSITORY / "spark_jobs" / "fog_readings.py")
    folder = Path(stack.settings.federations)
    replace_process(
        [sys.executable, job, *chosen, "--federations", str(folder), *arguments],
        {**os.environ, **stack.environment()},
    )
