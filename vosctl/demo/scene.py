"""A made scene with exact masks: a coffee cup flies round a raccoon's face. Real photographs, moved over each other.

The camera pans, zooms and rolls a little and the light changes; the raccoon turns its head; the cup tilts, grows and
shrinks, is blurred by its motion, throws a shadow and passes behind palm leaves. All motion repeats every `PERIOD`
frames, so a clip of any length can be rendered, at any size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vosctl.errors import VosctlError
from vosctl.types import RGBImage

__all__ = ["CUP_ID", "PERIOD", "RACCOON_ID", "Scene", "render_demo"]

PERIOD = 120
"""Frames after which the motion repeats."""
RACCOON_ID = 1
CUP_ID = 2

_PHOTOS = Path(__file__).parent / "photos"
_LEAVES = 2  # in raccoon-mask.png: the leaves in front of everything; 1 is the raccoon
_VIEW_WIDTH, _VIEW_HEIGHT = 936.0, 526.0  # what the camera sees of the raccoon's photograph, in its pixels
_HEAD = (655.0, 330.0)
_HEAD_REACH = 190.0  # pixels from the head's middle at which its motion has faded to 60 %
_SHUTTER = 0.5  # share of a frame's time the shutter is open
_EXPOSURES = 5  # moments averaged over that time

Matrix = NDArray[np.float64]  # (3, 3), maps (x, y, 1) to homogeneous coordinates


def _read(name: str, mode: str | None = None) -> RGBImage:
    with Image.open(_PHOTOS / name) as image:
        return np.asarray(image.convert(mode) if mode else image)


def _affine(scale: float, degrees: float, source: tuple[float, float], target: tuple[float, float]) -> Matrix:
    """Scales and rotates about the point `source` and brings it to `target`."""
    cosine, sine = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    (x, y), (u, v) = source, target
    return np.array([[cosine, -sine, u - cosine * x + sine * y], [sine, cosine, v - sine * x - cosine * y], [0, 0, 1]])


class Scene:
    """The scene at one size of picture.

    Args:
        width: pixels; the view is 16:9, another shape sees more of it on one side and less on the other.
        height: pixels.

    Raises:
        VosctlError: a size below 16 pixels.
    """

    def __init__(self, width: int = 854, height: int = 480) -> None:
        if min(width, height) < 16:
            raise VosctlError(f"A scene of {width}x{height} is too small: ask for at least 16x16 pixels.")
        self.width, self.height = width, height
        self._photo = _read("raccoon.jpg", "RGB")
        parts = _read("raccoon-mask.png")
        # The photograph with its two soft masks as five channels, so that one warp moves them all.
        raccoon = cv2.GaussianBlur(np.where(parts == RACCOON_ID, 255, 0).astype(np.uint8), (0, 0), 1.0)
        leaves = cv2.GaussianBlur(np.where(parts == _LEAVES, 255, 0).astype(np.uint8), (0, 0), 1.0)
        self._masks = np.dstack([raccoon, leaves])
        self._cups = _cup_levels()

    def frame(self, index: int) -> tuple[RGBImage, RGBImage]:
        """Draw one frame and its exact masks.

        Args:
            index: frame number, from 0; the scene repeats every `PERIOD` frames.

        Returns:
            (H, W, 3) uint8 RGB, and (H, W) uint8 labels: 0 background, `RACCOON_ID`, `CUP_ID`.
        """
        turn = 2 * math.pi * index / PERIOD
        camera = self._camera(turn)
        image, masks = self._background(turn, camera)
        raccoon, leaves = masks[..., 0], masks[..., 1:].astype(np.float32) / 255
        cup = self._cup(turn)
        alpha = cup[..., 3:] / 255 * (1 - leaves)
        picture = image.astype(np.float32)
        picture *= (1 - self._shadow(cup[..., 3]) * (1 - leaves)) * (1 - alpha)
        picture += cup[..., :3] * (1 - leaves)
        light = 1 + 0.06 * math.sin(turn + 1.0)
        labels = np.where(raccoon > 127, RACCOON_ID, 0).astype(np.uint8)
        labels[alpha[..., 0] > 0.5] = CUP_ID
        return np.clip(np.rint(picture * light), 0, 255).astype(np.uint8), labels

    def _camera(self, turn: float) -> Matrix:
        """Map the raccoon's photograph to the picture."""
        middle = 514 + 34 * math.cos(turn - 0.3), 312 + 16 * math.sin(2 * turn + 0.4)
        fit = max(self.width / _VIEW_WIDTH, self.height / _VIEW_HEIGHT)
        zoom = fit * (1.02 + 0.025 * math.sin(turn + 2.0))
        return _affine(zoom, 0.8 * math.sin(turn), middle, ((self.width - 1) / 2, (self.height - 1) / 2))

    def _background(self, turn: float, camera: Matrix) -> tuple[RGBImage, RGBImage]:
        """Draw the photograph as the camera sees it, the raccoon's head turned; (H, W, 3) RGB and (H, W, 2) masks."""
        height, width = self._photo.shape[:2]
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        head_x, head_y = _HEAD
        near = np.exp(-((x - head_x) ** 2 + (y - head_y) ** 2) / (2 * _HEAD_REACH**2))
        angle = near * math.radians(3.5 * math.sin(turn - 0.5))
        # Backwards: where each pixel of the turned head comes from.
        source_x = x + near * 9 * math.cos(turn) + angle * (y - head_y)
        source_y = y + near * 6 * math.sin(turn) - angle * (x - head_x)
        size = self.width, self.height
        outputs = []
        for layer in (self._photo, self._masks):
            turned = cv2.remap(layer, source_x, source_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            seen = cv2.warpPerspective(turned, camera, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            outputs.append(np.asarray(seen, np.uint8))
        return outputs[0], outputs[1]

    def _cup(self, turn: float) -> NDArray[np.float32]:
        """Draw the moving cup, averaged over the time the shutter is open; (H, W, 4) premultiplied RGBA, 0..255."""
        total = np.zeros((self.height, self.width, 4), np.float32)
        for step in range(_EXPOSURES):
            moment = turn + (step / (_EXPOSURES - 1) - 0.5) * _SHUTTER * 2 * math.pi / PERIOD
            placed = self._camera(moment) @ _cup_pose(moment)
            # The level whose pixels are nearest to the picture's: bilinear warps of a larger one would flicker.
            magnification = math.sqrt(abs(float(np.linalg.det(placed[:2, :2]))))
            level = min(max(0, round(-math.log2(magnification))), len(self._cups) - 1)
            shrink = np.diag([2.0**level, 2.0**level, 1.0])
            warped = cv2.warpPerspective(self._cups[level], placed @ shrink, (self.width, self.height))
            total += warped
        total /= _EXPOSURES
        return total

    def _shadow(self, alpha: NDArray[np.float32]) -> NDArray[np.float32]:
        """Draw the cup's soft shadow, right of and below it; (H, W, 1), 0..1."""
        unit = self.height / 480
        shift = np.array([[1, 0, 16 * unit], [0, 1, 34 * unit]])
        moved = cv2.warpAffine(alpha, shift, (self.width, self.height))
        softened = np.asarray(cv2.GaussianBlur(moved, (0, 0), 16 * unit), np.float32)
        softened *= 0.4 / 255
        return softened[..., None]


def _cup_levels() -> list[RGBImage]:
    """Return the cut-out cup, premultiplied RGBA, at its own size, a half and a quarter, each with an empty margin."""
    colour, mask = _read("coffee.jpg", "RGB"), _read("coffee-mask.png", "L")
    alpha = cv2.GaussianBlur(mask, (0, 0), 0.8).astype(np.float32) / 255
    level = np.dstack([colour * alpha[..., None], alpha * 255]).astype(np.uint8)
    levels = [level]
    for _ in range(2):
        level = np.asarray(cv2.resize(level, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
        levels.append(level)
    return levels


def _cup_pose(turn: float) -> Matrix:
    """Map the cup's photograph (430x392) to the raccoon's: a tilted orbit round its face, smaller when farther."""
    phase = turn + math.radians(20)
    along, across = 335 * math.cos(phase), 162 * math.sin(phase)
    tilt = math.radians(-6)
    x = 522 + along * math.cos(tilt) - across * math.sin(tilt)
    y = 300 + along * math.sin(tilt) + across * math.cos(tilt)
    scale = 0.46 + 0.07 * math.sin(phase)
    lean = np.eye(3)
    lean[2, :2] = 5e-4 * math.sin(2 * turn), 4e-4 * math.cos(turn)
    to_middle = np.array([[1.0, 0, -215], [0, 1, -196], [0, 0, 1]])
    placed: Matrix = _affine(scale, 14 * math.sin(2 * turn + 0.5), (0, 0), (x, y)) @ lean @ to_middle
    return placed


def render_demo(frames: int = PERIOD, width: int = 854, height: int = 480) -> Iterator[tuple[RGBImage, RGBImage]]:
    """Return the scene's first frames, as `Scene.frame` gives them.

    Args:
        frames: how many.
        width: pixels.
        height: pixels.

    Yields:
        (H, W, 3) uint8 RGB and (H, W) uint8 labels.
    """
    scene = Scene(width, height)
    for index in range(frames):
        yield scene.frame(index)
