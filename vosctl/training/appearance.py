"""What is done to the pixels of a crop: light and colour, loss of sharpness, and the guidance mask's flaws."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.tracking.crop import mask_box
from vosctl.types import Box, RGBImage


def recoloured(images: list[RGBImage], rng: np.random.Generator) -> list[RGBImage]:
    """Change light and colour of a run of images, mostly alike, and slightly from one to the next.

    Args:
        images: (S, S, 3) uint8 RGB each.
        rng: what every choice is drawn from.
    """
    hue, saturation = rng.normal(0, 4), np.exp(rng.normal(0, 0.2))
    gain, offset, gamma = np.exp(rng.normal(0, 0.15)), rng.normal(0, 10), np.exp(rng.normal(0, 0.15))
    grey = rng.random() < 0.05
    ramp = np.arange(256) / 255.0
    result = []
    for image in images:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        own_gain = gain * np.exp(rng.normal(0, 0.04))
        turned = (np.arange(256) + hue + rng.normal(0, 1)) % 180
        richer = np.zeros(256) if grey else np.arange(256) * saturation * np.exp(rng.normal(0, 0.03))
        lighter = 255 * ramp**gamma * own_gain + offset
        tables = np.stack((turned, richer, lighter), axis=1).clip(0, 255).astype(np.uint8)
        result.append(np.asarray(cv2.cvtColor(cv2.LUT(hsv, tables[None]), cv2.COLOR_HSV2RGB), np.uint8))
    return result


def degraded(images: list[RGBImage], rng: np.random.Generator) -> list[RGBImage]:
    """In a part of the runs, lose sharpness, add noise or compress, as cameras and codecs do."""
    choice = rng.random()
    if choice < 0.15:
        factor = float(rng.uniform(1.3, 3.0))
        return [_unsharp(image, factor) for image in images]
    if choice < 0.25:
        quality = int(rng.integers(25, 70))
        return [_compressed(image, quality) for image in images]
    if choice < 0.35:
        amount = float(rng.uniform(2, 10))
        return [_noisy(image, amount, rng) for image in images]
    return images


def _unsharp(image: RGBImage, factor: float) -> RGBImage:
    small = max(int(image.shape[0] / factor), 16)
    shrunk = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, image.shape[1::-1]), np.uint8)


def _compressed(image: RGBImage, quality: int) -> RGBImage:
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _noisy(image: RGBImage, amount: float, rng: np.random.Generator) -> RGBImage:
    noise = rng.integers(-16, 17, image.shape, dtype=np.int8).astype(np.float32) * (amount / 16)
    return (image + noise).clip(0, 255).astype(np.uint8)


def flawed_guidance(mask: NDArray[np.uint8], strength: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Make of a true mask what tracking might have passed on: moved, grown or shrunk, with added or missing pieces.

    Args:
        mask: (S, S) uint8, 0 or 255.
        strength: 0 for hardly any flaw; 1 for those of a mask that is to be corrected (RGMP, section 4.1).
        rng: what every choice is drawn from.

    Returns:
        (S, S) uint8, 0..255.
    """
    box = mask_box(mask > 127)
    if box is None:
        return mask
    extent = float(max(box[2:]))
    if rng.random() < 0.2 * (1 - strength) + 0.1:
        return _soft(mask, rng.uniform(0.5, 2.0))
    result = _moved(mask, box, strength, rng)
    reach = int(abs(rng.normal(0, 0.025 * strength)) * extent)
    if reach:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        change = cv2.dilate if rng.random() < 0.5 else cv2.erode
        result = np.asarray(change(result, kernel), np.uint8)
    for _ in range(rng.poisson(1.2 * strength)):
        _add_or_take_blob(result, mask, extent, rng)
    return _soft(result, rng.uniform(0.5, 3.5))


def with_leak(guidance: NDArray[np.uint8], other: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Let a guidance mask take in something else, or a part of it, as tracking does that has gone over to it.

    Args:
        guidance: (S, S) uint8, 0..255.
        other: (S, S) uint8, 0..255: the other thing, which may be out of sight.
        rng: what every choice is drawn from.
    """
    box = mask_box(other > 127)
    if box is None:
        return guidance
    x, y, width, height = box
    part = other.copy()
    if rng.random() < 0.5:  # what lies on one side of a line through it
        angle, (rows, columns) = rng.uniform(0, 2 * np.pi), np.indices(other.shape)
        across = (columns - x - width / 2) * np.cos(angle) + (rows - y - height / 2) * np.sin(angle)
        part[across > rng.normal(0, 0.2) * max(width, height)] = 0
    leaked = _soft(part, rng.uniform(0.5, 3.5)) * rng.uniform(0.5, 1.0)
    return np.maximum(guidance, leaked.round().astype(np.uint8))


def _soft(mask: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8]:
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), sigma), np.uint8)


def _moved(mask: NDArray[np.uint8], box: Box, strength: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    extent = max(box[2:])
    centre = box[0] + box[2] / 2, box[1] + box[3] / 2
    angle, scale = rng.normal(0, 5 * strength), float(np.exp(rng.normal(0, 0.06 * strength)))
    matrix = np.asarray(cv2.getRotationMatrix2D(centre, angle, scale), np.float64)
    matrix[:, 2] += rng.normal(0, 0.04 * strength * extent, 2)
    return np.asarray(cv2.warpAffine(mask, matrix, mask.shape[::-1]), np.uint8)


def _add_or_take_blob(
    result: NDArray[np.uint8], mask: NDArray[np.uint8], extent: float, rng: np.random.Generator
) -> None:
    """Draw an ellipse of object or background in place, centred on or beside a pixel of the object."""
    rows, columns = np.nonzero(mask)
    pick = int(rng.integers(rows.size))
    add = rng.random() < 0.5
    away = rng.normal(0, 0.25 * extent, 2) if add else np.zeros(2)
    centre = int(columns[pick] + away[0]), int(rows[pick] + away[1])
    axes = tuple(int(v) for v in np.maximum(extent * rng.uniform(0.04, 0.2, 2), 1))
    cv2.ellipse(result, centre, axes, float(rng.uniform(0, 180)), 0, 360, 255 if add else 0, -1)
