"""Jobs on other machines: what any cluster must be able to do, and how no job is lost or done twice on one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from vosctl.batching.executor import BatchEvents
from vosctl.batching.job import BatchJob
from vosctl.batching.result import JobResult
from vosctl.batching.running import remove_left
from vosctl.batching.waiting import Waiting
from vosctl.errors import UsageError, VosctlError
from vosctl.interrupts import check, ending, interrupted

POLL_SECONDS = 0.2
PATIENCE = 15.0
"""Seconds for which jobs that were told to end are waited for."""


class WorkerLostError(VosctlError):
    """The process that ran a job, or its machine, is gone; nothing is known of the job."""


class Cluster(Protocol):
    """Machines that run jobs, each job by itself."""

    def describe(self) -> str:
        """Return what it is, in one line."""
        ...

    def room(self) -> int:
        """Return how many jobs it is to have at a time, those that wait there included; at least 1."""
        ...

    def begin(self, job: BatchJob) -> Hashable:
        """Have a job run.

        Returns:
            What it is asked for by.
        """
        ...

    def ended(self, tickets: Iterable[Hashable], seconds: float) -> list[Hashable]:
        """Wait for so long at most, and return those of the jobs that have ended."""
        ...

    def result(self, ticket: Hashable) -> JobResult:
        """Return the result of a job that has ended.

        Raises:
            WorkerLostError: its process or machine is gone.
            VosctlError: no job can be run there.
        """
        ...

    def cancel(self, ticket: Hashable) -> None:
        """Tell a job to end: at once if it waits, in order if it runs."""
        ...

    def close(self) -> None:
        """Leave the cluster. Raises nothing."""
        ...


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One time that a job is run."""

    job: BatchJob
    number: int
    begun: float

    def given_up(self) -> JobResult:
        """Remove what is left of a job of which nothing is known but that it was begun, and return its result."""
        remove_left(self.job)
        return JobResult.of(self.job, "interrupted", time.monotonic() - self.begun)


class OnCluster:
    """Runs jobs on a cluster; see `Executor`.

    A job whose worker or machine is lost is run again, as one that goes on from what was left: it may replace what the
    lost one wrote. A job that fails is not.

    Args:
        connect: reaches the cluster, when the first job is there.
        retries: how often a job is run again whose worker was lost.

    Attributes:
        count: see `Executor`; 1 until the cluster is reached.

    Raises:
        UsageError: the number of retries cannot be.
    """

    def __init__(self, connect: Callable[[], Cluster], retries: int = 3) -> None:
        if not 0 <= retries <= 100:
            raise UsageError(f"`retries={retries}`: give a number from 0 to 100")
        self._connect, self._retries = connect, retries
        self.count = 1
        self._cluster: Cluster | None = None
        self._under_way: dict[Hashable, _Attempt] = {}

    def run(self, jobs: Iterable[BatchJob | None], events: BatchEvents) -> Iterator[JobResult]:
        """See `Executor.run`."""
        waiting = Waiting(jobs)
        lost: deque[_Attempt] = deque()
        try:
            while not interrupted():
                waiting.look(1)
                if waiting.jobs or lost or self._under_way:
                    yield from self._round(self._reached(events), waiting, lost, events)
                elif waiting.over:
                    return
                else:
                    time.sleep(POLL_SECONDS)
            yield from self._interrupt(lost)
            check()
        finally:
            self.close()

    def close(self) -> None:
        """See `Executor.close`."""
        cluster, self._cluster = self._cluster, None
        self._under_way.clear()
        if cluster is not None:
            cluster.close()

    def _reached(self, events: BatchEvents) -> Cluster:
        if self._cluster is None:
            self._cluster = self._connect()
            self.count = self._cluster.room()
            events.note(self._cluster.describe())
        return self._cluster

    def _round(
        self, cluster: Cluster, waiting: Waiting, lost: deque[_Attempt], events: BatchEvents
    ) -> Iterator[JobResult]:
        """Give jobs for which there is room, and give the results of those that have ended."""
        room = cluster.room()
        waiting.look(room)
        while len(self._under_way) < room and (lost or waiting.jobs):
            again = lost.popleft() if lost else _Attempt(waiting.jobs.popleft(), 0, 0.0)
            attempt = replace(again, number=again.number + 1, begun=time.monotonic())
            self._under_way[cluster.begin(attempt.job)] = attempt
            if attempt.number == 1:
                events.started(attempt.job)
        for ticket in cluster.ended(list(self._under_way), POLL_SECONDS):
            attempt = self._under_way.pop(ticket)
            try:
                result = cluster.result(ticket)
                if result.state == "interrupted" and not interrupted():
                    raise WorkerLostError("its worker was told to end")
            except WorkerLostError as error:
                if attempt.number > self._retries:
                    times = f", the last of {attempt.number} times" if self._retries else ""
                    yield replace(attempt.given_up(), state="failed", error=f"{error}{times}")
                    continue
                events.warning(f"{attempt.job.name}: {error}; run again ({attempt.number} of {self._retries})")
                lost.append(replace(attempt, job=replace(attempt.job, resume=True)))
            else:
                yield result

    def _interrupt(self, lost: deque[_Attempt]) -> Iterator[JobResult]:
        """Tell all jobs to end, and give what became of them."""
        cluster = self._cluster
        if cluster is not None:
            for ticket in self._under_way:
                cluster.cancel(ticket)
            deadline = time.monotonic() + PATIENCE
            while self._under_way and time.monotonic() < deadline:
                ending(PATIENCE)
                for ticket in cluster.ended(list(self._under_way), POLL_SECONDS):
                    attempt = self._under_way.pop(ticket)
                    try:
                        yield cluster.result(ticket)
                    except VosctlError:
                        yield attempt.given_up()
        for attempt in (*self._under_way.values(), *lost):
            yield attempt.given_up()
        self._under_way.clear()
