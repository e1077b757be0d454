"""The file of results: a line for each job, appended as it ends."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from vosctl.batching.layouts import HIDDEN
from vosctl.batching.result import WHOLE_STATES, JobResult
from vosctl.errors import UsageError, VosctlError
from vosctl.video.leftovers import clean
from vosctl.video.staging import StagedFile, write_errors


def read_results(path: Path) -> dict[str, JobResult]:
    """Return the last result of each job in a file of results; none where there is no file.

    A line that is no result, such as the last one of a machine that lost its power, is left out.

    Raises:
        UsageError: the file holds something else.
        VosctlError: it cannot be read.
    """
    try:
        text = path.read_text("utf-8", "replace")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise VosctlError(f"{path}: cannot be read: {error.strerror}; check the path") from error
    results = {}
    for line in text.split("\n"):
        with suppress(ValueError):
            result = JobResult.from_line(line)
            results[result.name] = result
    if not results and not _is_cut_short(text):
        raise UsageError(f"{path}: is there and holds no results; choose another name for the `results`, or remove it")
    return results


def _is_cut_short(text: str) -> bool:
    """Return whether a text is all that a loss of power left of a first result, or nothing."""
    left = text.strip("\0 \r\n")
    return not left or (left.startswith('{"name": ') and "\n" not in left and not left.endswith("}"))


class ResultsFile:
    """Results as they come, a line each, whole even when the process is killed. A context manager.

    One run at a time writes to it; what earlier runs wrote of other jobs stays. Nothing is written before the first
    result: a run that cannot begin leaves what is there, or nothing.

    Args:
        path: the file.

    Attributes:
        earlier: what earlier runs wrote, by the jobs' names.

    Raises:
        UsageError: another run is writing to it, or it is a file of something else.
        VosctlError: it cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        hidden = path.parent / HIDDEN
        self._descriptor = -1
        self._twice = False
        self._kept: list[JobResult] = []
        self._names: set[str] = set()
        self._made = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
        with write_errors(path):
            hidden.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(hidden / f"{path.name}.lock", timeout=0)
            try:
                self._lock.acquire()
            except Timeout:
                raise UsageError(
                    f"{path}: another run writes to it; wait for it, give each one its `shard`, or choose another "
                    "`output`"
                ) from None
        try:
            self.earlier = read_results(path)
        except BaseException:
            self.close()
            self.remove_made()
            raise

    def begin(self, jobs: Mapping[str, str]) -> None:
        """Choose which earlier results are dropped at the first new one: those of the jobs that are about to be run.

        What was done of another request stays until its job is: it says that what is there is not what is wanted.

        Args:
            jobs: those that are to be run: their digests by their names.
        """
        clean(self.path)
        kept = [result for result in self.earlier.values() if jobs.get(result.name) != result.digest]
        self._kept = [result for result in kept if result.name not in jobs or result.state in WHOLE_STATES]
        self._names = {result.name for result in self._kept}

    def _write(self, results: Iterable[JobResult]) -> None:
        staged = StagedFile(self.path, overwrite=True)
        with write_errors(self.path):
            staged.partial.write_text("".join(f"{result.to_line()}\n" for result in results), "utf-8")
        staged.commit()

    def add(self, result: JobResult) -> None:
        """Append a result.

        Raises:
            VosctlError: it cannot be written.
        """
        if self._descriptor < 0:
            self._write(self._kept)
        with write_errors(self.path):
            if self._descriptor < 0:
                self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND)
            line = f"{result.to_line()}\n".encode()
            if os.write(self._descriptor, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._descriptor)
        self._twice |= result.name in self._names
        self._names.add(result.name)

    def close(self) -> None:
        """Leave the file to others."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            if self._twice:
                with suppress(VosctlError):  # each job's last line counts
                    self._write(read_results(self.path).values())
        self._lock.release()
        with suppress(OSError):
            Path(self._lock.lock_file).unlink(missing_ok=True)

    def __enter__(self) -> ResultsFile:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def remove_made(self) -> None:
        """Remove the folders that were made for it and in which nothing is."""
        remove_hidden(self.path.parent)
        with suppress(OSError):
            for folder in self._made:
                folder.rmdir()


def remove_hidden(folder: Path) -> None:
    """Remove the folders for what is needed while jobs run, unless something is in them that is still needed."""
    for path in sorted((folder / HIDDEN).rglob("*"), reverse=True):
        if path.is_dir():
            with suppress(OSError):
                path.rmdir()
    with suppress(OSError):
        (folder / HIDDEN).rmdir()
