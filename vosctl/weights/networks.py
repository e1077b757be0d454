"""Between checkpoints and the networks in torch. The only module of this package that needs it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from vosctl.errors import VosctlError
from vosctl.network.base import PropagationNetwork
from vosctl.network.prompt import PromptNetwork
from vosctl.network.table import COUNTER_SUFFIX, create_prompt_network
from vosctl.weights.checkpoint import Checkpoint, load_checkpoint
from vosctl.weights.files import write_whole
from vosctl.weights.formats import kept_in_full, safetensors_bytes


def build_network(checkpoint: Checkpoint) -> PropagationNetwork:
    """Make the network of a checkpoint with its weights: in evaluation mode, float32, on the CPU."""
    network = checkpoint.description.create()
    if checkpoint.has_presence:
        network.add_presence()
    tensors = {key: torch.from_numpy(np.array(array)) for key, array in checkpoint.floats().items()}
    network.load_state_dict(tensors, strict=False)
    return network


def load_network(weights: str | os.PathLike[str]) -> PropagationNetwork:
    """Make the network of a registered name or a file; see `load_checkpoint` for what is raised."""
    return build_network(load_checkpoint(weights))


def load_prompt_network(weights: str | os.PathLike[str]) -> PromptNetwork:
    """Make the network that finds objects with the weights of a registered name or a file; see `load_checkpoint`."""
    checkpoint = load_checkpoint(weights, task="find")
    network = create_prompt_network()
    network.load_state_dict({key: torch.from_numpy(np.array(array)) for key, array in checkpoint.floats().items()})
    return network


def save_network(
    network: PropagationNetwork | PromptNetwork, path: Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Write a network as safetensors: convolutions in half precision, batch-norm statistics in full.

    Args:
        network: the network; its name goes into the metadata.
        path: the file, replaced if it exists; it is written beside and renamed when whole.
        metadata: more metadata, such as the licence.

    Raises:
        VosctlError: a value is not finite, or is not any more in half precision; nothing was written.
    """
    arrays = {
        key: value.detach().to("cpu", torch.float32 if kept_in_full(key) else torch.float16).contiguous().numpy()
        for key, value in network.state_dict().items()
        if not key.endswith(COUNTER_SUFFIX)
    }
    for key, array in arrays.items():
        if not np.isfinite(array).all():
            raise VosctlError(f"{path}: not written, {key} holds values that are not finite as {array.dtype}")
    write_whole(path, safetensors_bytes(arrays, {"network": network.name, **(metadata or {})}))
