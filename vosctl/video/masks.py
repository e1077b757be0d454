"""Label images: indexed PNG with the DAVIS palette."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from vosctl.errors import UsageError, VosctlError
from vosctl.weights.files import staged

_ZLIB_RLE = 3  # zlib's run-length strategy: a fifth of the default's time on label images, and smaller than level 1


def davis_palette() -> NDArray[np.uint8]:
    """Return the colour of each label.

    Returns:
        (256, 3) uint8 RGB: the PASCAL VOC colour map, which DAVIS uses. Bit k of the label's octal digit j is bit 7 - j
        of channel k, so neighbouring labels differ strongly and label 0 is black.
    """
    labels = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for digit in range(3):
        for channel in range(3):
            palette[:, channel] |= ((labels >> (3 * digit + channel) & 1) << (7 - digit)).astype(np.uint8)
    return palette


_PALETTE = davis_palette().tobytes()


def write_indexed_png(path: str | os.PathLike[str], labels: NDArray[np.uint8]) -> None:
    """Write a label image as palette PNG; beside the target first, renamed when whole.

    Args:
        path: the target; its directory exists.
        labels: (H, W) uint8.

    Raises:
        VosctlError: it cannot be written.
    """
    target = Path(path)
    image = Image.fromarray(labels)
    image.putpalette(_PALETTE)
    try:
        with staged(target) as partial:
            image.save(partial, format="PNG", compress_type=_ZLIB_RLE)
    except OSError as error:
        raise VosctlError(f"{target}: cannot be written: {error.strerror or error}") from error


def read_indexed_png(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read a label image as it is stored, see `read_label_image`."""
    return read_label_image(path, upright=False)[0]


def read_label_image(path: str | os.PathLike[str], *, upright: bool) -> tuple[NDArray[np.uint8], bool]:
    """Read a label image: palette indices, or grey values (also of 1-bit images, as 0 and 1).

    Args:
        path: the image.
        upright: whether its orientation (EXIF) is applied.

    Returns:
        (H, W) uint8, and whether they are palette indices.

    Raises:
        UsageError: it is a colour image or has more than 8 bits.
        VosctlError: it cannot be read.
    """
    try:
        with Image.open(path) as image:
            if image.mode not in ("P", "L", "1"):
                raise UsageError(f"{path}: is a {image.mode} image, not an indexed or grey one; save it as indexed PNG")
            return np.array(ImageOps.exif_transpose(image) if upright else image, np.uint8), image.mode == "P"
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise VosctlError(f"{path}: cannot be read as a label image: {error}") from error
