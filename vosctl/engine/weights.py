"""Checkpoints as NumPy arrays, for the engines that need no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosctl.errors import VosctlError

GRAPHS_FOLDER = Path(__file__).parent / "graphs"
GRAPHS_INDEX = GRAPHS_FOLDER / "index.json"

Arrays = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Weights:
    """One checkpoint.

    Attributes:
        network: name of the network it belongs to.
        arrays: float32, by the network's keys.
    """

    network: str
    arrays: Arrays


@lru_cache
def graphs_index() -> dict[str, dict[str, dict[str, list[int]]]]:
    """Shapes of the weights that the graphs in the package take: by network, graph ("reference", "step") and key."""
    index: dict[str, dict[str, dict[str, list[int]]]] = json.loads(GRAPHS_INDEX.read_text(encoding="utf-8"))
    return index


def read_weights(path: Path) -> Weights:
    """Read a checkpoint, all keys and shapes that the graphs take checked. Imports torch only for pickled ones.

    Args:
        path: a `.safetensors` file or an official RGMP checkpoint.

    Raises:
        VosctlError: missing, damaged, or belongs to no network known here; the message names the first key.
    """
    if path.suffix == ".safetensors":
        arrays, name = _read_safetensors(path)
    else:
        from vosctl.network.checkpoints import read_checkpoint

        tensors, name = read_checkpoint(path)
        arrays = {key: tensor.numpy() for key, tensor in tensors.items()}
    network = _recognise(arrays, name, path)
    shapes: dict[str, list[int]] = {}
    for graph in graphs_index()[network].values():
        shapes |= graph
    return Weights(network, {key: _checked(arrays, key, shape, network, path) for key, shape in shapes.items()})


def _read_safetensors(path: Path) -> tuple[dict[str, NDArray[Any]], str]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise VosctlError(f"{path}: no such weights file; give a registered name or an existing file with --weights")
    try:
        with safe_open(path, framework="numpy") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, (file.metadata() or {}).get("network", "")  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise VosctlError(f"{path}: damaged or not a safetensors file ({error}); fetch or export it again") from error
    except TypeError as error:  # bfloat16, which NumPy has not
        raise VosctlError(f"{path}: holds types NumPy does not know ({error}); use --engine torch") from error


def _recognise(arrays: Mapping[str, NDArray[Any]], name: str, path: Path) -> str:
    """The network by its name in the file, else the largest whose keys are all there (lite-plus has all of lite's)."""
    index = graphs_index()
    if name in index:
        return name
    keys = {network: {key for graph in graphs.values() for key in graph} for network, graphs in index.items()}
    whole = [network for network, wanted in keys.items() if wanted <= arrays.keys()]
    if whole:
        return max(whole, key=lambda network: len(keys[network]))
    first = next(iter(arrays), "nothing")
    raise VosctlError(f"{path}: not the weights of a network known here ({', '.join(index)}); its first key is {first}")


def _checked(
    arrays: Mapping[str, NDArray[Any]], key: str, shape: list[int], network: str, path: Path
) -> NDArray[np.float32]:
    if key not in arrays:
        raise VosctlError(f"{path}: not the weights of the {network} network: {key} is missing")
    array = arrays[key]
    if list(array.shape) != shape:
        raise VosctlError(
            f"{path}: not the weights of the {network} network: {key} is {array.shape}, not {tuple(shape)}"
        )
    array = np.ascontiguousarray(array, np.float32).reshape(shape)
    if not np.isfinite(array).all():
        raise VosctlError(f"{path}: {key} holds values that are not finite; the file is damaged, fetch it again")
    return array
