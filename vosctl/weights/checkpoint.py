"""A checkpoint: the weights of one network, read and checked by the same rules for every engine and command."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vosctl.errors import UsageError, VosctlError
from vosctl.network.table import (
    COUNTER_SUFFIX,
    DOES_NOT_FOLLOW,
    NetworkDescription,
    Task,
    find_network,
    networks,
    part_of,
)
from vosctl.weights.files import write_whole
from vosctl.weights.formats import Array, read_file, safetensors_bytes
from vosctl.weights.registry import HEADS, file_sha256, head_file, locate_weights
from vosctl.weights.text import printable

HEAD_OF = "trunk_sha256"
"""Metadata of a file with a head alone: digest of the checkpoint whose features it reads."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The weights of one network: complete, of the right shapes, finite, and nothing else.

    Attributes:
        network: name of the network.
        arrays: by the network's keys, each in the type it was stored in.
        metadata: what the file says of itself: "licence", "training_data", "quality", "step".
        path: the file.
        sha256: hex digest of the file.
    """

    network: str
    arrays: Mapping[str, Array]
    metadata: Mapping[str, str]
    path: Path
    sha256: str

    @property
    def description(self) -> NetworkDescription:
        """What the table of networks says of its network."""
        return find_network(self.network)

    @property
    def has_presence(self) -> bool:
        """Whether it has a head that tells whether the object is in the image."""
        return any(part_of(key) == self.description.presence_part for key in self.arrays)

    def floats(self) -> dict[str, NDArray[np.float32]]:
        """Return the weights as contiguous float32 arrays, without the batch norms' counters."""
        return {
            # reshaped: a contiguous array of no axes would come with one
            key: np.ascontiguousarray(array, np.float32).reshape(array.shape)
            for key, array in self.arrays.items()
            if not key.endswith(COUNTER_SUFFIX)
        }


def load_checkpoint(weights: str | os.PathLike[str], task: Task | None = "follow") -> Checkpoint:
    """Read the checkpoint of a registered name or a file.

    Args:
        weights: a name of the registry, a `.safetensors` file, or an official RGMP checkpoint (`.pth`, `.pt`).
        task: see `read_checkpoint`.

    Raises:
        UsageError: neither a file nor a registered name, or see `read_checkpoint`.
        VosctlError: see `read_checkpoint`.
    """
    return read_checkpoint(locate_weights(weights), task)


def read_checkpoint(path: Path, task: Task | None = "follow") -> Checkpoint:
    """Read a checkpoint file. Imports torch only for pickled ones.

    Args:
        path: a `.safetensors` file, or a pickled state dict (`.pth`, `.pt`, `.ckpt`, `.bin`), which is never run.
        task: what its network must do; None for anything.

    Its heads may lie in files of their own beside it (`head_file`).

    Raises:
        UsageError: its network does something else.
        VosctlError: missing, damaged, or not the weights of a network known here: a key is missing, unknown, of
            another shape, or holds values that are no finite floats; the first such key is named.
    """
    arrays, metadata = read_file(path)
    description = _recognise(arrays, metadata, path)
    if task is not None and description.task != task:
        does = DOES_NOT_FOLLOW if task == "follow" else "follows objects and finds none; give `prompt`"
        raise UsageError(f"{path}: a {description.name} network, which {does}")
    parts = {part_of(key) for key in arrays}
    for head in description.optional_parts.intersection(HEADS) - parts:
        if (file := head_file(path, head)).is_file():
            arrays |= _read_head(file, head, path)
    _check(arrays, description, path)
    return Checkpoint(description.name, arrays, metadata, path, file_sha256(path))


def _read_head(file: Path, head: str, path: Path) -> dict[str, Array]:
    """Read a head that lies beside a checkpoint, which it must have been trained on: it reads its features."""
    arrays, metadata = read_file(file)
    if metadata.get(HEAD_OF) != file_sha256(path):
        raise VosctlError(f"{file}: the head for {head} of other weights than {path.name}; move it away")
    return arrays


def write_head(path: Path, arrays: Mapping[str, Array], network: str, trunk_sha256: str) -> None:
    """Write a head into a file of its own, which is read with the checkpoint that it lies beside (`head_file`).

    Args:
        path: the file, replaced if it exists; it is written beside and renamed when whole.
        arrays: by the network's keys, in the types they are stored in.
        network: name of the network.
        trunk_sha256: hex digest of the checkpoint whose features the head reads.
    """
    write_whole(path, safetensors_bytes(arrays, {"network": network, HEAD_OF: trunk_sha256}))


def _recognise(arrays: Mapping[str, Array], metadata: Mapping[str, str], path: Path) -> NetworkDescription:
    """Find the network by its name in the file, else by the first parts of the keys, which are each network's own."""
    known = networks()
    if (named := metadata.get("network", "")) in known:
        return known[named]
    parts = {part_of(key) for key in arrays}
    for description in known.values():
        if parts - description.optional_parts == description.parts:
            return description
    first = printable(next(iter(arrays), "nothing"))
    raise VosctlError(f"{path}: not the weights of a network known here ({', '.join(known)}); its first key is {first}")


def _check(arrays: Mapping[str, Array], description: NetworkDescription, path: Path) -> None:
    """Check that all keys are there, and no others, then their shapes, then their values."""
    shapes = description.shapes
    name = description.name
    parts = {part_of(key) for key in arrays}
    for key, shape in shapes.items():
        if key not in arrays:
            absent = description.is_optional(key) and part_of(key) not in parts  # a part is there whole, or not at all
            if not (key.endswith(COUNTER_SUFFIX) or absent):
                raise VosctlError(f"{path}: not the weights of the {name} network: {key} is missing")
        elif arrays[key].shape != shape:
            raise VosctlError(
                f"{path}: not the weights of the {name} network: {key} is {_shown(arrays[key].shape)}, not {shape}"
            )
    if unknown := next((key for key in arrays if key not in shapes), None):
        raise VosctlError(f"{path}: not the weights of the {name} network: {printable(unknown)} is unknown to it")
    for key, array in arrays.items():
        if key.endswith(COUNTER_SUFFIX):
            continue
        if array.dtype.kind in "biuc":
            raise VosctlError(f"{path}: {key} holds {array.dtype} values, weights are floats; fetch it again")
        with np.errstate(over="ignore"):
            finite = np.isfinite(array.astype(np.float32, copy=False)).all()
        if not finite:
            raise VosctlError(f"{path}: {key} holds values that are not finite; the file is damaged, fetch it again")


def _shown(shape: tuple[int, ...]) -> str:
    return printable(shape)
