"""Resampling as products with matrices: any shift, zoom and halving in the same shapes, exact in float32.

A resampling that is linear along each axis is `rows @ image @ columns.T`. Such a product takes a crop of any side
without a loop or a shape that depends on it, so that a whole step can be recorded once and played again.
"""

from __future__ import annotations

import torch
from torch import Tensor

TINY = 1e-3  # what products may be off
NO_END = 1e8  # places beyond are never clamped


def taps(rows: Tensor, outputs: int, inputs: int) -> Tensor:
    """Return the matrices of rows of a table.

    Args:
        rows: (..., 6) float32: start, step, low, high, origin, block; see `vosctl.engine.crop_table`.
        outputs: how many pixels are sampled.
        inputs: how many pixels there are.

    Returns:
        (..., outputs, inputs) float32: the share of each pixel.
    """
    places, blocks, block = _places(rows, outputs, inputs)
    return (1 - (places - blocks).abs()).relu() / block


def _places(rows: Tensor, outputs: int, inputs: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return where is sampled, (..., outputs, 1), each pixel's block, (..., 1, inputs), and the blocks' size."""
    start, step, low, high, origin, block = rows[..., None, None].unbind(-3)
    places = torch.arange(outputs, device=rows.device, dtype=rows.dtype)[:, None]
    pixels = torch.arange(inputs, device=rows.device, dtype=rows.dtype)
    return (places * step + start).clamp(low, high), ((pixels - origin) / block).floor(), block


def linear_taps(start: Tensor, step: Tensor, outputs: int, inputs: int) -> Tensor:
    """Return `taps` of rows that halve nothing and move no places, (...) each, to (..., outputs, inputs)."""
    places = torch.arange(outputs, device=start.device, dtype=start.dtype)[:, None]
    pixels = torch.arange(inputs, device=start.device, dtype=start.dtype)
    return (1 - (places * step[..., None, None] + start[..., None, None] - pixels).abs()).relu()


def resized(image: Tensor, table: Tensor, rows: Tensor, columns: Tensor, outside: Tensor) -> Tensor:
    """Resample pictures of bytes to whole numbers, rounded as OpenCV does.

    Where it resizes it cuts both rows' shares to quarters before it adds them; where it warps it takes the nearest.

    Args:
        image: (C, H, W), less `outside`.
        table: (N, 6), the rows of the table that `rows` is made of; one without an end is a warp's.
        rows: (N, h, H).
        columns: (N, w, W).
        outside: (C,), what is outside the picture.

    Returns:
        (N, C, h, w).
    """
    wide = image @ columns[:, None].transpose(-1, -2)  # (N, C, H, w)
    places, blocks, _ = _places(table, *rows.shape[-2:])
    share = (places - places.floor())[:, None]  # (N, 1, h, 1)
    below = torch.where(blocks <= places, rows, 0)
    fill = outside[:, None, None]
    low = below[:, None] @ wide + fill * (1 - share)
    high = (rows - below)[:, None] @ wide + fill * share
    quarters = (4 * low + TINY).floor() + (4 * high + TINY).floor()
    resizes = (table[:, 3] < NO_END)[:, None, None, None]
    return torch.where(resizes, ((quarters + 2) / 4).floor(), (low + high + 0.5).floor())


def sampled(image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Resample (..., H, W) with matrices (..., h, H) and (..., w, W), to (..., h, w)."""
    return rows @ image @ columns.transpose(-1, -2)
