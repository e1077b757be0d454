"""Checkpoints in and out: vosctl's own safetensors files and the official RGMP `weights.pth`."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from vosctl.errors import UsageError, VosctlError
from vosctl.network.base import PropagationNetwork
from vosctl.network.lite import Lite
from vosctl.network.lite_plus import LitePlus
from vosctl.network.rgmp import RGMP
from vosctl.registry import locate_weights

NETWORKS: dict[str, type[PropagationNetwork]] = {"lite": Lite, "lite-plus": LitePlus, "rgmp": RGMP}
OFFICIAL_PREFIX = "module."
OPTIONAL_SUFFIX = ".num_batches_tracked"  # absent from files written before PyTorch 0.4.1


def create_network(name: str) -> PropagationNetwork:
    """A network with random weights.

    Raises:
        UsageError: no such network.
    """
    if name not in NETWORKS:
        raise UsageError(f"--network {name}: unknown; networks: {', '.join(NETWORKS)}")
    return NETWORKS[name]()


def load_network(weights: str | os.PathLike[str]) -> PropagationNetwork:
    """Build the network that a registered name or a file belongs to, and load its weights.

    Args:
        weights: a name of the registry, a `.safetensors` file, or an official RGMP checkpoint (`.pth`, `.pt`).

    Returns:
        The network in evaluation mode, float32, on the CPU.

    Raises:
        UsageError: neither a file nor a registered name.
        VosctlError: the file is missing, damaged or belongs to another network; the message names the first key.
    """
    path = locate_weights(weights)
    tensors, name = read_checkpoint(path)
    network = create_network(name)
    load_tensors(network, tensors, path)
    return network


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], str]:
    """Read a checkpoint file.

    Returns:
        The tensors by key, without the official file's `module.` prefix, and the name of the network they belong to.

    Raises:
        VosctlError: missing, damaged, or not the checkpoint of a network known here.
    """
    if not path.is_file():
        raise VosctlError(f"{path}: no such weights file; give a registered name or an existing file with --weights")
    if path.suffix == ".safetensors":
        tensors, name = _read_safetensors(path)
    elif path.suffix in {".pth", ".pt", ".ckpt", ".bin"}:
        tensors, name = _read_pickled(path), None
    else:
        raise VosctlError(f"{path}: unknown kind of weights; give a .safetensors file or an official RGMP .pth")
    return tensors, name if name in NETWORKS else _recognise(tensors, path)


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], str | None]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            return {key: file.get_tensor(key) for key in file.keys()}, metadata.get("network")  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise VosctlError(f"{path}: damaged or not a safetensors file ({error}); fetch or export it again") from error


def _read_pickled(path: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise VosctlError(
            f"{path}: not a plain state dict (it is damaged or wants to run code when loaded); fetch it again"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise VosctlError(f"{path}: damaged or truncated checkpoint; fetch it again") from error
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise VosctlError(f"{path}: not a state dict of tensors; give the official RGMP weights.pth")
    return {str(key).removeprefix(OFFICIAL_PREFIX): value for key, value in content.items()}


def _recognise(tensors: Mapping[str, Tensor], path: Path) -> str:
    prefixes = {key.split(".", 1)[0] for key in tensors}
    if prefixes == {"Encoder", "Decoder"}:
        return "rgmp"
    if prefixes == {"encoder", "reading", "decoder", "finest"}:
        return "lite-plus"
    if prefixes == {"encoder", "reading", "decoder"}:
        return "lite"
    first = next(iter(tensors), "nothing")
    raise VosctlError(
        f"{path}: not the weights of a network known here ({', '.join(NETWORKS)}); its first key is {first}"
    )


def load_tensors(network: PropagationNetwork, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load tensors into a network, all keys and shapes checked first.

    Raises:
        VosctlError: a key is missing, unknown, of another shape, or holds values that are not finite; named.
    """
    expected = network.state_dict()
    for key, value in expected.items():
        if key not in tensors:
            if key.endswith(OPTIONAL_SUFFIX):
                continue
            raise VosctlError(f"{path}: not the weights of the {network.name} network: {key} is missing")
        if tensors[key].shape != value.shape:
            found, wanted = tuple(tensors[key].shape), tuple(value.shape)
            raise VosctlError(f"{path}: not the weights of the {network.name} network: {key} is {found}, not {wanted}")
        if not torch.isfinite(tensors[key]).all():
            raise VosctlError(f"{path}: {key} holds values that are not finite; the file is damaged, fetch it again")
    if unknown := next((key for key in tensors if key not in expected), None):
        raise VosctlError(f"{path}: not the weights of the {network.name} network: {unknown} is unknown to it")
    network.load_state_dict(tensors, strict=False)


def save_network(network: PropagationNetwork, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write a network as safetensors: convolutions in half precision, batch-norm statistics in full; written beside
    and renamed when whole.

    Args:
        network: the network; its name goes into the metadata.
        path: the file to write, replaced if it exists.
        metadata: more metadata, such as the licence.
    """
    tensors = {
        key: value.detach().to("cpu", torch.float32 if "running_" in key else torch.float16).contiguous()
        for key, value in network.state_dict().items()
        if not key.endswith(OPTIONAL_SUFFIX)
    }
    partial = path.with_name(path.name + ".partial")
    data = save(tensors, {"network": network.name, **(metadata or {})})
    partial.write_bytes(data)  # unlike save_file, with the permissions that new files get
    partial.replace(path)
