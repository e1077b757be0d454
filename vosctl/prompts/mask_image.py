"""From the file of a drawn mask to numbers: the header first, then the pixels as ids, grey values or colours.

- Indexed (palette) images: the index is the object's id, and what is transparent is background. The colours are read
  instead where the palette does not name objects: a drawing program chose its order, or it holds the greys or blends of
  an anti-aliased picture.
- Transparent images: what is transparent is background. The transparency alone is the mask where the opaque part is all
  black or a picture (a cutout).
- Grey in three channels is grey. Grey of 16 and 32 bits and of floating-point numbers is read as it is.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from vosctl.errors import UsageError, VosctlError
from vosctl.prompts.mask_size import check_size
from vosctl.prompts.soft_mask import is_soft, tabulate
from vosctl.video.masks import davis_palette

_FORMATS = (
    *("PNG", "JPEG", "JPEG2000", "BMP", "DIB", "GIF", "TIFF", "WEBP", "AVIF"),
    *("PPM", "TGA", "PCX", "PSD", "SGI", "ICO", "QOI", "DDS"),
)
"""Those that Pillow reads by itself: others, as EPS, start a program."""
_LOSSY_FORMATS = ("JPEG", "MPO")
_ORIENTATION = 0x0112
_ROUND_THE_BORDER = 0.95
_LARGEST_FLOAT_ID = 65535
_COLOURS_OF_A_PICTURE = 255


@dataclass(frozen=True, slots=True, eq=False)
class MaskPixels:
    """What a mask file holds.

    Attributes:
        values: (H, W) int64 ids or grey values, or (H, W, 3) uint8 RGB.
        kind: "ids" when the file says that its values are ids, "grey" when they may also be brightnesses.
        lossy: whether the file's format changes values.
    """

    values: NDArray[np.int64] | NDArray[np.uint8]
    kind: Literal["ids", "grey", "colours"]
    lossy: bool = False


def read_mask_image(path: Path, frame_size: tuple[int, int], fix: bool, notes: list[str]) -> MaskPixels:
    """Read a picture whose header has a size that fits.

    Args:
        path: an image file.
        frame_size: (height, width) of the frames; anything that does not fit is refused before it is decoded.
        fix: whether another size of the same shape fits.
        notes: what was a choice is added to it.

    Raises:
        UsageError: it is missing, not an image, or another size than the frames.
        VosctlError: it cannot be read.
    """
    with _one_line(path), Image.open(path, formats=_readable()) as image:
        _check_header(path, image, frame_size, fix)
        if getattr(image, "is_animated", False):
            notes.append(f"holds {getattr(image, 'n_frames', 'several')} pictures; the first one is read")
            image.seek(0)
        lossy = image.format in _LOSSY_FORMATS
        image.load()
        upright = ImageOps.exif_transpose(image)
        check_size(path, (upright.height, upright.width), frame_size, fix)
        pixels = _pixels(path, upright, notes)
    return MaskPixels(pixels.values, pixels.kind, lossy)


def _readable() -> list[str]:
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Turn what Pillow raises on a file it cannot read into one line, and keep its warnings off the terminal."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such mask; check the path") from error
    except IsADirectoryError as error:
        raise UsageError(f"{path}: is a folder; name the mask's file") from error
    except UnidentifiedImageError as error:
        raise UsageError(f"{path}: the mask is not an image; give a PNG") from error
    except Image.DecompressionBombError as error:
        raise UsageError(f"{path}: the mask has far too many pixels; draw it on the first frame at its size") from error
    except MemoryError as error:
        raise VosctlError(f"{path}: the mask cannot be read: out of memory") from error
    except VosctlError:
        raise
    # Pillow's decoders raise whatever a damaged header makes of their arithmetic.
    except Exception as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise VosctlError(f"{path}: the mask cannot be read: {reason or type(error).__name__}") from error


def _check_header(path: Path, image: Image.Image, frame_size: tuple[int, int], fix: bool) -> None:
    """Refuse what does not fit either way up. A PNG may tell which way up it is only behind its pixels."""
    size = (image.height, image.width)
    if image.format != "PNG" and image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8):
        size = size[::-1]
    try:
        check_size(path, size, frame_size, fix)
    except UsageError:
        if image.format != "PNG":
            raise
        try:
            check_size(path, size[::-1], frame_size, fix)
        except UsageError:
            pass
        else:
            return
        raise


def _pixels(path: Path, image: Image.Image, notes: list[str]) -> MaskPixels:
    if image.mode == "P" and _palette_holds_ids(image, clear := _transparent(image), notes):
        indices = np.array(image).astype(np.int64)
        return MaskPixels(np.where(np.isin(indices, clear), 0, indices), "ids")
    if image.mode.startswith("I"):
        return MaskPixels(np.array(image).astype(np.int64), "grey")
    if image.mode == "F":
        return MaskPixels(_whole_numbers(path, np.array(image)), "grey")
    if image.mode == "1":
        return MaskPixels(np.array(image).astype(np.int64) * 255, "grey")
    if image.mode == "L" and not image.has_transparency_data:
        return MaskPixels(np.array(image).astype(np.int64), "grey")
    if image.has_transparency_data:
        return _grey_or_colours(_over_black(np.array(image.convert("RGBA")), notes))
    return _grey_or_colours(np.array(image.convert("RGB")))


def _grey_or_colours(pixels: NDArray[np.uint8]) -> MaskPixels:
    if pixels.ndim == 3 and (pixels[..., :1] == pixels).all():
        pixels = pixels[..., 0]
    return MaskPixels(pixels.astype(np.int64), "grey") if pixels.ndim == 2 else MaskPixels(pixels, "colours")


def _whole_numbers(path: Path, values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Floating-point grey: ids where the numbers are whole, else shares of 1 brought to 0..255."""
    if not np.isfinite(values).all():
        raise UsageError(f"{path}: holds numbers that are not finite; save the mask as an 8-bit PNG")
    if (values == np.rint(values)).all() and np.abs(values).max() <= _LARGEST_FLOAT_ID:
        return values.astype(np.int64)
    if values.min() >= 0 and values.max() <= 1:
        return np.rint(values * 255).astype(np.int64)
    raise UsageError(f"{path}: its numbers are neither ids nor shares of 1; save the mask as an 8-bit PNG")


def _transparent(image: Image.Image) -> list[int]:
    """Return the indices of an indexed image that are wholly transparent."""
    told = image.info.get("transparency")
    if isinstance(told, bytes):
        return [index for index, alpha in enumerate(told) if alpha == 0]
    return [told] if isinstance(told, int) else []


def _palette_holds_ids(image: Image.Image, clear: list[int], notes: list[str]) -> bool:
    """Return whether the indices of an indexed image are ids; what decided otherwise is noted where it was a choice.

    Args:
        image: indexed.
        clear: its indices that are transparent.
        notes: see `read_mask_image`.
    """
    palette = np.zeros((256, 3), np.uint8)
    stored = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    palette[: len(stored)] = stored
    indices = np.array(image)
    used = np.flatnonzero(np.bincount(indices.ravel(), minlength=256))
    colours = palette[used]
    if np.array_equal(colours, davis_palette()[used]):
        return True
    opaque = used[~np.isin(used, clear)]
    if 0 not in clear and len(opaque) < len(used) and (palette[0].any() or not palette[opaque].any()):
        return False  # the background, which is transparent, has another index
    if palette[0].any() and (not colours.any(axis=1).all() or _rings(indices, used)):
        return False  # the background has another index: a drawing program chose the palette's order
    grey = bool((colours == colours[:, :1]).all())
    if grey and np.array_equal(colours[:, 0], used):
        return False  # a grey picture: its values say more of it
    if len(used) > 2 and len(np.unique(colours, axis=0)) > 2:
        picture = palette[indices, 0] if grey else palette[indices]
        if is_soft(tabulate(picture), picture):
            notes.append("indexed, yet its colours blend into each other: the colours are read, not the indices")
            return False
    return True


def _rings(indices: NDArray[np.uint8], used: NDArray[np.int64]) -> bool:
    """Return whether an index other than 0 fills the border of the image, as a background does."""
    border = np.concatenate([indices[0], indices[-1], indices[:, 0], indices[:, -1]])
    return any(np.mean(border == index) >= _ROUND_THE_BORDER for index in used if index)


def _over_black(rgba: NDArray[np.uint8], notes: list[str]) -> NDArray[np.uint8]:
    """Transparent pixels become black; the transparency is the mask where the colours say nothing."""
    rgb, alpha = rgba[..., :3], rgba[..., 3]
    if alpha.min() == 255:
        return rgb
    opaque = rgb[alpha == 255]
    if not rgb[alpha > 0].any():
        return np.ascontiguousarray(alpha)
    if len(np.unique(opaque, axis=0)) > _COLOURS_OF_A_PICTURE:
        notes.append("its opaque part is a picture: the transparency is read as the mask")
        return np.ascontiguousarray(alpha)
    return ((rgb.astype(np.uint16) * alpha[..., None] + 127) // 255).astype(np.uint8)
