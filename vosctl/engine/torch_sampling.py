"""Resampling as products with matrices: any shift, zoom and halving in the same shapes, exact in float32.

A resampling that is linear along each axis is `rows @ image @ columns.T`. Such a product takes a crop of any side
without a loop or a shape that depends on it, so that a whole step can be recorded once and played again.
"""

from __future__ import annotations

import torch
from torch import Tensor


def taps(rows: Tensor, outputs: int, inputs: int) -> Tensor:
    """Return the matrices of rows of a table.

    Args:
        rows: (..., 6) float32: start, step, low, high, origin, block; see `vosctl.engine.crop_table`.
        outputs: how many pixels are sampled.
        inputs: how many pixels there are.

    Returns:
        (..., outputs, inputs) float32: the share of each pixel.
    """
    start, step, low, high, origin, block = rows[..., None, None].unbind(-3)
    places = torch.arange(outputs, device=rows.device, dtype=rows.dtype)[:, None]
    pixels = torch.arange(inputs, device=rows.device, dtype=rows.dtype)
    places = (places * step + start).clamp(low, high)
    return (1 - (places - ((pixels - origin) / block).floor()).abs()).relu() / block


def linear_taps(start: Tensor, step: Tensor, outputs: int, inputs: int) -> Tensor:
    """Return `taps` of rows that halve nothing and move no places, (...) each, to (..., outputs, inputs)."""
    places = torch.arange(outputs, device=start.device, dtype=start.dtype)[:, None]
    pixels = torch.arange(inputs, device=start.device, dtype=start.dtype)
    return (1 - (places * step[..., None, None] + start[..., None, None] - pixels).abs()).relu()


def sampled(image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Resample (..., H, W) with matrices (..., h, H) and (..., w, W), to (..., h, w)."""
    return rows @ image @ columns.transpose(-1, -2)
