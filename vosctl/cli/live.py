"""What `vosctl webcam` puts together: a feed, a tracker, outputs and what is shown. Loaded when it runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vosctl.engine.base import Engine, EngineInfo
from vosctl.engine.on_device import follows_on_device
from vosctl.engine.settings import EngineSettings
from vosctl.events import Started, tell_frame
from vosctl.interrupts import held
from vosctl.jobs.recording import header_of
from vosctl.jobs.running import tell_of_small_crops, warn_of_idle_gpu
from vosctl.live.camera import CameraSettings
from vosctl.live.capture import Capture
from vosctl.live.feeds import Feed
from vosctl.live.opening import open_feed
from vosctl.live.pacing import Paces, measure_paces
from vosctl.live.parts import LiveParts, LiveSummary
from vosctl.live.recorder import Recorder
from vosctl.live.run import LiveRun
from vosctl.live.session import Session
from vosctl.live.virtual_camera import VirtualCamera
from vosctl.prompts.first_objects import FirstObjects
from vosctl.selection.window import Window
from vosctl.summary import LossRecord, Summary
from vosctl.tracking import Tracker, TrackingSettings
from vosctl.tracks.header import TrackHeader
from vosctl.types import Labels, RGBImage
from vosctl.video.colours import ColourRequest
from vosctl.video.frames import SourceInfo
from vosctl.video.sinks import OutputRequest, open_sinks
from vosctl.video.sinks.checks import check_outputs, has_piped_video

if TYPE_CHECKING:
    from vosctl.cli.reporting import Reporter
    from vosctl.cli.webcam import FeedOptions, LiveOutputOptions, ViewOptions

_DEFAULT_FPS = 30.0  # taken where the source does not say


@dataclass(frozen=True, slots=True)
class LiveJob:
    """One feed, until it ends or the user does.

    Attributes:
        source: a camera, an address or a file.
        camera: what is asked of a camera or stream.
        objects: what is followed from the first frame on; None where the user will draw it.
        shown: what the user sees.
        outputs: what is written.
    """

    source: str
    camera: FeedOptions
    objects: FirstObjects | None
    shown: ViewOptions
    outputs: LiveOutputOptions

    def run(
        self, settings: EngineSettings, tracking: TrackingSettings, max_frames: int | None, reporter: Reporter
    ) -> None:
        """Run the feed.

        Args:
            settings: of the engine; the network is loaded once everything else is known to be right.
            tracking: how objects are followed; without a size of its own the crop is the largest that keeps up with
                the source on this machine.
            max_frames: stop after so many followed frames.
            reporter: tells the user of it.

        Raises:
            VosctlError: the feed broke off, or an output failed.
        """
        with ExitStack() as stack:
            camera = CameraSettings(self.camera.size, self.camera.fps, self.camera.backend)
            feed = open_feed(self.source, camera, self.camera.reconnect, reporter.note, self.camera.decoder)
            info = feed.info
            capture = stack.enter_context(Capture(feed))
            files = self.objects.files if self.objects is not None else ()
            inputs = tuple(path for path in map(Path, (*files, self.source)) if path.exists())
            request = self.outputs.live_request(inputs)
            _check_requests(request, self.objects, info)
            if info.live:  # or its frames pile up while the network is loaded
                capture.start()
            engine = settings.create()
            warn_of_idle_gpu(reporter, engine.info, settings)
            if tracking.on_device:
                follows_on_device(engine)  # what keeps it from doing so is said before anything opens
            paces = None
            if tracking.window and not tracking.window_size:
                frame = (info.height, info.width) if tracking.on_device else None
                paces = measure_paces(engine, float(info.frame_rate or _DEFAULT_FPS), on_device=frame)
            window, virtual = _open_displays(stack, info, not self.shown.no_window, self.shown.virtual_camera, reporter)
            reporter.started(Started(info, engine.info, None, max_frames or info.frame_count))
            tell_of_small_crops(tracking, reporter.note)
            stack.enter_context(held())  # from here on there is something to keep
            session = Session(self.shown.view)
            request = replace(request, colors=session.colours)
            header = self._header(request.track, feed, tracking, settings, engine.info)
            running, recording = _open_outputs(stack, request, info, reporter, header)
            record = LossRecord()
            run = LiveRun(
                capture,
                LiveParts(
                    info=info,
                    new_tracker=partial(_new_tracker, engine, tracking, paces, reporter),
                    session=session,
                    first_objects=self._first_objects(reporter),
                    outputs=running,
                    recording=recording,
                    window=window,
                    camera=virtual,
                    on_frame=partial(tell_frame, reporter, record),
                    warn=reporter.warning,
                ),
            )
            try:
                run.run(max_frames)
            finally:
                for path in run.kept:
                    reporter.kept(path)
                for line in (*run.notes, *feed.warnings):
                    reporter.warning(line)
                _report(reporter, run.summary, engine.info, record, "result" if self.shown.no_window else "display")

    def _header(
        self,
        track: Path | None,
        feed: Feed,
        tracking: TrackingSettings,
        settings: EngineSettings,
        engine: EngineInfo,
    ) -> TrackHeader | None:
        if track is None:
            return None
        return header_of(feed, track, self.objects or FirstObjects(), tracking, settings, engine, live=True)

    def _first_objects(self, reporter: Reporter) -> Callable[[RGBImage], Labels] | None:
        objects = self.objects
        return None if objects is None else lambda image: objects.labels(image, reporter.note, reporter.warning)


def _new_tracker(
    engine: Engine[Any], settings: TrackingSettings, paces: Paces | None, reporter: Reporter, objects: int
) -> Tracker:
    """Put a tracker on the engine, its crop as large as `objects` objects can have it."""
    if paces is not None:
        pace = paces.choose(objects)
        settings = replace(settings, window_size=pace.size)
        reporter.note(str(pace))
    return Tracker(engine, settings)


def _check_requests(request: OutputRequest, objects: FirstObjects | None, info: SourceInfo) -> None:
    """Check the outputs and the mask before the network is loaded."""
    check_outputs(request)
    if objects is not None and "first_mask" in objects.given:
        objects.read_mask((info.height, info.width), lambda repair: None)


def _open_displays(
    stack: ExitStack, info: SourceInfo, wanted: bool, virtual: bool, reporter: Reporter
) -> tuple[Window | None, VirtualCamera | None]:
    camera = window = None
    if virtual:
        camera = stack.enter_context(VirtualCamera(info.width, info.height, float(info.frame_rate or _DEFAULT_FPS)))
        reporter.note(f"Virtual camera: {camera.device}")
    if wanted:
        window = stack.enter_context(Window(f"vosctl: {info.name}", info.width, info.height))
    return window, camera


def _open_outputs(
    stack: ExitStack, request: OutputRequest, info: SourceInfo, reporter: Reporter, header: TrackHeader | None
) -> tuple[Recorder, Recorder | None]:
    """Open the outputs that last as long as the run, and the recording that the user may stop earlier."""
    recorders = []
    recorded = OutputRequest(overlay=request.overlay, overwrite=request.overwrite, audio=False, colors=request.colors)
    others = replace(request, overlay=None, colors=ColourRequest(), pipe_format="matroska")
    for one, from_zero in ((others, False), (recorded, True)):
        form = request.pipe_format if has_piped_video(one) else "matroska"
        recorder = Recorder(
            open_sinks(replace(one, pipe_format=form), info, reporter.warning, header), from_zero=from_zero
        )
        stack.callback(recorder.abort)
        recorders.append(recorder)
    return recorders[0], recorders[1] if request.overlay is not None else None


def _report(reporter: Reporter, live: LiveSummary, engine: EngineInfo, record: LossRecord, to: str) -> None:
    if not live.frames:
        return
    p50, p95 = (live.latency.percentile(percent) for percent in (50, 95))
    reporter.latency(p50, p95, live.captured, live.dropped, to)
    p50, p95 = (live.tracking.percentile(percent) for percent in (50, 95))
    reporter.finished(
        Summary(live.frames, live.seconds, p50, p95, tuple(live.outputs), engine, live.crop_size, record.losses)
    )
