"""From what the user asked for to an engine; each backend is imported only when it is the one."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vosctl.engine.base import Engine
from vosctl.engine.prompt_engine import PromptEngine
from vosctl.engine.providers import PROVIDERS, has_nvidia_gpu, resolve_provider
from vosctl.errors import UsageError
from vosctl.extras import missing_modules, require
from vosctl.weights.registry import locate_weights

ENGINES = ("auto", "torch", "onnx", "openvino")
PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8")


def create_engine(
    weights: str,
    *,
    engine: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    provider: str = "auto",
    threads: int = 0,
) -> Engine[Any]:
    """Load weights into the engine asked for.

    Args:
        weights: registered name, checkpoint file, or folder of exported graphs.
        engine: one of `ENGINES`; "auto" takes torch on a GPU, and on a CPU ONNX Runtime, which is faster there; for
            "bf16" on a CPU OpenVINO where it is installed, else torch.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        precision: one of `PRECISIONS`; "auto" takes the fastest that is exact enough there.
        provider: ONNX Runtime's execution provider, "auto" or a key of `vosctl.engine.providers.PROVIDERS`.
        threads: CPU threads of the network; 0 takes one for each core.

    Raises:
        UsageError: a word that is not known, or requests that do not go together.
        VosctlError: weights, device, precision or provider cannot be had.
    """
    if engine not in ENGINES:
        raise UsageError(f"--engine {engine}: unknown; give {', '.join(ENGINES)}")
    if precision not in PRECISIONS:
        raise UsageError(f"--precision {precision}: unknown; give {', '.join(PRECISIONS)}")
    if provider != "auto" and provider not in PROVIDERS:
        raise UsageError(f"--provider {provider}: unknown; give auto, {', '.join(PROVIDERS)}")
    path = locate_weights(weights)
    if engine == "auto":
        engine = _fastest_engine(path, device, precision, provider)
    if engine == "onnx":
        return _onnx_engine(weights, path, device, precision, provider, threads)
    if engine == "openvino":
        return _openvino_engine(weights, path, device, precision, provider, threads)
    if provider != "auto":
        raise UsageError(f"--provider {provider}: is for the onnx engine; leave it out, or add --engine onnx")
    return _torch_engine(weights, path, device, precision, threads)


def create_prompt_engine(
    weights: str, *, engine: str = "auto", device: str = "auto", provider: str = "auto", threads: int = 0
) -> PromptEngine[Any]:
    """Load the weights of the network that finds objects into the engine asked for.

    Args:
        weights: registered name or checkpoint file.
        engine: "auto", "onnx" or "torch"; "auto" takes ONNX Runtime on the CPU, which is quick enough for a click.
        device: see `create_engine`; for torch.
        provider: see `create_engine`; for ONNX Runtime.
        threads: CPU threads of the network; 0 takes one for each core.

    Raises:
        UsageError: a word that is not known, or weights of a network that does something else.
        VosctlError: weights, device or provider cannot be had.
    """
    if engine == "torch":
        require("torch", "`engine='torch'`")
        from vosctl.engine.devices import resolve_placement
        from vosctl.engine.prompt_torch import TorchPromptEngine
        from vosctl.weights.networks import load_prompt_network

        return TorchPromptEngine(load_prompt_network(weights), resolve_placement(device, "fp32"), weights)
    if engine not in ("auto", "onnx"):
        raise UsageError(f"`engine={engine!r}`: does not find objects; give auto, onnx or torch")
    from vosctl.engine.prompt_onnx import OnnxPromptEngine
    from vosctl.weights.checkpoint import load_checkpoint

    chosen = resolve_provider("cpu" if provider == device == "auto" else provider, device)
    return OnnxPromptEngine(load_checkpoint(weights, task="find"), chosen, weights, threads)


def _fastest_engine(path: Path, device: str, precision: str, provider: str) -> str:
    """Torch where a GPU computes; elsewhere ONNX Runtime: on an AVX2 CPU 0.6 of torch's time for lite, 0.9 for rgmp."""
    if path.is_dir() or provider != "auto":
        return "onnx"
    if precision == "fp16" or device not in {"auto", "cpu"} or (device == "auto" and _torch_has_gpu()):
        return "torch"
    if precision == "bf16":  # ONNX Runtime runs the graphs in the package in fp32
        return "openvino" if find_spec("openvino") else "torch"
    return "onnx"


def _torch_has_gpu() -> bool:
    if missing_modules("torch") or not (has_nvidia_gpu() or sys.platform == "darwin"):  # torch takes seconds to import
        return False
    import torch

    return bool(torch.cuda.is_available() or torch.backends.mps.is_available())


def _onnx_engine(weights: str, path: Path, device: str, precision: str, provider: str, threads: int) -> Engine[Any]:
    from vosctl.engine.onnx_engine import OnnxEngine
    from vosctl.engine.onnx_sessions import open_checkpoint, open_folder
    from vosctl.weights.checkpoint import read_checkpoint

    chosen = resolve_provider(provider, device)
    if path.is_dir():
        graphs = open_folder(path, chosen, threads)
    elif precision in {"auto", "fp32"}:
        graphs = open_checkpoint(read_checkpoint(path), chosen, threads)
    else:
        raise UsageError(
            f"--precision {precision}: the onnx engine runs a checkpoint in fp32 only; "
            f"run `vosctl export-onnx --precision fp16` or int8 and give its folder as --weights"
        )
    if precision not in {"auto", graphs.metadata.precision}:
        raise UsageError(
            f"--precision {precision}: the graphs of {weights} were exported in {graphs.metadata.precision}; "
            "leave --precision out"
        )
    return OnnxEngine(graphs, weights)


def _openvino_engine(weights: str, path: Path, device: str, precision: str, provider: str, threads: int) -> Engine[Any]:
    if provider != "auto":
        raise UsageError(f"--provider {provider}: is for the onnx engine; leave it out, or add --engine onnx")
    if device not in {"auto", "cpu"}:
        raise UsageError(f"--device {device}: the openvino engine runs on the CPU; leave --device out")
    require("openvino", "`engine='openvino'`")
    from vosctl.engine.openvino_engine import OpenVinoEngine
    from vosctl.engine.openvino_models import compile_checkpoint, compile_folder
    from vosctl.weights.checkpoint import read_checkpoint

    if path.is_dir():
        compiled = compile_folder(path, precision, threads)
    else:
        compiled = compile_checkpoint(read_checkpoint(path), precision, threads)
    return OpenVinoEngine(compiled, weights)


def _torch_engine(weights: str, path: Path, device: str, precision: str, threads: int) -> Engine[Any]:
    if path.is_dir():
        raise UsageError(
            f"--engine torch: {weights} is a folder of ONNX graphs; add --engine onnx or give a checkpoint"
        )
    require("torch", "`engine='torch'`")
    import torch

    from vosctl.engine.devices import resolve_placement
    from vosctl.engine.torch_engine import TorchEngine
    from vosctl.weights.checkpoint import read_checkpoint
    from vosctl.weights.networks import build_network

    placement = resolve_placement(device, precision)
    if threads:
        torch.set_num_threads(threads)
    return TorchEngine(build_network(read_checkpoint(path)), placement, weights)
