"""What a person sees of a run: the terminal, the CSV files, the preview, TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from vosctl.training.run_folder import Position, RunFolder
from vosctl.training.samples import Batch

PREVIEW_TILE = 192
PREVIEW_ROWS = 8


class Reporter:
    """Collects each step's values and logs their means.

    Args:
        folder: where the CSV files and the preview go.
        every: steps between two lines of the log.
    """

    def __init__(self, folder: RunFolder, every: int) -> None:
        self._folder, self._every = folder, every
        self._recent: list[dict[str, float]] = []

    def step(self, position: Position, progress: float, values: dict[str, float]) -> None:
        """Take the values of a step."""
        self._recent.append(values)
        if position.step % self._every:
            return
        means = {key: float(np.mean([v[key] for v in self._recent])) for key in values}
        self._recent.clear()
        line = {"step": position.step, "seconds": round(position.seconds), "resumed": position.resumed, **means}
        self._folder.log("log", line)
        print(" ".join(f"{k} {v:.4g}" for k, v in line.items()), flush=True)

    def saved(self, position: Position) -> None:
        """Take note of a checkpoint."""

    def validated(self, position: Position, mean: float, similarity: dict[str, float], better: bool) -> None:
        """Take the result of a validation."""
        line = {"step": position.step, "seconds": round(position.seconds), "mean_j": mean, **similarity}
        self._folder.log("validation", line)
        print("validation", " ".join(f"{k} {v:.4g}" for k, v in line.items()), "best" if better else "", flush=True)

    def preview(self, batch: Batch, probabilities: Tensor) -> None:
        """Write preview.png."""
        path = self._folder.path / "preview.png"
        partial = path.with_name("preview.partial.png")
        Image.fromarray(preview(batch, probabilities)).save(partial)
        partial.replace(path)


def preview(batch: Batch, probabilities: Tensor) -> NDArray[np.uint8]:
    """One row a sample: the reference with its mask in red, the first guidance mask, then each target with the true
    outline's mask in green and the prediction in red (both: yellow)."""
    import cv2

    rows = []
    for n in range(min(len(batch.images), PREVIEW_ROWS)):
        reference = batch.reference_mask[n, 0].cpu().numpy() / 255
        guidance = batch.guidance[n, 0].cpu().numpy()
        tiles = [_tinted(batch.reference[n], reference, np.zeros_like(reference)), np.dstack([guidance] * 3)]
        for t in range(batch.images.shape[1]):
            found = probabilities[n, t, 0].float().cpu().numpy()
            true = (batch.labels[n, t, 0].cpu().numpy() == 1).astype(np.float64)
            tiles.append(_tinted(batch.images[n, t], found, true))
        rows.append(np.hstack([cv2.resize(tile, (PREVIEW_TILE, PREVIEW_TILE)) for tile in tiles]))
    return np.vstack(rows)


def _tinted(image: Tensor, red: NDArray[Any], green: NDArray[Any]) -> NDArray[np.uint8]:
    tint = np.dstack([red, green, np.zeros_like(red)]) * 255
    share = 0.5 * np.maximum(red, green)[..., None]
    pixels = image.permute(1, 2, 0).cpu().numpy()
    return (pixels * (1 - share) + tint * share).astype(np.uint8)
