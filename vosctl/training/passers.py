"""What passes by an object in a scene, before or behind it: other things, bars, and pictures that slide in over it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from vosctl.tracking.crop import mask_box
from vosctl.training.motion import GRID, Motion, random_motion
from vosctl.training.scenes import OTHER, Cutout, Scene, fitted, motion_blur, paste
from vosctl.types import RGBImage


def with_passer(scene: Scene, cutout: Cutout, in_front: bool, rng: np.random.Generator) -> Scene:
    """Add something that moves near the object, in front of it (hiding it) or behind it."""
    height, width = scene.labels[0].shape
    motions = random_motion(cutout.alpha > 127, (width, height), len(scene.images), rng, place=True, near=scene.labels)
    blur = motion_blur(motions, rng)
    images, labels = [], []
    for image, label, motion in zip(scene.images, scene.labels, motions, strict=True):
        mixed, alpha = paste(image, cutout, motion, blur)
        if in_front:
            label = np.where(alpha > 127, np.uint8(OTHER), label)
        else:
            keep = cv2.blur((label != 0).astype(np.float32), (3, 3))[..., None]
            mixed = (image * keep + mixed * (1 - keep)).round().astype(np.uint8)
            label = np.where((alpha > 127) & (label == 0), np.uint8(OTHER), label)
        images.append(mixed)
        labels.append(label)
    # the reference has to show the object: a passer that hides most of it there is left out of that frame
    if (labels[0] == 1).sum() < 0.5 * (scene.labels[0] == 1).sum():
        images[0], labels[0] = scene.images[0], scene.labels[0]
    return replace(scene, images=images, labels=labels)


def with_screen(scene: Scene, picture: RGBImage, rng: np.random.Generator) -> Scene:
    """Slide a whole picture in over the object, from one side, until it hides part or all of it in the last frame.

    Args:
        scene: its first two frames, the reference and the frame before the first target, stay as they are.
        picture: what the screen shows, (H, W, 3) uint8 RGB.
        rng: what every choice is drawn from.
    """
    box = mask_box(scene.labels[1] == 1)
    if box is None:
        return scene
    side = round(max(box[2:]) * float(rng.uniform(1.1, 2.5)))
    screen = Cutout(fitted(picture, (side, side)), np.full((side, side), 255, np.uint8))
    turn, sideways = rng.uniform(0, 2 * np.pi), rng.uniform(-0.2, 0.2) * side
    way = np.array([np.cos(turn), np.sin(turn)])
    covered = float(rng.uniform(0.3, 1.2))
    images, labels = list(scene.images[:2]), list(scene.labels[:2])
    still = np.zeros((GRID, GRID, 2), np.float32)
    for k, (image, label) in enumerate(zip(scene.images[2:], scene.labels[2:], strict=True), 1):
        x, y, width, height = mask_box(label == 1) or box
        extent = float(max(width, height))
        part = covered * k / (len(scene.images) - 2)
        centre = np.array([x + width / 2, y + height / 2]) + way * ((side + extent) / 2 - part * extent)
        corner = centre + way[::-1] * (-1, 1) * sideways - side / 2
        mixed, alpha = paste(image, screen, Motion(np.column_stack((np.eye(2), corner)), still), None)
        images.append(mixed)
        labels.append(np.where(alpha > 127, np.uint8(OTHER), label))
    return replace(scene, images=images, labels=labels)


def bars(texture: RGBImage, rng: np.random.Generator) -> Cutout:
    """Cut an occluder of one thick bar or a fence of thin ones out of a picture."""
    height, width = texture.shape[:2]
    alpha = np.zeros((height, width), np.uint8)
    if rng.random() < 0.5:
        thick, gap = int(rng.integers(2, 7)), int(rng.integers(14, 40))
    else:
        thick, gap = int(width * rng.uniform(0.06, 0.2)), width
    for x in range(int(rng.integers(gap)) if gap < width else width // 2, width, gap):
        alpha[:, x : x + thick] = 255
    return Cutout(texture, alpha)
