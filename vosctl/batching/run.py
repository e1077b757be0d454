"""Many videos in one run, as a library call.

import vosctl

summary = vosctl.batch("videos/", "out", outputs="masks,overlay", workers=4)
summary.failed  # results of the jobs that failed; the others are done
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vosctl.arguments import check_kind
from vosctl.batching.executor import BatchEvents, Executor, InProcess
from vosctl.batching.finding import JobsRequest
from vosctl.batching.job import BatchJob, JobOptions
from vosctl.batching.layouts import HIDDEN, LayoutName, hidden_folder, parse_outputs, short_name
from vosctl.batching.plan import Places, Plan, is_whole, make_plan
from vosctl.batching.processes import Processes
from vosctl.batching.result import BatchSummary, JobResult
from vosctl.batching.results import ResultsFile, remove_hidden
from vosctl.batching.running import remove_empty
from vosctl.engine.base import Engine
from vosctl.engine.settings import EngineSettings
from vosctl.errors import UsageError
from vosctl.interrupts import held
from vosctl.jobs.running import check_engine
from vosctl.prompts.mask_file import StrPath
from vosctl.remote import is_remote
from vosctl.video.hardware import hardware_decoder

RESULTS = "results.jsonl"
"""The file of results, in the folder of outputs."""


@dataclass(frozen=True, slots=True)
class BatchRun:
    """Many jobs to be run.

    Attributes:
        jobs: all at once; or, where they come over time, one by one with None for "none now" (`executor.Executor`),
            which are then taken as if `resume` were said, one that gets in another's way failing alone.
        executor: what runs them; it is closed at the end.
        results: the file of results; None for none.
        resume: leave out what is whole, and go on with what is not.
        events: hears of the run.
    """

    jobs: Iterable[BatchJob | None]
    executor: Executor
    results: Path | None = None
    resume: bool = False
    events: BatchEvents = field(default_factory=BatchEvents)

    def run(self) -> BatchSummary:
        """Run the jobs to their end; a job's own failure is in the summary.

        Raises:
            UsageError: two jobs would write the same, or outputs are in the way; nothing was run.
            VosctlError: no job can be run, or the results cannot be written.
            KeyboardInterrupt: interrupted; the results of what was done are written.
        """
        with ExitStack() as stack:
            file = None if self.results is None else ResultsFile(self.results)
            run = _Running(self, file)
            stack.callback(_tidy, file, run)
            if file is not None:
                stack.enter_context(file)
            stack.callback(self.executor.close)
            with held():
                return run.run()


class _Running:
    """A run under way.

    Attributes:
        whole: the names of the jobs that are.
        hidden: the folders in which jobs keep the tracks of long videos, and for each those above it that are to be
            made for it, the lowest first.
    """

    def __init__(self, batch: BatchRun, file: ResultsFile | None) -> None:
        self._batch, self._file = batch, file
        self._events = batch.events
        self._earlier = {} if file is None else file.earlier
        self._summary = BatchSummary(results=batch.results)
        self._jobs: dict[str, BatchJob] = {}
        self._places = Places()
        self._under_way: set[str] = set()
        self.whole: set[str] = set()
        self.hidden: dict[Path, list[Path]] = {}

    def run(self) -> BatchSummary:
        begun = time.perf_counter()
        jobs: Iterable[BatchJob | None] = self._batch.jobs
        if isinstance(jobs, list | tuple):
            jobs = self._planned([job for job in jobs if job is not None])
        else:
            jobs = self._coming(jobs)
        try:
            for result in self._batch.executor.run(jobs, self._events):
                self._take(result)
        finally:
            self._summary.seconds = time.perf_counter() - begun
            if self._file is not None and not self._file.path.exists():
                self._summary.results = None  # no job came to an end
            self._events.ended(self._summary)
        return self._summary

    def _planned(self, wanted: list[BatchJob]) -> Iterator[BatchJob]:
        written = None if self._file is None else self._file.path
        plan = make_plan(wanted, resume=self._batch.resume, results=self._earlier, written=written)
        if self._file is not None:
            self._file.begin({job.name: job.digest for job in plan.jobs})
        self._events.planned(plan)
        for job in plan.whole:
            self._skip(job)
        return map(self._begun, plan.jobs)

    def _begun(self, job: BatchJob) -> BatchJob:
        self._jobs[job.name] = job
        hidden = hidden_folder(job.progress)
        if hidden is not None and hidden not in self.hidden:
            self.hidden[hidden] = [folder for folder in hidden.parents if not folder.exists()]
        return job

    def _coming(self, jobs: Iterable[BatchJob | None]) -> Iterator[BatchJob | None]:
        """Give jobs as they come, but for those that are whole or get in another's way."""
        if self._file is not None:
            self._file.begin({})
        self._events.planned(Plan([], []))
        ready: dict[str, BatchJob] = {}  # also those that are under way already, and have changed since
        for job in jobs:
            if job is not None and self._is_wanted(job):
                ready[job.name] = job
            yield from self._free(ready)
            if job is None:
                yield None
        while ready:
            yield None
            yield from self._free(ready)

    def _is_wanted(self, job: BatchJob) -> bool:
        """Return whether a job that comes is to be run; one that gets in another's way has failed."""
        known = self._jobs.get(job.name)
        if known is not None and known.source == job.source:
            return True  # its files have changed
        try:
            self._places.add(job)
        except UsageError as error:
            failed = replace(JobResult.of(job, "failed"), error=str(error))
            self._tell(job, failed, write=known is None)  # the line of this name is the other's
            return False
        self._begun(job)
        if is_whole(job, self._earlier.get(job.name)):
            self._skip(job)
            return False
        return True

    def _free(self, ready: dict[str, BatchJob]) -> Iterator[BatchJob]:
        """Give the jobs that nobody runs at the moment: two at a time would write the same outputs."""
        for name in [name for name in ready if name not in self._under_way]:
            self._under_way.add(name)
            yield self._begun(replace(ready.pop(name), resume=True))

    def _skip(self, job: BatchJob) -> None:
        self._begun(job)
        self.whole.add(job.name)
        result = replace(JobResult.of(job, "skipped"), outputs=tuple(job.outputs.values()))
        earlier = self._earlier.get(job.name)
        self._take(result, write=earlier is None or earlier.digest != job.digest)

    def _take(self, result: JobResult, *, write: bool = True) -> None:
        self._under_way.discard(result.name)
        if result.state == "done":
            self.whole.add(result.name)
        elif result.state != "skipped":
            self.whole.discard(result.name)  # its files have changed since
        self._tell(self._jobs[result.name], result, write=write)

    def _tell(self, job: BatchJob, result: JobResult, *, write: bool) -> None:
        if self._file is not None and write:
            self._file.add(result)
        self._summary.add(result)
        self._events.finished(job, result)


def _tidy(file: ResultsFile | None, run: _Running) -> None:
    """Remove tracks that no job goes on from any more, and what the folder of outputs held for the run alone."""
    names = {short_name(name) for name in run.whole}
    for hidden in {*run.hidden, *(() if file is None else (file.path.parent / HIDDEN,))}:
        for path in hidden.rglob("*.vostrack*"):
            name, _, _ = path.relative_to(hidden).as_posix().partition(".vostrack")
            if name.rpartition(".")[0] in names:
                with suppress(OSError):
                    path.unlink()
    for hidden, made in run.hidden.items():
        remove_hidden(hidden.parent)
        remove_empty(made)
    if file is not None:
        file.remove_made()


def batch(
    jobs: StrPath | Iterable[BatchJob],
    output: StrPath | None = None,
    *,
    outputs: str | None = None,
    layout: LayoutName | None = None,
    options: JobOptions | None = None,
    subset: str | None = None,
    strict: bool = False,
    resume: bool = False,
    results: StrPath | None = None,
    engine: EngineSettings | Engine[Any] | None = None,
    workers: int = 0,
    timeout: float | None = None,
    executor: Executor | None = None,
    events: BatchEvents | None = None,
) -> BatchSummary:
    """Follow the objects of many videos; a job that fails does not stop the others.

    Args:
        jobs: a folder or glob of videos with masks or prompts beside them, a data set in the DAVIS layout, a list
            (.csv, .jsonl), see `JobsRequest`; or jobs.
        output: the folder of outputs, where `jobs` does not say it.
        outputs: what each video is to have, such as "masks,overlay.webm".
        layout: how outputs are laid out in the folder: "folders", "flat", "kinds" or "davis".
        options: how each video is followed, and drawn.
        subset: of a data set: a list below its ImageSets, such as "2017/val.txt".
        strict: whether a line of a list that cannot be read is an error.
        resume: leave out what an earlier run has done, and go on with what it has begun.
        results: the file of results; by default results.jsonl in `output`. Needed where that is an address.
        engine: what runs the network: settings, or an engine that was made, which runs one job after the other here.
        workers: processes, each with an engine; 0 for one for each two cores. They are started anew, so a program
            that calls this needs `if __name__ == "__main__":`.
        timeout: seconds that a job may take; one that takes longer is ended and fails. Needs processes.
        executor: runs the jobs, in the place of `engine`, `workers` and `timeout`.
        events: hears of the run.

    Returns:
        How many jobs were done and skipped, and the results of those that failed.

    Raises:
        UsageError: two jobs would write the same, outputs are in the way, or there are no jobs; nothing was run.
        VosctlError: no job can be run, as without the decoder, or the results cannot be written.
        KeyboardInterrupt: interrupted; the results of what was done are written.
    """
    heard = events or BatchEvents()
    check_kind("events", heard, BatchEvents, "an object of a class that extends vosctl.BatchEvents")
    if options is not None:
        check_kind("options", options, JobOptions, "JobOptions, such as JobOptions(tracking=TrackingSettings())")
    if engine is not None:
        check_engine(engine)
    if isinstance(jobs, str | os.PathLike):
        if output is None:
            raise UsageError("`output`: give the folder that the outputs go to")
        if results is None and is_remote(os.fspath(output)):
            raise UsageError(
                f"`output={output}`: say with `results` in which file of this machine the results are kept"
            )
        wanted = None if outputs is None else parse_outputs(outputs)
        request = JobsRequest(
            os.fspath(jobs), os.fspath(output), wanted, layout, options or JobOptions(), subset, strict
        )
        found = request.find(heard.warning)
        results = results or Path(output) / RESULTS
    else:
        found = list(jobs)
        if any(value is not None for value in (output, outputs, layout, options, subset)):
            raise UsageError(
                "`jobs`: they say themselves what to write and how; leave `output`, `outputs`, `layout`, `options` "
                "and `subset` out"
            )
    if executor is not None and (engine is not None or workers):
        raise UsageError("`executor`: has engines and processes of its own; leave `engine` and `workers` out")
    if workers > 1 and not isinstance(engine, EngineSettings | None):
        raise UsageError("`workers`: an engine that was made runs one job after the other; give `engine` as settings")
    if timeout is not None and (executor is not None or not isinstance(engine, EngineSettings | None)):
        raise UsageError("`timeout`: is of processes that are started here; give `engine` as settings, no `executor`")
    if executor is None:
        for decoder in sorted({job.options.decoder for job in found}):
            hardware_decoder(decoder)  # is missed here once, not in job after job
        made = engine or EngineSettings()
        executor = Processes(made, workers, timeout) if isinstance(made, EngineSettings) else InProcess(made)
    return BatchRun(found, executor, None if results is None else Path(results), resume, heard).run()
