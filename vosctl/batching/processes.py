"""Jobs in processes of this machine, each with an engine of its own and its share of the cores."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from vosctl.arguments import whole_number
from vosctl.batching.executor import BatchEvents, make_engine
from vosctl.batching.job import BatchJob
from vosctl.batching.result import JobResult
from vosctl.batching.running import missing_folders, remove_left
from vosctl.batching.waiting import Waiting
from vosctl.batching.worker import Frames, MakeEngine, Message, Ready, Unable, blocked_signals, work
from vosctl.engine.base import EngineInfo
from vosctl.engine.factory import check_threads
from vosctl.engine.idle_gpu import idle_gpu
from vosctl.engine.settings import EngineSettings
from vosctl.errors import UsageError, VosctlError
from vosctl.interrupts import check, ending, interrupted
from vosctl.processor import core_count

POLL_SECONDS = 0.1
PATIENCE = 10.0
"""Seconds that a worker which was told to end may be silent for."""
TOLD_TO_END = "the process that ran it was told to end"
MOST_FALSE_STARTS = 3
"""Times that workers may die one after the other before they are ready."""


class Worker:
    """A process that runs jobs, seen from the one that gives them to it.

    Attributes:
        job: the one under way.
        ready: whether it takes jobs.
        begun: `time.monotonic()` when the job was given.
        missing: folders that were to be made for its outputs then.
        stopped: `time.monotonic()` when it was told to end, since the job took too long; None before.
    """

    def __init__(self, make: MakeEngine, threads: int) -> None:
        context = get_context("spawn")  # a forked one would hang in OpenCV, whose threads do not come along
        ours, theirs = context.Pipe()
        self.connection: Connection = ours
        self.process: BaseProcess = context.Process(target=work, args=(theirs, make, threads), daemon=True)
        self.job: BatchJob | None = None
        self.ready = False
        self.begun = 0.0
        self.missing: list[Path] = []
        self.stopped: float | None = None
        with blocked_signals():
            self.process.start()
        theirs.close()

    def give(self, job: BatchJob) -> None:
        """Have it run a job."""
        self.job, self.begun, self.missing = job, time.monotonic(), missing_folders(job)
        with suppress(OSError):  # it has died; that is seen from its end
            self.connection.send(job)

    def stop_after(self, seconds: float) -> None:
        """Tell it to end, once its job has taken longer; end it where it does not do so in time."""
        now = time.monotonic()
        if self.stopped is not None:
            if now - self.stopped > PATIENCE and self.process.is_alive():
                self.process.kill()
        elif self.job is not None and now - self.begun > seconds:
            self.stopped = now
            self.process.terminate()

    def messages(self) -> Iterator[Message | None]:
        """Give what it has said; at last None if it has ended."""
        try:
            while self.connection.poll():
                yield self.connection.recv()
        except (EOFError, OSError):
            yield None

    def result(self, job: BatchJob) -> JobResult:
        """Return the result of a job that it can say nothing of any more."""
        return JobResult.of(job, "interrupted", time.monotonic() - self.begun)

    def leave(self) -> None:
        """Have the process end by itself: at once where it has nothing to do, else when its job is ended in order."""
        with suppress(OSError):
            if self.ready and self.job is None:
                self.connection.send(None)
            elif self.process.is_alive():
                self.process.terminate()

    def end(self, patience: float = 0.0) -> str:
        """End the process, unless it ends by itself in so many seconds.

        Returns:
            How it ended.
        """
        self.process.join(patience)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        code = self.process.exitcode
        self.process.close()
        self.connection.close()
        if code is None or code >= 0:
            return f"the process that ran it ended with status {code}"
        name = next((one.name for one in signal.Signals if one.value == -code), str(-code))
        hint = "; memory may have run out, give fewer `workers`" if name == "SIGKILL" else ""
        return f"the process that ran it was ended by {name}{hint}"


class Processes:
    """Runs jobs in processes of this machine; see `Executor`.

    A process that dies fails the job that it ran, and another takes its place.

    Args:
        engine: what runs the network in each process: settings, of which `threads=0` takes a process's share of the
            cores, or what makes the engine, which must be picklable.
        workers: how many processes; 0 for as many as is usual, see `usual_workers`.
        timeout: seconds that a job may take; one that takes longer is ended and fails. None for any time.

    Raises:
        UsageError: the number of processes or threads, or the time, cannot be.
    """

    def __init__(self, engine: EngineSettings | MakeEngine, workers: int = 0, timeout: float | None = None) -> None:
        if not 0 <= whole_number("workers", workers) <= 1024:
            raise UsageError(f"`workers={workers}`: give a number of processes from 1 on, or 0 for the usual one")
        if timeout is not None and not 0 < timeout < math.inf:
            raise UsageError(f"`timeout={timeout:g}`: give seconds, more than 0")
        self._timeout = timeout
        self.count = workers or usual_workers()
        self._threads = max(1, core_count() // self.count)
        self._device = engine.device if isinstance(engine, EngineSettings) else None
        if isinstance(engine, EngineSettings):
            self._threads = check_threads(engine.threads) or self._threads
            settings = replace(engine, threads=self._threads)
            self._make: MakeEngine = partial(make_engine, settings)
        else:
            self._make = engine
        self._workers: list[Worker] = []
        self._false_starts = 0
        self._said = False

    def run(self, jobs: Iterable[BatchJob | None], events: BatchEvents) -> Iterator[JobResult]:
        """See `Executor.run`."""
        waiting = Waiting(jobs)
        try:
            while not interrupted():
                self._give(waiting, events)
                busy = [worker for worker in self._workers if worker.job is not None or not worker.ready]
                if waiting.over and not busy:
                    return
                yield from self._hear(events)
            yield from self._interrupt()
            check()
        finally:
            self.close()

    def close(self) -> None:
        """See `Executor.close`."""
        for worker in self._workers:
            worker.leave()
        while self._workers:
            self._workers.pop().end(PATIENCE)

    def _give(self, waiting: Waiting, events: BatchEvents) -> None:
        """Give jobs to the workers that have none, and start workers while there are jobs for them."""
        waiting.look(self.count)
        for worker in self._workers:
            if worker.ready and worker.job is None and worker.stopped is None and waiting.jobs:
                job = waiting.jobs.popleft()
                events.started(job)
                worker.give(job)
        starting = sum(not worker.ready for worker in self._workers)
        for _ in range(min(len(waiting.jobs) - starting, self.count - len(self._workers))):
            self._workers.append(Worker(self._make, self._threads))

    def _hear(self, events: BatchEvents) -> Iterator[JobResult]:
        """Wait for a while for what the workers say, and give the results that come."""
        if self._timeout is not None:
            for worker in self._workers:
                worker.stop_after(self._timeout)
        if not self._workers:
            time.sleep(POLL_SECONDS)
            return
        heard = wait([worker.connection for worker in self._workers], POLL_SECONDS)
        for worker in [one for one in self._workers if one.connection in heard]:
            for message in worker.messages():
                yield from self._take(worker, message, events)
                if worker not in self._workers:
                    break

    def _take(self, worker: Worker, message: Message | None, events: BatchEvents) -> Iterator[JobResult]:
        job = worker.job
        match message:
            case Ready(engine=info):
                worker.ready, self._false_starts = True, 0
                self._tell(info, events)
            case Unable(message=text, usage=usage):
                raise UsageError(text) if usage else VosctlError(text)
            case Frames(count=count, expected=expected) if job is not None:
                events.frames(job, count, expected)
            case JobResult() if job is not None:
                worker.job = None
                if message.state == "interrupted" and not _soon_interrupted():
                    self._workers.remove(worker)
                    worker.end(PATIENCE)
                    message = replace(message, state="failed", error=TOLD_TO_END)
                if message.state == "failed":
                    message = replace(message, error=self._too_long(worker) or message.error)
                yield message
            case None:
                self._workers.remove(worker)
                how = worker.end(PATIENCE)
                if job is not None:
                    remove_left(job, worker.missing)
                    yield replace(worker.result(job), state="failed", error=self._too_long(worker) or how)
                elif not worker.ready:
                    self._false_starts += 1
                    if self._false_starts >= MOST_FALSE_STARTS:
                        raise VosctlError(f"no process could be made ready for jobs; the last one: {how}")
            case _:
                pass

    def _too_long(self, worker: Worker) -> str | None:
        """Return what to say of a worker that was ended since its job took too long."""
        if worker.stopped is None:
            return None
        return f"took longer than {self._timeout:g} s and was ended; give it more time with `timeout`"

    def _tell(self, info: EngineInfo, events: BatchEvents) -> None:
        """Say once what runs the network."""
        if self._said:
            return
        self._said = True
        processes = f"{self.count} process{'es' if self.count != 1 else ''}"
        threads = f"{self._threads} thread{'s' if self._threads != 1 else ''} each"
        events.note(f"{info.weights} on {info.engine}, {info.device}, {info.precision}; {processes}, {threads}")
        if self._device is not None and (idle := idle_gpu(info, self._device)) is not None:
            events.warning(idle)

    def _interrupt(self) -> Iterator[JobResult]:
        """Tell the workers to end, and give what became of their jobs."""
        for worker in self._workers:
            worker.leave()
        deadline = time.monotonic() + PATIENCE
        while self._workers and time.monotonic() < deadline:
            ending(PATIENCE)
            heard = wait([worker.connection for worker in self._workers], POLL_SECONDS)
            for worker in [one for one in self._workers if one.connection in heard]:
                deadline = time.monotonic() + PATIENCE
                for message in worker.messages():
                    if isinstance(message, JobResult):
                        worker.job = None
                        yield message
                    elif message is None:
                        yield from self._leave(worker)
        for worker in list(self._workers):
            yield from self._leave(worker)

    def _leave(self, worker: Worker) -> Iterator[JobResult]:
        self._workers.remove(worker)
        worker.end()
        if worker.job is not None:
            remove_left(worker.job, worker.missing)
            yield worker.result(worker.job)


def _soon_interrupted() -> bool:
    """Return whether this process was asked to end, as its workers may have been a moment before."""
    time.sleep(POLL_SECONDS)
    return interrupted()


def usual_workers() -> int:
    """Return how many processes are usual: one for each two cores, in which decoding and tracking go side by side."""
    return max(1, core_count() // 2)
