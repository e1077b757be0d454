"""Options that several commands share, as decorators; each group reaches the command as one request object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from vosctl.cli.completion import complete_devices, complete_weights
from vosctl.cli.groups import Decorator, grouped, repeatable
from vosctl.cli.registered import Registered
from vosctl.engine.providers import PROVIDERS
from vosctl.engine.table import engine_words, precision_words
from vosctl.errors import UsageError
from vosctl.network.table import networks

if TYPE_CHECKING:
    from vosctl.cli.reporting import Reporter
    from vosctl.engine.backend import PrecisionWord, ProviderWord
    from vosctl.engine.settings import EngineSettings
    from vosctl.tracking import Tracker, TrackingSettings
    from vosctl.video.encodings import PipeFormat
    from vosctl.video.frames import SourceInfo
    from vosctl.video.sinks import OutputRequest
    from vosctl.video.sinks.base import AnnotationFormat


def frame_rate(context: click.Context, parameter: click.Parameter, value: str | None) -> Fraction | None:
    """Read frames per second, see `parse_rate`. A click callback."""
    if value is None:
        return None
    from vosctl.time_line import parse_rate

    rate = parse_rate(value)
    if rate is None:
        raise UsageError(f"--fps {value}: give frames per second, such as 25 or 30000/1001")
    return rate


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """What the user asked for with the options of `engine_options`; see `vosctl.engine.settings.EngineSettings`."""

    weights: str
    engine: str
    device: str
    precision: PrecisionWord
    provider: ProviderWord
    threads: int

    def settings(self) -> EngineSettings:
        """Return the engine to be made."""
        from vosctl.engine.settings import EngineSettings

        return EngineSettings(**asdict(self))

    def tracker(self, settings: TrackingSettings) -> Tracker:
        """Load the weights into the engine and put a tracker on it."""
        from vosctl.tracking import Tracker

        return Tracker.load(**asdict(self), settings=settings)


weights_option = click.option(
    "--weights",
    default="lite",
    show_default=True,
    metavar="NAME|FILE",
    shell_complete=complete_weights,
    help="Registered weights, a .safetensors file, an official RGMP weights.pth or a folder of ONNX graphs.",
)

engine_options = grouped(
    "engine",
    EngineRequest,
    weights_option,
    click.option(
        "--engine",
        type=Registered(engine_words),
        default="auto",
        show_default=True,
        help="Library that runs the network.",
    ),
    click.option(
        "--device",
        default="auto",
        show_default=True,
        metavar="auto|cpu|cuda|cuda:N|mps",
        shell_complete=complete_devices,
        help="Where it runs.",
    ),
    click.option(
        "--precision",
        type=Registered(precision_words),
        default="auto",
        show_default=True,
        help="Number format; auto takes the fastest that is accurate enough there.",
    ),
    click.option(
        "--provider",
        type=click.Choice(["auto", *PROVIDERS]),
        default="auto",
        show_default=True,
        help="ONNX Runtime's execution provider.",
    ),
    click.option(
        "--threads",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="CPU threads of the network  [default: one for each core]",
    ),
)
"""--weights, --engine, --device, --precision, --provider, --threads, as an `EngineRequest` named `engine`."""


@dataclass(frozen=True, slots=True)
class TrackingRequest:
    """What the user asked for with the options of `tracking_options`."""

    window: Literal["on", "off"] | None = None
    window_size: int = 0
    scales: str | None = None
    paper_protocol: bool = False
    on_device: bool = False

    def settings(self) -> TrackingSettings:
        """Return how objects are to be followed.

        Raises:
            UsageError: options that do not go together.
        """
        from vosctl.tracking import TrackingSettings

        if self.on_device and (self.paper_protocol or self.window == "off"):
            raise UsageError("--on-device: is for objects in crops; leave --window off and --paper-protocol out")
        if self.paper_protocol:
            if self.window == "on" or self.scales or self.window_size:
                raise UsageError(
                    "--paper-protocol: leave --window, --window-size and --scales out, it sets them itself"
                )
            return TrackingSettings.paper()
        if self.window == "off" and self.window_size:
            raise UsageError("--window-size: has no meaning with --window off")
        try:
            numbers = tuple(float(part) for part in self.scales.split(",")) if self.scales else (1.0,)
        except ValueError:
            raise UsageError(
                f"--scales {self.scales}: give numbers separated by commas, such as 0.5,0.75,1.0"
            ) from None
        return TrackingSettings(
            window=self.window != "off", window_size=self.window_size, scales=numbers, on_device=self.on_device
        )


tracking_options = grouped(
    "tracking",
    TrackingRequest,
    click.option(
        "--window",
        type=click.Choice(["on", "off"]),
        help="Follow each object in a square crop around it [default: on], or run on the full frame.",
    ),
    click.option(
        "--window-size",
        type=int,
        default=0,
        metavar="PIXELS",
        help="Size of the crop for the network, a multiple of 32: smaller is faster, larger is finer.  "
        f"[default: {', '.join(f'{one.name} {one.crop_size}' for one in networks('follow').values())}]",
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
    click.option(
        "--on-device",
        is_flag=True,
        help="Cut, merge and label where the network computes, with --engine torch: for a GPU.",
    ),
)
"""--window, --window-size, --scales, --paper-protocol, --on-device, as a `TrackingRequest` named `tracking`."""


_STREAMED = ("overlay", "record", "matte", "cutout", "rle", "composite")
"""Options of outputs that can go to standard output."""


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What the user asked for with the options of `output_options`."""

    overlay: Path | None = None
    masks: Path | None = None
    matte: Path | None = None
    cutout: Path | None = None
    rle: Path | None = None
    composite: Path | None = None
    annotations: Path | None = None
    track: Path | None = None
    overwrite: bool = False
    no_audio: bool = False
    colors: str | None = None
    background: str | None = None
    grow: int = 0
    feather: float = 0.0
    clean_edges: bool = False
    annotation_format: AnnotationFormat = "coco"
    object_names: tuple[str, ...] = ()
    pipe_format: PipeFormat = "matroska"

    def request(self, info: SourceInfo) -> OutputRequest:
        """Return the outputs; an overlay named after the source where none is asked for."""
        from vosctl.video.sinks.checks import requested

        request = self.more_than_a_track(info)
        return request if requested(request) else replace(request, overlay=Path(f"{info.name}_overlay.mp4"))

    def more_than_a_track(self, info: SourceInfo) -> OutputRequest:
        """Return the outputs that are asked for, and no others."""
        return self.named(self.paths())

    def paths(self) -> dict[str, Path]:
        """Return where the outputs that are asked for go, by their names."""
        from vosctl.video.sinks.checks import OUTPUTS

        return {name: path for name in OUTPUTS if (path := getattr(self, name)) is not None}

    def named(self, paths: Mapping[str, Path | None]) -> OutputRequest:
        """Return these outputs, with the looks that are asked for."""
        from vosctl.video.names import ObjectNames
        from vosctl.video.sinks import OutputRequest

        return OutputRequest.of(
            paths,
            colors=self.colors or "",
            background=self.background or "",
            annotation_format=self.annotation_format,
            grow=self.grow,
            feather=self.feather,
            clean_edges=self.clean_edges,
            overwrite=self.overwrite,
            audio=not self.no_audio,
            object_names=ObjectNames.parse(self.object_names).by_id,
            pipe_format=self.pipe_format,
        )

    def check(self, reporting: ReportingRequest) -> None:
        """Make sure that events and outputs are not mixed on standard output, and that colours and names are such.

        Raises:
            UsageError: they would be, or a colour or a name is none.
        """
        if self.object_names:
            from vosctl.video.names import ObjectNames

            ObjectNames.parse(self.object_names)
        if self.colors:
            from vosctl.video.colours import ColourRequest

            ColourRequest.parse(self.colors)
        if reporting.as_json:
            for option in _STREAMED:
                if str(getattr(self, option, None)) in ("-", "/dev/stdout", "/dev/fd/1"):
                    raise UsageError(f"--json and --{option} -: both write to standard output; give --{option} a file")


def path_option(flag: str, metavar: str, text: str) -> Decorator:
    """Return an option that names an output."""
    return click.option(
        flag, type=click.Path(path_type=Path, allow_dash="-" in metavar.split("|")), metavar=metavar, help=text
    )


output_path_options = (
    path_option("--masks", "DIR", "Indexed PNG, one a frame, DAVIS palette and naming."),
    path_option("--matte", "FILE|-", "Grey video of the objects' soft mask."),
    path_option("--cutout", "FILE|DIR|-", "The objects with transparency: .mov, .webm, .webp, or a directory of PNG."),
    path_option("--rle", "FILE|-", "JSON lines with boxes, scores and COCO RLE; - is standard output."),
    click.option(
        "--pipe-format",
        type=click.Choice(["matroska", "y4m"]),
        default="matroska",
        show_default=True,
        help="A video that goes to standard output (-) or a pipe is not compressed: in Matroska with times, sound and "
        "transparency, in y4m with none of them.",
    ),
    click.option("--overwrite", is_flag=True, help="Replace outputs that exist."),
)
composed_options = (
    path_option("--composite", "FILE|-", "Video of the objects before another background, see --background."),
    click.option(
        "--background",
        metavar="blur|COLOR|FILE",
        help="What --composite shows behind the objects: their own background blurred, a colour such as white or "
        "#00ff00, or an image or a video, which covers the frame.",
    ),
    click.option(
        "--grow",
        type=int,
        default=0,
        metavar="PIXELS",
        help="Widen the mattes of --matte, --cutout and --composite; below 0 narrows them.",
    ),
    click.option(
        "--feather", type=float, default=0.0, metavar="PIXELS", help="Have their edges fade over so many pixels."
    ),
    click.option(
        "--clean-edges",
        is_flag=True,
        help="Take the old background's colour out of the soft edges of --cutout; --composite always does.",
    ),
    path_option("--annotations", "FILE|DIR", "The masks for an annotation tool, in the form of --annotation-format."),
    click.option(
        "--annotation-format",
        type=click.Choice(["coco", "cvat", "labelme", "yolo"]),
        default="coco",
        show_default=True,
        help="COCO JSON, CVAT for images 1.1 (XML), or a directory of LabelMe JSON or YOLO segments, one a frame.",
    ),
    repeatable(
        "--label",
        "object_names",
        metavar="ID=NAME",
        help="What an object is called in the annotations, such as 1=dancer; may be repeated. Objects of one name are "
        "of one category.  [default: object_1, object_2, ...]",
    ),
)
_drawn_options = (
    path_option("--overlay", "FILE|-", "Video with the objects coloured: .mp4, .mkv, .mov, .webm; or .webp, .gif."),
    click.option(
        "--colors",
        metavar="COLOR[,...]",
        help="The objects' colours in the overlay, such as red,#00ff00 or 2=blue  [default: chosen to stand out]",
    ),
    *output_path_options,
    *composed_options,
    click.option("--no-audio", is_flag=True, help="Write no sound."),
)
drawn_output_options = grouped("outputs", OutputOptions, *_drawn_options)
"""--overlay, --colors, the others of `output_path_options`, --no-audio, as `OutputOptions` named `outputs`."""
track_option = path_option(
    "--track", "FILE", "Track of the results, .vostrack: vosctl render draws from it without tracking."
)
output_options = grouped("outputs", OutputOptions, *_drawn_options, track_option)
"""Those of `drawn_output_options` and --track, as `OutputOptions` named `outputs`."""


@dataclass(frozen=True, slots=True)
class ReportingRequest:
    """What the user asked for with the options of `reporting_options`."""

    quiet: bool
    verbose: bool
    as_json: bool

    def reporter(self) -> Reporter:
        """Return what tells the user of a run."""
        from vosctl.cli.reporting import Reporter

        return Reporter(self.quiet, self.verbose, self.as_json)


reporting_options = grouped(
    "reporting",
    ReportingRequest,
    click.option("-q", "--quiet", is_flag=True, help="Print only warnings and errors."),
    click.option("-v", "--verbose", is_flag=True, help="Print more, such as when each object is lost and found."),
    click.option("--json", "as_json", is_flag=True, help="Print JSON events, one per line, on standard output."),
)
"""-q, -v, --json, as a `ReportingRequest` named `reporting`."""
