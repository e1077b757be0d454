"""Jobs on a Ray cluster: a task a video, with the processors and the share of a GPU that are asked for."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from vosctl import __version__
from vosctl.batching.cluster import Cluster, OnCluster, WorkerLostError
from vosctl.batching.job import BatchJob
from vosctl.batching.result import JobResult
from vosctl.batching.running import run_job
from vosctl.engine.base import Engine
from vosctl.engine.settings import EngineSettings
from vosctl.errors import UsageError, VosctlError
from vosctl.extras import require
from vosctl.interrupts import SIGNALS
from vosctl.prompts.segmenter import limit_prompt_threads

AUTO = "auto"
"""The address of the cluster that RAY_ADDRESS names, or that this machine is part of."""
LOCAL = "local"
"""The address of a cluster of this machine alone, which is started, and ended with the run."""
_AHEAD = 2
"""Jobs that wait on the cluster beside those that run, so that nobody waits for one, and one that grows knows it."""
_ANSWER_SECONDS = 5.0
_STORE_BYTES = 128 << 20
"""Of Ray's object store, of a cluster that is started here: nothing but jobs and results goes through it."""


@dataclass(frozen=True, slots=True)
class RaySettings:
    """A Ray cluster, and what a job is to have of it.

    Attributes:
        address: "host:port" of its head, `AUTO` or `LOCAL`.
        cpus: cores for each job; as many threads run the network where the engine's settings say nothing else.
        gpus: GPUs for each job: 0.25 has four jobs share one.
        retries: how often a job is run again whose worker or machine was lost.
    """

    address: str = AUTO
    cpus: int = 1
    gpus: float = 0.0
    retries: int = 3

    def check(self) -> None:
        """Make sure that a cluster can be asked for this.

        Raises:
            UsageError: it cannot.
        """
        if self.cpus < 1:
            raise UsageError(f"`ray_cpus={self.cpus}`: give a number of cores from 1 on")
        if not 0 <= self.gpus <= 64 or (self.gpus > 1 and self.gpus != int(self.gpus)):
            raise UsageError(f"`ray_gpus={self.gpus}`: give a share of a GPU, such as 0.25, or a whole number of them")
        host, colon, port = self.address.rpartition(":")
        if self.address not in (AUTO, LOCAL) and not (
            _is_host(host) and colon and port.isdecimal() and int(port) < 65536
        ):
            raise UsageError(f"`ray={self.address}`: give the cluster's address as HOST:PORT, or {AUTO} or {LOCAL}")


def _is_host(text: str) -> bool:
    return bool(text) and "/" not in text


def on_ray(engine: EngineSettings, settings: RaySettings | None = None) -> OnCluster:
    """Return what runs jobs on a Ray cluster, for `vosctl.batch(..., executor=on_ray(...))`.

    Every machine needs the same version of vosctl, and sees the files of the jobs: in folders that all of them share,
    under the same paths, or by address (`s3://…`).

    Args:
        engine: what runs the network, made once in each of the cluster's processes.
        settings: the cluster, and what each job is to have of it.

    Raises:
        UsageError: the settings cannot be.
        VosctlError: Ray is not installed.
    """
    settings = settings or RaySettings()
    settings.check()
    require("ray", "`ray`")
    made = engine if engine.threads else replace(engine, threads=settings.cpus)
    return OnCluster(partial(RayCluster, settings, made), settings.retries)


def run_there(job: BatchJob, engine: EngineSettings, folder: str, version: str) -> JobResult:
    """Run a job in a process of the cluster, which keeps its engine for the next one.

    Args:
        job: what is to be done.
        engine: what runs the network.
        folder: from where the job's paths are seen.
        version: of the vosctl that sent the job.

    Raises:
        VosctlError: this machine has another version, or the engine cannot be made.
    """
    host = socket.gethostname()
    if version != __version__:
        raise VosctlError(f"{host} has vosctl {__version__}, and the jobs come from {version}; install the same there")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # inherited from a program in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)  # it is what Ray has a job end with
    result = JobResult.of(job, "failed")
    try:
        os.chdir(folder)
    except OSError:
        if relative := next((path for path in _paths(job) if not Path(path).is_absolute()), None):
            lacking = f"{host} has no folder {folder}, from which {relative} is seen"
            return replace(result, error=f"{lacking}; use one that all machines share, or addresses such as s3://")
    return run_job(job, _engine(engine))


def _paths(job: BatchJob) -> list[str]:
    return [path for path in (*job.files, *job.outputs.values()) if path and "://" not in path]


@lru_cache(maxsize=1)
def _engine(settings: EngineSettings) -> Engine[Any]:
    import cv2

    cv2.setNumThreads(settings.threads)
    limit_prompt_threads(settings.threads)
    return settings.create()


class RayCluster(Cluster):
    """A Ray cluster that is connected to.

    Args:
        settings: which one, and what a job is to have of it.
        engine: what runs the network.

    Raises:
        VosctlError: it cannot be reached or started, or has no machine that could run a job.
    """

    def __init__(self, settings: RaySettings, engine: EngineSettings) -> None:
        _connect(settings.address)
        import ray

        self._ray, self._settings = ray, settings
        options = {"num_cpus": settings.cpus, "num_gpus": settings.gpus, "max_retries": 0}
        # Ray ends a process after one task that uses a GPU, unless `max_calls` is 0.
        self._run = ray.remote(max_calls=0, **options)(run_there)
        self._sent = (engine, str(Path.cwd()), __version__)
        try:
            self._check_room()
        except BaseException:
            self.close()
            raise

    def describe(self) -> str:
        """See `Cluster.describe`."""
        nodes = [node for node in self._ray.nodes() if node["Alive"]]
        cpus, gpus = (sum(node["Resources"].get(name, 0) for node in nodes) for name in ("CPU", "GPU"))
        parts = [f"{len(nodes)} machine{'s' if len(nodes) != 1 else ''}", f"{cpus:g} core{'s' if cpus != 1 else ''}"]
        parts += [f"{gpus:g} GPU{'s' if gpus != 1 else ''}"] if gpus else []
        return f"Ray cluster of {', '.join(parts)}: {self._slots()} videos at a time"

    def room(self) -> int:
        """See `Cluster.room`."""
        return self._slots() + _AHEAD

    def begin(self, job: BatchJob) -> Hashable:
        """See `Cluster.begin`."""
        ticket: Hashable = self._run.options(name=f"vosctl {job.name}").remote(job, *self._sent)
        return ticket

    def ended(self, tickets: Iterable[Hashable], seconds: float) -> list[Hashable]:
        """See `Cluster.ended`."""
        waited = list(tickets)
        done: list[Hashable] = self._ray.wait(waited, num_returns=len(waited), timeout=seconds)[0] if waited else []
        return done

    def result(self, ticket: Hashable) -> JobResult:
        """See `Cluster.result`."""
        known = self._ray.exceptions
        try:
            result = self._ray.get(ticket)
        except known.RayTaskError as error:
            if isinstance(error.cause, VosctlError):
                raise error.cause from None
            hint = f"vosctl {__version__} has to be installed on every machine of the cluster"
            raise VosctlError(f"Ray: a machine cannot run jobs: {_line(error.cause or error)}; {hint}") from error
        except known.NodeDiedError as error:
            raise WorkerLostError("the machine that ran it was lost") from error
        except known.OutOfMemoryError as error:
            raise WorkerLostError("the memory of the machine that ran it ran out") from error
        except (known.WorkerCrashedError, known.LocalRayletDiedError, known.ObjectLostError) as error:
            raise WorkerLostError("the process that ran it was lost") from error
        except known.TaskCancelledError as error:
            raise WorkerLostError("it was cancelled") from error
        except known.RayError as error:
            raise VosctlError(f"Ray: {_line(error)}; see the logs of the cluster") from error
        if not isinstance(result, JobResult):
            raise VosctlError(f"Ray: a machine answered with {type(result).__name__}; install the same vosctl there")
        return result

    def cancel(self, ticket: Hashable) -> None:
        """See `Cluster.cancel`."""
        self._ray.cancel(ticket)

    def close(self) -> None:
        """See `Cluster.close`."""
        self._ray.shutdown()

    def _slots(self) -> int:
        """Return how many jobs run at a time."""
        fit = 0
        for node in self._ray.nodes():
            has = node["Resources"] if node["Alive"] else {}
            cpus = int(has.get("CPU", 0) // self._settings.cpus)
            fit += min(cpus, int(has.get("GPU", 0) / self._settings.gpus)) if self._settings.gpus else cpus
        return fit

    def _check_room(self) -> None:
        """Make sure that a machine has what a job is to have."""
        if not self._slots():
            wanted = f"`ray_cpus={self._settings.cpus}`"
            if self._settings.gpus:
                wanted += f" and `ray_gpus={self._settings.gpus:g}`"
            raise VosctlError(f"no machine of the Ray cluster has room for {wanted}; give less, or add a machine")


def _connect(address: str) -> None:
    """Connect this process to a cluster, or start one.

    Raises:
        VosctlError: it cannot be reached or started.
    """
    # The dashboard's process reports Ray's use over the network where this variable does not say no.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    _check_answer(address)
    import ray

    if ray.is_initialized():
        raise VosctlError("this process is connected to a Ray cluster already; end that with ray.shutdown()")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address == LOCAL:
        quiet |= {"include_dashboard": False, "object_store_memory": _STORE_BYTES}
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        ray.init(address, **quiet)
    except Exception as error:  # of many kinds, of Ray's own and of what it is made of
        if address == AUTO:
            raise VosctlError(
                "`ray`: no Ray cluster runs on this machine; start one, as docs/scale.md says, or give the address of "
                f"one, or {LOCAL}"
            ) from error
        raise VosctlError(f"`ray={address}`: cannot be reached: {_line(error)}; check the address") from error
    finally:
        for number, handler in handlers.items():  # Ray puts its own in the place of the program's
            signal.signal(number, handler)
    # What Ray says of lost machines goes to standard output, where lines for other programs may go; jobs say it too.
    if hasattr(ray._private.worker, "_worker_logs_enabled"):
        ray._private.worker._worker_logs_enabled = False


def _check_answer(address: str) -> None:
    """Make sure that somebody answers at an address; Ray itself would try for minutes.

    Raises:
        VosctlError: nobody does.
    """
    if address in (AUTO, LOCAL):
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_SECONDS).close()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise VosctlError(f"`ray={address}`: cannot be reached: {reason}; check the address") from error


def _line(error: BaseException) -> str:
    """Return the last line of what an error says: Ray puts the traceback first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__).rstrip(".")
