"""Random motions of pictures: an affine path through time, with a slow elastic deformation."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.tracking.crop import mask_box

GRID = 5
"""Control points a side of the elastic deformation."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Where a picture lies in a frame.

    Attributes:
        matrix: (2, 3) float64, from the picture's pixels to the frame's.
        displacement: (GRID, GRID, 2) float32, pixels of the picture, spread over the frame: added to where each pixel
            of the frame is read.
    """

    matrix: NDArray[np.float64]
    displacement: NDArray[np.float32]


def warp(
    picture: NDArray[np.uint8],
    motion: Motion,
    size: tuple[int, int],
    fill: tuple[int, ...],
    nearest: bool = False,
    reflect: bool = False,
) -> NDArray[np.uint8]:
    """Show a picture where a motion puts it.

    Args:
        picture: (H, W) or (H, W, 3) uint8.
        motion: where each of its pixels goes.
        size: width and height of the result.
        fill: value where there is no picture.
        nearest: take the nearest pixel (for labels) instead of interpolating.
        reflect: continue the picture by reflection (for backgrounds) instead of filling.
    """
    method = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    border = cv2.BORDER_REFLECT_101 if reflect else cv2.BORDER_CONSTANT
    return np.asarray(
        cv2.remap(picture, *read_from(motion, size), method, borderMode=border, borderValue=fill), np.uint8
    )


def read_from(motion: Motion, size: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return where in the picture each pixel of a frame of this width and height is read: x and y, (H, W) each."""
    width, height = size
    inverse = cv2.invertAffineTransform(motion.matrix).astype(np.float32)
    shift = cv2.resize(motion.displacement, size, interpolation=cv2.INTER_CUBIC)
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    map_x = inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2] + shift[..., 0]
    map_y = inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2] + shift[..., 1]
    return map_x, map_y


def random_motion(
    mask: NDArray[np.bool_],
    size: tuple[int, int],
    frames: int,
    rng: np.random.Generator,
    *,
    place: bool,
    near: list[NDArray[np.uint8]] | None = None,
    calm: float = 1.0,
) -> list[Motion]:
    """Draw a path: the first motion on its own (the reference), the others a run with a drift and some shake.

    Args:
        mask: (H, W) where the picture's object is.
        size: width and height of the frames.
        frames: number of motions.
        rng: what every choice is drawn from.
        place: put the object at a random place and size; else leave it about where it is.
        near: labels of the frames' object (1); the path then passes near it.
        calm: factor on every amount of motion.
    """
    x, y, width, height = mask_box(mask) or (0, 0, mask.shape[1], mask.shape[0])
    extent = float(max(width, height))
    scale, centre = 1.0, np.array([x + width / 2, y + height / 2])
    anchor = centre
    if place:
        scale = _placed_scale(extent, size, near, rng)
        anchor = np.array(size) * rng.uniform(0.25, 0.75, 2)
    extent *= scale
    deformations = [_deformation(max(width, height), calm, rng) for _ in range(3)]
    shake = calm * rng.uniform(0.2, 1.0)
    drift = rng.normal(0, 1, 4) * calm * rng.choice([0.3, 1.0])
    motions = []
    for k in range(frames):
        noise = rng.normal(0, 1, 4)
        if k == 0:
            pose = noise * calm * np.array([12, 0.12, 0.12, 0.12]), deformations[0]
        else:
            along = (k - frames / 2) * drift * np.array([3, 0.03, 0.08, 0.08])
            part = (k - 1) / max(frames - 2, 1)
            pose = (
                along + noise * shake * np.array([2, 0.02, 0.02, 0.02]),
                (1 - part) * deformations[1] + part * deformations[2],
            )
        (angle, growth, right, down), deformation = pose
        goal = anchor + np.array([right, down]) * extent
        if near is not None:
            goal = _near(near[k], anchor / np.array(size) - 0.5, goal)
        motions.append(Motion(_affine(angle, scale * float(np.exp(growth)), centre, goal), deformation))
    return motions


def _placed_scale(
    extent: float, size: tuple[int, int], near: list[NDArray[np.uint8]] | None, rng: np.random.Generator
) -> float:
    """Return the scale of what is placed: to a share of the frame, or to about the size of the object it is near."""
    wanted = min(size) * rng.uniform(0.25, 0.8)
    box = None if near is None else mask_box(near[0] == 1)
    if box is not None:
        wanted = max(box[2:]) * rng.uniform(0.6, 1.3)
    return float(np.clip(wanted / extent, 0.2, 3.0))


def _near(label: NDArray[np.uint8], side: NDArray[np.float64], goal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draw a goal towards the side of the object that was drawn for the whole path."""
    box = mask_box(label == 1)
    if box is None:
        return goal
    x, y, width, height = box
    direction = side / (np.linalg.norm(side) + 1e-6)
    distance = 0.4 + 2 * float(np.linalg.norm(side))
    beside: NDArray[np.float64] = np.array([x + width / 2, y + height / 2]) + direction * distance * np.array(
        [width, height]
    )
    return 0.8 * beside + 0.2 * goal


def _deformation(extent: float, calm: float, rng: np.random.Generator) -> NDArray[np.float32]:
    amount = calm * rng.uniform(0.0, 0.05) * extent
    return rng.normal(0, amount, (GRID, GRID, 2)).astype(np.float32)


def _affine(angle: float, scale: float, centre: NDArray[np.float64], goal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn by `angle` degrees and scale about `centre`, which comes to lie on `goal`."""
    turn = np.deg2rad(angle)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.column_stack((linear, goal - linear @ centre))
