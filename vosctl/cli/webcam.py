"""`vosctl webcam`: live."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vosctl.cli.command import VosctlCommand
from vosctl.cli.first_objects import FirstMaskRequest, PointMark, first_mask_options
from vosctl.cli.options import Command, EngineRequest, engine_options, reporting_options
from vosctl.errors import UsageError

if TYPE_CHECKING:
    from vosctl.cli.reporting import Reporter
    from vosctl.engine import EngineInfo
    from vosctl.live.recorder import Recorder
    from vosctl.live.run import LiveSummary
    from vosctl.live.view import ViewName
    from vosctl.live.virtual_camera import VirtualCamera
    from vosctl.selection.window import Window
    from vosctl.types import Box
    from vosctl.video.frames import SourceInfo
    from vosctl.video.sinks import OutputRequest

_DEFAULT_FPS = 30.0  # told to users of the virtual camera where the source's rate is not known


class SizeType(click.ParamType):  # type: ignore[type-arg]  # generic only in recent releases of click
    """`WIDTHxHEIGHT` in pixels."""

    name = "WxH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        try:
            width, height = (int(part) for part in value.lower().split("x"))
        except ValueError:
            self.fail(f"{value!r}: give width and height in pixels, such as 1280x720", param, ctx)
        if width <= 0 or height <= 0:
            self.fail(f"{value!r}: width and height must be above 0", param, ctx)
        return width, height


def _output(flag: str, metavar: str, text: str) -> Callable[[Command], Command]:
    return click.option(flag, type=click.Path(path_type=Path, allow_dash=flag == "--rle"), metavar=metavar, help=text)


@click.command(
    short_help="Follow objects live: a camera, a stream, a file.", cls=VosctlCommand, spelled={"overlay": "--record"}
)
@click.argument("source", metavar="[SOURCE]", default="0")
@click.option("--size", type=SizeType(), help="Picture size asked of a camera.")
@click.option("--fps", type=click.FloatRange(min=0, min_open=True), help="Frames per second asked of a camera.")
@click.option(
    "--backend",
    type=click.Choice(["auto", "v4l2", "gstreamer", "dshow", "msmf", "avfoundation"]),
    default="auto",
    show_default=True,
    help="OpenCV's way to the camera.",
)
@click.option(
    "--reconnect",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a dropped stream is tried again; 0 gives up at once.",
)
@first_mask_options
@click.option("--no-window", is_flag=True, help="Without a display: needs --first-mask, --box or --point.")
@click.option(
    "--view",
    type=click.Choice(["overlay", "cutout", "blur"]),
    default="overlay",
    help="What is shown.",
    show_default=True,
)
@_output("--record", "FILE", "Record the overlay from the start, as .mp4, .mkv, .mov or .webm.")
@_output("--masks", "DIR", "Indexed PNG, one a frame, DAVIS palette and naming.")
@_output("--matte", "FILE", "Grey video of the objects' soft mask.")
@_output("--cutout", "FILE|DIR", "The objects with transparency: .mov, .webm, or a directory of PNG.")
@_output("--rle", "FILE|-", "JSON lines with boxes, scores and COCO RLE; - is standard output.")
@click.option("--overwrite", is_flag=True, help="Replace outputs that exist.")
@click.option("--virtual-camera", is_flag=True, help="Show the view as a camera to other programs (pyvirtualcam).")
@click.option("--max-frames", type=click.IntRange(min=1), metavar="N", help="Stop after so many followed frames.")
@click.option("--window-size", type=int, default=0, metavar="PIXELS", help="As in vosctl segment.")
@engine_options
@reporting_options
def webcam(**options: Any) -> None:
    """Follow objects live, in SOURCE: a camera's number or device [default: 0], an rtsp:// or http:// (MJPEG) address,
    or a file, played at its own speed.

    Drag a box round an object in the window and press Enter; the other keys are on the screen. Only the newest frame is
    followed: what comes faster than it can be followed is dropped. Recordings (r) and snapshots (s) go to the current
    folder under names that are free.

    \b
    Examples:
      vosctl webcam
      vosctl webcam rtsp://camera.local/stream --record door.mp4
      vosctl webcam 0 --no-window --box 220,60,180,400 --rle - | your-program
    """
    run_webcam(**options)


def run_webcam(
    source: str,
    size: tuple[int, int] | None,
    fps: float | None,
    backend: str,
    reconnect: float,
    first_mask: tuple[Path, ...],
    fix_mask: bool,
    box: tuple[Box, ...],
    point: tuple[PointMark, ...],
    no_window: bool,
    view: ViewName,
    record: Path | None,
    overwrite: bool,
    virtual_camera: bool,
    max_frames: int | None,
    window_size: int,
    engine: EngineRequest,
    quiet: bool,
    verbose: bool,
    as_json: bool,
    **outputs: Path | None,
) -> None:
    """Run one feed until it ends or the user does; the parameters are the options of `webcam`."""
    from vosctl.cli.reporting import Reporter
    from vosctl.interrupts import held
    from vosctl.live.camera import CameraSettings
    from vosctl.live.capture import Capture
    from vosctl.live.opening import open_feed
    from vosctl.live.run import LiveParts, LiveRun
    from vosctl.live.session import Session
    from vosctl.tracking import TrackingSettings
    from vosctl.video.sinks import OutputRequest

    first = FirstMaskRequest(first_mask, fix_mask, box, point)
    first.check(needed=no_window, ways="--first-mask FILE, --box x,y,w,h or --point x,y with --no-window")
    settings = TrackingSettings(window_size=window_size)
    if as_json and str(outputs["rle"]) == "-":
        raise UsageError("--json and --rle -: both write to standard output; give --rle a file")
    if not no_window:
        from vosctl.selection.window import require_display

        require_display("add --no-window, with --first-mask or --box")
    with Reporter(quiet, verbose, as_json) as reporter, ExitStack() as stack:
        feed = open_feed(source, CameraSettings(size, fps, backend), reconnect, reporter.note)
        info = feed.info
        capture = stack.enter_context(Capture(feed))
        inputs = [path for path in (*first_mask, Path(source)) if path.exists()]
        request = OutputRequest(overlay=record, **outputs, overwrite=overwrite, audio=False, inputs=tuple(inputs))
        _check_requests(request, first, info)
        if info.live:  # or its frames pile up while the network is loaded
            capture.start()
        tracker = engine.tracker(settings)
        window, camera = _open_displays(stack, info, not no_window, virtual_camera, reporter)
        reporter.start(info, tracker.info, None)
        stack.enter_context(held())  # from here on there is something to keep
        running, recording = _open_outputs(stack, request, info, reporter)
        run = LiveRun(
            capture,
            LiveParts(
                info=info,
                tracker=tracker,
                session=Session(view),
                first_objects=(lambda image: first.labels(image, reporter.note)) if first.given else None,
                outputs=running,
                recording=recording,
                window=window,
                camera=camera,
                on_frame=reporter.frame,
                warn=reporter.warn,
            ),
        )
        try:
            run.run(max_frames)
        finally:
            reporter.kept(run.kept)
            _report(reporter, run.summary, tracker.info, "result" if no_window else "display")


def _check_requests(request: OutputRequest, first: FirstMaskRequest, info: SourceInfo) -> None:
    """What is wrong with the outputs or the mask is said before the network is loaded."""
    from vosctl.video.sinks.checks import check_outputs

    check_outputs(request)
    if first.first_mask:
        first.read_mask((info.height, info.width), lambda repair: None)


def _open_displays(
    stack: ExitStack, info: SourceInfo, wanted: bool, virtual: bool, reporter: Reporter
) -> tuple[Window | None, VirtualCamera | None]:
    camera = window = None
    if virtual:
        from vosctl.live.virtual_camera import VirtualCamera

        camera = stack.enter_context(VirtualCamera(info.width, info.height, float(info.frame_rate or _DEFAULT_FPS)))
        reporter.note(f"Virtual camera: {camera.device}")
    if wanted:
        from vosctl.selection.window import Window

        window = stack.enter_context(Window(f"vosctl: {info.name}", info.width, info.height))
    return window, camera


def _open_outputs(
    stack: ExitStack, request: OutputRequest, info: SourceInfo, reporter: Reporter
) -> tuple[Recorder, Recorder | None]:
    """The outputs that last as long as the run, and the recording that the user may stop earlier."""
    from vosctl.live.recorder import Recorder
    from vosctl.video.sinks import OutputRequest, open_sinks

    recorders = []
    recorded = OutputRequest(overlay=request.overlay, overwrite=request.overwrite, audio=False)
    for one in (replace(request, overlay=None), recorded):
        recorder = Recorder(open_sinks(one, info, reporter.warn), from_zero=one is recorded)
        stack.callback(recorder.abort)
        recorders.append(recorder)
    return recorders[0], recorders[1] if request.overlay is not None else None


def _report(reporter: Reporter, summary: LiveSummary, engine: EngineInfo, to: str) -> None:
    from vosctl.pipeline import RunSummary

    if not summary.frames:
        return
    p50, p95 = (summary.latency.percentile(percent) for percent in (50, 95))
    reporter.latency(p50, p95, summary.captured, summary.dropped, to)
    tracking = summary.tracking
    outputs = tuple(summary.outputs)
    figures = RunSummary(summary.frames, summary.seconds, tracking.percentile(50), tracking.percentile(95), outputs)
    reporter.summary(figures, engine)
