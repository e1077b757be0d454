"""Image files as upright RGB pictures, whatever they hold: more than 8 bits, floats, palettes, damage."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from vosctl.errors import VosctlError

PILLOW_ERRORS: tuple[type[Exception], ...] = (
    *(OSError, SyntaxError, ValueError, Image.DecompressionBombError),
    *(ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, TypeError, struct.error),
)
"""What Pillow raises on a damaged file: its own errors, and whatever its decoders' arithmetic raises."""
IMAGE_SUFFIXES = frozenset(
    {".bmp", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)

DARK = 4095
"""The highest value that a camera of 12 bits gives; where 16 bits hold none above it, they are nearly black."""
DARK_WORDS = (
    f"is nearly black, as no value of its 16 bits is above {DARK}; where the camera has fewer bits, multiply the "
    "values of all images by the same number (by 16 for 12 bits)"
)

_ON_THEIR_SIDE = (5, 6, 7, 8)
"""EXIF's orientations that swap width and height."""
_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"

# A large picture is no attack; what is several times as large is refused by Pillow as an error.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)

Warn = Callable[[Path, str], None]
"""Receives a file and what is wrong with it, in words that go on from "is" or "has"."""


def read_image(path: Path, warn: Warn | None = None) -> NDArray[np.uint8]:
    """Read an image as upright RGB: EXIF orientation applied, transparency dropped, more bits brought to 8.

    Args:
        path: the file.
        warn: receives damage that leaves a picture to be shown; without it damage is an error.

    Returns:
        (H, W, 3) uint8 RGB, C-contiguous.

    Raises:
        VosctlError: it cannot be read, it is cut off, or what its numbers stand for is not known.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise VosctlError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        with Image.open(io.BytesIO(data)) as image:
            if data.startswith(_JPEG_START):
                pixels = _decode_jpeg(path, data, warn)
                if pixels is not None:
                    return _upright(pixels, image.getexif().get(ExifTags.Base.Orientation, 1))
            elif warn is not None and getattr(image, "n_frames", 1) > 1:
                warn(path, "holds several pictures, the first was taken")
            return pixels_of(path, image, warn)
    except PILLOW_ERRORS as error:
        raise _unreadable(path, error) from error


def upright_size(path: Path) -> tuple[int, int]:
    """Return (height, width) of the picture that `read_image` gives, by what the file says before its pixels.

    A PNG that says only after them that it is to be turned is taken as it lies.

    Raises:
        VosctlError: it is no image, or cannot be read.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            told = image.format != "PNG" or "exif" in image.info  # else Pillow would decode it to look further on
            turned = told and image.getexif().get(ExifTags.Base.Orientation, 1) in _ON_THEIR_SIDE
    except PILLOW_ERRORS as error:
        raise _unreadable(path, error) from error
    return (width, height) if turned else (height, width)


def pixels_of(path: Path, image: Image.Image, warn: Warn | None = None) -> NDArray[np.uint8]:
    """Return the picture that a Pillow image shows at present, as `read_image` gives it.

    Args:
        path: for messages.
        image: the image.
        warn: is told when the picture is nearly black, as of a camera of 12 bits whose values were saved in 16.

    Raises:
        VosctlError: what its numbers stand for is not known.
    """
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I") or upright.mode == "F":
        values = np.asarray(upright)
        grey = _eight_bits(path, values, image.format == "PPM")
        if warn is not None and values.dtype.kind != "f" and 0 < int(values.max()) <= DARK:
            warn(path, DARK_WORDS)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.array(upright.convert("RGB"))


def _unreadable(path: Path, error: Exception) -> VosctlError:
    reason = str(error).partition(" <_io")[0]  # Pillow names the object that it read from
    return VosctlError(f"{path}: cannot be read as an image: {reason}; replace it or leave it out")


def _decode_jpeg(path: Path, data: bytes, warn: Warn | None) -> NDArray[np.uint8] | None:
    """Return the stored picture; None when only another decoder may know it (CMYK, 12 bits)."""
    try:
        return _strictly(data)
    except ValueError as error:
        trouble = str(error)
    if "Premature end of JPEG file" in trouble:
        # Without its end marker a picture can be whole all the same.
        try:
            pixels = _strictly(data + _JPEG_END)
        except ValueError:
            raise _unreadable(path, ValueError("the file is cut off")) from None
        if warn is not None:
            warn(path, "has no end marker")
        return pixels
    if "premature end" in trouble or "Corrupt" in trouble:
        if warn is None:
            raise _unreadable(path, ValueError("the file is damaged"))
        warn(path, "is damaged, shown as far as it decodes")
        return np.asarray(simplejpeg.decode_jpeg(data, strict=False), np.uint8)
    return None


def _strictly(data: bytes) -> NDArray[np.uint8]:
    """Decode a JPEG; ValueError also for damage that libjpeg would only mention on the terminal."""
    return np.asarray(simplejpeg.decode_jpeg(data), np.uint8)


def _eight_bits(path: Path, values: NDArray[np.generic], sixteen_bits: bool) -> NDArray[np.uint8]:
    """Grey values of more bits, or floats, brought to 0..255.

    Args:
        path: for messages.
        values: (H, W).
        sixteen_bits: whether 65535 is known to be white where the type leaves it open.
    """
    numbers = values.astype(np.float64)
    low, high = float(numbers.min()), float(numbers.max())
    if values.dtype.kind == "f":
        if not (low >= 0 and high <= 1):  # also for what is not a number
            raise VosctlError(
                f"{path}: holds floating point values from {low:g} to {high:g}, and only those from 0 to 1 have a "
                "known brightness; save it with 8 or 16 bits"
            )
        white = 1.0
    elif values.dtype.itemsize == 2 or sixteen_bits:
        white = 65535.0
    else:
        raise VosctlError(
            f"{path}: holds 32-bit values from {low:g} to {high:g}, whose white is not known; save it with 8 or 16 bits"
        )
    return np.rint(numbers * (255 / white)).astype(np.uint8)


def _upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Apply EXIF's orientation, 1 to 8; anything else is no orientation."""
    turned = pixels.transpose(1, 0, 2) if orientation in _ON_THEIR_SIDE else pixels
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)
