"""The live loop: take the newest frame, follow, write, show; then do what the user asked."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vosctl.errors import VosctlError
from vosctl.interrupts import check, held
from vosctl.live.capture import Capture
from vosctl.live.feeds import Captured
from vosctl.live.parts import LiveParts, LiveSummary
from vosctl.live.recorder import Recorder
from vosctl.live.session import Add, Command, Quit, Remove, Session, TakeSnapshot, ToggleRecording
from vosctl.live.snapshots import free_number, write_snapshot
from vosctl.live.view import Status, draw_status, render_view
from vosctl.selection.canvas import draw_drawing, draw_strip
from vosctl.selection.drawing import plain
from vosctl.selection.viewport import Viewport
from vosctl.selection.window import Window
from vosctl.tracking import TrackedFrame, Tracker
from vosctl.tracking.arriving import arrived
from vosctl.tracking.edits import nothing_tracked
from vosctl.video.frames import Frame
from vosctl.video.sinks import OutputRequest, open_sinks

_POLL_SECONDS = 0.02
_REDRAW_SECONDS = 0.25
_RECENT = 40  # frames that the figures on screen are of
_FIRST_FRAME_SECONDS = 30.0


class LiveRun:
    """One live run. Use once."""

    def __init__(self, capture: Capture, parts: LiveParts) -> None:
        self._capture = capture
        self._parts = parts
        self._session = parts.session
        self._recording = parts.recording
        self._recorded_from = time.perf_counter()
        self._tracker: Tracker | None = None
        self._quit = False
        self._failed: VosctlError | None = None  # of a recording that was asked for with the run
        self._held_at = 0.0  # when the feed was last being held
        self._redraw = 0.0  # when a picture that stands is drawn again
        self._shown: deque[float] = deque(maxlen=_RECENT)
        self._latencies: deque[float] = deque(maxlen=_RECENT)
        self.summary = LiveSummary()
        self.kept: list[Path] = []
        """What a failed run leaves: what was whole of each output, under a name that says so."""

    @property
    def notes(self) -> list[str]:
        """What is not done as it could be on the device, see `Tracker.notes`."""
        return [] if self._tracker is None else self._tracker.notes

    def run(self, max_frames: int | None = None) -> LiveSummary:
        """Run until the feed ends, the user quits, or so many frames were followed.

        Raises:
            VosctlError: the feed broke off (the outputs are complete), or an output failed (they were given up). What
                the user begins with a key may fail without that.
            KeyboardInterrupt: as it came; the outputs are complete: a live recording has no other end.
        """
        with held():
            try:
                self._loop(max_frames)
            finally:
                self._finish()
        if self._failed is not None:
            raise self._failed
        return self.summary

    def _loop(self, max_frames: int | None) -> None:
        self._capture.start()
        captured: Captured | None = self._first_frame()
        begun = time.perf_counter()
        while not self._quit:
            check()
            if captured is not None:
                if not self.summary.frames and self._parts.first_objects is not None:
                    self._hold(True)  # a file waits while its objects are found
                self._follow(captured)
            if self._parts.window is not None:
                self._show(self._parts.window, captured)
            elif captured is not None:
                self._measure(captured)
            self.summary.seconds = time.perf_counter() - begun
            if max_frames is not None and self.summary.frames >= max_frames:
                return
            if self._capture.ended and not (self._session.paused or self._session.drawing):
                self._capture.take(0)  # raises what it ended with
                return
            self._hold(self._session.paused or self._session.drawing is not None)
            captured = None if self._session.paused else self._capture.take(_POLL_SECONDS)

    def _first_frame(self) -> Captured:
        deadline = time.monotonic() + _FIRST_FRAME_SECONDS
        while time.monotonic() < deadline:
            captured = self._capture.take(_POLL_SECONDS)
            if captured is not None:
                return captured
            check()
            if self._capture.ended:
                break
        waited = "" if self._capture.ended else f" within {_FIRST_FRAME_SECONDS:.0f} s"
        raise VosctlError(f"{self._parts.info.name}: gave no frame{waited}; check it")

    def _follow(self, captured: Captured) -> None:
        begun = time.perf_counter()
        frame = captured.frame
        result = self._tracked(frame.image)
        self.summary.tracking.add(time.perf_counter() - begun)
        self.summary.frames += 1
        self._session.see(frame.image, result)
        self._parts.outputs.write(frame, result)
        self._record(frame, result)
        if self._parts.camera is not None:
            self._parts.camera.send(render_view(frame.image, result, self._session.view, self._session.colours))
        self._parts.on_frame(frame, result)

    def _record(self, frame: Frame, result: TrackedFrame) -> None:
        recording = self._recording
        if recording is None:
            return
        try:
            recording.write(frame, result)
        except VosctlError as error:
            if recording is self._parts.recording:
                raise
            self._recording = None
            recording.abort()
            self.kept += recording.kept
            self._tell(error)

    def _tell(self, error: VosctlError) -> None:
        """Say what went wrong without ending the run."""
        self._session.message = plain(str(error))
        self._parts.warn(str(error))

    def _tracked(self, image: NDArray[np.uint8]) -> TrackedFrame:
        if self._tracker is not None:
            return arrived(self._tracker.step(image))
        if self.summary.frames == 0 and self._parts.first_objects is not None:
            return self._begin(image, self._parts.first_objects(image))
        return nothing_tracked(*image.shape[:2])

    def _begin(self, image: NDArray[np.uint8], labels: NDArray[np.uint8]) -> TrackedFrame:
        self._tracker = self._parts.new_tracker(int(np.count_nonzero(np.bincount(labels.ravel())[1:])))
        self.summary.crop_size = self._tracker.crop_size
        return self._tracker.start(image, labels)

    def _show(self, window: Window, captured: Captured | None) -> None:
        busy = self._session.busy
        wait = _POLL_SECONDS if self._session.paused or self._capture.ended else 0.001
        if captured is None and time.perf_counter() < self._redraw:
            events = window.poll(wait)
        else:
            events = window.show(self._picture(), wait)
            self._redraw = time.perf_counter() + _REDRAW_SECONDS
        if captured is not None:
            self._measure(captured)
        if events:
            self._redraw = 0.0
        for event in events:
            for command in self._session.handle(event):
                self._do(command)
        if (busy or not events) and self._session.work():  # the picture has said that it is busy
            self._redraw = 0.0

    def _hold(self, held: bool) -> None:
        """Have a file wait for its user; a camera cannot."""
        self._capture.hold(held)
        if held and not self._parts.info.live:
            self._held_at = time.perf_counter()

    def _measure(self, captured: Captured) -> None:
        now = time.perf_counter()
        latency = now - max(captured.at, self._held_at)  # a frame that was held with the file has not been late
        self._shown.append(now)
        self._latencies.append(latency)
        self.summary.latency.add(latency)

    def _picture(self) -> NDArray[np.uint8]:
        session = self._session
        if session.image is None or session.result is None:
            width, height = Viewport.whole(self._parts.info.width, self._parts.info.height).shown
            return np.zeros((height, width, 3), np.uint8)
        if session.drawing is not None:
            canvas = draw_drawing(session.drawing, session.standing)
            draw_strip(canvas, [f"Object {session.drawing.object_id}: {session.drawing.message}"])
        else:
            height, width = session.image.shape[:2]
            picture = render_view(session.image, session.result, session.view, session.colours)
            canvas = Viewport.whole(width, height).show(picture)
            draw_status(canvas, self._status(session, session.result), session.colours)
        if session.show_help:
            draw_strip(canvas, [session.help], bottom=True)
        return canvas

    def _status(self, session: Session, result: TrackedFrame) -> Status:
        span = self._shown[-1] - self._shown[0] if len(self._shown) > 1 else 0.0
        return Status(
            fps=(len(self._shown) - 1) / span if span else 0.0,
            latency=float(np.median(self._latencies)) if self._latencies else 0.0,
            dropped=self._capture.dropped,
            objects=session.objects,
            lost=frozenset(one.id for one in result.objects if one.status == "lost"),
            selected=session.selected,
            recording=None if self._recording is None else time.perf_counter() - self._recorded_from,
            trouble=self._capture.trouble,
            message=session.message,
            paused=session.paused,
            crop_size=self.summary.crop_size,
        )

    def _do(self, command: Command) -> None:
        match command:
            case Add():
                self._add(command)
            case Remove(object_id):
                if self._tracker is not None:
                    self._replace(self._tracker.remove(object_id))
            case ToggleRecording():
                self._try(self._toggle_recording)
            case TakeSnapshot():
                self._try(self._snapshot)
            case Quit():
                self._quit = True

    def _try(self, asked: Callable[[], None]) -> None:
        """Do what a key asks for; what fails of it is told."""
        try:
            asked()
        except VosctlError as error:
            self._tell(error)

    def _add(self, command: Add) -> None:
        if self._tracker is not None:
            self._replace(self._tracker.add(command.image, command.mask, command.object_id))
        else:
            labels = np.where(command.mask, np.uint8(command.object_id), np.uint8(0))
            self._replace(self._begin(command.image, labels))

    def _result(self) -> TrackedFrame:
        return self._session.result or nothing_tracked(self._parts.info.height, self._parts.info.width)

    def _replace(self, result: TrackedFrame) -> None:
        if self._session.image is not None:
            self._session.see(self._session.image, result)

    def _toggle_recording(self) -> None:
        if self._recording is not None:
            recording, self._recording = self._recording, None
            try:
                self._complete(recording)
            except VosctlError as error:
                if recording is self._parts.recording:
                    self._failed = error
                raise
            return
        name = self._parts.info.name
        number = free_number(f"{name}_record_{{}}.mp4")
        path = Path(f"{name}_record_{number:03d}.mp4")
        request = OutputRequest(overlay=path, audio=False, colors=self._session.colours)
        sinks = open_sinks(request, self._parts.info, self._parts.warn)
        self._recording, self._recorded_from = Recorder(sinks, from_zero=True), time.perf_counter()
        self._session.message = f"Recording {path}"

    def _complete(self, recording: Recorder) -> None:
        try:
            for path in recording.finish():
                self.summary.outputs.append(path)
                self._session.message = f"Recorded {path}"
        finally:
            self.kept += recording.kept

    def _snapshot(self) -> None:
        if self._session.image is not None:
            picture, mask = write_snapshot(self._parts.info.name, self._session.image, self._result().labels)
            self.summary.outputs += [picture, mask]
            self._session.message = f"Wrote {picture} and {mask}"

    def _finish(self) -> None:
        """Complete what is being written, whatever ended the run."""
        self.summary.captured, self.summary.dropped = self._capture.count, self._capture.dropped
        recording, self._recording = self._recording, None
        with ExitStack() as stack:  # one that fails does not keep the other from being completed
            stack.callback(self._complete_outputs)
            if recording is not None:
                stack.callback(self._complete, recording)

    def _complete_outputs(self) -> None:
        try:
            self.summary.outputs += self._parts.outputs.finish()
        finally:
            self.kept += self._parts.outputs.kept
