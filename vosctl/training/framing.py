"""From a scene to a sample: each frame seen through the crop in which tracking would see it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vosctl.tracking.crop import Crop, mask_box
from vosctl.tracking.framing import REFERENCE_CONTEXT, Framing, crop_of_box
from vosctl.training.appearance import degraded, flawed_guidance, recoloured, with_leak
from vosctl.training.scenes import OTHER, Scene

LEAST_SHARE = 0.01
"""The object covers at least this share of its reference crop and of the first target's guidance mask."""

LEAKED = 0.6
"""Share of the samples whose guidance mask takes in what passes by, if anything does."""


def frame_scene(scene: Scene, size: int, rng: np.random.Generator) -> tuple[Tensor, ...] | None:
    """Cut each frame's crop as tracking would, following the true masks, and alter what is seen in them.

    Args:
        scene: the reference, the frame before the first target, and T targets.
        size: pixels of the crops' side.
        rng: what every choice is drawn from.

    Returns:
        The tensors of a `Batch` without their first dimension; None when the object is too small or not seen.
    """
    masks = [label == 1 for label in scene.labels]
    reference_box, previous_box = mask_box(masks[0]), mask_box(masks[1])
    if reference_box is None or previous_box is None:
        return None
    reference_crop = _shaken(crop_of_box(reference_box, REFERENCE_CONTEXT, size), 0.3, rng)
    crops = _target_crops(masks[1:-1], Framing.of_box(previous_box, size), rng)
    images = [reference_crop.cut(scene.images[0])]
    images += [crop.cut(image) for crop, image in zip(crops, scene.images[2:], strict=True)]
    reference_mask = _crop_mask(reference_crop, masks[0])
    previous_mask = _crop_mask(crops[0], masks[1])
    if min((reference_mask > 127).mean(), (previous_mask > 127).mean()) < LEAST_SHARE:
        return None
    labels = [
        _crop_labels(crop, np.where(label == OTHER, np.uint8(0), label))
        for crop, label in zip(crops, scene.labels[2:], strict=True)
    ]
    images = degraded(recoloured(images, rng), rng)
    strength = 1.0 if len(crops) == 1 else float(rng.choice([0.2, 0.7]))
    guidance = flawed_guidance(previous_mask, strength, rng)
    flip = rng.random() < 0.5
    if rng.random() < LEAKED:
        guidance = with_leak(guidance, _crop_mask(crops[0], scene.labels[1] == OTHER), rng)
    transforms = [_to_previous(crop, before) for crop, before in zip(crops, [crops[0], *crops], strict=False)]
    return _flipped_tensors(images, reference_mask, guidance, labels, transforms, flip)


def _target_crops(previous: list[NDArray[np.bool_]], framing: Framing, rng: np.random.Generator) -> list[Crop]:
    """Return one crop a target, from the mask of the frame before it and the framing of the first one."""
    framing = replace(framing, crop=_shaken(framing.crop, 0.5, rng))
    crops = [framing.crop]
    for mask in previous[1:]:
        box = mask_box(mask)
        framing = framing.unseen(*mask.shape) if box is None else framing.seen(box)
        framing = replace(framing, crop=_shaken(framing.crop, 0.2, rng))
        crops.append(framing.crop)
    return crops


def _shaken(crop: Crop, amount: float, rng: np.random.Generator) -> Crop:
    """Displace and resize a crop by a few percent, as errors in the previous mask do."""
    x, y = np.array(crop.center) + rng.normal(0, 0.05 * amount, 2) * crop.side
    return Crop.around(float(x), float(y), crop.side * float(np.exp(rng.normal(0, 0.3 * amount))), crop.size)


def _crop_mask(crop: Crop, mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the mask in the crop, (S, S) uint8, 0..255."""
    return (crop.cut_mask(mask.astype(np.float32)) * 255).round().astype(np.uint8)


def _crop_labels(crop: Crop, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Labels in the crop, by the nearest pixel; beyond the frame is background."""
    step = crop.side / crop.size
    centre = 0.5 * step - 0.5
    matrix = np.array([[step, 0, crop.x + centre], [0, step, crop.y + centre]])
    size = (crop.size, crop.size)
    cropped = cv2.warpAffine(labels, matrix, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    return np.asarray(cropped, np.uint8)


def _to_previous(crop: Crop, previous: Crop) -> NDArray[np.float32]:
    """Return the (2, 3) matrix from a crop's coordinates in [-1, 1] to the previous one's, as affine_grid wants it."""
    scale = crop.side / previous.side
    (x, y), (old_x, old_y) = crop.center, previous.center
    return np.array(
        [[scale, 0, 2 * (x - old_x) / previous.side], [0, scale, 2 * (y - old_y) / previous.side]], np.float32
    )


def _flipped_tensors(
    images: list[NDArray[np.uint8]],
    reference_mask: NDArray[np.uint8],
    guidance: NDArray[np.uint8],
    labels: list[NDArray[np.uint8]],
    transforms: list[NDArray[np.float32]],
    flip: bool,
) -> tuple[Tensor, ...]:
    """All of a sample as tensors, mirrored from left to right or not."""
    stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    tensors = [
        stacked[0],
        torch.from_numpy(reference_mask)[None],
        torch.from_numpy(guidance)[None],
        stacked[1:],
        torch.from_numpy(np.stack(labels))[:, None],
    ]
    to_previous = torch.from_numpy(np.stack(transforms))
    if flip:
        tensors = [tensor.flip(-1) for tensor in tensors]
        to_previous[:, 0, 2] *= -1
    return (*(tensor.contiguous() for tensor in tensors), to_previous)
