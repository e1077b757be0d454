"""What a run tells its user: a progress bar and a few lines on standard error, or JSON events on standard output."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from vosctl.cli.wording import Wording, in_one_line
from vosctl.events import Events, Started
from vosctl.weights.registry import retirement

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from vosctl.engine import EngineInfo
    from vosctl.summary import Summary
    from vosctl.tracking import TrackedFrame
    from vosctl.video.frames import Frame


class Reporter(Events):
    """Tells of one run. A context manager; the progress bar lives inside it.

    Args:
        quiet: only warnings.
        verbose: losses and finds of objects, each on a line.
        as_json: events on standard output instead of words.
        clock: gives the time in seconds.
    """

    def __init__(
        self, quiet: bool, verbose: bool, as_json: bool, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._clock = clock
        self._quiet, self._verbose, self._as_json = quiet, verbose, as_json
        self._worded = Wording.current()
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._first = 0.0  # when the first frame came: what is before it, such as a way back, is not their speed
        self._count = 0

    def __enter__(self) -> Reporter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_progress()
        if self._as_json and error is not None and str(error):
            self._event("error", message=self._worded(str(error)))

    def warning(self, line: str) -> None:
        """Tell something the user should know, even when quiet."""
        if self._as_json:
            self._event("warning", message=self._worded(line))
        else:
            self._say(f"Warning: {self._worded(line)}")

    def note(self, line: str) -> None:
        """Tell something that was done for the user."""
        if self._as_json:
            self._event("note", message=self._worded(line))
        elif not self._quiet:
            self._say(self._worded(line))

    def started(self, start: Started) -> None:
        """Name the source, the objects and the engine, and start the progress bar; again where a run has two parts."""
        self._stop_progress()
        self._count = 0
        source, engine, objects = start.source, start.engine, start.objects
        retired = None if engine is None else retirement(engine.weights)
        rate = f" at {float(source.frame_rate):.5g} fps" if source.frame_rate else ""
        if self._as_json:
            self._event(
                "start",
                source=source.name,
                width=source.width,
                height=source.height,
                frames=start.frames,
                objects=objects,
                **_engine_fields(engine),
                **({} if retired is None else {"retired": retired}),
            )
        elif not self._quiet:
            counted = "" if objects is None else f", {objects} object{'s' if objects != 1 else ''}"
            runs_on = "" if engine is None else f"; {engine.weights} on {_place(engine)}"
            self._say(f"{source.name}: {source.width}x{source.height}{rate}{counted}{runs_on}")
            if retired is not None:
                self._say(retired)
            self._start_progress(start.frames)

    def lost(self, frame: Frame, object_id: int) -> None:
        """Tell that an object is lost from this frame on."""
        self._change("lost", frame, object_id)

    def found(self, frame: Frame, object_id: int) -> None:
        """Tell that an object is found again in this frame."""
        self._change("found", frame, object_id)

    def _change(self, change: str, frame: Frame, object_id: int) -> None:
        if self._as_json:
            self._event(change, frame=frame.index, time=round(frame.time, 6), object=object_id)
        elif self._verbose:
            self._say(f"frame {frame.index} ({frame.time:.2f} s): object {object_id} {change}")

    def frame(self, frame: Frame, result: TrackedFrame) -> None:
        """Move the progress bar on, or print the frame's event."""
        now = self._clock()
        if not self._count:
            self._first = now
        self._count += 1
        if self._as_json:
            objects = [{"id": one.id, "status": one.status, "score": round(one.score, 4)} for one in result.objects]
            self._event("frame", frame=frame.index, pts=frame.pts, time=round(frame.time, 6), objects=objects)
        if self._progress is not None and self._task is not None:
            elapsed = now - self._first
            lost = [one.id for one in result.objects if one.status == "lost"]
            named = ", ".join(str(one) for one in lost)
            self._progress.update(
                self._task,
                completed=self._count,
                fps=f"{(self._count - 1) / elapsed:.1f} fps" if self._count > 1 and elapsed else "",
                objects=f"{len(result.objects) - len(lost)}/{len(result.objects)} objects"
                + (f", lost: {named}" if named else ""),
            )

    def kept(self, path: Path) -> None:
        """Name what an unfinished run leaves."""
        self._stop_progress()
        if self._as_json:
            self._event("kept", path=str(path))
        else:
            self._say(f"Kept what was whole: {path}")

    def finished(self, summary: Summary) -> None:
        """Print the summary."""
        self._stop_progress()
        if self._as_json:
            self._event("summary", **_summary_fields(summary))
        elif not self._quiet:
            counted = f"{summary.frames} frame{'s' if summary.frames != 1 else ''}"
            if summary.engine is not None and summary.drawn:
                counted += f" ({summary.drawn} of them from the track)"
            speed = f"{counted}, {summary.frames_per_second:.1f} fps end to end"
            if summary.engine is not None:
                speed += (
                    f"; tracking p50 {summary.p50 * 1e3:.1f} ms, p95 {summary.p95 * 1e3:.1f} ms a frame; "
                    f"{_place(summary.engine)}"
                )
            self._say(speed + ("" if summary.crop_size is None else f", crop {summary.crop_size}"))
            for object_id, losses in summary.losses.items():
                counted = f"{losses.frames} frame{'s' if losses.frames != 1 else ''}"
                self._say(f"Object {object_id} was lost in {counted}: {losses}")
            for path in summary.outputs:
                self._say(f"Wrote {path}" if str(path) != "-" else "Wrote to standard output")

    def latency(self, p50: float, p95: float, captured: int, dropped: int, to: str) -> None:
        """Tell how live a live run was: seconds from capture `to` "display" or "result", and frames."""
        if self._as_json:
            figures = {"p50_ms": round(p50 * 1e3, 2), "p95_ms": round(p95 * 1e3, 2)}
            self._event("latency", to=to, **figures, captured=captured, dropped=dropped)
        elif not self._quiet:
            self._say(
                f"Capture to {to}: p50 {p50 * 1e3:.1f} ms, p95 {p95 * 1e3:.1f} ms; "
                f"{dropped} of {captured} captured frames dropped"
            )

    def _start_progress(self, total: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        if not console.is_terminal:
            return
        self._progress = Progress(
            TextColumn("frame"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("{task.fields[fps]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[objects]}"),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("", total=total, fps="", objects="")
        self._progress.start()

    def _stop_progress(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _say(self, line: str) -> None:
        line = in_one_line(line)
        if self._progress is not None:
            self._progress.console.print(line, markup=False, highlight=False)
        else:
            click.echo(line, err=True)

    def _event(self, event: str, **fields: Any) -> None:
        click.echo(json.dumps({"event": event, **fields}))


def _summary_fields(summary: Summary) -> dict[str, Any]:
    return {
        "frames": summary.frames,
        "drawn": summary.drawn,
        "seconds": round(summary.seconds, 3),
        "fps": round(summary.frames_per_second, 2),
        "p50_ms": round(summary.p50 * 1e3, 2),
        "p95_ms": round(summary.p95 * 1e3, 2),
        "crop_size": summary.crop_size,
        "lost": [
            {"object": object_id, "frames": losses.frames, "ranges": losses.ranges, "more_ranges": losses.more}
            for object_id, losses in summary.losses.items()
        ],
        "outputs": [str(path) for path in summary.outputs],
        **_engine_fields(summary.engine),
    }


def _place(engine: EngineInfo) -> str:
    return f"{engine.engine}, {engine.device}, {engine.precision}"


def _engine_fields(engine: EngineInfo | None) -> dict[str, str]:
    if engine is None:
        return {}
    return {
        "weights": engine.weights,
        "network": engine.network,
        "engine": engine.engine,
        "device": engine.device,
        "precision": engine.precision,
    }
