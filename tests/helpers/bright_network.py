"""The engine of `tests.helpers.engines` that finds what is bright, as a torch network: for what follows on a device."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn

from vosctl.engine.devices import resolve_placement
from vosctl.engine.torch_engine import TorchEngine
from vosctl.network.base import PropagationNetwork
from vosctl.network.table import NetworkDescription


class BrightObjectNetwork(PropagationNetwork):
    """Marks what has the colour of a reference, and tells presence, where asked to, by whether there is any."""

    description = NetworkDescription(
        "bright", 96, ("colour",), "tests.helpers.bright_network:BrightObjectNetwork", side_by_side=("colour",)
    )

    def __init__(self, *, tells_presence: bool = False) -> None:
        super().__init__()
        self.presence = cast(Any, nn.Identity()) if tells_presence else None

    def encode_reference(self, image, mask):
        colour = (image * mask).sum((2, 3), keepdim=True) / mask.sum((2, 3), keepdim=True)
        return (torch.where(mask.sum() > 0, colour, 99.0),)

    def propagate(self, image, mask, *state):
        (colours,) = state  # (N, 3, references, 1)
        distances = torch.stack([(image - one[:, :, None]).abs().amax(1) for one in colours.unbind(2)], 1)
        near = (distances.amin(1, keepdim=True) < 40 / 255).to(image.dtype)
        return near * 0.93 + 0.02

    def propagate_with_presence(self, image, mask, *state):
        probability = self.propagate(image, mask, *state)
        return probability, ((probability > 0.5).sum((1, 2, 3)) > 30).to(image.dtype) * 0.9 + 0.02


def bright_torch_engine(*, tells_presence=False, **settings):
    network = BrightObjectNetwork(tells_presence=tells_presence)
    return TorchEngine(network, resolve_placement("cpu", "fp32"), "bright", **settings)
