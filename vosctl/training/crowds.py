"""Scenes of several objects that move on their own, pass in front of each other, and are seen by a moving camera.

A picture of several instances gives its own look-alikes: each is cut out, and one of them is followed among the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.tracking.crop import FILL
from vosctl.training.motion import Motion, random_motion, warp
from vosctl.training.scenes import OTHER, Cutout, Scene, blur_kernel, paste
from vosctl.types import Labels, RGBImage

NEAR = 0.75
"""Share of the others whose paths lead past the object."""
LEAST_SEEN = 0.5
"""Share of the object that the others leave to be seen in the reference."""
LONGEST_BLUR = 15
"""Pixels."""


def crowd_scene(
    cutouts: Sequence[Cutout], background: RGBImage, frames: int, rng: np.random.Generator, reach: float = 1.0
) -> Scene:
    """Make a scene of several cutouts, of which the first one is followed.

    Args:
        cutouts: the object, and the others; which of them are in front is drawn.
        background: picture behind them, of the size that the frames are to have.
        frames: number of frames.
        rng: what every choice is drawn from.
        reach: factor on the camera's motion.
    """
    height, width = background.shape[:2]
    size = (width, height)
    camera = camera_path(size, frames, rng, reach)
    own = random_motion(cutouts[0].alpha > 127, size, frames, rng, place=True)
    where = [(warp(cutouts[0].alpha, motion, size, (0,)) > 127).astype(np.uint8) for motion in own]
    paths = [own]
    for other in cutouts[1:]:
        near = where if rng.random() < NEAR else None
        paths.append(random_motion(other.alpha > 127, size, frames, rng, place=True, near=near))
    seen = [[_through(view, motion) for view, motion in zip(camera, path, strict=True)] for path in paths]
    order = [int(index) for index in rng.permutation(len(cutouts))]
    shutter = float(rng.uniform(0.2, 0.8)) if rng.random() < 0.5 else 0.0
    behind = _backgrounds(background, camera, shutter)
    drawn = [
        _frame(behind[k], cutouts, [path[k] for path in seen], order, _blurs(seen, k, shutter)) for k in range(frames)
    ]
    alone = (warp(cutouts[0].alpha, seen[0][0], size, (0,)) > 127).sum()
    if (drawn[0][1] == 1).sum() < LEAST_SEEN * alone:  # the reference has to show the object
        front_last = [*(index for index in order if index != 0), 0]
        drawn[0] = _frame(behind[0], cutouts, [path[0] for path in seen], front_last, [None] * len(cutouts))
    return Scene(lit([image for image, _ in drawn], rng), [label for _, label in drawn])


def camera_path(
    size: tuple[int, int], frames: int, rng: np.random.Generator, reach: float = 1.0
) -> list[NDArray[np.float64]]:
    """Draw what a camera does: a pan, a zoom, a roll and some shake; the first frame was taken at another time.

    Returns:
        (2, 3) matrices, from the scene's pixels to the frame's.
    """
    middle = np.array(size) / 2
    pan = rng.normal(0, 0.035, 2) * reach * size * rng.choice([0.2, 1.0])
    zoom, roll = rng.normal(0, [0.02, 0.8]) * reach
    shake = reach * rng.uniform(0, 1)
    path = []
    for k in range(frames):
        along = float(rng.normal(0, frames / 3)) if k == 0 else (k - 1) - (frames - 2) / 2
        noise = rng.normal(0, 1, 4) * shake * np.array([0.004, 0.004, 0.005, 0.3])
        turn = np.deg2rad(along * roll + noise[3])
        scale = float(np.exp(along * zoom + noise[2]))
        linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        moved = middle + along * pan + noise[:2] * size
        path.append(np.column_stack((linear, moved - linear @ middle)))
    return path


def _through(view: NDArray[np.float64], motion: Motion) -> Motion:
    """Return a motion as the camera sees it."""
    linear = view[:, :2] @ motion.matrix[:, :2]
    shift = view[:, :2] @ motion.matrix[:, 2] + view[:, 2]
    return Motion(np.column_stack((linear, shift)), motion.displacement)


def _backgrounds(picture: RGBImage, camera: list[NDArray[np.float64]], shutter: float) -> list[RGBImage]:
    size = picture.shape[1], picture.shape[0]
    still = np.zeros((2, 2, 2), np.float32)
    images = [warp(picture, Motion(view, still), size, FILL, reflect=True) for view in camera]
    middle = np.array(size) / 2
    for k in range(2, len(images)):
        kernel = _blur_between(camera[k - 1], camera[k], middle, shutter)
        if kernel is not None:
            images[k] = np.asarray(cv2.filter2D(images[k], -1, kernel, borderType=cv2.BORDER_REFLECT_101), np.uint8)
    return images


def _blurs(seen: list[list[Motion]], k: int, shutter: float) -> list[NDArray[np.float32] | None]:
    """Return the blur of each object in frame `k`, by how it has moved since the frame before."""
    if k < 2:
        return [None] * len(seen)
    return [_blur_between(path[k - 1].matrix, path[k].matrix, np.zeros(2), shutter) for path in seen]


def _blur_between(
    before: NDArray[np.float64], now: NDArray[np.float64], point: NDArray[np.float64], shutter: float
) -> NDArray[np.float32] | None:
    """Return the blur of a picture that moved, by where its point lies; None where it can hardly be seen."""
    move = shutter * ((now - before) @ np.append(point, 1.0))
    length = min(round(float(np.linalg.norm(move))), LONGEST_BLUR)
    return blur_kernel(length, float(np.arctan2(move[1], move[0]))) if length >= 3 else None


def _frame(
    behind: RGBImage,
    cutouts: Sequence[Cutout],
    motions: list[Motion],
    order: list[int],
    blurs: list[NDArray[np.float32] | None],
) -> tuple[RGBImage, Labels]:
    """Draw the cutouts in an order, the last one in front; return the picture and what is the first, what others."""
    image, label = behind, np.zeros(behind.shape[:2], np.uint8)
    for index in order:
        image, alpha = paste(image, cutouts[index], motions[index], blurs[index])
        label[alpha > 127] = 1 if index == 0 else OTHER
    return image, label


def lit(images: list[RGBImage], rng: np.random.Generator) -> list[RGBImage]:
    """Let the light change through a run of frames in a part of the scenes: as a whole, and by a passing shadow."""
    if rng.random() < 0.5:
        return images
    height, width = images[0].shape[:2]
    first, change = rng.normal(0, 0.1), rng.normal(0, 0.12)
    depth = float(rng.uniform(0.2, 0.55)) if rng.random() < 0.5 else 0.0
    angle, start, speed = rng.uniform(0, 2 * np.pi), rng.uniform(-0.7, 0.7), rng.normal(0, 0.12)
    softness = rng.uniform(0.03, 0.3)
    y, x = np.mgrid[0:24, 0:32].astype(np.float32)
    across = (x / 31 - 0.5) * np.cos(angle) + (y / 23 - 0.5) * np.sin(angle)
    result = []
    for k, image in enumerate(images):
        gain = np.exp(first + change * k / len(images))
        edge = np.clip((across - start - speed * k) / softness + 0.5, 0, 1)
        field = cv2.resize((gain * (1 - depth * edge)).astype(np.float32), (width, height))
        result.append((image * field[..., None]).clip(0, 255).astype(np.uint8))
    return result
