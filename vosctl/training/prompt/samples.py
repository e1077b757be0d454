"""Samples for the prompt network: a region of a picture, one object in it, and what is first said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from vosctl.datasets import VOID
from vosctl.prompts.maps import draw_box
from vosctl.training.appearance import degraded, flawed_guidance, recoloured
from vosctl.training.sources import AnnotatedImage, Reader

Image = NDArray[np.uint8]
Labels = NDArray[np.uint8]
Start = Literal["box", "click", "mask"]

KINDS: tuple[tuple[Start, float], ...] = (("box", 0.45), ("click", 0.45), ("mask", 0.1))
"""What is said first, and how often."""
WHOLE_SHARE = 0.5
"""Of the samples that begin with a click: the region is the whole picture, not the neighbourhood of the object."""
BOX_JITTER = (-0.06, 0.15)
"""How far each edge of a box lies outside the true one, over the box's side."""
CONTEXT = (1.15, 1.8)
"""Side of a region over the box's longer side, where the region comes from a box."""
LEAST_VISIBLE = 48
"""Pixels of the object that a region must show, of a region of 256 x 256."""
PASTE_SHARE = 0.15
"""Of the samples: another object is pasted beside or over the object."""
GREY = (124, 116, 104)
"""What lies outside the picture: the mean colour, 0 to the network."""


class PromptBatch(NamedTuple):
    """What a step takes.

    Attributes:
        images: (N, 3, S, S) uint8 RGB.
        labels: (N, 1, S, S) uint8: 1 the object, 0 background, 255 void.
        prompts: (N, 5, S, S) float, what is said first; its click maps are empty.
        clicks: (N,) bool, whether a first click is wanted: always on the object.
    """

    images: Tensor
    labels: Tensor
    prompts: Tensor
    clicks: Tensor


@dataclass(frozen=True, slots=True)
class Pool:
    """Annotated images of one kind.

    Attributes:
        items: the images.
        weight: how often one of them is drawn, over the sum of all pools' weights.
        grouped: whether a mask without ids may show several objects, each a piece of it.
    """

    items: tuple[AnnotatedImage, ...]
    weight: float
    grouped: bool


class PromptSamples(Dataset[tuple[Image, Labels, NDArray[np.float32], bool]]):
    """Samples by number: the same number gives the same sample.

    Args:
        pools: where the images come from.
        seed: of all randomness, with the sample's number.
    """

    def __init__(self, pools: tuple[Pool, ...], seed: int) -> None:
        self._pools, self._seed = pools, seed
        weights = np.array([pool.weight for pool in pools])
        self._shares = weights / weights.sum()
        self._reader = Reader(64 << 20)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Image, Labels, NDArray[np.float32], bool]:
        """Return the sample of a number in a region of a side: key = (number, side)."""
        number, side = key
        rng = np.random.default_rng((self._seed, number))
        while True:
            image, labels = self._drawn(rng)
            if rng.random() < PASTE_SHARE:
                image, labels = pasted(image, labels, *self._drawn(rng), rng)
            if (sample := make_sample(image, labels, side, rng)) is not None:
                return sample

    def _drawn(self, rng: np.random.Generator) -> tuple[Image, Labels]:
        """Return a picture, and the labels of one object in it."""
        pool = self._pools[rng.choice(len(self._pools), p=self._shares)]
        item = pool.items[rng.integers(len(pool.items))]
        image, labels = self._reader.read(item)
        return image, chosen_object(labels, item.ids, pool.grouped, rng)


def chosen_object(labels: Labels, ids: tuple[int, ...], grouped: bool, rng: np.random.Generator) -> Labels:
    """Return one instance; of a group without ids, half of the time one large piece and else all.

    Returns:
        (H, W) uint8: 1 the object, 0 background, 255 void.
    """
    wanted = labels == ids[rng.integers(len(ids))]
    if grouped and rng.random() < 0.5:
        wanted = _one_piece(wanted, rng)
    chosen: Labels = wanted.astype(np.uint8)
    chosen[labels == VOID] = VOID
    return chosen


def _one_piece(mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return one of the connected pieces that have at least a fifth of the largest one's area."""
    _, pieces, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = facts[1:, cv2.CC_STAT_AREA]
    large = np.flatnonzero(areas >= areas.max() / 5) + 1
    if large.size == 1:
        return mask
    piece: NDArray[np.bool_] = pieces == large[rng.integers(large.size)]
    return piece


def pasted(
    image: Image, labels: Labels, other: Image, other_labels: Labels, rng: np.random.Generator
) -> tuple[Image, Labels]:
    """Paste the object of another picture over this one; it is background, or the object from now on.

    Returns:
        The new picture and labels; the old ones where hardly anything of the object would be seen.
    """
    height, width = labels.shape
    extent = max(cv2.boundingRect((labels == 1).astype(np.uint8))[2:])
    cut = cv2.boundingRect((other_labels == 1).astype(np.uint8))
    if extent < 8 or max(cut[2:]) < 8:
        return image, labels
    scale = extent / max(cut[2:]) * float(np.exp(rng.normal(0, 0.4)))
    angle = float(rng.normal(0, 15))
    matrix: NDArray[np.float64] = np.array(
        cv2.getRotationMatrix2D((cut[0] + cut[2] / 2, cut[1] + cut[3] / 2), angle, scale)
    )
    box = cv2.boundingRect((labels == 1).astype(np.uint8))
    centre = np.array((box[0] + box[2] / 2, box[1] + box[3] / 2)) + rng.normal(0, 0.5, 2) * extent
    matrix[:, 2] += centre - (cut[0] + cut[2] / 2, cut[1] + cut[3] / 2)
    moved = cv2.warpAffine(other, matrix, (width, height))
    opacity = cv2.warpAffine((other_labels == 1).astype(np.float32), matrix, (width, height))
    opacity = cv2.GaussianBlur(opacity, (0, 0), float(rng.uniform(0.5, 1.2)))
    over = opacity > 0.5
    mixed = (image + opacity[..., None] * (moved.astype(np.float32) - image)).astype(np.uint8)
    changed = labels.copy()
    if rng.random() < 0.5:
        changed[changed == 1] = 0
        changed[over] = 1
    else:
        changed[over] = 0
    if np.count_nonzero(changed == 1) < 0.3 * min(np.count_nonzero(labels == 1), np.count_nonzero(over)):
        return image, labels
    return mixed, changed


def make_sample(
    image: Image, labels: Labels, side: int, rng: np.random.Generator
) -> tuple[Image, Labels, NDArray[np.float32], bool] | None:
    """Cut a region, choose what is said first, and change the picture's look. None where the object is hardly seen."""
    start: Start = rng.choice([kind for kind, _ in KINDS], p=[share for _, share in KINDS])
    whole = start == "click" and rng.random() < WHOLE_SHARE
    matrix = region_matrix(labels, side, whole, start == "click", rng)
    if matrix is None:
        return None
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    region, region_labels = warp_region(image, labels, matrix, side, scale)
    if np.count_nonzero(region_labels == 1) < LEAST_VISIBLE * (side / 256) ** 2:
        return None
    prompts = np.zeros((5, side, side), np.float32)
    height, width = labels.shape
    prompts[4] = cv2.warpAffine(np.ones((height, width), np.float32), matrix, (side, side), flags=cv2.INTER_NEAREST)
    if start == "box" or (start == "click" and not whole and rng.random() < 0.15):
        draw_box(prompts[2], jittered_box(region_labels == 1, rng))
    if start == "mask":
        flawed = flawed_guidance((region_labels == 1).astype(np.uint8) * np.uint8(255), float(rng.uniform(0.3, 1)), rng)
        prompts[3] = flawed.astype(np.float32) / 255
    region = degraded(recoloured([region], rng), rng)[0] if rng.random() < 0.7 else region
    return region, region_labels, prompts, start == "click" or rng.random() < 0.1


def region_matrix(
    labels: Labels, side: int, whole: bool, wide: bool, rng: np.random.Generator
) -> NDArray[np.float64] | None:
    """Return the affine map, (2, 3), from the picture to a region: mirrored, turned and stretched a little.

    Args:
        labels: (H, W), 1 the object.
        side: of the region, in its pixels.
        whole: take the whole picture.
        wide: take more than a box's context now and then.
        rng: of all choices.
    """
    height, width = labels.shape
    x, y, box_width, box_height = cv2.boundingRect((labels == 1).astype(np.uint8))
    if box_width == 0:
        return None
    if whole:
        extent = max(width, height) * float(rng.uniform(0.8, 1.05))
        centre = np.array((width / 2, height / 2)) + rng.uniform(-0.08, 0.08, 2) * extent
    else:
        factor = float(rng.uniform(*CONTEXT)) if not wide else float(np.exp(rng.uniform(np.log(1.1), np.log(4))))
        extent = min(max(box_width, box_height, 12) * factor, 1.05 * max(width, height))
        play = max(0.08, (factor - 1.2) / 2)
        centre = np.array((x + box_width / 2, y + box_height / 2)) + rng.uniform(-1, 1, 2) * play * extent / factor
        if rng.random() < 0.7:
            centre = shifted_inside(centre, extent, width, height)
    scale = side / extent
    stretch = float(np.exp(rng.normal(0, 0.08)))
    angle = np.deg2rad(rng.normal(0, 8)) if rng.random() < 0.4 else 0.0
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    turn = np.array(((np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))))
    linear = turn @ np.diag((mirror * scale * stretch, scale / stretch))
    return np.column_stack((linear, side / 2 - linear @ centre))


def shifted_inside(centre: NDArray[np.float64], extent: float, width: float, height: float) -> NDArray[np.float64]:
    """Return the centre (x, y) of a square, moved so that it shows as little as it can from outside the picture."""
    size = np.array((width, height), np.float64)
    half = extent / 2
    return np.where(size <= extent, size / 2, np.clip(centre, half, np.maximum(size - half, half)))


def warp_region(
    image: Image, labels: Labels, matrix: NDArray[np.float64], side: int, scale: float
) -> tuple[Image, Labels]:
    """Picture and labels in the region; a picture that shrinks much is averaged first."""
    shrink = 1.0
    if scale < 0.67:
        shrink = scale * 1.2
        size = max(1, round(image.shape[1] * shrink)), max(1, round(image.shape[0] * shrink))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    from_small = matrix.copy()
    from_small[:, :2] /= shrink
    region = cv2.warpAffine(image, from_small, (side, side), borderMode=cv2.BORDER_CONSTANT, borderValue=GREY)
    region_labels = cv2.warpAffine(labels, matrix, (side, side), flags=cv2.INTER_NEAREST)
    return np.asarray(region, np.uint8), np.asarray(region_labels, np.uint8)


def jittered_box(mask: NDArray[np.bool_], rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Return the object's box, each edge moved; nearer or farther alike for all edges half of the time."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    if rng.random() < 0.5:
        left = top = right = bottom = float(rng.uniform(*BOX_JITTER)) / 2
    else:
        left, top, right, bottom = rng.uniform(*BOX_JITTER, 4)
    return x - left * width, y - top * height, width * (1 + left + right), height * (1 + top + bottom)


def collate_prompts(samples: list[tuple[Image, Labels, NDArray[np.float32], bool]]) -> PromptBatch:
    """Put samples of one side into a batch."""
    images, labels, prompts, clicks = zip(*samples, strict=True)
    return PromptBatch(
        torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2),
        torch.from_numpy(np.stack(labels))[:, None],
        torch.from_numpy(np.stack(prompts)),
        torch.tensor(clicks),
    )
