"""What a batch tells its user: a live table and a few lines on standard error, or JSON events on standard output."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from vosctl.batching.executor import BatchEvents
from vosctl.batching.result import BatchSummary, JobResult, JobsFailedError, as_line
from vosctl.cli.options import ReportingRequest
from vosctl.cli.wording import Wording, in_one_line

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

    from vosctl.batching.estimate import Estimate
    from vosctl.batching.job import BatchJob
    from vosctl.batching.plan import Plan

MOST_FAILED = 20
"""Failed jobs that are listed at the end; the file of results has all of them."""
_REFRESH_PER_SECOND = 4


@dataclass(slots=True)
class _Running:
    """A job under way."""

    begun: float
    count: int = 0
    expected: int | None = None


class BatchReporter(BatchEvents):
    """Tells of one batch. A context manager; the table lives inside it.

    Args:
        reporting: how much, and in which form.
        retired: what speaks against the weights; see `vosctl.weights.registry.retirement`.
    """

    def __init__(self, reporting: ReportingRequest, retired: str | None = None) -> None:
        self._retired = {} if retired is None else {"retired": retired}
        self._quiet, self._verbose, self._as_json = reporting.quiet, reporting.verbose, reporting.as_json
        self._worded = Wording.current()
        self._live: Live | None = None
        self._running: dict[str, _Running] = {}
        self._so_far = BatchSummary()
        self._total = 0
        self._to_do = 0
        self._begun = time.perf_counter()
        self._failed: list[JobResult] = []
        self._untold: list[JobResult] = []

    def __enter__(self) -> BatchReporter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        if self._as_json and error is not None and str(error):
            self._event("error", message=self._worded(str(error)))

    def note(self, line: str) -> None:
        """Tell something that was done for the user."""
        if self._as_json:
            self._event("note", message=self._worded(line))
        elif not self._quiet:
            self._say(self._worded(line))

    def warning(self, line: str) -> None:
        """Tell something the user should know, even when quiet."""
        if self._as_json:
            self._event("warning", message=self._worded(line))
        else:
            self._say(f"Warning: {self._worded(line)}")

    def planned(self, plan: Plan) -> None:
        """Say what is to be done, and start the table."""
        self._to_do, self._total = len(plan.jobs), len(plan.jobs) + len(plan.whole)
        self._begun = time.perf_counter()
        if self._as_json:
            self._event("start", jobs=len(plan.jobs), whole=len(plan.whole), begun=plan.begun, **self._retired)
        elif not self._quiet:
            for line in self._retired.values():
                self._say(line)
            if plan.whole or plan.begun:
                self._say(_what_is_there(plan))
            self._start()

    def started(self, job: BatchJob) -> None:
        """Show a job as one that runs."""
        self._running[job.name] = _Running(time.perf_counter())
        self._show()

    def frames(self, job: BatchJob, count: int, expected: int | None) -> None:
        """Show how far a job is."""
        if (running := self._running.get(job.name)) is not None:
            running.count, running.expected = count, expected
            self._show()

    def finished(self, job: BatchJob, result: JobResult) -> None:
        """Tell what came of a job."""
        self._running.pop(job.name, None)
        self._so_far.add(result)
        if result.state == "failed":
            self._failed.append(result)
        if self._as_json:
            self._event("job", **json.loads(result.to_line()))
        else:
            self._tell(result)
        self._show()

    def ended(self, summary: BatchSummary) -> None:
        """Print what became of all jobs."""
        self._stop()
        failed = [result.name for result in summary.failed]
        if self._as_json:
            counts = {name: getattr(summary, name) for name in ("done", "skipped", "interrupted", "frames")}
            fps = round(summary.frames_per_second, 2)
            results = None if summary.results is None else str(summary.results)
            self._event("summary", **counts, failed=failed, seconds=round(summary.seconds, 3), fps=fps, results=results)
        elif not self._quiet and (summary.results is not None or summary.done or summary.failed):
            where = "" if summary.results is None else f"; results in {summary.results}"
            self._say(
                f"{_counts(summary)}; {summary.frames} frames in {_clock(summary.seconds)}, "
                f"{summary.frames_per_second:.1f} fps{where}"
            )

    def end_with_failures(self) -> None:
        """Name the jobs that failed, with their errors where these were not told when they came.

        Raises:
            JobsFailedError: there are some.
        """
        if not self._failed:
            return
        for result in self._untold[:MOST_FAILED]:
            self._say(f"Failed: {result.name}: {self._worded(result.error or '')}")
        if (more := len(self._untold) - MOST_FAILED) > 0:
            self._say(f"and {more} more, see the results")
        total = self._so_far.done + self._so_far.skipped + len(self._failed)
        named = "" if self._untold else f" ({_some([result.name for result in self._failed])})"
        raise JobsFailedError(f"{len(self._failed)} of {total} jobs failed{named}; `resume=True` tries them again")

    def would_be(self, plan: Plan, estimate: Estimate | None) -> None:
        """Say what a run would do and how long it would take."""
        self._stop()
        if self._as_json:
            for job in plan.jobs:
                self._event("job", name=job.name, source=job.source, outputs=dict(job.outputs), problem=job.problem)
            self._event("plan", jobs=len(plan.jobs), whole=len(plan.whole), begun=plan.begun, **_fields(estimate))
            return
        for job in plan.jobs:
            where = ", ".join(job.outputs.values())
            self._say(f"{job.name}: would fail: {self._worded(job.problem)}" if job.problem else f"{job.name}: {where}")
        counted = f"{len(plan.jobs)} job{'s' if len(plan.jobs) != 1 else ''} would be run"
        self._say(counted + (f"; {_what_is_there(plan)}" if plan.whole or plan.begun else ""))
        if estimate is None:
            return
        if estimate.seconds is None:
            self._say("How long that takes cannot be told: no frame could be counted or tracked")
            return
        self._say(
            f"{estimate.frames} frames at {estimate.speed:.1f} fps a process ({estimate.basis}): about "
            f"{_clock(estimate.seconds)}"
        )

    def _tell(self, result: JobResult) -> None:
        at_once = self._live is None or self._verbose or not self._total  # a run without an end lists none at its end
        if result.state == "failed":
            if at_once:
                self._say(f"Failed: {result.name}: {self._worded(result.error or '')}")
            else:
                self._untold.append(result)
        elif result.state == "done" and not self._quiet and (self._live is None or self._verbose):
            counted = f"{result.frames} frame{'s' if result.frames != 1 else ''}"
            speed = f"{counted}, {result.frames_per_second:.1f} fps"
            lost = f"; lost: {', '.join(map(str, result.lost))}" if result.lost else ""
            self._say(f"Done: {result.name}: {speed}{lost}")
        if self._verbose:
            for line in result.warnings:
                self._say(f"Warning: {result.name}: {self._worded(line)}")

    def table(self) -> Table:
        """Return the table of the jobs under way, below a line for all."""
        from rich.table import Table
        from rich.text import Text

        elapsed = time.perf_counter() - self._begun
        ended = self._so_far.done + len(self._failed)
        frames = self._so_far.frames + sum(one.count for one in self._running.values())
        speed = f", {frames / elapsed:.1f} fps" if elapsed and frames else ""
        share = sum(min(one.count / one.expected, 1) for one in self._running.values() if one.expected)
        left = ""
        if self._to_do and (measured := self._so_far.done + share) > 0:  # those that fail take no time to speak of
            left = f", {_clock(elapsed * (self._to_do - ended - share) / measured)} left"
        table = Table.grid(padding=(0, 2))
        total = f" of {self._total}" if self._total else ""
        table.add_row(Text(f"{_counts(self._so_far)}{total}{speed}{left}"))
        for name, one in list(self._running.items()):
            expected = "" if one.expected is None else f"/{one.expected}"
            since = time.perf_counter() - one.begun
            table.add_row(Text(f"  {name}: {one.count}{expected} frames, {one.count / since:.1f} fps"))
        return table

    def _start(self) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(stderr=True)
        if console.is_terminal:
            self._live = Live(console=console, transient=True, refresh_per_second=_REFRESH_PER_SECOND)
            self._live.start()

    def _show(self) -> None:
        if self._live is not None:
            self._live.update(self.table())

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _say(self, line: str) -> None:
        line = in_one_line(line)
        if self._live is not None:
            self._live.console.print(line, markup=False, highlight=False)
        else:
            click.echo(line, err=True)

    def _event(self, event: str, **fields: Any) -> None:
        click.echo(as_line({"event": event, **fields}))


def _counts(summary: BatchSummary) -> str:
    failed, skipped, interrupted = len(summary.failed), summary.skipped, summary.interrupted
    return f"{summary.done} done, {failed} failed" + "".join(
        f", {count} {word}" for count, word in ((skipped, "whole already"), (interrupted, "interrupted")) if count
    )


def _some(names: list[str]) -> str:
    more = len(names) - MOST_FAILED
    return ", ".join(names[:MOST_FAILED]) + (f" and {more} more" if more > 0 else "")


def _what_is_there(plan: Plan) -> str:
    begun = f", {plan.begun} {'is' if plan.begun == 1 else 'are'} gone on with" if plan.begun else ""
    verb = "is" if len(plan.whole) == 1 else "are"
    return f"{len(plan.whole)} of {len(plan.whole) + len(plan.jobs)} jobs {verb} whole already{begun}"


def _clock(seconds: float) -> str:
    """Return a time as 0:01:23."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def _fields(estimate: Estimate | None) -> dict[str, Any]:
    if estimate is None:
        return {"frames": 0, "counted": 0, "seconds": 0.0, "fps": None, "basis": None}
    seconds = None if estimate.seconds is None else round(estimate.seconds, 1)
    return {
        "frames": estimate.frames,
        "counted": estimate.counted,
        "seconds": seconds,
        "fps": None if seconds is None else round(estimate.speed, 2),
        "basis": None if seconds is None else estimate.basis,
    }
