"""A GPU that is there and not used, though nobody asked for the CPU: said, with what to install."""

from __future__ import annotations

from collections.abc import Callable

from vosctl.engine.base import EngineInfo
from vosctl.engine.providers import Lack, Provider, has_nvidia_gpu, why_unusable
from vosctl.extras import install


def _why_no_cuda() -> Lack | None:
    return why_unusable(Provider("cuda"))


def idle_gpu(
    info: EngineInfo,
    device: str,
    has_gpu: Callable[[], bool] = has_nvidia_gpu,
    why_no_cuda: Callable[[], Lack | None] = _why_no_cuda,
) -> str | None:
    """Say in one line that this machine's NVIDIA GPU is left idle, why, and what to install; None when it is not.

    Args:
        info: the engine that was made.
        device: the device that was asked for; only "auto" leaves the choice open.
        has_gpu: whether the NVIDIA driver lists a GPU.
        why_no_cuda: what keeps ONNX Runtime from using it.
    """
    on_gpu = any(word in info.device.lower() for word in ("cuda", "tensorrt"))
    if device != "auto" or on_gpu or not has_gpu():
        return None
    reason = why_no_cuda() or "the engine that was chosen runs on the CPU"
    return f"this machine's NVIDIA GPU is not used: {reason}; for PyTorch's CUDA {install('torch')}"
