"""Sources of frames: video files, folders of images, network addresses and standard input.

`open_source` takes what the user typed and returns a `Source`.
"""

from __future__ import annotations

import glob
import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from vosctl.errors import UsageError, VosctlError
from vosctl.video.sources.animation import AnimationSource, is_animated
from vosctl.video.sources.base import NETWORK_TIMEOUT, Source
from vosctl.video.sources.images import DEFAULT_FRAME_RATE, ImageSource, images_in, is_image
from vosctl.video.sources.pictures import IMAGE_SUFFIXES
from vosctl.video.sources.ranged import RangedSource

if TYPE_CHECKING:
    from vosctl.video.hardware import DecoderWord

__all__ = ["IMAGE_SUFFIXES", "RangedSource", "Source", "open_source"]

NETWORK_SCHEMES = ("rtsp", "rtsps", "http", "https")
_PRINTF = re.compile(r"%0?\d*d")


def open_source(
    spec: str,
    *,
    stdin: BinaryIO | None = None,
    frame_rate: Fraction | None = None,
    timeout: float = NETWORK_TIMEOUT,
    decoder: DecoderWord = "auto",
) -> Source:
    """Open a source of frames and decode its first one.

    Args:
        spec: a video file, an image, a directory or a quoted glob of images, an rtsp:// or http(s):// address, or "-"
            for a video on standard input.
        stdin: what "-" reads; the process's standard input by default. Need not be seekable.
        frame_rate: images per second, 24 by default; an animated image is shown as it says. A video has its own.
        timeout: seconds to wait for a network address to answer, and for data later on.
        decoder: what decodes a video: "cpu", or "nvdec" on an NVIDIA GPU; "auto" is the CPU.

    Returns:
        A context manager and an iterable of `Frame`, usable once.

    Raises:
        UsageError: nothing of that name exists, or it holds no pictures.
        VosctlError: it exists and cannot be read, or the decoder is not to be had.
    """
    if not spec:
        raise UsageError("the source's name is empty; give a video, images, an address, or - for standard input")
    if frame_rate is not None and frame_rate <= 0:
        raise UsageError(f"`frame_rate={frame_rate}`: must be above 0")
    try:
        source = _open_images(spec, frame_rate)
    except OSError as error:  # a name that no file can have, a folder that may not be looked into
        raise VosctlError(
            f"{spec}: cannot be opened: {(error.strerror or str(error)).lower()}; check the path"
        ) from error
    if source is not None:
        if decoder not in ("auto", "cpu"):
            source.close()
            raise UsageError(f"`decoder={decoder!r}`: is for videos, and {spec} is images; leave it out")
        return source
    if frame_rate is not None:
        raise UsageError(f"`frame_rate`: is for images, and {spec} is a video, which has its own; leave it out")
    from vosctl.video.hardware import hardware_decoder  # training reads pictures only, where there may be no PyAV
    from vosctl.video.sources.stream import VideoSource

    hardware = hardware_decoder(decoder)
    if spec == "-":
        return VideoSource.from_stdin(stdin, hardware)
    scheme, separator, _ = spec.partition("://")
    if separator:
        if scheme.lower() not in NETWORK_SCHEMES:
            raise UsageError(
                f"{scheme}://: not a kind of address that can be read; give rtsp://, http:// or https://, or a path"
            )
        return VideoSource.from_address(spec, timeout, hardware)
    return VideoSource.from_file(Path(spec), hardware)


def _open_images(spec: str, frame_rate: Fraction | None) -> Source | None:
    """Open a source of images; return None when it is a video that is asked for."""
    if spec == "-" or "://" in spec:
        return None
    path, rate = Path(spec), frame_rate or DEFAULT_FRAME_RATE
    if path.is_dir():
        return ImageSource(images_in(path), name=path.resolve().name, label=spec, frame_rate=rate)
    if path.exists():
        if path.suffix.lower() not in IMAGE_SUFFIXES:
            return None
        if is_animated(path):
            return AnimationSource(path, frame_rate)
        return ImageSource([path], name=path.stem, label=spec, frame_rate=rate)
    if _PRINTF.search(spec):
        raise UsageError(
            f"{spec}: no such file; numbered images are named by a quoted pattern, '{_PRINTF.sub('*', spec)}'"
        )
    if glob.has_magic(spec):
        images = _matching(spec)
        return ImageSource(images, name=images[0].resolve().parent.name, label=spec, frame_rate=rate)
    raise UsageError(f"{spec}: no such file or directory; check the path")


def _matching(pattern: str) -> list[Path]:
    """Return the images that a pattern matches, at least one."""
    folder = str(Path(pattern).parent)
    # The brackets of a folder's own name are no pattern.
    literal = Path(pattern) if not Path(folder).is_dir() else Path(glob.escape(folder)) / Path(pattern).name
    found = glob.glob(str(literal), recursive=True) or glob.glob(pattern, recursive=True)  # noqa: PTH207 - absolute ones
    images = [path for path in map(Path, found) if is_image(path)]
    if images:
        return images
    if found:
        raise UsageError(f"{pattern}: matches no images; give a directory or a pattern such as 'frames/*.jpg'")
    hint = "write [[] for a bracket in a name" if "[" in pattern else "give a directory or one such as 'frames/*.jpg'"
    raise UsageError(f"{pattern}: no such file, and as a pattern it matches nothing; {hint}")
