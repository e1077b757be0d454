"""What every sink does, and what is asked of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, get_args

from vosctl.arguments import file_name
from vosctl.errors import UsageError
from vosctl.tracking.results import TrackedFrame
from vosctl.video.colours import ColourRequest, ObjectColours
from vosctl.video.edges import Edges
from vosctl.video.encodings import EncoderWord, PipeFormat
from vosctl.video.frames import Frame
from vosctl.video.names import ObjectNames

AnnotationFormat = Literal["coco", "cvat", "labelme", "yolo"]
ANNOTATION_FORMATS: tuple[AnnotationFormat, ...] = get_args(AnnotationFormat)
ANNOTATION_SUFFIXES: dict[AnnotationFormat, str] = {
    "coco": ".json",
    "cvat": ".xml",
    "labelme": ".json",
    "yolo": ".txt",
}
"""Of the files that each format is written to."""
YOLO_NAMES = "data.yaml"
"""The file beside YOLO's segments that names their classes."""
FOLDER_FORMATS: tuple[AnnotationFormat, ...] = ("labelme", "yolo")
"""Formats of one file a frame; the others are one file."""


class Sink(Protocol):
    """One output. Each is driven by one thread: any number of `write`, then either `finish` or `abort`, once.

    Only `cancel` and, when that thread does not answer any more, `abandon` are called from another one.

    Attributes:
        name: the option that asked for it, without dashes: "overlay", "masks", "matte", "cutout", "rle" or "track".
        path: where the output will be when finished; `-` for standard output.
        partial: where it is written meanwhile; None where that is no file.
    """

    name: str
    path: Path

    @property
    def partial(self) -> Path | None:
        """Return where the output is written until it is whole; None for standard output."""

    def write(self, frame: Frame, result: TrackedFrame) -> None:
        """Add one frame; neither argument is modified.

        Raises:
            VosctlError: the output cannot be written (a full disk, a size that changed).
            OutputClosedError: the reader of standard output went away.
        """

    def finish(self) -> Path:
        """Completes the output and gives it its name.

        Returns:
            The name.

        Raises:
            VosctlError: the output cannot be completed. Call `abort` then, as after a failed `write`.
        """

    def abort(self) -> Path | None:
        """Give up without touching whatever already stood under the final name; never raise.

        Returns:
            What is whole so far, kept under a name that does not look finished; None when there is nothing and nothing
            was kept.
        """

    def cancel(self) -> None:
        """Have a `write` that waits for a reader return soon, whether or not it is done; `abort` follows.

        Called from another thread, at any time. Raises nothing.
        """

    def abandon(self) -> Path | None:
        """Leave the output as it is: its thread hangs, and nothing that belongs to that thread may be touched.

        Called from another thread; nothing follows. Raises nothing.

        Returns:
            What is left, under a name that says whether it can be used; None when nothing is.
        """


@dataclass(frozen=True)
class OutputRequest:
    """The outputs of one run; None where one is not wanted.

    Attributes:
        overlay: video with coloured objects: .mp4, .mov, .mkv (H.264) or .webm (VP9), or `-` for standard output.
        masks: directory of indexed PNG, one a frame.
        matte: grey video of the objects' probability, same containers as `overlay`.
        cutout: the objects with transparency: .mov (ProRes 4444), .webm (VP9), `-` or a directory of RGBA PNG.
        rle: file of JSON lines with COCO RLE, `-` for standard output.
        composite: video of the objects before `background`, same containers as `overlay`.
        annotations: file or, for "labelme" and "yolo", directory of annotations.
        track: track of the results, `.vostrack`, from which the other outputs can be drawn later.
        overwrite: whether existing outputs may be replaced.
        append: whether the track is there and is gone on with.
        audio: whether the source's sound is copied into the videos.
        inputs: files, directories or globs the run reads, so that no output can replace them.
        colors: of objects in the overlay; the others' are chosen to stand out from them; or those that a window shows.
        background: of the composite: "blur", a colour by name or as #rrggbb, or an image or video file.
        annotation_format: the tool whose form the annotations have.
        edges: how the mattes of matte, cutout and composite are to be.
        object_names: what the objects are called in the annotations.
        pipe_format: the form of a video that goes to standard output (`-`), a pipe or a device.
        encoder: what compresses .mp4, .mov and .mkv without transparency.
    """

    overlay: Path | None = None
    masks: Path | None = None
    matte: Path | None = None
    cutout: Path | None = None
    rle: Path | None = None
    composite: Path | None = None
    annotations: Path | None = None
    track: Path | None = None
    overwrite: bool = False
    append: bool = False
    audio: bool = True
    inputs: tuple[Path, ...] = ()
    colors: ColourRequest | ObjectColours = field(default_factory=ColourRequest)
    background: str = ""
    annotation_format: AnnotationFormat = "coco"
    edges: Edges = field(default_factory=Edges)
    object_names: ObjectNames = field(default_factory=ObjectNames)
    pipe_format: PipeFormat = "matroska"
    encoder: EncoderWord = "auto"

    @classmethod
    def of(
        cls,
        paths: Mapping[str, str | os.PathLike[str] | None],
        *,
        colors: str = "",
        background: str | os.PathLike[str] = "",
        annotation_format: AnnotationFormat = "coco",
        grow: int = 0,
        feather: float = 0.0,
        clean_edges: bool = False,
        overwrite: bool = False,
        audio: bool = True,
        object_names: Mapping[int, str] | None = None,
        pipe_format: PipeFormat = "matroska",
        encoder: EncoderWord = "auto",
    ) -> OutputRequest:
        """Return the request that says the same in single values, as programs and the command line have them.

        Args:
            paths: the outputs by their names here; None where one is not wanted.
            colors: see `ColourRequest.parse`.
            background: of the composite.
            annotation_format: of the annotations.
            grow: see `Edges`, as `feather` and `clean_edges`.
            feather: likewise.
            clean_edges: likewise.
            overwrite: whether existing outputs may be replaced.
            audio: whether the source's sound is copied.
            object_names: see `ObjectNames`.
            pipe_format: of what goes to standard output or a pipe.
            encoder: of .mp4, .mov and .mkv.

        Raises:
            UsageError: a path, a colour or a name is none, or the edges cannot be made.
        """
        given = {name: _output_path(name, path) for name, path in paths.items() if path is not None}
        return cls(
            **given,  # type: ignore[arg-type]  # its names are those of outputs
            overwrite=overwrite,
            audio=audio,
            colors=ColourRequest.parse(colors),
            background=file_name("background", background) if background else "",
            annotation_format=annotation_format,
            edges=Edges(grow, feather, clean_edges),
            object_names=ObjectNames(object_names or {}),
            pipe_format=pipe_format,
            encoder=encoder,
        )


def _output_path(name: str, path: object) -> Path:
    written = file_name(name, path)
    if "://" in written:  # as a path it would be a folder here
        raise UsageError(f"`{name}`: {written} is an address; name a file or folder of this machine")
    return Path(written)
