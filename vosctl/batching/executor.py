"""What runs jobs: in this process, in others of this machine, or on other machines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Protocol

from vosctl.batching.job import BatchJob
from vosctl.batching.plan import Plan
from vosctl.batching.result import BatchSummary, JobResult
from vosctl.batching.running import run_job
from vosctl.engine.base import Engine
from vosctl.engine.settings import EngineSettings
from vosctl.interrupts import check


class BatchEvents:
    """Hears of a batch while it goes on; override what is of interest. Called on the thread that runs the batch."""

    def planned(self, plan: Plan) -> None:
        """Hear what is to be done, before anything is; its jobs are empty where they come over time."""

    def started(self, job: BatchJob) -> None:
        """Hear that a job begins."""

    def frames(self, job: BatchJob, count: int, expected: int | None) -> None:
        """Hear how many frames of a job are tracked, now and then; `expected` is None where nobody knows."""

    def finished(self, job: BatchJob, result: JobResult) -> None:
        """Hear what came of a job; its line is written."""

    def ended(self, summary: BatchSummary) -> None:
        """Hear what became of all jobs, also when the run was interrupted or cannot go on."""

    def note(self, line: str) -> None:
        """Hear of something that was done or chosen for the user."""

    def warning(self, line: str) -> None:
        """Hear of something the user should know."""


class Executor(Protocol):
    """Runs jobs, one engine to a process, and gives each one's result as it comes, in any order.

    A job's own failure is its result; what an executor raises ends the batch. Every job that was taken ends in one
    result, whatever becomes of the process that it ran in: one that dies fails its job alone.

    Attributes:
        count: how many jobs run side by side, as far as that is known before.
    """

    count: int

    def run(self, jobs: Iterable[BatchJob | None], events: BatchEvents) -> Iterator[JobResult]:
        """Run jobs until there are no more.

        Args:
            jobs: taken one by one, when there is room for one more. None means that there is none at the moment, and
                that the executor is to ask again in about a second (see `vosctl.batching.watching`).
            events: hears of jobs that begin and of their frames; `finished` is not the executor's to call.

        Raises:
            VosctlError: no job can be run: the engine cannot be made, the machines cannot be reached.
            KeyboardInterrupt: a signal came (`vosctl.interrupts`); jobs under way were ended before, and their results,
                of the state "interrupted", were given.
        """
        ...

    def close(self) -> None:
        """End what is under way, and release processes and machines. May be called more than once; raises nothing."""
        ...


class InProcess:
    """Runs one job after the other in this process.

    Args:
        engine: what runs the network: settings to make it from, once, or one that was made.
    """

    def __init__(self, engine: EngineSettings | Engine[Any]) -> None:
        self.count = 1
        self._settings = engine
        self._engine: Engine[Any] | None = None if isinstance(engine, EngineSettings) else engine

    def run(self, jobs: Iterable[BatchJob | None], events: BatchEvents) -> Iterator[JobResult]:
        """See `Executor.run`."""
        for job in jobs:
            check()
            if job is None:
                continue
            if self._engine is None:
                self._engine = make_engine(self._settings)
            events.started(job)
            result = run_job(job, self._engine, partial(events.frames, job))
            yield result
            if result.state == "interrupted":
                check()
                raise KeyboardInterrupt

    def close(self) -> None:
        """See `Executor.close`."""


def make_engine(engine: EngineSettings | Engine[Any]) -> Engine[Any]:
    """Return an engine, made from settings where it is not one yet.

    Raises:
        VosctlError: the weights, engine, device or precision cannot be had.
    """
    return engine.create() if isinstance(engine, EngineSettings) else engine
