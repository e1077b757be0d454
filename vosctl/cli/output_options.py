"""Options that say what is written and how it is drawn, as decorators and as one request object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vosctl.cli.groups import Decorator, OnceOption, grouped, repeatable
from vosctl.cli.options import ReportingRequest
from vosctl.cli.paths import GivenPath
from vosctl.errors import UsageError

if TYPE_CHECKING:
    from vosctl.video.encodings import EncoderWord, PipeFormat
    from vosctl.video.frames import SourceInfo
    from vosctl.video.sinks import OutputRequest
    from vosctl.video.sinks.base import AnnotationFormat

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
    encoder: EncoderWord = "auto"

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
            encoder=self.encoder,
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


class _OutputPath(GivenPath):
    """A path, and no address."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        if isinstance(value, str) and "://" in value:  # as a path it would be a folder here
            self.fail(f"{value} is an address; name a file or folder of this machine", param, ctx)
        return super().convert(value, param, ctx)


def path_option(flag: str, metavar: str, text: str) -> Decorator:
    """Return an option that names an output."""
    kind = _OutputPath(path_type=Path, allow_dash="-" in metavar.split("|"))
    return click.option(flag, cls=OnceOption, type=kind, metavar=metavar, help=text)


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
    repeatable(
        "--colors",
        metavar="COLOR[,...]",
        callback=lambda context, option, values: ",".join(values) or None,
        help="The objects' colours in the overlay, such as red,#00ff00 or 2=blue; may be repeated.  "
        "[default: chosen to stand out]",
    ),
    *output_path_options,
    *composed_options,
    click.option(
        "--encoder",
        type=click.Choice(["auto", "libx264", "h264_nvenc", "hevc_nvenc"]),
        default="auto",
        show_default=True,
        help="What compresses .mp4, .mov and .mkv: the CPU (auto, libx264), or an NVIDIA GPU in H.264 or HEVC.",
    ),
    click.option("--no-audio", is_flag=True, help="Write no sound."),
)
drawn_output_options = grouped("outputs", OutputOptions, *_drawn_options)
"""--overlay, --colors, the others of `output_path_options`, --no-audio, as `OutputOptions` named `outputs`."""
track_option = path_option(
    "--track", "FILE", "Track of the results, .vostrack: vosctl render draws from it without tracking."
)
output_options = grouped("outputs", OutputOptions, *_drawn_options, track_option)
"""Those of `drawn_output_options` and --track, as `OutputOptions` named `outputs`."""
