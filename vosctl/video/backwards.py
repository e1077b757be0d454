"""Frames from the last to the first, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from vosctl.video.frames import Frame
from vosctl.video.planar import Picture, PlanarPicture
from vosctl.video.sources import Source

MEMORY = 256 << 20
"""Bytes of decoded pictures that are held at once. Of a group of pictures that is larger the frames are decoded more
than once: its last ones first, then again up to those before them."""

_FEWEST = 4
"""Frames held at once, however large they are."""


def frames_backwards(source: Source, numbers: Sequence[int], memory: int = MEMORY) -> Iterator[Frame]:
    """Yield frames of a seekable source from the last to the first.

    Args:
        source: what is read; it stands anywhere afterwards.
        numbers: of the frames, rising: all that its iteration gives between the first and the last of them.
        memory: bytes of decoded pictures that may be held at once.

    Raises:
        UsageError: the source is not seekable.
        VosctlError: it cannot be read.
    """
    size = source.info.width * source.info.height * 3
    end = len(numbers)
    while end > 0:
        begin = max(0, end - max(_FEWEST, memory // size))
        source.seek(numbers[begin])
        frames = _up_to(numbers[end - 1], source)
        size = max(size // 2, _size_of(frames[0].picture)) if frames else size
        while frames:
            yield frames.pop()
        end = begin


def _up_to(last: int, frames: Iterable[Frame]) -> list[Frame]:
    """Return the frames up to number `last`, which itself may be lost in a damaged video."""
    taken = []
    for frame in frames:
        if frame.index <= last:
            taken.append(frame)
        if frame.index >= last:
            break
    return taken


def _size_of(picture: Picture) -> int:
    """Return about how many bytes a picture takes."""
    if isinstance(picture, PlanarPicture):
        height, width = picture.shape[:2]
        return height * width * 3 // 2
    return picture.nbytes
