"""What can be known to be wrong with the outputs before anything is opened."""

from __future__ import annotations

import os
from pathlib import Path

from vosctl.errors import UsageError
from vosctl.tracks.header import TRACK_SUFFIX
from vosctl.video.backgrounds import background_file, check_background
from vosctl.video.colours import ColourRequest
from vosctl.video.edges import Edges
from vosctl.video.encodings import ANIMATIONS, CONTAINERS, PIPE_FORMATS
from vosctl.video.hardware import check_encoder
from vosctl.video.leftovers import find, is_claim
from vosctl.video.places import Place, descriptor_of, place_of, without_links
from vosctl.video.sinks.base import (
    ANNOTATION_FORMATS,
    ANNOTATION_SUFFIXES,
    FOLDER_FORMATS,
    YOLO_NAMES,
    AnnotationFormat,
    OutputRequest,
)
from vosctl.video.sources import IMAGE_SUFFIXES
from vosctl.video.staging import LONGEST_NAME
from vosctl.video.standard_output import STANDARD_OUTPUT, is_terminal

_FILE_SUFFIXES = (*CONTAINERS, *IMAGE_SUFFIXES, ".avi", ".json", ".jsonl", ".npy", ".npz", ".zip")
"""Of names that nobody gives to a folder."""
OUTPUTS = ("overlay", "masks", "matte", "cutout", "rle", "composite", "annotations", "track")
"""The outputs, by the name of their option, in the order in which they are opened."""
STREAMED = ("overlay", "matte", "cutout", "rle", "composite")
"""Those that can go to standard output, a pipe or a device."""
ENCODED = ("overlay", "matte", "composite")
"""Those that `encoder` is for."""
_COLOUR_TYPES = {"masks": 3, "cutout": 6}
"""Of the PNG files of an output, as PNG numbers them: with a palette, and RGBA."""
_COLOUR_TYPE_AT = 25
"""Place of that number in a PNG file."""
ALPHA_CONTAINERS = (".mov", ".webm", ".webp")
"""Extensions of the video files that can hold transparency."""


def is_directory_output(name: str, path: Path, annotation_format: AnnotationFormat = "coco") -> bool:
    """Return whether an output is a directory of pictures: masks always, a cutout without extension or a folder."""
    if name == "annotations":
        return annotation_format in FOLDER_FORMATS
    return name == "masks" or (name == "cutout" and not is_stream(path) and (path.is_dir() or not path.suffix))


def is_stream(path: Path) -> bool:
    """Return whether an output is written directly, not staged: standard output, a pipe, device or descriptor."""
    return path == STANDARD_OUTPUT or place_of(path) == "stream"


def has_piped_video(request: OutputRequest) -> bool:
    """Return whether a video of a request goes to standard output, a pipe or a device."""
    return any(name != "rle" and is_stream(path) for name, path in requested(request).items())


def check_outputs(request: OutputRequest) -> None:
    """Check every output of a request; nothing is created.

    Raises:
        UsageError: one of them cannot be written, would replace something it may not, or collides with another.
        VosctlError: the encoder that is asked for does not open here.
    """
    _check_looks(request)
    for name, path in requested(request).items():
        try:
            if is_stream(path):
                _check_stream(name, path, request)
                continue
            place = place_of(path)
            if place == "disk":
                raise UsageError(f"`{name}`: {path} is a disk, which is not written to; name a file")
            if is_directory_output(name, path, request.annotation_format):
                suffix = ANNOTATION_SUFFIXES[request.annotation_format] if name == "annotations" else ".png"
                _check_directory(name, path, place, request.overwrite, suffix)
            else:
                overwrite = request.overwrite or (name == "track" and request.append)
                _check_file(name, path, place, overwrite, request.annotation_format)
            check_parents(name, path)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            reason = (error.strerror if isinstance(error, OSError) else None) or error
            raise UsageError(f"`{name}`: {path}: {reason}; choose another name") from error
    if request.pipe_format != "matroska" and not has_piped_video(request):
        raise UsageError(
            "`pipe_format`: is of a video on standard output; ask for one with `overlay=-`, or leave it out"
        )
    if isinstance(request.colors, ColourRequest) and request.colors and request.overlay is None:
        raise UsageError("`colors`: are the overlay's; ask for one with `overlay`, or leave them out")
    _check_collisions(request)
    _check_encoder(request)


def _check_encoder(request: OutputRequest) -> None:
    if request.encoder == "auto":
        return
    check_encoder(request.encoder)
    videos = {
        name: path
        for name, path in requested(request).items()
        if name in ENCODED and not is_stream(path) and path.suffix.lower() not in ANIMATIONS
    }
    for name, path in videos.items():
        if path.suffix.lower() == ".webm":
            raise UsageError(f"`encoder`: is for .mp4, .mov and .mkv, and `{name}` is VP9 in {path}; name another file")
    if not videos:
        raise UsageError("`encoder`: is for an `overlay`, `matte` or `composite` in .mp4, .mov or .mkv; leave it out")


def _check_looks(request: OutputRequest) -> None:
    if request.annotation_format not in ANNOTATION_FORMATS:
        raise UsageError(
            f"`annotation_format={request.annotation_format}`: give one of {', '.join(ANNOTATION_FORMATS)}"
        )
    if request.annotation_format != "coco" and request.annotations is None:
        raise UsageError("`annotation_format`: is of `annotations`; ask for them, or leave it out")
    if request.object_names and request.annotations is None:
        raise UsageError("`object_names`: is for `annotations`; ask for them, or leave it out")
    if request.pipe_format not in PIPE_FORMATS:
        raise UsageError(f"`pipe_format={request.pipe_format}`: give one of {', '.join(PIPE_FORMATS)}")
    if request.composite is not None and not request.background:
        raise UsageError(
            "`composite`: needs a `background`: blur, a colour such as white or #00ff00, or an image or a video file"
        )
    if request.background and request.composite is None:
        raise UsageError("`background`: is the composite's; ask for one with `composite=FILE`")
    if request.background:
        check_background(request.background)
    if request.edges != Edges() and not (request.matte or request.cutout or request.composite):
        raise UsageError("`grow`, `feather`, `clean_edges`: are for `matte`, `cutout` and `composite`; ask for one")
    if request.edges.clean and not (request.cutout or request.composite):
        raise UsageError("`clean_edges`: is for `cutout`, a matte has no colours; ask for one, or leave it out")


def check_parents(name: str, path: Path) -> None:
    """See whether the folders that are missing on the way to an output can be made, as they are when it is opened.

    Raises:
        UsageError: a file is in their place.
        OSError: it cannot be told.
    """
    if descriptor_of(path) is not None:
        return
    nearest = next(folder for folder in without_links(path).absolute().parents if folder.exists())
    if not nearest.is_dir():
        raise UsageError(f"`{name}`: {path}: {nearest} is a file, not a folder; choose another name")


def check_plain_file(name: str, path: Path, *, overwrite: bool) -> None:
    """Make sure that a file which is no output of the frames can be written: a report, for one.

    Raises:
        UsageError: it cannot be made, is no file, or is there and may not be replaced.
    """
    if str(path) == "-":
        raise UsageError(f"`{name}`: is not written to standard output; name a file")
    try:
        check_parents(name, path)
        place = place_of(path)
    except OSError as error:
        raise UsageError(f"`{name}`: {path}: {error.strerror}; choose another name") from error
    if place not in ("nothing", "file"):
        raise UsageError(f"`{name}`: {path} is a {'folder' if place == 'folder' else 'device or pipe'}; name a file")
    if place == "file" and not overwrite:
        raise UsageError(f"`{name}`: {path} exists; pass `overwrite=True` to replace it or choose another name")


def requested(request: OutputRequest) -> dict[str, Path]:
    """Return the outputs that are asked for, by the name of their option."""
    return {name: path for name in OUTPUTS if (path := getattr(request, name)) is not None}


def _check_file(name: str, path: Path, place: Place, overwrite: bool, annotation_format: AnnotationFormat) -> None:
    suffix = path.suffix.lower()
    if name == "cutout" and suffix not in ALPHA_CONTAINERS:
        raise UsageError(
            f"`cutout`: {path}: {suffix} cannot hold transparency; use .mov (ProRes 4444), .webm (VP9), .webp "
            "or a folder (a name without an extension) for RGBA PNG"
        )
    if name in ("overlay", "matte", "composite") and suffix not in CONTAINERS | ANIMATIONS:
        shown = f"the extension {suffix}" if suffix else "a name without an extension"
        raise UsageError(
            f"`{name}`: {path}: {shown} is not a video file's; use one of {', '.join(CONTAINERS | ANIMATIONS)}"
        )
    if name == "annotations" and suffix != (wanted := ANNOTATION_SUFFIXES[annotation_format]):
        raise UsageError(
            f"`annotations`: {path}: {annotation_format} is a {wanted} file; name one, or give another "
            "`annotation_format`"
        )
    if name == "track" and suffix != TRACK_SUFFIX:
        raise UsageError(f"`track`: {path}: name a file that ends in {TRACK_SUFFIX}")
    if name == "track" and len(os.fsencode(without_links(path).name)) > LONGEST_NAME:
        raise UsageError(f"`track`: {path}: its name is too long, a track's has {LONGEST_NAME} bytes at most")
    if place == "folder":
        raise UsageError(f"`{name}`: {path} is a folder; name a file")
    if place == "file" and name == "track" and not overwrite:
        raise UsageError(
            f"`track`: {path} exists; go on with it with `resume`, pass `overwrite=True` to replace it, "
            "or choose another name"
        )
    if place == "file" and not overwrite:
        raise UsageError(f"`{name}`: {path} exists; pass `overwrite=True` to replace it or choose another name")


def _check_stream(name: str, path: Path, request: OutputRequest) -> None:
    shown = "standard output" if path == STANDARD_OUTPUT else str(path)
    if name not in STREAMED:
        raise UsageError(
            f"`{name}`: is not written to {shown}; {', '.join(f'`{one}`' for one in STREAMED)} are; name "
            f"a {'folder' if is_directory_output(name, path, request.annotation_format) else 'file'}"
        )
    if name == "rle":
        return
    if is_terminal(path):
        raise UsageError(
            f"`{name}`: {shown} is a terminal, which shows no video; pipe it into a program "
            "(`| ffplay -`) or name a file"
        )
    if name == "cutout" and request.pipe_format == "y4m":
        raise UsageError(
            "`cutout`: y4m holds no transparency; leave `pipe_format=y4m` out, Matroska does, or pipe the `matte`"
        )


def _check_directory(name: str, path: Path, place: Place, overwrite: bool, holds: str) -> None:
    kind = holds[1:].upper()
    if place != "folder" and path.suffix.lower() in _FILE_SUFFIXES:
        raise UsageError(
            f"`{name}`: {path} has the name of a file; name a folder, one {kind} a frame is written into it"
        )
    if place == "nothing":
        return
    if place != "folder":
        raise UsageError(f"`{name}`: {path} is a file; name a folder")
    left = {entry.name for entry in find(path)}  # a killed run's, removed when the output is opened
    present = [entry for entry in path.iterdir() if not is_claim(entry) and entry.name not in left]
    if present and not overwrite:
        raise UsageError(
            f"`{name}`: the folder {path} is not empty; pass `overwrite=True` to replace it or choose another name"
        )
    strangers = [
        entry.name
        for entry in present
        if (entry.suffix.lower() != holds or entry.is_dir()) and not (holds == ".txt" and entry.name == YOLO_NAMES)
    ]
    if strangers:
        # The whole folder is swapped: a home or project folder named by mistake must survive `overwrite`.
        raise UsageError(
            f"`{name}`: the folder {path} holds more than {kind} files ({min(strangers)}) and is not replaced; "
            "choose another name"
        )
    if name in _COLOUR_TYPES and (others := [one.name for one in present if not _is_picture_of(name, one)]):
        # likewise, a folder of somebody's photographs or source frames
        raise UsageError(
            f"`{name}`: the folder {path} holds other pictures than `{name}` is written as ({min(others)}) and is not "
            "replaced; choose another name"
        )


def _is_picture_of(name: str, path: Path) -> bool:
    """Return whether a PNG may be one of an output's, by its header; one that was cut off may be."""
    with path.open("rb") as file:
        header = file.read(_COLOUR_TYPE_AT + 1)
    return len(header) <= _COLOUR_TYPE_AT or header[_COLOUR_TYPE_AT] == _COLOUR_TYPES[name]


def _check_collisions(request: OutputRequest) -> None:
    taken: dict[str, Path] = {}
    streams: dict[Path, str] = {}
    for name, path in requested(request).items():
        if is_stream(path):
            place = STANDARD_OUTPUT if descriptor_of(path) == 1 else path
            if place in streams:
                shown = "standard output" if place == STANDARD_OUTPUT else path
                raise UsageError(
                    f"`{streams[place]}` and `{name}` would both be written to {shown}, which takes one; name a file "
                    "for the other"
                )
            streams[place] = name
            continue
        place = path.resolve()
        background = background_file(request.background) if request.background else None
        for source in (*request.inputs, *([] if background is None else [background])):
            if _overlap(place, source.resolve()):
                raise UsageError(f"`{name}`: {path} would replace the input {source}; choose another name")
        for other, other_place in taken.items():
            if _overlap(place, other_place) or _overlap(other_place, place):
                raise UsageError(
                    f"`{other}` and `{name}` would be written to the same place, {path}; choose another name"
                )
        taken[name] = place


def _overlap(output: Path, other: Path) -> bool:
    """Return whether replacing `output` would replace `other`, as the same file or as something inside a folder."""
    return other.is_relative_to(output) or (output.exists() and other.exists() and output.samefile(other))
