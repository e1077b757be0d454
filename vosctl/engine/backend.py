"""What a backend is: something that runs networks, with the words it is asked for by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vosctl.errors import VosctlError

if TYPE_CHECKING:
    from vosctl.engine.base import Engine
    from vosctl.weights.checkpoint import Checkpoint

Precision = Literal["fp32", "bf16", "fp16", "int8"]
DeviceKind = Literal["cpu", "cuda", "mps"]
PrecisionWord = Literal["auto", "fp32", "bf16", "fp16", "int8"]
"""What `precision` takes."""
ProviderWord = Literal["auto", "cpu", "cuda", "tensorrt", "openvino", "openvino-gpu", "coreml", "directml"]
"""What `provider` takes: ONNX Runtime's execution providers by our names."""


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """What is asked of a backend.

    Attributes:
        weights: as it was given, for messages.
        path: the checkpoint file, or the folder of exported graphs.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        precision: "auto" or a `Precision`.
        provider: ONNX Runtime's execution provider, "auto" for any.
        threads: CPU threads of the network; 0 takes one for each core.
        compiled: have torch compile the network first.
    """

    weights: str
    path: Path
    device: str = "auto"
    precision: PrecisionWord = "auto"
    provider: ProviderWord = "auto"
    threads: int = 0
    compiled: bool = False

    @property
    def is_folder(self) -> bool:
        """Whether exported graphs are asked for."""
        return self.path.is_dir()

    def checkpoint(self) -> Checkpoint:
        """Read the checkpoint; raises what `read_checkpoint` does."""
        from vosctl.weights.checkpoint import read_checkpoint

        return read_checkpoint(self.path)


@dataclass(frozen=True, slots=True)
class Backend:
    """A backend, as the table lists it.

    Attributes:
        name: what `engine` takes.
        devices: kinds of devices it can run on.
        precisions: what it can compute in, on some device.
        require: raises VosctlError when what it needs is not installed; says what to do.
        rank: how well it suits a request that leaves the engine open; the highest above 0 is taken.
        create: makes the engine; raises UsageError or VosctlError when the request cannot be served.
    """

    name: str
    devices: tuple[DeviceKind, ...]
    precisions: tuple[Precision, ...]
    require: Callable[[], None]
    rank: Callable[[EngineRequest], int]
    create: Callable[[EngineRequest], Engine[Any]]

    @property
    def is_available(self) -> bool:
        """Whether what it needs is installed."""
        try:
            self.require()
        except VosctlError:
            return False
        return True
