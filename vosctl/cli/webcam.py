"""`vosctl webcam`: live."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from click.core import ParameterSource

from vosctl.cli.command import VosctlCommand
from vosctl.cli.first_objects import FirstMaskRequest, first_mask_options
from vosctl.cli.groups import grouped
from vosctl.cli.numbers import FiniteRange
from vosctl.cli.options import (
    EngineRequest,
    ReportingRequest,
    TrackingRequest,
    decoder_option,
    engine_options,
    on_device_option,
    reporting_options,
    smoothing_option,
)
from vosctl.cli.output_options import OutputOptions, composed_options, output_path_options, path_option, track_option
from vosctl.errors import UsageError

if TYPE_CHECKING:
    from vosctl.live.camera import CameraBackend
    from vosctl.live.view import ViewName
    from vosctl.video.hardware import DecoderWord
    from vosctl.video.sinks import OutputRequest


class SizeType(click.ParamType):  # type: ignore[type-arg]  # generic only in recent releases of click
    """`WIDTHxHEIGHT` in pixels."""

    name = "WxH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Parse `WIDTHxHEIGHT` into whole numbers above 0."""
        if isinstance(value, tuple):
            return value
        try:
            width, height = (int(part) for part in value.lower().split("x"))
        except ValueError:
            self.fail(f"{value!r}: give width and height in pixels, such as 1280x720", param, ctx)
        if width <= 0 or height <= 0:
            self.fail(f"{value!r}: width and height must be above 0", param, ctx)
        return width, height


@dataclass(frozen=True, slots=True)
class FeedOptions:
    """What the user asked of the camera or stream."""

    size: tuple[int, int] | None
    fps: float | None
    backend: CameraBackend
    reconnect: float | None
    decoder: DecoderWord


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """What the user wants to see."""

    no_window: bool
    view: ViewName
    virtual_camera: bool

    @property
    def is_seen(self) -> bool:
        """Whether anybody sees the view."""
        return not self.no_window or self.virtual_camera


@dataclass(frozen=True, slots=True)
class LiveOutputOptions(OutputOptions):
    """The outputs of a live run."""

    record: Path | None = None

    def live_request(self, inputs: tuple[Path, ...]) -> OutputRequest:
        """Return the outputs; there are none where none is asked for."""
        request = self.named({"overlay": self.record, **self.paths()})
        return replace(request, audio=False, inputs=inputs)


feed_options = grouped(
    "camera",
    FeedOptions,
    click.option("--size", type=SizeType(), help="Picture size to request from a camera."),
    click.option(
        "--fps",
        type=FiniteRange(min=0, min_open=True),
        metavar="RATE",
        help="Frames per second to request from a camera.",
    ),
    click.option(
        "--backend",
        type=click.Choice(["auto", "v4l2", "gstreamer", "dshow", "msmf", "avfoundation"]),
        default="auto",
        show_default=True,
        help="OpenCV's backend for the camera.",
    ),
    click.option(
        "--reconnect",
        type=FiniteRange(min=0),
        metavar="SECONDS",
        help="How long to retry a dropped stream; 0 gives up at once.  [default: 60]",
    ),
    decoder_option,
)
view_options = grouped(
    "shown",
    ViewOptions,
    click.option("--no-window", is_flag=True, help="Run without a display; needs --first-mask, --box or --point."),
    click.option(
        "--view",
        type=click.Choice(["overlay", "cutout", "blur"]),
        default="overlay",
        help="What is shown.",
        show_default=True,
    ),
    click.option("--virtual-camera", is_flag=True, help="Show the view as a camera to other programs (pyvirtualcam)."),
)
live_output_options = grouped(
    "outputs",
    LiveOutputOptions,
    path_option("--record", "FILE|-", "Record the overlay from the start, as .mp4, .mkv, .mov, .webm; or .webp, .gif."),
    *output_path_options,
    *composed_options,
    track_option,
)


@click.command(
    short_help="Follow objects live: a camera, a stream, a file.",
    cls=VosctlCommand,
    spelled={"overlay": "--record", "resume": "`vosctl segment --resume`"},
)
@click.argument("source", metavar="[SOURCE]", default="0", type=click.Path(readable=False))
@feed_options
@first_mask_options()
@view_options
@live_output_options
@click.option("--max-frames", type=click.IntRange(min=1), metavar="N", help="Stop after so many followed frames.")
@click.option(
    "--window-size",
    type=int,
    default=0,
    metavar="PIXELS",
    help="As in vosctl segment.  [default: the largest from 192 to 384 that keeps up here, measured at the start]",
)
@on_device_option
@smoothing_option
@engine_options
@reporting_options
def webcam(
    source: str,
    camera: FeedOptions,
    first: FirstMaskRequest,
    shown: ViewOptions,
    outputs: LiveOutputOptions,
    max_frames: int | None,
    window_size: int,
    on_device: bool,
    temporal_smoothing: Literal["on", "off"] | None,
    engine: EngineRequest,
    reporting: ReportingRequest,
) -> None:
    """Follow objects live, in a camera, a stream or a file.

    SOURCE is a camera's number or device [default: 0], an rtsp:// or http:// (MJPEG) address, or a file, which is
    played at its own speed.

    Drag a box round an object in the window and press Enter; the other keys are on the screen. Only the newest frame is
    followed: what comes faster than it can be followed is dropped. Recordings (r) and snapshots (s) go to the current
    folder under names that are free.

    \b
    Examples:
      vosctl webcam
      vosctl webcam rtsp://camera.local/stream --record door.mp4
      vosctl webcam 0 --no-window --box 220,60,180,400 --rle - | your-program
    """
    from vosctl.cli.live import LiveJob
    from vosctl.prompts.segmenter import limit_prompt_threads

    if shown.no_window and not first.given:
        raise UsageError(
            "what to follow is not said; give --first-mask FILE, --box x,y,w,h or --point x,y with --no-window"
        )
    if first.fix_mask and not first.given:
        raise UsageError("--fix-mask: is for a --first-mask; leave it out")
    context = click.get_current_context()
    if context.get_parameter_source("view") is ParameterSource.COMMANDLINE and not shown.is_seen:
        raise UsageError("--view: nobody sees it with --no-window; leave one of them out, or add --virtual-camera")
    objects = first.objects()
    if first.given:
        objects.check()
    outputs.check(reporting)
    limit_prompt_threads(engine.threads)
    tracking = TrackingRequest(window_size=window_size, on_device=on_device, temporal_smoothing=temporal_smoothing)
    settings = tracking.settings()
    if not shown.no_window:
        from vosctl.selection.window import require_display

        require_display("add --no-window, with --first-mask or --box")
    with reporting.reporter() as reporter:
        live = LiveJob(source, camera, objects if first.given else None, shown, outputs)
        live.run(engine.settings(), settings, max_frames, reporter)
