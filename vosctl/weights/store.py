"""Checkpoints into and out of the user's weights folder: import, export and removal by name.

The values are stored as they came, bit for bit, so that what was imported can be exported again unchanged.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock, Timeout

from vosctl.errors import UsageError, VosctlError
from vosctl.extras import require
from vosctl.network.table import COUNTER_SUFFIX
from vosctl.weights.checkpoint import Checkpoint, read_checkpoint
from vosctl.weights.files import remove_partial, write_whole
from vosctl.weights.formats import OFFICIAL_PREFIX, SAFETENSORS, safetensors_bytes
from vosctl.weights.registry import (
    FACTS,
    REGISTRY_FILE,
    WeightsEntry,
    is_name,
    locate_weights,
    read_listed,
    read_registry,
    registered_weights,
    user_folder,
)
from vosctl.weights.text import printable

if TYPE_CHECKING:
    from torch import Tensor

NOT_STATED = "not stated"
OFFICIAL_FILES = (".pth", ".pt")
LOCK_FILE = f".{REGISTRY_FILE}.lock"
LOCK_SECONDS = 60.0


def import_weights(source: Path, name: str, *, licence: str | None = None, overwrite: bool = False) -> WeightsEntry:
    """Take a checkpoint into the user's weights folder under a name. Several processes may do so at once.

    Args:
        source: an official RGMP checkpoint (`.pth`, `.pt`) or a `.safetensors` file of vosctl's.
        name: what `weights` shall take: letters, digits, `-` and `_`.
        licence: what the weights may be used for; by default what the file says, or the official release's terms.
        overwrite: whether imported weights of that name may be replaced; shipped ones never are.

    Returns:
        The new entry of the registry.

    Raises:
        UsageError: the name is ill-formed or taken, or the licence is not known or no text.
        VosctlError: the file is not the checkpoint of a network known here, or the folder cannot be written.
    """
    _check_name(name, overwrite)
    if licence is not None and not _is_text(licence):
        raise UsageError(f"`licence={printable(ascii(licence))}`: holds bytes that are no UTF-8; type it anew")
    checkpoint = read_checkpoint(source, task=None)
    facts = _facts(checkpoint, licence)
    content = safetensors_bytes(checkpoint.arrays, {"network": checkpoint.network, **facts})
    folder = user_folder()
    with _writing(folder), _locked(folder):
        remove_partial(folder)
        _check_name(name, overwrite)  # it may have been taken while this process read the file
        sha256 = hashlib.sha256(content).hexdigest()
        # The digest in the name: weights that are replaced stay whole until the registry names the new ones.
        file = folder / f"{name}-{sha256[:12]}{SAFETENSORS}"
        write_whole(file, content)
        replaced = _register(
            folder, name, {"network": checkpoint.network, "file": file.name, "sha256": sha256, **facts}
        )
        if replaced is not None and replaced != file:
            replaced.unlink(missing_ok=True)
        return registered_weights()[name]  # nobody else removes them here


def export_weights(weights: str, output: Path, *, overwrite: bool = False) -> Path:
    """Write weights to a file that other programs read.

    Args:
        weights: a registered name or a checkpoint file.
        output: `.pth` or `.pt` for the official layout (RGMP only): a torch-saved state dict, float32, every key
            prefixed with `module.`; or `.safetensors`, which also holds the licence and what else is known.
        overwrite: whether an existing file may be replaced.

    Returns:
        `output`.

    Raises:
        UsageError: the output exists, or is no kind of file these weights can be written as.
        VosctlError: the weights cannot be read or the file cannot be written.
    """
    if output.suffix not in {*OFFICIAL_FILES, SAFETENSORS}:
        raise UsageError(f"{output}: unknown kind of file; name it .pth (the official layout) or .safetensors")
    if output.exists() and not overwrite:
        raise UsageError(f"{output}: exists; add `overwrite=True` or choose another name")
    checkpoint = read_checkpoint(locate_weights(weights), task=None)
    if output.suffix == SAFETENSORS:
        content = safetensors_bytes(checkpoint.arrays, _metadata(weights, checkpoint))
    elif checkpoint.description.official is None:
        raise UsageError(
            f"{output}: the official layout is RGMP's, {weights} is {checkpoint.network}; name it .safetensors"
        )
    else:
        content = _official_file(checkpoint, output)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_whole(output, content)
    except OSError as error:
        raise VosctlError(f"{output}: cannot be written ({error.strerror})") from error
    return output


def remove_weights(name: str) -> Path:
    """Forget imported weights and delete their file.

    Returns:
        The file that was deleted.

    Raises:
        UsageError: no such name, or shipped weights.
        VosctlError: the folder cannot be written.
    """
    _removable(name)
    folder = user_folder()
    with _writing(folder), _locked(folder):
        entry = _removable(name)  # another process may have replaced or removed them while this one waited
        _register(folder, name, None)
        entry.path.unlink(missing_ok=True)
    return entry.path


def _removable(name: str) -> WeightsEntry:
    entry = registered_weights().get(name)
    if entry is None:
        raise UsageError(f"{printable(name) or repr(name)}: no such weights; see `vosctl weights list`")
    if entry.shipped:
        raise UsageError(f"{name}: came with vosctl and cannot be removed")
    return entry


def _check_name(name: str, overwrite: bool) -> None:
    if not is_name(name):
        raise UsageError(
            f"`name={printable(name)!r}`: ill-formed; use letters, digits, - and _, up to 64, a letter or digit first"
        )
    registry = read_registry()
    entry = registry.entries.get(name)
    if entry is not None and entry.shipped:
        raise UsageError(f"`name={name!r}`: taken by weights that came with vosctl; choose another")
    if entry is not None and not overwrite:
        raise UsageError(f"`name={name!r}`: taken by {entry.path}; choose another or add `overwrite=True`")


def _is_text(given: str) -> bool:
    """Return whether UTF-8 can write a text: a terminal gives bytes of another encoding as what it cannot."""
    return not any("\ud800" <= one <= "\udfff" for one in given)


def _facts(checkpoint: Checkpoint, licence: str | None) -> dict[str, str]:
    """Licence, training data and quality: given, or from the file, or the official release's."""
    known = {key: checkpoint.metadata[key] for key in FACTS if checkpoint.metadata.get(key)}
    official = checkpoint.description.official
    if checkpoint.path.suffix != SAFETENSORS and official is not None and licence is None:
        known = {key: getattr(official, key) for key in FACTS}
    licence = licence or known.get("licence")
    if not licence:
        raise UsageError(f"{checkpoint.path}: does not say what its weights may be used for; add `licence` with a text")
    return {**dict.fromkeys(FACTS, NOT_STATED), **known, "licence": licence}


def _metadata(weights: str, checkpoint: Checkpoint) -> dict[str, str]:
    """Return what an exported file says of itself: what it said before, and what the registry knows."""
    metadata = {**checkpoint.metadata, "network": checkpoint.network}
    entry = registered_weights().get(weights)
    if entry is not None:
        metadata |= {key: getattr(entry, key) for key in FACTS}
    return metadata


def _official_file(checkpoint: Checkpoint, output: Path) -> bytes:
    """Return the state dict of the official `DataParallel` wrapper, in its order, with the counters it requires."""
    require("torch", f"{output}: the official layout")
    import io

    import torch

    def tensor(key: str, shape: tuple[int, ...]) -> Tensor:
        array = checkpoint.arrays.get(key)
        if key.endswith(COUNTER_SUFFIX):
            return torch.zeros(shape, dtype=torch.long) if array is None else torch.from_numpy(np.array(array))
        return torch.from_numpy(np.array(array, np.float32))

    buffer = io.BytesIO()
    shapes = checkpoint.description.shapes
    torch.save(OrderedDict((OFFICIAL_PREFIX + key, tensor(key, shape)) for key, shape in shapes.items()), buffer)
    return buffer.getvalue()


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Make the folder, and word what keeps it from being written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise VosctlError(
            f"{folder}: cannot be written ({error.strerror}); set VOSCTL_HOME to another folder"
        ) from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes from changing the folder's registry."""
    lock = FileLock(folder / LOCK_FILE)
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout as error:
        raise VosctlError(
            f"{folder}: another vosctl has been changing it for {LOCK_SECONDS:.0f} s; try again when it is done"
        ) from error
    except NotImplementedError as error:
        raise VosctlError(
            f"{folder}: its file system knows no locks; set VOSCTL_HOME to a folder on a local disk"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _register(folder: Path, name: str, fields: Mapping[str, str] | None) -> Path | None:
    """Set or, with None, drop a name in the folder's registry, in one step; the lock must be held.

    Returns:
        The file the name stood for before, if any.

    Raises:
        VosctlError: the registry cannot be read.
    """
    registry = read_registry()
    try:
        listed = read_listed(folder)
    except ValueError as error:
        raise VosctlError(registry.problem or str(error)) from error
    before = registry.entries.get(name)
    listed.pop(name, None)
    if fields is not None:
        listed[name] = dict(fields)
    write_whole(folder / REGISTRY_FILE, (json.dumps(listed, indent=2) + "\n").encode())
    return None if before is None or before.shipped else before.path
