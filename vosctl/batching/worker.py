"""A process that runs jobs one after the other, with one engine."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from typing import Any

from vosctl.batching.job import BatchJob
from vosctl.batching.result import JobResult
from vosctl.batching.running import run_job
from vosctl.engine.base import Engine, EngineInfo
from vosctl.errors import UsageError, VosctlError
from vosctl.interrupts import SIGNALS, install
from vosctl.prompts.segmenter import limit_prompt_threads

MakeEngine = Callable[[], Engine[Any]]
"""Makes the engine, in the process that uses it; can be pickled."""

TELL_SECONDS = 0.2
"""How often a worker tells how far it is."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The engine is made, jobs can come."""

    engine: EngineInfo


@dataclass(frozen=True, slots=True)
class Unable:
    """The engine cannot be made."""

    message: str
    usage: bool


@dataclass(frozen=True, slots=True)
class Frames:
    """How far the job under way is."""

    count: int
    expected: int | None


Message = Ready | Unable | Frames | JobResult
"""What a worker says."""


def work(connection: Connection, make_engine: MakeEngine, threads: int) -> None:
    """Run jobs that come through a connection until None comes, a signal, or the end of the parent.

    Args:
        connection: gives `BatchJob`s and takes `Message`s.
        make_engine: makes the engine.
        threads: that OpenCV and the network that finds objects may use.
    """
    try:
        install()
        unblock_signals()
        _end_with_parent()
        _work(connection, make_engine, threads)
    except (KeyboardInterrupt, EOFError, BrokenPipeError, ConnectionResetError):
        pass  # told to end, or there is nobody left to tell anything
    finally:
        _end_quietly()


def _end_quietly() -> None:
    """Have signals raise nothing from here on: libraries that are being cleared away would print it."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.SIG_IGN)


def _work(connection: Connection, make_engine: MakeEngine, threads: int) -> None:
    import cv2

    cv2.setNumThreads(threads)
    try:
        limit_prompt_threads(threads)
        engine = make_engine()
    except VosctlError as error:
        connection.send(Unable(str(error), isinstance(error, UsageError)))
        return
    gc.collect()
    gc.freeze()  # so that looking for what a job has left does not look through all this again
    connection.send(Ready(engine.info))
    while (job := connection.recv()) is not None:
        result = _run(connection, job, engine)
        connection.send(result)
        if result.state == "interrupted":
            return


def _run(connection: Connection, job: BatchJob, engine: Engine[Any]) -> JobResult:
    told = 0.0

    def tell(count: int, expected: int | None) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= TELL_SECONDS:
            told = now
            connection.send(Frames(count, expected))

    return run_job(job, engine, tell)


def _end_with_parent() -> None:
    """See to it that this process ends, in order, when the one that gives it jobs is gone."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


class blocked_signals:  # noqa: N801 - reads as what it is: `with blocked_signals():`
    """A context whose child processes are born with signals blocked, until they can handle them: `unblock_signals`."""

    def __enter__(self) -> None:
        if hasattr(signal, "pthread_sigmask"):
            self._before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)

    def __exit__(self, *_error: object) -> None:
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_SETMASK, self._before)


def unblock_signals() -> None:
    """Let through the signals that were blocked when this process was born."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
