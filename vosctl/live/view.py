"""What the live window shows: the followed objects in one of three views, and the state of things in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.selection.canvas import draw_strip
from vosctl.tracking.results import TrackedFrame
from vosctl.types import RGB, RGBImage
from vosctl.video.colours import ObjectColours
from vosctl.video.overlay import render_overlay

ViewName = Literal["overlay", "cutout", "blur"]

VIEWS: tuple[ViewName, ...] = ("overlay", "cutout", "blur")

_BACKDROP: RGB = (0, 177, 64)  # the green that video programs key out
_BLUR = 1 / 60
"""Standard deviation of the blurred background over the picture's shorter side, at a quarter of its size."""
_WARNING: RGB = (255, 190, 60)
_RECORDING: RGB = (255, 90, 90)


def render_view(
    image: RGBImage, result: TrackedFrame, view: ViewName, colours: Mapping[int, RGB] | None = None
) -> RGBImage:
    """Draw a new picture of the frame.

    Args:
        image: (H, W, 3) uint8 RGB.
        result: the objects in it.
        view: "overlay": objects tinted and outlined; "cutout": the objects on green; "blur": the objects sharp before a
            blurred background.
        colours: of each object, by id; those of the ids by default.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    if view == "overlay":
        return render_overlay(image, result, colours)
    if view == "cutout":
        background: RGBImage = np.full_like(image, _BACKDROP)
    else:
        background = _blurred(image)
    return _blend(image, background, result.alpha)


def _blurred(image: RGBImage) -> RGBImage:
    height, width = image.shape[:2]
    small = cv2.resize(image, (max(1, width // 4), max(1, height // 4)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(1.0, min(height, width) * _BLUR / 2))
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _blend(front: RGBImage, back: RGBImage, alpha: NDArray[np.uint8]) -> RGBImage:
    weights = cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGB)
    blended = cv2.multiply(front, weights, scale=1 / 255)
    return np.asarray(cv2.add(blended, cv2.multiply(back, cv2.bitwise_not(weights), scale=1 / 255)), np.uint8)


@dataclass(frozen=True, slots=True)
class Status:
    """What the strip at the top says.

    Attributes:
        fps: frames shown a second.
        latency: seconds from capture to display, median of the last frames.
        dropped: frames a newer one replaced.
        objects: ids that are followed.
        lost: of these, the lost ones.
        selected: the id that corrections and deletion mean; None when there is none.
        recording: seconds recorded so far, None when not recording.
        trouble: what the feed waits for.
        message: the last thing that was done.
        paused: whether the picture stands.
        crop_size: side in pixels of the square that the network sees; None while nothing is followed.
    """

    fps: float
    latency: float
    dropped: int
    objects: tuple[int, ...]
    lost: frozenset[int]
    selected: int | None
    recording: float | None
    trouble: str | None
    message: str
    paused: bool
    crop_size: int | None = None


def draw_status(image: RGBImage, status: Status, colours: Mapping[int, RGB] | None = None) -> None:
    """Write the state at the top of a picture, in place, each object in its colour."""
    colours = ObjectColours() if colours is None else colours
    figures = f"{status.fps:.1f} fps  latency {status.latency * 1e3:.0f} ms  dropped {status.dropped}"
    if status.crop_size is not None:
        figures += f"  crop {status.crop_size}"
    lines: list[str | tuple[str, RGB]] = [figures + ("  PAUSED" if status.paused else "")]
    for object_id in status.objects:
        words = f"object {object_id}" + (" LOST" if object_id in status.lost else "")
        if object_id in status.lost or object_id == status.selected:
            marked = f"> {words}" if object_id == status.selected else f"  {words}"
            lines.append((marked, colours[object_id]))
    if status.recording is not None:
        lines.append((f"REC {int(status.recording) // 60}:{int(status.recording) % 60:02d}", _RECORDING))
    if status.trouble:
        lines.append((status.trouble, _WARNING))
    if status.message:
        lines.append(status.message)
    draw_strip(image, lines)
