"""The files that checkpoints come in, read into NumPy arrays: safetensors, and pickled state dicts."""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vosctl.errors import VosctlError
from vosctl.extras import require
from vosctl.weights.text import printable

if TYPE_CHECKING:
    from torch import Tensor

SAFETENSORS = ".safetensors"
PICKLED = (".pth", ".pt", ".ckpt", ".bin")
OFFICIAL_PREFIX = "module."
"""What `DataParallel` puts before every key of the official release's file."""

Array = NDArray[Any]


def read_file(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Read a checkpoint's arrays, each in its own type, and its metadata. Imports torch only for pickled ones.

    Raises:
        VosctlError: missing, damaged, of a kind that is not known, or a pickle where there is no torch.
    """
    if path.is_dir():
        raise VosctlError(f"{path}: is a folder; give a registered name, or a file of weights")
    if not path.is_file():
        raise VosctlError(f"{path}: no such weights file; give a registered name or an existing file")
    if path.suffix == SAFETENSORS:
        return _read_safetensors(path)
    if path.suffix in PICKLED:
        return _read_pickled(path), {}
    if path.suffix == ".onnx":
        raise VosctlError(f"{path}: is one graph of an export; give the folder with both, {path.parent}, as `weights`")
    raise VosctlError(f"{path}: unknown kind of weights; give a .safetensors file or an official RGMP .pth")


def _read_safetensors(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            keys = list(file.keys())
            types = {key: file.get_slice(key).get_dtype() for key in keys}
            if odd := next((key for key in keys if types[key] not in _TYPES), None):
                raise VosctlError(
                    f"{path}: {printable(odd)} is of type {types[odd]}; save it as float32, float16 or bfloat16"
                )
            metadata = file.metadata() or {}
            if "BF16" not in types.values():
                return {key: file.get_tensor(key) for key in keys}, metadata
        return _read_with_bfloat16(path), metadata
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise VosctlError(
            f"{path}: damaged or not a safetensors file ({printable(error)}); fetch or export it again"
        ) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of safetensors' own language, which no module exports
            raise
        raise MemoryError(f"{path}: {error}") from error


_TYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "BOOL": "bool",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8",
}  # fmt: skip
"""NumPy's names of the types of safetensors."""


def _read_with_bfloat16(path: Path) -> dict[str, Array]:
    """NumPy has no bfloat16 of its own, so safetensors refuses it; ml_dtypes, which onnx brings, adds one."""
    from safetensors import deserialize

    views = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    return {
        key: np.frombuffer(view["data"], numpy_type(_TYPES[view["dtype"]])).reshape(view["shape"])
        for key, view in views
    }


def numpy_type(name: str) -> np.dtype[Any]:
    """Return NumPy's type of a name, bfloat16 among them."""
    if name == "bfloat16":
        import ml_dtypes

        kind: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return kind
    return np.dtype(name)


def _read_pickled(path: Path) -> dict[str, Array]:
    require("torch", f"{path}: a pickled checkpoint")
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise VosctlError(
            f"{path}: not a plain state dict (it is damaged or wants to run code when loaded); fetch it again"
        ) from error
    except MemoryError as error:  # most often a length that damage has made absurd
        raise VosctlError(f"{path}: asks for more memory than there is; it is damaged, or too large") from error
    except OSError as error:
        raise VosctlError(f"{path}: cannot be read ({error.strerror or printable(error)})") from error
    except Exception as error:  # what a damaged pickle raises is any exception at all
        raise VosctlError(f"{path}: damaged or truncated checkpoint; fetch it again") from error
    if not isinstance(content, Mapping) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise VosctlError(f"{path}: not a state dict of tensors; give the official RGMP weights.pth")
    return {str(key).removeprefix(OFFICIAL_PREFIX): _array(value, str(key), path) for key, value in content.items()}


def _array(tensor: Tensor, key: str, path: Path) -> Array:
    """View a tensor as an array; nothing is copied, as its shape is still to be checked."""
    import torch

    try:
        plain = tensor.detach()
        if plain.dtype == torch.bfloat16:
            return plain.view(torch.int16).numpy().view(numpy_type("bfloat16"))
        return plain.numpy()
    except (RuntimeError, TypeError) as error:  # sparse, quantised, of an odd type, or without data
        raise VosctlError(f"{path}: {printable(key)} is no plain tensor; save the state dict again") from error


def kept_in_full(key: str) -> bool:
    """Return whether a weight of this key is stored as float32, as batch-norm statistics are, and not as float16."""
    return "running_" in key


def safetensors_bytes(arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> bytes:
    """Return a safetensors file of arrays, each in its own type.

    Written here because safetensors' own writer knows no bfloat16 in NumPy. The layout: the header's length in eight
    bytes, the header as JSON, padded with spaces to a multiple of eight, then the values.
    """
    names = {numpy_type(name): code for code, name in _TYPES.items()}
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    parts: list[bytes] = []
    offset = 0
    # large types first, as safetensors does it: every array is then aligned
    for key, array in sorted(arrays.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])):
        parts.append(np.ascontiguousarray(array).tobytes())
        end = offset + len(parts[-1])
        header[key] = {"dtype": names[array.dtype], "shape": list(array.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])
