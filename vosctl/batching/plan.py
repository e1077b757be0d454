"""What is to be done of some jobs: two that would write the same are refused, what is whole is left out."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vosctl.batching.job import BatchJob
from vosctl.batching.result import WHOLE_STATES, JobResult
from vosctl.errors import UsageError, VosctlError
from vosctl.remote import exists, is_address, is_remote
from vosctl.remote import is_whole as is_whole_there
from vosctl.tracks import Track
from vosctl.video.backgrounds import BLUR
from vosctl.video.sinks.checks import check_outputs

_MOST_NAMED = 3
_MOST_CHECKED = 20
"""Jobs whose outputs are looked at before anything is run, to find what is wrong with those of all."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done.

    Attributes:
        jobs: to be run.
        whole: those of which everything is there from an earlier run.
        begun: how many of `jobs` have a track that an earlier run left.
    """

    jobs: list[BatchJob]
    whole: list[BatchJob]
    begun: int = 0


class Places:
    """What jobs read and write, to be told when two of them get in each other's way."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._written: dict[str, tuple[str, str]] = {}
        self._above: dict[str, tuple[str, str]] = {}
        self._read: dict[str, str] = {}

    def add(self, job: BatchJob) -> None:
        """Add a job.

        Raises:
            UsageError: it has the name of another one, writes where another one does, or over what one reads.
        """
        if job.name in self._names:
            if self._names[job.name] == job.source:
                raise UsageError(
                    f"two jobs are called {job.name}, both of {job.source}: say its objects in one, in a list as "
                    '{"1": [x, y, width, height], "2": [...]}, or give each a name'
                )
            raise UsageError(
                f"two jobs are called {job.name}, of {self._names[job.name]} and of {job.source}: their outputs would "
                "be the same; rename one, or give it a name in a list"
            )
        places = {place_of(path): path for path in job.outputs.values()}
        for place, path in places.items():
            self._check(job, place, path)
        for path in job.files:
            if path and (taken := self._over(place_of(path))) is not None:
                raise UsageError(f"{job.name}: {path}, which it reads, would be replaced by {taken[1]} of {taken[0]}")
        self._names[job.name] = job.source
        for path in job.files:
            for part in _with_parents(place_of(path)):
                self._read.setdefault(part, path)
        for place, path in places.items():
            self._written[place] = (job.name, path)
            for part in _with_parents(place):
                self._above.setdefault(part, (job.name, path))

    def check_free(self, name: str, path: str) -> None:
        """Make sure that a file that is written beside the outputs is none of them, and in none of them.

        Raises:
            UsageError: it is.
        """
        if (taken := self._over(place := place_of(path)) or self._above.get(place)) is not None:
            raise UsageError(f"`{name}`: {path} and {taken[1]} of {taken[0]} would be written to the same place")

    def _check(self, job: BatchJob, place: str, path: str) -> None:
        other = self._over(place) or self._above.get(place)
        if other is not None:
            raise UsageError(
                f"{other[0]} and {job.name}: {other[1]} and {path} would be written to the same place; "
                "give another `layout`, or other names in a list"
            )
        own = {part: name for name in filter(None, job.files) for part in _with_parents(place_of(name))}
        read = self._read.get(place) or own.get(place)
        if read is not None:
            raise UsageError(f"{job.name}: {path} would replace {read}, which is read; choose another `output`")

    def _over(self, place: str) -> tuple[str, str] | None:
        """Return the output that a place belongs to: itself, or a folder that it lies in."""
        return next((found for part in _with_parents(place) if (found := self._written.get(part)) is not None), None)


def place_of(path: str) -> str:
    """Return a path so that the same place is always called the same; an address as it is."""
    return path if is_address(path) else os.path.normcase(os.path.realpath(path))


def _with_parents(place: str) -> list[str]:
    return [place] if is_address(place) else [place, *map(str, Path(place).parents)]


def make_plan(
    jobs: Iterable[BatchJob],
    *,
    resume: bool = False,
    results: Mapping[str, JobResult] | None = None,
    written: Path | None = None,
) -> Plan:
    """Look at all jobs before anything is run.

    Args:
        jobs: what is wanted.
        resume: leave out what is whole, and have the others replace what is there; without it, what is there is in the
            way, unless a job overwrites.
        results: of earlier runs, by name: what is there of a job that asked for something else is not whole.
        written: the file of results.

    Raises:
        UsageError: two jobs, or one and the results, would write the same, or outputs are there that may not be
            replaced.
    """
    wanted = list(jobs)
    places = _check_places(wanted)
    if written is not None:
        places.check_free("results", str(written))
    _check_requests(wanted[:_MOST_CHECKED])
    if not resume:
        check_nothing_there(wanted)
        return Plan(wanted, [])
    whole = [job for job in wanted if is_whole(job, (results or {}).get(job.name))]
    names = {job.name for job in whole}
    left = [replace(job, resume=True) for job in wanted if job.name not in names]
    return Plan(left, whole, sum(has_track(job) for job in left))


def _check_places(jobs: Iterable[BatchJob]) -> Places:
    places = Places()
    for job in jobs:
        places.add(job)
    return places


def _check_requests(jobs: Sequence[BatchJob]) -> None:
    """Refuse outputs that no job can have, which is no job's own failure.

    Raises:
        UsageError: none of the jobs can have its outputs.
    """
    first: UsageError | None = None
    for job in jobs:
        try:
            check_outputs(_as_if_here(replace(job, resume=True)).request())
            return
        except UsageError as error:
            first = first or error
    if first is not None:
        raise first


def _as_if_here(job: BatchJob) -> BatchJob:
    """Return a job with files in the place of what it will fetch or publish, whose kinds can be checked."""
    outputs = {name: path.replace("://", ":/", 1) if is_remote(path) else path for name, path in job.outputs.items()}
    options = replace(job.options, background=BLUR) if is_remote(job.options.background) else job.options
    return replace(job, outputs=outputs, options=options)


def with_what_is_missing(job: BatchJob) -> BatchJob:
    """Return a job with a problem where a file of this machine that it reads is not there, as a run would find."""
    if job.problem is not None:
        return job
    for path in job.files:
        if path and not is_address(path) and not glob.has_magic(path) and not Path(path).exists():
            return replace(job, problem=f"{path}: no such file or directory; check the path")
    return job


def check_nothing_there(jobs: Sequence[BatchJob]) -> None:
    """Make sure that no output is there which a job may not replace.

    Raises:
        UsageError: some are.
    """
    there = [path for job in jobs if not job.options.overwrite for path in job.outputs.values() if _is_there(path)]
    if there:
        more = len(there) - _MOST_NAMED
        named = ", ".join(there[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        raise UsageError(
            f"{named}: there already; pass `resume=True` to do only what is not whole, `overwrite=True` to replace "
            "them, or choose another `output`"
        )


def is_whole(job: BatchJob, result: JobResult | None = None) -> bool:
    """Return whether everything that a job writes is there.

    An output has its name only when it is whole, but for a track, which says itself whether it is.

    Args:
        job: the job.
        result: of an earlier run of a job of this name; one that asked for something else wrote something else, and
            what is there of one that was not done is of a run before it.
    """
    if not job.outputs or (result is not None and (result.digest != job.digest or result.state not in WHOLE_STATES)):
        return False
    return all(_is_all_there(kind, path) for kind, path in job.outputs.items())


def has_track(job: BatchJob) -> bool:
    """Return whether an earlier run of a job left a track that may be gone on with."""
    tracks = (path for path in (job.outputs.get("track"), job.progress) if path is not None)
    return any(_is_there(path) for path in tracks if not is_remote(path))


def _is_all_there(kind: str, path: str) -> bool:
    if is_remote(path):
        return is_whole_there(path)
    return _is_there(path) and (kind != "track" or _is_complete(path))


def _is_there(path: str) -> bool:
    if is_remote(path):
        return exists(path)
    place = Path(path)
    return any(place.iterdir()) if place.is_dir() else place.exists()


def _is_complete(path: str) -> bool:
    try:
        with Track(Path(path)) as track:
            return track.complete
    except VosctlError:
        return False


def shard_of(jobs: Sequence[BatchJob], number: int, count: int) -> list[BatchJob]:
    """Return the jobs of one of several machines, which all see the same jobs in the same order.

    Args:
        jobs: all.
        number: of the machine, from 1 on.
        count: of the machines.

    Raises:
        UsageError: there is no such machine, or two jobs, which may be those of different machines, would write the
            same.
    """
    if not 1 <= number <= count:
        most = max(count, 1)
        raise UsageError(f"`shard={number}/{count}`: give one from 1/{most} to {most}/{most}")
    _check_places(jobs)
    return list(jobs[number - 1 :: count])
