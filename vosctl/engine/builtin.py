"""The backends of this package. A new one is its module and one `Backend` here; each is imported when it is the one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vosctl.engine.backend import Backend, EngineRequest
from vosctl.engine.providers import has_nvidia_gpu, resolve_provider
from vosctl.errors import UsageError
from vosctl.extras import missing_modules, require

if TYPE_CHECKING:
    from vosctl.engine.base import Engine


def torch_has_gpu() -> bool:
    """Return whether torch is installed and has a GPU; torch takes seconds to import, so the driver is asked first."""
    if missing_modules("torch") or not (has_nvidia_gpu() or sys.platform == "darwin"):
        return False
    import torch

    return bool(torch.cuda.is_available() or torch.backends.mps.is_available())


def torch_is_missing() -> bool:
    """Return whether PyTorch is not installed."""
    return bool(missing_modules("torch"))


def rank_torch(
    request: EngineRequest,
    has_gpu: Callable[[], bool] = torch_has_gpu,
    is_missing: Callable[[], bool] = torch_is_missing,
) -> int:
    """Rank first where a GPU computes, and last where none does: it is the slowest on a CPU.

    On an NVIDIA GPU ONNX Runtime takes its place where it is not installed, as far as that can do what is asked.
    """
    if request.is_folder or request.provider != "auto":
        return 0
    if request.compiled:
        return 6
    if request.precision == "fp16" or request.device == "mps":
        return 4
    if request.device in {"auto", "cpu"}:
        return 4 if request.device == "auto" and has_gpu() else 1
    return 1 if is_missing() else 4


def rank_onnx(request: EngineRequest) -> int:
    """Rank first on a CPU: with AVX2 0.6 of torch's time for lite, 0.9 for rgmp; a checkpoint runs in fp32."""
    if request.is_folder or request.provider != "auto":
        return 5
    return 0 if request.precision in {"bf16", "fp16"} else 2


def openvino_is_missing() -> bool:
    """Return whether OpenVINO is not installed."""
    return bool(missing_modules("openvino"))


def openvino_is_faster(request: EngineRequest) -> bool:
    """Return whether `vosctl doctor` found it faster than ONNX Runtime on this machine, for this network."""
    from vosctl.engine.comparison import has_comparisons, recall

    if not has_comparisons():
        return False
    kept = recall(request.checkpoint().network)
    return kept is not None and kept.faster == "openvino"


def rank_openvino(
    request: EngineRequest,
    is_missing: Callable[[], bool] = openvino_is_missing,
    is_faster: Callable[[EngineRequest], bool] = openvino_is_faster,
) -> int:
    """Rank first on a CPU for bf16, and where it is known to be faster for fp32: its masks are ONNX Runtime's there."""
    fp32 = request.precision in {"auto", "fp32"}
    wanted = (fp32 or request.precision == "bf16") and request.device in {"auto", "cpu"}
    if request.is_folder or request.provider != "auto" or not wanted or is_missing():
        return 0
    return 2 if not fp32 else 3 if is_faster(request) else 0


def _refuse_provider(request: EngineRequest) -> None:
    if request.provider != "auto":
        raise UsageError(
            f"`provider={request.provider!r}`: is for the onnx engine; leave it out, or use `engine='onnx'`"
        )


def _refuse_compiling(request: EngineRequest) -> None:
    if request.compiled:
        raise UsageError("`compiled=True`: is for the torch engine; leave it out, or use `engine='torch'`")


def _what_needs_torch(request: EngineRequest) -> str:
    """Return what of a request only torch can do, whoever chose it; the engine itself where another could do it."""
    if request.compiled:
        return "`compiled=True`"
    if request.device == "mps":
        return f"`device={request.device!r}`"
    return f"`precision={request.precision!r}`" if request.precision in {"fp16", "bf16"} else "`engine='torch'`"


def _create_torch(request: EngineRequest) -> Engine[Any]:
    _refuse_provider(request)
    if request.is_folder:
        raise UsageError(
            f"`engine='torch'`: {request.weights} is a folder of ONNX graphs; use `engine='onnx'` or give a checkpoint"
        )
    require("torch", _what_needs_torch(request))
    import torch

    from vosctl.engine.devices import resolve_placement
    from vosctl.engine.torch_compiling import torch_compiler
    from vosctl.engine.torch_engine import TorchEngine
    from vosctl.weights.networks import build_network

    placement = resolve_placement(request.device, request.precision)
    if request.threads:
        torch.set_num_threads(request.threads)
    network = build_network(request.checkpoint())
    return TorchEngine(network, placement, request.weights, compiler=torch_compiler() if request.compiled else None)


def _create_onnx(request: EngineRequest) -> Engine[Any]:
    from vosctl.engine.onnx_engine import OnnxEngine
    from vosctl.engine.onnx_sessions import open_checkpoint, open_folder

    _refuse_compiling(request)
    provider = resolve_provider(request.provider, request.device)
    if request.is_folder:
        graphs = open_folder(request.path, provider, request.threads)
    elif request.precision in {"auto", "fp32"}:
        graphs = open_checkpoint(request.checkpoint(), provider, request.threads)
    else:
        raise UsageError(
            f"`precision={request.precision!r}`: the onnx engine runs a checkpoint in fp32 only; "
            "run `vosctl export-onnx --precision fp16` or int8 and give its folder as `weights`"
        )
    if request.precision not in {"auto", graphs.metadata.precision}:
        raise UsageError(
            f"`precision={request.precision!r}`: the graphs of {request.weights} were exported in "
            f"{graphs.metadata.precision}; leave `precision` out"
        )
    return OnnxEngine(graphs, request.weights)


def _create_openvino(request: EngineRequest) -> Engine[Any]:
    _refuse_provider(request)
    _refuse_compiling(request)
    if request.device not in {"auto", "cpu"}:
        raise UsageError(f"`device={request.device!r}`: the openvino engine runs on the CPU; leave `device` out")
    require("openvino", "`engine='openvino'`")
    from vosctl.engine.openvino_engine import OpenVinoEngine
    from vosctl.engine.openvino_models import compile_checkpoint, compile_folder

    if request.is_folder:
        compiled = compile_folder(request.path, request.precision, request.threads)
    else:
        compiled = compile_checkpoint(request.checkpoint(), request.precision, request.threads)
    return OpenVinoEngine(compiled, request.weights)


BACKENDS = (
    Backend(
        name="torch",
        devices=("cuda", "mps", "cpu"),
        precisions=("fp32", "bf16", "fp16"),
        require=lambda: require("torch", "`engine='torch'`"),
        rank=rank_torch,
        create=_create_torch,
    ),
    Backend(
        name="onnx",
        devices=("cuda", "cpu"),
        precisions=("fp32", "fp16", "int8"),
        require=lambda: None,  # ONNX Runtime is part of every installation
        rank=rank_onnx,
        create=_create_onnx,
    ),
    Backend(
        name="openvino",
        devices=("cpu",),
        precisions=("fp32", "bf16", "int8"),
        require=lambda: require("openvino", "`engine='openvino'`"),
        rank=rank_openvino,
        create=_create_openvino,
    ),
)
