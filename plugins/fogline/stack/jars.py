"""Fetches the broker's and the connector's jars: pinned by version and checksum, resumable, with a progress bar."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from fogline.stack.bootstrap import exclusive
from fogline.stack.errors import StackError
from fogline.stack.java import Java
from fogline.stack.spark_home import spark_jars

FETCH_DEADLINE_S = 900
# Ivy knows the central repository itself; without POMs each jar is exactly the one that the lock names.
SETTINGS = """<ivysettings><settings defaultResolver="central"/><caches defaultCacheDir={cache}/>
<resolvers><ibiblio name="central" m2compatible="true" usepoms="false" useMavenMetadata="false"/></resolvers>
</ivysettings>
"""
MODULE = """<ivy-module version="2.0"><info organisation="fogline" module={name}/><dependencies>
{dependencies}
</dependencies></ivy-module>
"""
DEPENDENCY = '<dependency org={org} name={name} rev={rev} transitive="false" conf="default->*"/>'


@dataclass(frozen=True)
class Jar:
    """One line of a jars lock: ``group:artifact:version sha256:digest``."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Return the name under which it is kept."""
        return f"{self.artifact}-{self.version}.jar"


def read_lock(lock: Path) -> list[Jar]:
    """Return the jars that a lock file names."""
    jars = []
    for line in lock.read_text().splitlines():
        coordinates, checksum = line.split()
        group, artifact, version = coordinates.split(":")
        jars.append(Jar(group, artifact, version, checksum.removeprefix("sha256:")))
    return jars


def ensure_jars(name: str, tools: Path, java: Java, console: Console, locks: Path | None = None) -> list[Path]:
    """Return the verified jars of ``<name>-jars.lock``, fetching those that are missing.

    Parameters
    ----------
    locks
        The folder of the lock; by default this module's.

    Raises
    ------
    StackError
        When a jar can't be fetched or its checksum is not the lock's.
    """
    jars = read_lock((locks or Path(__file__).parent) / f"{name}-jars.lock")
    folder = tools / "jars" / name
    paths = [folder / jar.file_name for jar in jars]
    if not all(path.is_file() for path in paths):
        with exclusive(tools / "jars.mutex"):
            missing = [jar for jar in jars if not (folder / jar.file_name).is_file()]
            _fetch(name, missing, tools, java, console)
            # Before the check, or a wrong jar would be taken from Ivy's cache again the next time.
            shutil.rmtree(_cache(tools, name))
            _admit(missing, tools / "jars" / f"{name}.new", folder)
    return paths


def _admit(jars: Iterable[Jar], arrived: Path, folder: Path) -> None:
    """Move each jar that has the lock's checksum into ``folder``: what lies there has been verified."""
    folder.mkdir(parents=True, exist_ok=True)
    for jar in jars:
        path = arrived / jar.file_name
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != jar.sha256:
            shutil.rmtree(arrived)
            raise StackError(
                f"{jar.file_name} has sha256 {digest} where the lock has {jar.sha256}: it is another file; "
                "run the command again, and if it stays so, don't trust the mirror or proxy on the way"
            )
        path.rename(folder / jar.file_name)


def _cache(tools: Path, name: str) -> Path:
    return tools / "cache" / "ivy" / name


def _fetch(name: str, jars: list[Jar], tools: Path, java: Java, console: Console) -> None:
    cache = _cache(tools, name)
    cache.mkdir(parents=True, exist_ok=True)
    dependencies = "\n".join(
        DEPENDENCY.format(org=quoteattr(jar.group), name=quoteattr(jar.artifact), rev=quoteattr(jar.version))
        for jar in jars
    )
    settings, module = cache / "settings.xml", cache / "ivy.xml"
    settings.write_text(SETTINGS.format(cache=quoteattr(str(cache))))
    module.write_text(MODULE.format(name=quoteattr(name), dependencies=dependencies))
    ivy = next(spark_jars().glob("ivy-*.jar"))
    arrived = tools / "jars" / f"{name}.new"
    command = [java.executable, "-jar", str(ivy), "-settings", str(settings), "-ivy", str(module)]
    log = cache / "ivy.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "-retrieve", f"{arrived}/[artifact]-[revision].[ext]"], stdout=output, stderr=subprocess.STDOUT
        )
        _show_progress(f"{name} jars", process, cache, len(jars), console)
    lacking = [jar.file_name for jar in jars if not (arrived / jar.file_name).is_file()]
    if lacking:
        raise StackError(
            f"{len(lacking)} of {len(jars)} jars of {name} could not be fetched (first {lacking[0]}); the others are "
            f"kept, so run the command again when the network is back; Ivy's log is {log}"
        )


def _show_progress(title: str, process: subprocess.Popen[bytes], cache: Path, n_jars: int, console: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(title, total=n_jars)
        for _ in range(FETCH_DEADLINE_S * 5):
            progress.update(task, completed=sum(1 for _ in cache.glob("*/*/*/*.jar")))
            try:
                process.wait(timeout=0.2)
                progress.update(task, completed=sum(1 for _ in cache.glob("*/*/*/*.jar")))
                return
            except subprocess.TimeoutExpired:
                continue
        process.kill()
        process.wait()
