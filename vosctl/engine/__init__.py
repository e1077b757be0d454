"""One step of the network on one backend."""

from vosctl.engine.base import Engine, EngineInfo
from vosctl.engine.factory import create_engine

__all__ = ["Engine", "EngineInfo", "create_engine"]
