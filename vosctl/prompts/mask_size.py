"""The size of a mask against the size of the frames."""

from __future__ import annotations

from pathlib import Path

from vosctl.errors import UsageError

_ASPECT_TOLERANCE = 0.02
_MOST_PIXELS = 2**28
"""Of a mask that is to be resized: more than any picture that somebody draws on."""


def check_size(path: Path, size: tuple[int, int], frame_size: tuple[int, int], fix: bool) -> None:
    """Make sure that a mask has the size of the frames, or can be brought to it.

    Args:
        path: the mask's file, for the message.
        size: (height, width) of the mask.
        frame_size: (height, width) of the frames.
        fix: whether the mask may be resized.

    Raises:
        UsageError: another shape, or another size that may not be changed.
    """
    (height, width), (frame_height, frame_width) = size, frame_size
    if size == frame_size:
        return
    sizes = f"{path}: the mask is {width}x{height} but the frames are {frame_width}x{frame_height}"
    if min(size) < 1 or abs(width * frame_height / (height * frame_width) - 1) > _ASPECT_TOLERANCE:
        raise UsageError(f"{sizes}, another shape; draw it on the first frame at its full size")
    if width * height > _MOST_PIXELS:
        raise UsageError(f"{sizes}; it has far too many pixels, draw it at that size")
    if not fix:
        raise UsageError(f"{sizes}; draw it at that size, or use `fix_mask=True` to have it resized")
