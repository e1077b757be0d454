"""Jobs that come over time: new files in a folder, each as soon as it is complete."""

from __future__ import annotations

import glob
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from vosctl.batching.job import BatchJob
from vosctl.errors import UsageError

SETTLED_SECONDS = 3.0
"""For which a job's files must not have changed: whoever writes them is done then."""

Looks = tuple[tuple[str, int, int], ...]
"""Of each of a job's files: its path, size and the time of its last change in nanoseconds."""


def check_watchable(source: str) -> None:
    """Make sure that new files can come to a source.

    Raises:
        UsageError: there is no such folder.
    """
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
    seen: dict[str, tuple[Looks, float]] = {}
    given: dict[str, Looks] = {}
    while True:
        jobs: list[BatchJob] = []
        with suppress(UsageError):
            jobs = find()
        for job in jobs:
            looks = _looks_of(job)
            if job.problem is not None or not looks or given.get(job.name) == looks:
                continue
            before, since = seen.get(job.name, ((), 0.0))
            if looks != before:
                seen[job.name] = (looks, clock())
            elif clock() - since >= settled:
                given[job.name] = looks
                del seen[job.name]
                yield job
        yield None


def _looks_of(job: BatchJob) -> Looks:
    """Return how a job's files look; nothing while one of them is not there."""
    looks: list[tuple[str, int, int]] = []
    try:
        for name in filter(None, job.files):
            path = Path(name)
            inside = sorted(path.iterdir()) if path.is_dir() else [path]
            for one in inside:
                state = one.stat()
                looks.append((str(one), state.st_size, state.st_mtime_ns))
    except OSError:
        return ()
    return tuple(looks)
