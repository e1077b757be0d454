"""One step of the network on one backend."""

from vosctl.engine.base import Engine, EngineInfo, Step
from vosctl.engine.factory import create_engine

__all__ = ["Engine", "EngineInfo", "Step", "create_engine"]
