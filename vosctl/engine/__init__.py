"""One step of the network on one backend."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vosctl.engine.base import Engine, EngineInfo, Step
    from vosctl.engine.factory import create_engine

_HOMES = {
    "Engine": "vosctl.engine.base",
    "EngineInfo": "vosctl.engine.base",
    "Step": "vosctl.engine.base",
    "create_engine": "vosctl.engine.factory",
}
"""The public names and their modules, imported on first use: help texts need the table of backends, but no NumPy."""

__all__ = ["Engine", "EngineInfo", "Step", "create_engine"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
