"""Tiny networks with random weights."""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from vosctl.network.base import PropagationNetwork

    Network = TypeVar("Network", bound=PropagationNetwork)

TINY_STAGES = (
    (1, 4, 1, 1, 3),
    (2, 6, 1, 2, 3),
    (2, 6, 1, 2, 5),
    (2, 8, 1, 2, 3),
    (2, 8, 1, 1, 5),
    (2, 8, 1, 2, 5),
    (2, 8, 1, 1, 3),
)


def randomise_norms(network: Network) -> Network:
    """Give every batch norm statistics of its own, and what begins as zeros values, so that forgetting one shows."""
    from torch import nn

    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2.0)
            module.weight.data.uniform_(0.8, 1.2)
            module.bias.data.uniform_(-0.2, 0.2)
    for parameter in network.parameters():
        if not parameter.any():
            parameter.data.uniform_(-0.2, 0.2)
    return network


def register_network(network: PropagationNetwork) -> AbstractContextManager[object]:
    """A context in which a network of one's own, such as a tiny one, takes the place of that of its name."""
    from vosctl.network.table import registered_network

    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    described = replace(network.description, factory=lambda: copy.deepcopy(network), own_shapes=shapes)
    return registered_network(described)
