"""One step of the network on one backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vosctl.lazy import lazily

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

if not TYPE_CHECKING:  # see `vosctl`
    __getattr__ = lazily(__name__, _HOMES)
