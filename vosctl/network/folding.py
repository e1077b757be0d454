"""Batch norms folded into the convolutions before them: the same function, fewer passes over memory."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from vosctl.network.table import networks

Network = TypeVar("Network", bound=nn.Module)


@torch.no_grad()
def fold_batch_norms(network: Network) -> Network:
    """Fold every batch norm of a network or of a part of it, in place; its keys are others afterwards."""
    stems = {description.stem for description in networks().values()}
    for module in network.modules():
        for image_conv, mask_conv, norm in stems:
            if hasattr(module, mask_conv):
                _fold_stem(module, image_conv, mask_conv, norm)
        for name, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                conv_name = _convolution_before(name)
                _fold(module, conv_name, name)
    if any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        raise NotImplementedError(f"a batch norm of {type(network).__name__} has no known convolution before it")
    return network


def _convolution_before(name: str) -> str:
    """Name of the convolution whose output the batch norm `name` takes: expand_bn, bn1, and "1" in a downsample."""
    if name.endswith("_bn"):
        return name.removesuffix("_bn")
    return name.replace("bn", "conv") if name.startswith("bn") else str(int(name) - 1)


def _fold(parent: nn.Module, conv_name: str, norm_name: str) -> None:
    conv, norm = getattr(parent, conv_name), getattr(parent, norm_name)
    setattr(parent, conv_name, fuse_conv_bn_eval(conv, norm))
    setattr(parent, norm_name, nn.Identity())


def _fold_stem(encoder: nn.Module, image_conv: str, mask_conv: str, norm_name: str) -> None:
    """bn(a + b) = scale * a + bn(b): the norm's shift goes to one of the two convolutions only."""
    norm = getattr(encoder, norm_name)
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    getattr(encoder, image_conv).weight.mul_(scale.view(-1, 1, 1, 1))
    _fold(encoder, mask_conv, norm_name)
