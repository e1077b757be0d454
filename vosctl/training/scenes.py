"""Scenes: short runs of annotated frames, cut from sequences or made from stills.

A scene's first frame is the reference, its second the frame before the first target, the others are the targets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.datasets import VOID
from vosctl.tracking.crop import FILL, mask_box
from vosctl.training.motion import Motion, random_motion, read_from, warp
from vosctl.training.sources import AnnotatedImage, AnnotatedSequence, Reader
from vosctl.types import Labels, RGBImage

OTHER = 2
"""Label of what passes by an object; only 1 is the object."""
LARGEST_CANVAS = 480
"""Longer side in pixels of the frames of a made scene."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Annotated frames of one object.

    Attributes:
        images: (H, W, 3) uint8 RGB each.
        labels: (H, W) uint8 each: 1 the object, `OTHER` what passes by it, 0 background, 255 void.
    """

    images: list[RGBImage]
    labels: list[Labels]


@dataclass(frozen=True, slots=True)
class Cutout:
    """An object cut out of its image, with a margin: (H, W, 3) uint8 RGB and its opacity, (H, W) uint8."""

    image: RGBImage
    alpha: NDArray[np.uint8]

    def mirrored(self) -> Cutout:
        """Return the scene mirrored from left to right."""
        return Cutout(np.ascontiguousarray(self.image[:, ::-1]), np.ascontiguousarray(self.alpha[:, ::-1]))


def one_object(labels: Labels, rng: np.random.Generator, ids: tuple[int, ...]) -> Labels:
    """Choose what to follow in an annotation: everything, one id, or one connected piece of an id.

    Returns:
        (H, W) uint8: 1 the object, 0 background, 255 void.
    """
    void = labels == VOID
    choice = rng.random()
    if choice < 0.25:
        mask = (labels != 0) & ~void
    else:
        mask = labels == ids[rng.integers(len(ids))]
        if choice > 0.6:
            mask = _one_piece(mask, rng)
    result: Labels = mask.astype(np.uint8)
    result[void] = VOID
    return result


def _one_piece(mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return a larger connected piece, when there are several of at least a fifth of the largest one's area."""
    count, pieces, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count == 1:  # too small to be left in a picture that was shrunk
        return mask
    areas = statistics[1:, cv2.CC_STAT_AREA]
    large = np.flatnonzero(areas >= areas.max() / 5) + 1
    piece: NDArray[np.bool_] = pieces == large[rng.integers(len(large))]
    return piece


def cut_out(image: RGBImage, label: Labels) -> Cutout | None:
    """Cut the object (label 1) out of its image; None when there is none."""
    box = mask_box(label == 1)
    if box is None:
        return None
    x, y, width, height = box
    area = slice(max(y - 2, 0), y + height + 2), slice(max(x - 2, 0), x + width + 2)
    alpha = (label[area] == 1).astype(np.uint8) * 255
    return Cutout(image[area], np.asarray(cv2.blur(alpha, (3, 3)), np.uint8))


def paste(image: RGBImage, cutout: Cutout, motion: Motion, blur: NDArray[np.float32] | None) -> tuple[RGBImage, Labels]:
    """Lay a cutout, moved and perhaps blurred, over an image.

    Returns:
        The image, and the cutout's opacity in it, (H, W) uint8.
    """
    map_x, map_y = read_from(motion, (image.shape[1], image.shape[0]))
    opacity = np.asarray(cv2.remap(cutout.alpha, map_x, map_y, cv2.INTER_LINEAR, borderValue=(0,)), np.uint8)
    x, y, width, height = cv2.boundingRect(opacity)
    reach = 0 if blur is None else len(blur)
    area = slice(max(y - reach, 0), y + height + reach), slice(max(x - reach, 0), x + width + reach)
    if width == 0:
        return image, opacity
    read = cv2.remap(cutout.image, map_x[area], map_y[area], cv2.INTER_LINEAR, borderValue=FILL)
    alpha = opacity[area].astype(np.float32) / 255
    colour = read.astype(np.float32) * alpha[..., None]
    if blur is not None:
        colour = np.asarray(cv2.filter2D(colour, -1, blur), np.float32)
        alpha = np.asarray(cv2.filter2D(alpha, -1, blur), np.float32)
    mixed = image.copy()
    mixed[area] = (image[area] * (1 - alpha[..., None]) + colour).round().clip(0, 255).astype(np.uint8)
    opacity[area] = (alpha * 255).astype(np.uint8)
    return mixed, opacity


def sequence_scene(
    sequence: AnnotatedSequence, reader: Reader, targets: int, max_skip: int, rng: np.random.Generator
) -> Scene | None:
    """Cut a scene out of a sequence: any frame as reference, then a run of frames forwards or backwards in time.

    Args:
        sequence: the sequence.
        reader: reads its frames.
        targets: number of target frames.
        max_skip: largest step from one frame of the run to the next.
        rng: what every choice is drawn from.

    Returns:
        None when the object drawn is not seen in the frames drawn.
    """
    chosen = sequence.ids[rng.integers(len(sequence.ids))]
    frames = sequence.frames if rng.random() < 0.5 else sequence.frames[::-1]
    steps = rng.integers(1, max_skip + 1, targets)
    start = int(rng.integers(0, max(len(frames) - int(steps.sum()), 1)))
    run = [start, *(min(start + int(offset), len(frames) - 1) for offset in np.cumsum(steps))]
    reference = start if rng.random() < 0.15 else int(rng.integers(len(frames)))
    if chosen not in frames[reference].ids or chosen not in frames[start].ids:
        return None
    pairs = [reader.read(frames[index]) for index in (reference, *run)]
    labels = []
    for _, ids in pairs:
        label = (ids == chosen).astype(np.uint8)
        label[ids == VOID] = VOID
        labels.append(label)
    return Scene([image for image, _ in pairs], labels)


def moved_scene(image: RGBImage, label: Labels, frames: int, rng: np.random.Generator) -> Scene:
    """Make a scene of one still, moved as a whole."""
    height, width = label.shape
    motions = random_motion(label == 1, (width, height), frames, rng, place=False)
    images = [warp(image, motion, (width, height), FILL) for motion in motions]
    return Scene(images, [_warped_label(label, motion) for motion in motions])


def _warped_label(label: Labels, motion: Motion) -> Labels:
    size = label.shape[1], label.shape[0]
    mask = warp((label == 1).astype(np.uint8) * 255, motion, size, (0,))
    result = (mask > 127).astype(np.uint8)
    void = label == VOID
    if void.any():
        result[warp(void.astype(np.uint8), motion, size, (0,), nearest=True) == 1] = VOID
    return result


def pasted_scene(cutout: Cutout, backgrounds: list[RGBImage], rng: np.random.Generator) -> Scene:
    """Make a scene of a cutout that moves in front of other pictures, one for each frame."""
    size = backgrounds[0].shape[1], backgrounds[0].shape[0]
    motions = random_motion(cutout.alpha > 127, size, len(backgrounds), rng, place=True)
    blur = motion_blur(motions, rng)
    images, labels = [], []
    for background, motion in zip(backgrounds, motions, strict=True):
        image, alpha = paste(background, cutout, motion, blur)
        images.append(image)
        labels.append((alpha > 127).astype(np.uint8))
    return Scene(images, labels)


def transplanted(scene: Scene, backgrounds: list[RGBImage]) -> Scene:
    """Put the object, as it moves, in front of other pictures: one for each frame, of any size."""
    images, labels = [], [(label == 1).astype(np.uint8) for label in scene.labels]
    for image, label, background in zip(scene.images, labels, backgrounds, strict=True):
        inside = cv2.erode(label, np.ones((3, 3), np.uint8))
        alpha = cv2.blur(inside.astype(np.float32), (3, 3))[..., None]
        behind = fitted(background, (label.shape[1], label.shape[0]))
        images.append((image * alpha + behind * (1 - alpha)).round().astype(np.uint8))
    return replace(scene, images=images, labels=labels)


def motion_blur(motions: list[Motion], rng: np.random.Generator) -> NDArray[np.float32] | None:
    """Choose a blur along the direction of a run of motions, in a quarter of the scenes."""
    if rng.random() > 0.25:
        return None
    start, end = motions[1].matrix[:, 2], motions[-1].matrix[:, 2]
    angle = float(np.arctan2(*(end - start)[::-1]))
    length = int(rng.integers(3, 12))
    return blur_kernel(length, angle)


def blur_kernel(length: int, angle: float) -> NDArray[np.float32]:
    """Return a line of `length` pixels at `angle` radians as a filter that sums to 1."""
    kernel = np.zeros((length, length), np.float32)
    centre = (length - 1) / 2
    reach = np.array([np.cos(angle), np.sin(angle)]) * centre
    ends = [tuple(round(v) for v in (centre + sign * reach)) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    result: NDArray[np.float32] = kernel / kernel.sum()
    return result


def fitted(image: RGBImage, size: tuple[int, int]) -> RGBImage:
    """Resize a picture to fill `size` (width, height), cutting off what is beyond."""
    width, height = size
    scale = max(width / image.shape[1], height / image.shape[0])
    whole = max(round(image.shape[1] * scale), width), max(round(image.shape[0] * scale), height)
    resized = cv2.resize(image, whole, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = (whole[0] - width) // 2, (whole[1] - height) // 2
    return np.asarray(resized[top : top + height, left : left + width], np.uint8)


def background_run(
    items: list[AnnotatedImage] | tuple[AnnotatedImage, ...], reader: Reader, count: int, rng: np.random.Generator
) -> list[RGBImage]:
    """Make the background of `count` frames: a still that drifts, or a run of a sequence's own frames.

    Args:
        items: one image, or the frames of a sequence in order.
        reader: reads them.
        count: number of frames.
        rng: what every choice is drawn from.
    """
    first = reader.read(items[0])[0]
    scale = LARGEST_CANVAS * rng.uniform(0.6, 1.0) / max(first.shape[:2])
    size = round(first.shape[1] * scale), round(first.shape[0] * scale)
    if len(items) == 1:
        picture = fitted(first, size)
        whole = np.ones((size[1], size[0]), bool)
        motions = random_motion(whole, size, count, rng, place=False, calm=0.3)
        return [warp(picture, motion, size, FILL, reflect=True) for motion in motions]
    start = int(rng.integers(max(len(items) - count, 1)))
    chosen = [int(rng.integers(len(items))), *(min(start + k, len(items) - 1) for k in range(count - 1))]
    return [fitted(reader.read(items[index])[0], size) for index in chosen]


def shrunk(image: RGBImage, labels: Labels) -> tuple[RGBImage, Labels]:
    """Bring a still and its annotation to at most `LARGEST_CANVAS` pixels on the longer side."""
    scale = LARGEST_CANVAS / max(labels.shape)
    if scale >= 1:
        return image, labels
    size = round(labels.shape[1] * scale), round(labels.shape[0] * scale)
    smaller = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(smaller, np.uint8), np.asarray(
        cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST), np.uint8
    )
