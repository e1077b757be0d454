"""A picture of a batch with its predictions, for a person to see what is trained on."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vosctl.training.samples import Batch

TILE = 192
"""Pixels of a crop's side in the picture."""

ROWS = 8
"""Samples in the picture at most."""


def draw_preview(batch: Batch, probabilities: Tensor) -> NDArray[np.uint8]:
    """Draw a row a sample: reference with mask, first guidance mask, each target with truth and prediction.

    What was found wrongly is red, what was missed is green, what is right is yellow; the reference's mask is yellow.

    Args:
        batch: the batch.
        probabilities: (B, T, 1, S, S) in [0, 1].

    Returns:
        (H, W, 3) uint8 RGB.
    """
    rows = []
    for n in range(min(len(batch.images), ROWS)):
        reference = batch.reference_mask[n, 0].cpu().numpy() / 255.0
        guidance = batch.guidance[n, 0].cpu().numpy()
        tiles = [_tinted(batch.reference[n], reference, reference), np.dstack([guidance] * 3)]
        for t in range(batch.images.shape[1]):
            found = probabilities[n, t, 0].double().cpu().numpy()
            true = (batch.labels[n, t, 0].cpu().numpy() == 1).astype(np.float64)
            tiles.append(_tinted(batch.images[n, t], found, true))
        rows.append(np.hstack([cv2.resize(tile, (TILE, TILE), interpolation=cv2.INTER_AREA) for tile in tiles]))
    return np.vstack(rows)


def _tinted(image: Tensor, red: NDArray[np.float64], green: NDArray[np.float64]) -> NDArray[np.uint8]:
    tint = np.dstack([red, green, np.zeros_like(red)]) * 255
    share = 0.5 * np.maximum(red, green)[..., None]
    pixels = image.permute(1, 2, 0).cpu().numpy()
    return (pixels * (1 - share) + tint * share).astype(np.uint8)
