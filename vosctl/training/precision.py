"""Where and in which precision to train."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from vosctl.engine.backend import PrecisionWord
from vosctl.engine.devices import Placement, resolve_placement
from vosctl.training.distributed import local_rank, planned_world


def training_placement(device: str, precision: PrecisionWord) -> Placement:
    """Turn a request into what will really be used: fp32, or bf16 by automatic mixed precision.

    With several processes on a machine, "cuda" and "auto" give each its own GPU.

    Raises:
        UsageError: a word that is not known.
        VosctlError: a device or precision that this machine does not have.
    """
    if planned_world() > 1 and (device == "cuda" or (device == "auto" and torch.cuda.is_available())):
        device = f"cuda:{local_rank()}"
    placement = resolve_placement(device, precision)
    # "auto" takes fp16 on older GPUs, which is for inference: gradients would need scaling
    return replace(placement, precision="fp32") if placement.precision == "fp16" else placement


def keep_depthwise_in_fp32(network: nn.Module) -> None:
    """Take depthwise convolutions out of automatic mixed precision.

    On CPUs their backward pass with stride 2 is up to 7 times slower in bf16 than in fp32.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            _take_out_of_autocast(module)


def _take_out_of_autocast(module: nn.Conv2d) -> None:
    inner = module.forward

    def forward(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return inner(x.float())

    module.forward = forward  # type: ignore[method-assign,assignment]
