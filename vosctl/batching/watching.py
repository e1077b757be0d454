"""Jobs that come over time: new files in a folder, each as soon as it is complete."""

from __future__ import annotations

import glob
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from vosctl.batching.job import BatchJob
from vosctl.errors import UsageError
from vosctl.remote import is_address

SETTLED_SECONDS = 3.0
"""For which a job's files must not have changed: whoever writes them is done then."""

Looks = tuple[tuple[str, int, int], ...]
"""Of each of a job's files: its path, size and the time of its last change in nanoseconds."""


def check_watchable(source: str) -> None:
    """Make sure that new files can come to a source.

    Raises:
        UsageError: there is no such folder, or it is not of this machine.
    """
    if is_address(source):
        raise UsageError(
            f"{source}: is an address; run it again with `resume=True`, only folders of this machine are watched"
        )
    if not Path(source).exists() and not glob.has_magic(source):
        raise UsageError(f"{source}: no such folder to watch; create it first")


def watch(
    find: Callable[[], list[BatchJob]],
    settled: float = SETTLED_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[BatchJob | None]:
    """Give jobs as they come to be there, for ever.

    A job without a mask or prompts waits for them. One whose files change after it was given is given again.

    Args:
        find: looks for jobs; that there are none is no error here.
        settled: seconds for which a job's files must not have changed.
        clock: tells the time in seconds.

    Yields:
        A job; or None when there is none now, to be asked again after a while.
    """
    seen: dict[tuple[str, str], tuple[Looks, float]] = {}  # by name and source: two may have one name
    given: dict[tuple[str, str], Looks] = {}
    while True:
        jobs: list[BatchJob] = []
        with suppress(UsageError):
            jobs = find()
        for job in jobs:
            looks, which = _looks_of(job), (job.name, job.source)
            if job.problem is not None or not looks or given.get(which) == looks:
                continue
            before, since = seen.get(which, ((), 0.0))
            if looks != before:
                seen[which] = (looks, clock())
            elif clock() - since >= settled:
                given[which] = looks
                del seen[which]
                yield job
        yield None


def _looks_of(job: BatchJob) -> Looks:
    """Return how a job's files look; nothing while one of them is not there. An address is taken to be there."""
    looks: list[tuple[str, int, int]] = []
    try:
        for name in filter(None, job.files):
            if is_address(name):
                looks.append((name, 0, 0))
                continue
            for one in _files_of(name):
                state = one.stat()
                looks.append((str(one), state.st_size, state.st_mtime_ns))
    except OSError:
        return ()
    return tuple(looks)


def _files_of(name: str) -> list[Path]:
    """Return the files of a folder, those that a glob matches, or a file, which may not be there."""
    path = Path(name)
    if path.is_dir():
        return sorted(path.iterdir())
    if not path.exists() and glob.has_magic(name):
        return sorted(map(Path, glob.glob(name, recursive=True))) or [path]  # noqa: PTH207 - absolute ones
    return [path]
