"""What is asked of an engine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from vosctl.engine.backend import PrecisionWord, ProviderWord
from vosctl.engine.base import Engine
from vosctl.engine.factory import create_engine


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """An engine to be made; see `vosctl.engine.create_engine` for the words.

    Attributes:
        weights: registered name, checkpoint file, or folder of exported graphs.
        engine: what runs the network.
        device: where it runs.
        precision: what it computes in.
        provider: ONNX Runtime's execution provider.
        threads: CPU threads of the network; 0 takes one for each core.
        compiled: have torch compile the network first, which takes a while at the start.
    """

    weights: str = "lite"
    engine: str = "auto"
    device: str = "auto"
    precision: PrecisionWord = "auto"
    provider: ProviderWord = "auto"
    threads: int = 0
    compiled: bool = False

    def create(self) -> Engine[Any]:
        """Load the weights into the engine.

        Raises:
            VosctlError: the weights, engine, device or precision cannot be had; the message says why.
        """
        return create_engine(**asdict(self))
