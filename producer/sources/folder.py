"""A folder that keeps growing: new files in it, and files that become longer, are read on from where they were left.

How far a file was read is stored in the spool together with its readings, so a kill neither loses nor repeats any.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from producer.errors import ProducerError
from producer.live import Intake
from producer.sources.growing import Kind, Opened, Place, Unreadable

log = logging.getLogger(__name__)

# So many files that are gone are remembered, in case they come back under another name.
N_GONE = 1000

# Size in bytes and time of the last change, as in nanoseconds since 1970.
Looked = tuple[int, int]
Found = tuple[Path, Looked]


class FolderSource:
    """The files of a folder by a pattern, oldest first.

    Parameters
    ----------
    pattern
        As of `pathlib.Path.glob`; ``**/*.csv`` looks into folders below, too.
    every_s
        Seconds between two looks at the folder.
    """

    def __init__(self, folder: Path, pattern: str, every_s: float, kind: Kind) -> None:
        self.name = kind.name
        self._folder, self._pattern, self._every_s, self._kind = folder.resolve(), pattern, every_s, kind
        # By device and inode: where each known file stands, and what it looked like when it was last read to its end.
        self._places: dict[str, Place] = {}
        self._looked: dict[str, Looked] = {}
        self._complained: set[str] = set()
        self._unreadable: dict[str, str] = {}
        self._unfinished: dict[str, int] = {}

    def run(self, intake: Intake, stop: Event) -> None:
        """Read until stopped.

        Raises
        ------
        ProducerError
            The pattern is none.
        """
        self.begin(intake, stop)
        log.info("reading %s in %s every %g s", self._pattern, self._folder, self._every_s)
        while not stop.is_set():
            self.look()
            stop.wait(self._every_s)

    def begin(self, intake: Intake, stop: Event) -> None:
        """Remember how far each file was read."""
        self._intake, self._stop = intake, stop
        self._places = {name: Place.loads(text) for name, text in intake.spool.positions().items()}

    def look(self) -> None:
        """Read what has come since the last look.

        Raises
        ------
        ProducerError
            The pattern is none.
        """
        found = self._found()
        before, self._looked = self._looked, {name: one for name, one in self._looked.items() if name in found}
        changed = {name: path for name, (path, looked) in found.items() if self._looked.get(name) != looked}
        self._say_unfinished({name: path for name, (path, _) in found.items() if name not in changed})
        # Before any is read: a file that is written anew gives up its place to its copy.
        free = self._free_places(set(found) - set(changed), changed)
        for name, path in changed.items():
            if self._stop.is_set():
                return
            if self._followed(name, path, free):
                self._looked[name] = found[name][1]
        self._forget_gone([name for name in self._places if name not in found], before)
        self._unreadable = {path: why for path, why in self._unreadable.items() if Path(path).exists()}
        self._intake.metrics.unreadable(len(self._unreadable))

    def _found(self) -> dict[str, Found]:
        """Return what is there, oldest first."""
        found: dict[str, Found] = {}
        try:
            paths = sorted(self._folder.glob(self._pattern))
        except (ValueError, NotImplementedError) as error:
            raise ProducerError(f"--pattern {self._pattern}: {error}; give one as *.csv") from error
        for path in paths:
            try:
                status = path.stat()
            except OSError:
                continue
            if path.is_file():
                found.setdefault(_name(status), (path, (status.st_size, status.st_mtime_ns)))
        found |= self._renamed({name: place for name, place in self._places.items() if name not in found})
        return dict(sorted(found.items(), key=lambda item: (item[1][1][1], item[1][0])))

    def _renamed(self, missing: dict[str, Place]) -> dict[str, Found]:
        """Return known files that have a name outside the pattern now, as from a rotation, where each lay."""
        renamed: dict[str, Found] = {}
        for folder in {Path(place.path).parent for place in missing.values()}:
            for entry in os.scandir(folder) if folder.is_dir() else ():
                try:
                    status = entry.stat()
                except OSError:
                    continue
                name, looked = _name(status), (status.st_size, status.st_mtime_ns)
                if name in missing and entry.is_file():
                    # Another file may have got the number of one that was deleted.
                    with _opened(Path(entry.path)) as opened:
                        if opened and self._kind.goes_on(missing[name], opened):
                            renamed[name] = Path(entry.path), looked
        return renamed

    def _free_places(self, unchanged: set[str], changed: dict[str, Path]) -> dict[str, Place]:
        """Return the places whose files are gone, or are other files now."""
        taken = set(unchanged)
        for name, path in changed.items():
            if name in self._places:
                with _opened(path) as opened:
                    if opened and self._kind.goes_on(self._places[name], opened):
                        taken.add(name)
        return {name: place for name, place in self._places.items() if name not in taken}

    def _followed(self, name: str, path: Path, free: dict[str, Place]) -> bool:
        """Read a file as far as it goes now; return False if it must be looked at again."""
        with _opened(path) as opened:
            if opened is None:
                return False
            place = self._recognised(name, opened, free)
            try:
                for messages, after in self._kind.stretches(place, opened, lambda fault: self._complain(path, fault)):
                    if not self._intake.put_at_last(messages, {name: after.dumps()}, self._stop):
                        return False
                    self._places[name] = after
            except Unreadable as error:
                self._say_unreadable(path, str(error))
            else:
                self._unreadable.pop(str(path), None)
        return True

    def _recognised(self, name: str, opened: Opened, free: dict[str, Place]) -> Place | None:
        """Return where a file was left, under whichever name it was known; None if it must be read from its start."""
        path = str(opened.path)
        if name in self._places and name not in free:
            place = self._places[name]
            if place.path != path:
                log.info("%s is %s under another name; it is read on from there", path, place.path)
            return place
        same_path_first = sorted(free, key=lambda former: free[former].path != path)
        former = next((former for former in same_path_first if self._kind.goes_on(free[former], opened)), None)
        if former is not None:
            place = free.pop(former)
            log.info("%s was read as %s before, as far as row %d", path, place.path, place.n_rows)
            self._places.pop(former, None)
            self._places[name] = place
            self._intake.put([], {former: None, name: place.dumps()})
            return place
        if name in free:
            log.info("%s was cut short or replaced; it is read from its start", path)
            free.pop(name)
        return None

    def _say_unfinished(self, unchanged: dict[str, Path]) -> None:
        for name, path in unchanged.items():
            end = self._places[name].end if name in self._places else 0
            n_bytes = self._looked[name][0] - end
            if n_bytes and str(path) not in self._unreadable and self._unfinished.get(name) != end:
                self._unfinished[name] = end
                log.info(
                    "%s: its last %d bytes are not read before they are finished, a line by its end", path, n_bytes
                )

    def _forget_gone(self, gone: list[str], before: dict[str, Looked]) -> None:
        """Say which files have gone since the last look, and forget those that went long ago."""
        for name in gone:
            if name in before:
                place = self._places[name]
                log.info("%s is gone; it was read up to byte %d", place.path, place.end)
        too_many = gone[: max(0, len(gone) - N_GONE)]
        for name in too_many:
            self._places.pop(name)
        if too_many:
            self._intake.put([], dict.fromkeys(too_many))

    def _complain(self, path: Path, fault: str) -> None:
        # Once a file: one full of such rows must not fill the log.
        if str(path) not in self._complained:
            self._complained.add(str(path))
            log.warning("%s; such rows are sent as they are, and the fog says what is wrong with each", fault)

    def _say_unreadable(self, path: Path, why: str) -> None:
        if self._unreadable.get(str(path)) != why:
            self._unreadable[str(path)] = why
            log.error("%s; it is left out until it changes or the producer is started again", why)


def _name(status: os.stat_result) -> str:
    return f"{status.st_dev}:{status.st_ino}"


@contextmanager
def _opened(path: Path) -> Iterator[Opened | None]:
    """Open a file; None if it is gone or may not be read, which the next look finds out again."""
    try:
        file = path.open("rb")
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            log.warning("%s can't be opened (%s); trying on", path, error.strerror)
        yield None
        return
    with file:
        yield Opened(path, file, os.fstat(file.fileno()).st_size)
