"""A tracker's state as text and arrays. Nothing but plain values and a few known dataclasses is written, or read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosctl.tracking.keeping import KEPT_TYPES, TrackerState

_ARRAY_TYPES = ("float32", "float64", "int16", "uint8", "bool")


def pack_state(state: TrackerState) -> tuple[str, dict[str, bytes]]:
    """Pack a state.

    Returns:
        JSON in which digests stand for arrays, and the arrays' bytes by digest.
    """
    arrays: dict[str, bytes] = {}
    objects = {str(key): _packed_all(values, arrays) for key, values in state.objects.items()}
    return json.dumps({"objects": objects, "more": _packed_all(state.more, arrays)}), arrays


def unpack_state(text: str, arrays: Mapping[str, bytes]) -> TrackerState:
    """Unpack what `pack_state` gave.

    Raises:
        ValueError: it is damaged.
    """
    try:
        read = json.loads(text)
        objects = {int(key): _unpacked_all(values, arrays) for key, values in read["objects"].items()}
        return TrackerState(objects, _unpacked_all(read["more"], arrays))
    except (AttributeError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"the state is damaged: {error}") from error


def _packed_all(values: Mapping[str, object], arrays: dict[str, bytes]) -> dict[str, object]:
    return {name: _packed(value, arrays) for name, value in values.items()}


def _packed(value: object, arrays: dict[str, bytes]) -> object:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple):
        return {"tuple": [_packed(one, arrays) for one in value]}
    if isinstance(value, np.ndarray):
        data = np.ascontiguousarray(value).tobytes()
        digest = hashlib.sha256(data).hexdigest()
        arrays[digest] = data
        return {"array": digest, "type": value.dtype.name, "shape": list(value.shape)}
    if type(value).__name__ in KEPT_TYPES:
        own = {field.name: getattr(value, field.name) for field in fields(value)}  # type: ignore[arg-type]
        return {"of": type(value).__name__, "fields": _packed_all(own, arrays)}
    raise TypeError(f"a {type(value).__name__} cannot be kept")


def _unpacked_all(values: Mapping[str, Any], arrays: Mapping[str, bytes]) -> dict[str, Any]:
    return {name: _unpacked(value, arrays) for name, value in values.items()}


def _unpacked(value: Any, arrays: Mapping[str, bytes]) -> Any:
    if not isinstance(value, dict):
        return value
    if "tuple" in value:
        return tuple(_unpacked(one, arrays) for one in value["tuple"])
    if "array" in value:
        return _array(arrays[value["array"]], value["type"], value["shape"])
    return KEPT_TYPES[value["of"]](**_unpacked_all(value["fields"], arrays))


def _array(data: bytes, kind: str, shape: list[int]) -> NDArray[Any]:
    if kind not in _ARRAY_TYPES:
        raise ValueError(f"arrays of {kind} are not kept")
    return np.frombuffer(data, np.dtype(kind)).reshape(shape).copy()
