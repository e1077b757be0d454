"""From what the user asked for to an engine; each backend is imported only when it is the one."""

from __future__ import annotations

from vosctl.engine.base import Engine
from vosctl.errors import UsageError

ENGINES = ("auto", "torch", "onnx")


def create_engine(weights: str, *, engine: str = "auto", device: str = "auto", precision: str = "auto") -> Engine:
    """Load weights into the engine asked for.

    Args:
        weights: registered name or checkpoint file.
        engine: one of `ENGINES`.
        device: see `vosctl.engine.devices.resolve_placement`.
        precision: "auto", "fp32", "bf16" or "fp16".

    Raises:
        UsageError: a word that is not known.
        VosctlError: weights, device or precision cannot be had.
    """
    if engine not in ENGINES:
        raise UsageError(f"--engine {engine}: unknown; give {', '.join(ENGINES)}")
    from vosctl.engine.devices import resolve_placement
    from vosctl.engine.torch_engine import TorchEngine
    from vosctl.network.checkpoints import load_network

    placement = resolve_placement(device, precision)
    return TorchEngine(load_network(weights), placement, weights)
