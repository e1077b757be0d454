"""Reads the first mask in whatever form the user drew it, and repairs it when asked to.

How the pixels are read:

- indexed (palette) images: the index is the object's id. Where index 0 is not black and another used index is, a
  drawing program chose the order of the palette, and the colours are read instead;
- grey images: two values are background and object 1 (the brighter); more values are ids;
- colour images: black is the background, every other colour an object, numbered from 1 in the order in which they
  appear (rows from the top, left to right). Without black and with two colours, the brighter one is object 1;
- transparent images: what is transparent is background. The transparency alone is the mask where the opaque part is all
  black or a picture (a cutout).

255 beside other ids that are all at most 32 is DAVIS's and VOC's "void" and becomes background, which is said.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from vosctl.errors import UsageError, VosctlError
from vosctl.prompts.soft_mask import Palette, is_soft, snap, tabulate

MAX_OBJECTS = 255
_VOID = 255
_LARGEST_ID_BESIDE_VOID = 32
_ASPECT_TOLERANCE = 0.02
_REDRAW = "save it without anti-aliasing, as an indexed or black and white PNG"


@dataclass(frozen=True, slots=True, eq=False)
class FirstMask:
    """The objects to follow.

    Attributes:
        labels: (H, W) uint8 at the frame's size, 0 for background, else the object's id. Holds both.
        repairs: one line for each thing that was changed, to be told to the user.
    """

    labels: NDArray[np.uint8]
    repairs: list[str] = field(default_factory=list)


def read_first_mask(path: str | os.PathLike[str], frame_size: tuple[int, int], *, fix: bool = False) -> FirstMask:
    """Read the mask of the first frame with Pillow.

    Args:
        path: an image; the module's description says how its pixels are read.
        frame_size: (height, width) of the video's frames.
        fix: repair another size (nearest neighbour, for the same aspect ratio within 2 %) and soft edges (each pixel
            goes to the nearer side) instead of refusing them.

    Returns:
        The labels and what was repaired.

    Raises:
        UsageError: the mask cannot serve: missing, not an image, another size than the frame, soft edges, no object, no
            background, more than 255 objects.
        VosctlError: the file cannot be read.
    """
    source = Path(path)
    indexed, pixels = _read(source)
    repairs: list[str] = []
    _check_size(source, pixels.shape[:2], frame_size, fix)
    table = tabulate(pixels)
    if indexed:
        labels = _indexed_labels(pixels, table, repairs)
    elif len(table.colours) > 2 and not _are_small_ids(table) and is_soft(table):
        labels = _snapped_labels(source, table, fix, repairs)
    elif pixels.ndim == 2:
        labels = _grey_labels(pixels, table, repairs)
    else:
        labels = _colour_labels(source, table)
    labels = _fit(labels, frame_size, repairs)
    if not labels.any():
        raise UsageError(f"{source}: the mask is empty; paint the object on it (anything but black)")
    if labels.all():
        raise UsageError(f"{source}: the mask has no background; leave everything but the objects black")
    return FirstMask(labels, repairs)


def _read(path: Path) -> tuple[bool, NDArray[np.uint8]]:
    """Whether the pixels are palette indices, and the pixels: (H, W) or, for colours, (H, W, 3) uint8."""
    try:
        with Image.open(path) as image:
            image.load()
            return _pixels(path, ImageOps.exif_transpose(image))
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such mask; check the path") from error
    except UnidentifiedImageError as error:
        raise UsageError(f"{path}: the mask is not an image; give a PNG") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise VosctlError(f"{path}: the mask cannot be read: {reason}") from error


def _pixels(path: Path, image: Image.Image) -> tuple[bool, NDArray[np.uint8]]:
    if image.mode == "P" and _palette_holds_ids(image):
        return True, np.array(image, np.uint8)
    if image.mode.startswith("I"):
        return False, _eight_bits(path, np.array(image))
    if image.mode in ("1", "L"):
        return False, np.array(image, np.uint8)
    if image.has_transparency_data:
        return False, _over_black(np.array(image.convert("RGBA")))
    return False, _without_equal_channels(np.array(image.convert("RGB")))


def _palette_holds_ids(image: Image.Image) -> bool:
    palette = np.zeros((256, 3), np.uint8)
    colours = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    palette[: len(colours)] = colours
    used = np.unique(np.array(image))
    black_is_elsewhere = palette[0].any() and not palette[used].any(axis=1).all()
    # A grey picture saved with a palette: the palette is no more than the grey values, or it is too long for ids.
    grey = np.ptp(palette[used].astype(int), axis=1).max() == 0
    grey_picture = grey and (np.array_equal(palette[used, 0], used) or len(used) > _LARGEST_ID_BESIDE_VOID)
    return not (black_is_elsewhere or grey_picture)


def _eight_bits(path: Path, pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """16-bit grey: ids as they are, two values as black and white, a picture scaled down."""
    values = pixels.astype(np.int64)
    largest = int(values.max())
    if largest > MAX_OBJECTS:
        if len(np.unique(values)) == 2:
            return np.where(values == largest, 255, 0).astype(np.uint8)
        if largest < 4096:
            raise UsageError(f"{path}: holds the object id {largest}; ids go up to {MAX_OBJECTS}, renumber them")
        values = values // 257
    return values.clip(0, 255).astype(np.uint8)


def _over_black(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Transparent pixels become black; the transparency is the mask where the colours say nothing."""
    rgb, alpha = rgba[..., :3], rgba[..., 3]
    if alpha.min() < 255:
        opaque = rgb[alpha == 255]
        if not rgb[alpha > 0].any() or len(np.unique(opaque, axis=0)) > MAX_OBJECTS:
            return np.ascontiguousarray(alpha)
        rgb = ((rgb.astype(np.uint16) * alpha[..., None] + 127) // 255).astype(np.uint8)
    return _without_equal_channels(rgb)


def _without_equal_channels(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A grey picture in three channels is a grey picture."""
    if np.array_equal(rgb[..., 0], rgb[..., 1]) and np.array_equal(rgb[..., 0], rgb[..., 2]):
        return np.ascontiguousarray(rgb[..., 0])
    return rgb


def _check_size(path: Path, size: tuple[int, ...], frame_size: tuple[int, int], fix: bool) -> None:
    (height, width), (frame_height, frame_width) = size, frame_size
    if (height, width) == frame_size:
        return
    sizes = f"{path}: the mask is {width}x{height} but the frames are {frame_width}x{frame_height}"
    if abs(width * frame_height / (height * frame_width) - 1) > _ASPECT_TOLERANCE:
        raise UsageError(f"{sizes}, another shape; draw it on the first frame at its full size")
    if not fix:
        raise UsageError(f"{sizes}; draw it at that size, or give --fix-mask to have it resized")


def _are_small_ids(table: Palette) -> bool:
    return table.colours.shape[1] == 1 and int(table.colours.max()) <= _LARGEST_ID_BESIDE_VOID


def _indexed_labels(indices: NDArray[np.uint8], table: Palette, repairs: list[str]) -> NDArray[np.uint8]:
    values = table.colours[:, 0]
    if values.tolist() == [0, 255]:
        return (indices > 0).astype(np.uint8)
    return _without_void(indices, values, repairs)


def _grey_labels(pixels: NDArray[np.uint8], table: Palette, repairs: list[str]) -> NDArray[np.uint8]:
    values = table.colours[:, 0]
    if len(values) == 2:
        return np.where(pixels == values[1], 1, 0).astype(np.uint8)
    return _without_void(pixels, values, repairs)


def _without_void(pixels: NDArray[np.uint8], values: NDArray[np.int64], repairs: list[str]) -> NDArray[np.uint8]:
    ids = values[(values > 0) & (values < _VOID)]
    if _VOID not in values or not len(ids) or ids.max() > _LARGEST_ID_BESIDE_VOID:
        return pixels
    repairs.append(f"value {_VOID} beside the ids {', '.join(map(str, ids))} means void: read as background")
    return np.where(pixels == _VOID, 0, pixels).astype(np.uint8)


def _colour_labels(path: Path, table: Palette) -> NDArray[np.uint8]:
    brightness = table.colours @ (0.299, 0.587, 0.114)
    background = int(brightness.argmin())
    if len(table.colours) > 2 and table.colours[background].any():
        raise UsageError(f"{path}: no pixel of the mask is black; leave everything but the objects black")
    if len(table.colours) - 1 > MAX_OBJECTS:
        raise UsageError(f"{path}: holds {len(table.colours) - 1} colours; {MAX_OBJECTS} objects are the most")
    if len(table.colours) == 1:
        background = -1 if table.colours[0].any() else 0
    return _numbered(table.index, background)


def _numbered(regions: NDArray[np.int64], background: int) -> NDArray[np.uint8]:
    """Regions numbered from 1 in the order in which they appear; the background is 0."""
    present, first = np.unique(regions, return_index=True)
    order = [region for region in present[first.argsort()] if region != background]
    numbers = np.zeros(int(regions.max()) + 1, np.uint8)
    numbers[order] = np.arange(1, len(order) + 1)
    return np.asarray(numbers[regions])


def _snapped_labels(path: Path, table: Palette, fix: bool, repairs: list[str]) -> NDArray[np.uint8]:
    if not fix:
        raise UsageError(
            f"{path}: the mask has soft edges ({len(table.colours)} different values); {_REDRAW}, "
            "or give --fix-mask to have each pixel go to the nearer side"
        )
    snapped = snap(table)
    if snapped is None:
        raise UsageError(f"{path}: looks like a picture, not a mask, and cannot be fixed; {_REDRAW}")
    regions, anchors = snapped
    if len(anchors) - 1 > MAX_OBJECTS:
        raise UsageError(f"{path}: holds {len(anchors) - 1} colours; {MAX_OBJECTS} objects are the most")
    repairs.append(f"soft edges ({len(table.colours)} different values): each pixel went to the nearer side")
    if len(anchors) > 2 and anchors.shape[1] == 1:
        return np.asarray(anchors[:, 0].astype(np.uint8)[regions])
    return _numbered(regions, int(anchors.sum(axis=1).argmin()))


def _fit(labels: NDArray[np.uint8], frame_size: tuple[int, int], repairs: list[str]) -> NDArray[np.uint8]:
    if labels.shape == frame_size:
        return labels
    height, width = frame_size
    fitted = np.asarray(cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
    repairs.append(f"resized from {labels.shape[1]}x{labels.shape[0]} to {width}x{height}")
    vanished = np.setdiff1d(labels, fitted)
    if vanished[vanished > 0].size:
        repairs.append(f"too small to be seen at that size: object {', '.join(map(str, vanished[vanished > 0]))}")
    return fitted
