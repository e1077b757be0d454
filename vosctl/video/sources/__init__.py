"""Sources of frames: video files, folders of images, network addresses and standard input.

`open_source` takes what the user typed and returns a `Source`.
"""

from __future__ import annotations

import glob
from pathlib import Path
from typing import BinaryIO

from vosctl.errors import UsageError
from vosctl.video.sources.base import Source
from vosctl.video.sources.images import IMAGE_SUFFIXES, ImageSource, images_in
from vosctl.video.sources.stream import VideoSource

__all__ = ["IMAGE_SUFFIXES", "Source", "open_source"]

_NETWORK_SCHEMES = ("rtsp", "rtsps", "http", "https")


def open_source(spec: str, *, stdin: BinaryIO | None = None) -> Source:
    """Open a source of frames and decode its first one.

    Args:
        spec: a video file, an image, a directory or a quoted glob of images, an rtsp:// or http(s):// address, or "-"
            for a video on standard input.
        stdin: what "-" reads; the process's standard input by default. Need not be seekable.

    Returns:
        A context manager and an iterable of `Frame`, usable once.

    Raises:
        UsageError: nothing of that name exists, or it holds no pictures.
        VosctlError: it exists and cannot be read.
    """
    if spec == "-":
        return VideoSource.from_stdin(stdin)
    scheme, separator, _ = spec.partition("://")
    if separator:
        if scheme.lower() not in _NETWORK_SCHEMES:
            raise UsageError(
                f"{scheme}://: not a kind of address that can be read; give rtsp://, http:// or https://, or a path"
            )
        return VideoSource.from_address(spec)
    path = Path(spec)
    if path.is_dir():
        return ImageSource(images_in(path), name=path.resolve().name, label=spec)
    if path.exists():
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return ImageSource([path], name=path.stem, label=spec)
        return VideoSource.from_file(path)
    if glob.has_magic(spec):
        return _open_glob(spec)
    raise UsageError(f"{spec}: no such file or directory; check the path")


def _open_glob(pattern: str) -> Source:
    paths = [Path(found) for found in glob.glob(pattern, recursive=True)]  # noqa: PTH207 - patterns may be absolute
    images = [path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]
    if not images:
        found = "matches no images" if paths else "matches nothing"
        raise UsageError(f"{pattern}: {found}; give a directory or a pattern such as 'frames/*.jpg'")
    return ImageSource(images, name=images[0].resolve().parent.name, label=pattern)
