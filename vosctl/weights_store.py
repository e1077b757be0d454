"""Checkpoints into and out of the user's weights folder: import, export and removal by name.

The tensors are stored as they came, bit for bit, so that what was imported can be exported again unchanged.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from vosctl.errors import UsageError, VosctlError
from vosctl.network.checkpoints import (
    OFFICIAL_PREFIX,
    OPTIONAL_SUFFIX,
    create_network,
    load_tensors,
    read_checkpoint,
)
from vosctl.registry import REGISTRY_FILE, WeightsEntry, file_sha256, locate_weights, registered_weights, user_folder

OFFICIAL_NETWORK = "rgmp"
OFFICIAL_LICENCE = "non-commercial research use only (terms of the official RGMP release)"
OFFICIAL_TRAINING_DATA = "still images (PASCAL VOC, ECSSD, MSRA10K), then DAVIS 2017 train, as the paper says"
OFFICIAL_QUALITY = "as published, in the paper's protocol: J&F 81.8 on DAVIS-2016 val, 66.7 on DAVIS-2017 val"
NOT_STATED = "not stated"
PICKLED = (".pth", ".pt")
SAFETENSORS = ".safetensors"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def import_weights(source: Path, name: str, *, licence: str | None = None, overwrite: bool = False) -> WeightsEntry:
    """Take a checkpoint into the user's weights folder under a name.

    Args:
        source: an official RGMP checkpoint (`.pth`, `.pt`) or a `.safetensors` file of vosctl's.
        name: what `--weights` shall take: letters, digits, `-` and `_`.
        licence: what the weights may be used for; by default what the file says, or the official release's terms.
        overwrite: whether imported weights of that name may be replaced; shipped ones never are.

    Returns:
        The new entry of the registry.

    Raises:
        UsageError: the name is ill-formed or taken, or nothing is known of the licence.
        VosctlError: the file is not the checkpoint of a network known here, or the folder cannot be written.
    """
    _check_name(name, overwrite)
    tensors, network_name = read_checkpoint(source)
    load_tensors(create_network(network_name), tensors, source)
    facts = _facts(source, network_name, licence)
    folder = user_folder()
    partial = folder / f"{name}.partial{SAFETENSORS}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _save_safetensors(tensors, partial, {"network": network_name, **facts})
        sha256 = file_sha256(partial)
        # The digest in the name: weights that are replaced stay whole until the registry names the new ones.
        file = folder / f"{name}-{sha256[:12]}{SAFETENSORS}"
        partial.replace(file)
        replaced = _register(folder, name, {"network": network_name, "file": file.name, "sha256": sha256, **facts})
        if replaced not in {None, file.name}:
            (folder / str(replaced)).unlink(missing_ok=True)
    except OSError as error:
        raise VosctlError(
            f"{folder}: cannot be written ({error.strerror}); set VOSCTL_HOME to another folder"
        ) from error
    return registered_weights()[name]


def export_weights(weights: str, output: Path, *, overwrite: bool = False) -> Path:
    """Write weights to a file that other programs read.

    Args:
        weights: a registered name or a checkpoint file.
        output: `.pth` or `.pt` for the official layout (RGMP only): a torch-saved state dict, float32, every key
            prefixed with `module.`; or `.safetensors`.
        overwrite: whether an existing file may be replaced.

    Returns:
        `output`.

    Raises:
        UsageError: the output exists, or is no kind of file these weights can be written as.
        VosctlError: the weights cannot be read or the file cannot be written.
    """
    if output.suffix not in {*PICKLED, SAFETENSORS}:
        raise UsageError(f"{output}: unknown kind of file; name it .pth (the official layout) or .safetensors")
    if output.exists() and not overwrite:
        raise UsageError(f"{output}: exists; add --overwrite or choose another name")
    source = locate_weights(weights)
    tensors, network_name = read_checkpoint(source)
    if output.suffix in PICKLED and network_name != OFFICIAL_NETWORK:
        raise UsageError(f"{output}: the official layout is RGMP's, {weights} is {network_name}; name it .safetensors")
    partial = output.with_name(f"{output.stem}.partial{output.suffix}")
    try:
        if output.suffix in PICKLED:
            torch.save(_official_layout(tensors, network_name), partial)
        elif source.suffix == SAFETENSORS:
            shutil.copyfile(source, partial)
        else:
            _save_safetensors(tensors, partial, {"network": network_name})
        return partial.replace(output)
    except (OSError, RuntimeError, SafetensorError) as error:  # torch words a missing folder as a RuntimeError
        partial.unlink(missing_ok=True)
        raise VosctlError(f"{output}: cannot be written ({_one_line(error)})") from error


def remove_weights(name: str) -> Path:
    """Forget imported weights and delete their file.

    Returns:
        The file that was deleted.

    Raises:
        UsageError: no such name, or shipped weights.
        VosctlError: the folder cannot be written.
    """
    entry = registered_weights().get(name)
    if entry is None:
        raise UsageError(f"{name}: no such weights; see `vosctl weights list`")
    if entry.shipped:
        raise UsageError(f"{name}: came with vosctl and cannot be removed")
    try:
        _register(entry.path.parent, name, None)
        entry.path.unlink(missing_ok=True)
    except OSError as error:
        raise VosctlError(f"{entry.path.parent}: cannot be written ({error.strerror})") from error
    return entry.path


def _check_name(name: str, overwrite: bool) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(f"--name {name}: ill-formed; use letters, digits, - and _, up to 64, a letter or digit first")
    entry = registered_weights().get(name)
    if entry is not None and entry.shipped:
        raise UsageError(f"--name {name}: taken by weights that came with vosctl; choose another")
    if entry is not None and not overwrite:
        raise UsageError(f"--name {name}: taken by {entry.path}; choose another or add --overwrite")


def _facts(source: Path, network: str, licence: str | None) -> dict[str, str]:
    """Licence, training data and quality: given, or from the file, or the official release's."""
    metadata: dict[str, str] = {}
    if source.suffix == SAFETENSORS:
        with safe_open(source, framework="pt") as file:
            metadata = file.metadata() or {}
    elif network == OFFICIAL_NETWORK and licence is None:
        metadata = {
            "licence": OFFICIAL_LICENCE,
            "training_data": OFFICIAL_TRAINING_DATA,
            "quality": OFFICIAL_QUALITY,
        }
    licence = licence or metadata.get("licence")
    if not licence:
        raise UsageError(f"{source}: does not say what its weights may be used for; add --licence 'TEXT'")
    return {
        "licence": licence,
        "training_data": metadata.get("training_data", NOT_STATED),
        "quality": metadata.get("quality", NOT_STATED),
    }


def _save_safetensors(tensors: Mapping[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    """Every tensor in its own type; safetensors refuses memory that two of them share."""
    data = save({key: value.detach().clone().contiguous() for key, value in tensors.items()}, metadata)
    path.write_bytes(data)  # unlike save_file, with the permissions that new files get


def _official_layout(tensors: Mapping[str, Tensor], network: str) -> OrderedDict[str, Tensor]:
    """The state dict of the official `DataParallel` wrapper, in its order, with the counters it insists on."""
    expected = create_network(network).state_dict()
    return OrderedDict(
        (OFFICIAL_PREFIX + key, value if key.endswith(OPTIONAL_SUFFIX) else value.float())
        for key, value in ((key, tensors.get(key, default)) for key, default in expected.items())
    )


def _register(folder: Path, name: str, fields: dict[str, str] | None) -> str | None:
    """Set or, with None, drop a name in the folder's registry, in one step.

    Returns:
        The file the name stood for before, if any.
    """
    file = folder / REGISTRY_FILE
    listed: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    before = listed.pop(name, None)
    if fields is not None:
        listed[name] = fields
    partial = file.with_name(f"{REGISTRY_FILE}.{os.getpid()}.partial")
    partial.write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")
    partial.replace(file)
    return str(before["file"]) if before else None


def _one_line(error: Exception) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return text.splitlines()[0] if text else type(error).__name__
