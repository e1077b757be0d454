"""Options that several commands share, as decorators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vosctl.errors import UsageError

if TYPE_CHECKING:
    from vosctl.tracking import Tracker, TrackingSettings

Command = TypeVar("Command", bound=Callable[..., Any])


def _apply(command: Command, *options: Callable[[Command], Command]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def frame_rate(context: click.Context, parameter: click.Parameter, value: str | None) -> Fraction | None:
    """Read frames per second exactly: 25, 23.976 or 30000/1001. A click callback."""
    if value is None:
        return None
    try:
        rate = Fraction(value)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not Fraction(1, 1000) <= rate <= 1000:
        raise UsageError(f"`{parameter.name}={value}`: give frames per second, such as 25 or 30000/1001")
    return rate.limit_denominator(1_000_000)


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """What the user asked for with the options of `engine_options`; see `vosctl.Tracker`."""

    weights: str
    engine: str
    device: str
    precision: str
    provider: str
    threads: int

    def tracker(self, settings: TrackingSettings) -> Tracker:
        """Load the weights into the engine and put a tracker on it."""
        from vosctl.tracking import Tracker

        return Tracker.load(**asdict(self), settings=settings)


ENGINE_OPTIONS = tuple(field.name for field in fields(EngineRequest))


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--weights, --engine, --device, --precision, --provider, --threads, as one `EngineRequest` named `engine`."""

    @wraps(command)
    def with_request(*args: Any, **options: Any) -> Any:
        request = EngineRequest(**{name: options.pop(name) for name in ENGINE_OPTIONS})
        return command(*args, engine=request, **options)

    return _apply(
        with_request,
        click.option(
            "--weights",
            default="lite",
            show_default=True,
            metavar="NAME|FILE",
            envvar="VOSCTL_WEIGHTS",
            help="Registered weights, a .safetensors file, an official RGMP weights.pth or a folder of ONNX graphs.",
        ),
        click.option(
            "--engine",
            type=click.Choice(["auto", "torch", "onnx", "openvino"]),
            default="auto",
            show_default=True,
            envvar="VOSCTL_ENGINE",
            help="What runs the network.",
        ),
        click.option(
            "--device",
            default="auto",
            show_default=True,
            metavar="auto|cpu|cuda|cuda:N|mps",
            envvar="VOSCTL_DEVICE",
            help="Where it runs.",
        ),
        click.option(
            "--precision",
            type=click.Choice(["auto", "fp32", "bf16", "fp16", "int8"]),
            default="auto",
            show_default=True,
            envvar="VOSCTL_PRECISION",
            help="What it computes in; auto takes the fastest that is exact enough there.",
        ),
        click.option(
            "--provider",
            type=click.Choice(["auto", "cpu", "cuda", "tensorrt", "openvino"]),
            default="auto",
            show_default=True,
            envvar="VOSCTL_PROVIDER",
            help="ONNX Runtime's execution provider.",
        ),
        click.option(
            "--threads",
            type=click.IntRange(min=0),
            default=0,
            metavar="N",
            envvar="VOSCTL_THREADS",
            help="CPU threads of the network  [default: one for each core]",
        ),
    )


def tracking_options(command: Command) -> Command:
    """--window, --window-size, --scales, --paper-protocol."""
    return _apply(
        command,
        click.option(
            "--window",
            type=click.Choice(["on", "off"]),
            help="Follow each object in a window around it [default: on], or run on the full frame.",
        ),
        click.option(
            "--window-size",
            type=int,
            default=0,
            metavar="PIXELS",
            help="Side the window is resampled to, a multiple of 32: less is faster, more is finer.  "
            "[default: lite 256, lite-plus 384, rgmp 384]",
        ),
        click.option(
            "--scales",
            metavar="S[,S...]",
            help="Full frame: scales whose probabilities are averaged  [default: 1.0]",
        ),
        click.option(
            "--paper-protocol",
            is_flag=True,
            help="Full frame exactly as in the paper's tables: its padding, scales and merging.",
        ),
    )


def tracking_settings(window: str | None, window_size: int, scales: str | None, paper_protocol: bool) -> Any:
    """The `TrackingSettings` that the options of `tracking_options` ask for.

    Raises:
        UsageError: options that do not go together.
    """
    from vosctl.tracking import TrackingSettings

    if paper_protocol:
        if window == "on" or scales or window_size:
            raise UsageError("--paper-protocol: leave --window, --window-size and --scales out, it sets them itself")
        return TrackingSettings.paper()
    if window == "off" and window_size:
        raise UsageError("--window-size: has no meaning with --window off")
    try:
        numbers = tuple(float(part) for part in scales.split(",")) if scales else (1.0,)
    except ValueError:
        raise UsageError(f"--scales {scales}: give numbers separated by commas, such as 0.5,0.75,1.0") from None
    return TrackingSettings(window=window != "off", window_size=window_size, scales=numbers)


def output_options(command: Command) -> Command:
    """--overlay, --masks, --matte, --cutout, --rle, --overwrite, --no-audio."""

    def path_option(flag: str, metavar: str, text: str) -> Callable[[Command], Command]:
        return click.option(
            flag, type=click.Path(path_type=Path, allow_dash=flag == "--rle"), metavar=metavar, help=text
        )

    return _apply(
        command,
        path_option("--overlay", "FILE", "Video with the objects coloured: .mp4, .mkv, .mov, .webm."),
        path_option("--masks", "DIR", "Indexed PNG, one a frame, DAVIS palette and naming."),
        path_option("--matte", "FILE", "Grey video of the objects' soft mask."),
        path_option("--cutout", "FILE|DIR", "The objects with transparency: .mov, .webm, or a directory of PNG."),
        path_option("--rle", "FILE|-", "JSON lines with boxes, scores and COCO RLE; - is standard output."),
        click.option("--overwrite", is_flag=True, help="Replace outputs that exist."),
        click.option("--no-audio", is_flag=True, help="Leave the sound out."),
    )


def reporting_options(command: Command) -> Command:
    """-q, -v, --json."""
    return _apply(
        command,
        click.option("-q", "--quiet", is_flag=True, help="Say nothing but warnings and errors."),
        click.option("-v", "--verbose", is_flag=True, help="Say more, such as when each object is lost and found."),
        click.option("--json", "as_json", is_flag=True, help="One JSON event a line on standard output."),
    )
