"""A larger network that starts as a smaller one: it computes what the smaller one did, then learns to do better.

As in Net2Net (Chen, Goodfellow, Shlens, ICLR 2016): blocks that are added begin as identities, and channels that are
added are read by nobody at first.
"""

from __future__ import annotations

import re

import torch
from torch import Tensor

from vosctl.network.lite import Lite
from vosctl.network.lite_plus import LitePlus
from vosctl.network.table import OUTLINE, part_of

_BLOCK = re.compile(r"encoder\.blocks\.(\d+)\.")


@torch.no_grad()
def grow(small: Lite) -> LitePlus:
    """Return a lite-plus network that gives the same masks as `small` without its head for outlines, within rounding.

    What is new is drawn from torch's random state.
    """
    large = LitePlus()
    grown = large.state_dict()
    # added blocks add nothing to what passes by them
    for key, tensor in grown.items():
        if key.endswith("project_bn.weight"):
            tensor.zero_()
    for tensor in large.finest.head.parameters():
        tensor.zero_()
    blocks = _block_numbers(small, large)
    for key, tensor in small.state_dict().items():
        if part_of(key) == OUTLINE:  # a refinement at 1/2 takes its place
            continue
        key = _BLOCK.sub(lambda match: f"encoder.blocks.{blocks[int(match[1])]}.", key)
        _put_into(grown[key], tensor)
    return large


def _put_into(large: Tensor, small: Tensor) -> None:
    """Copy a smaller tensor into the first channels of a larger one; what it computes reads no added input."""
    if small.ndim > 1:
        large[: small.shape[0]] = 0
    large[tuple(slice(length) for length in small.shape)] = small


def _block_numbers(small: Lite, large: Lite) -> dict[int, int]:
    """Return where each block of the smaller trunk goes: stages begin with the blocks that they had."""
    numbers: dict[int, int] = {}
    for had, has in zip(small.encoder.stages, large.encoder.stages, strict=True):
        numbers |= zip(had, has, strict=False)
    return numbers
