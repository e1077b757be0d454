"""Which execution provider ONNX Runtime uses: resolved here, and compared with what it really loaded."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from vosctl.engine.backend import ProviderWord
from vosctl.engine.cache import cache_folder
from vosctl.errors import UsageError, VosctlError

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "openvino-gpu": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
"""ONNX Runtime's names by ours. Only the CPU and CUDA are ever chosen by themselves."""
PACKAGES = {
    "cuda": "onnxruntime-gpu",
    "tensorrt": "onnxruntime-gpu",
    "openvino": "onnxruntime-openvino",
    "openvino-gpu": "onnxruntime-openvino",
    "coreml": "onnxruntime on a Mac",
    "directml": "onnxruntime-directml on Windows",
}
LIBRARIES = {
    "cuda": "CUDA and cuDNN",
    "tensorrt": "TensorRT, CUDA and cuDNN",
    "openvino": "OpenVINO",
    "openvino-gpu": "OpenVINO and its GPU plugin",
}
CUDA_LIBRARIES = 'python -m pip install "onnxruntime-gpu[cuda,cudnn]"'
"""Brings those that the CUDA provider needs."""
OWN_DEVICE = ("openvino-gpu", "coreml", "directml")
"""Those that compute on a device which `device` has no word for."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An execution provider.

    Attributes:
        word: a key of `PROVIDERS`.
        index: number of the CUDA device; 0 elsewhere.
        stream: address of the CUDA stream that it is to compute on; 0 for one of its own.
    """

    word: str
    index: int = 0
    stream: int = 0

    @property
    def name(self) -> str:
        """ONNX Runtime's name for it."""
        return PROVIDERS[self.word]

    @property
    def takes_any_size(self) -> bool:
        """Whether tensors may change their size from call to call at no cost; others compile for the sizes they see."""
        return self.word in {"cpu", "cuda"}

    @property
    def memory(self) -> str:
        """Where its tensors live, in ONNX Runtime's words."""
        return "cuda" if self.word in {"cuda", "tensorrt"} else "cpu"

    def session_providers(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the providers to ask a session for, in order; the later ones take what the earlier ones cannot."""
        if self.word == "openvino-gpu":
            return [(self.name, {"device_type": "GPU"})]
        if self.memory == "cpu":
            return [(self.name, {})]
        place: dict[str, Any] = {"device_id": self.index}
        if self.stream:
            place["user_compute_stream"] = str(self.stream)
        cuda = (PROVIDERS["cuda"], place)
        if self.word == "cuda":
            return [cuda]
        cache = tensorrt_cache()
        options = place | {
            "trt_engine_cache_enable": True,  # building an engine takes minutes
            "trt_engine_cache_path": str(cache),
            "trt_timing_cache_enable": True,  # another size of crop is built faster
            "trt_timing_cache_path": str(cache),
        }
        return [(self.name, options), cuda]

    def first_build(self) -> str | None:
        """Say in one line that a first use takes long, where it does."""
        if self.word != "tensorrt" or any(tensorrt_cache().glob("*.engine")):
            return None
        return f"TensorRT builds its engines for this GPU, once, for minutes; they are kept in {tensorrt_cache()}"

    @property
    def cure(self) -> str:
        """What to do where a graph does not run there."""
        if self.word == "tensorrt" and any(tensorrt_cache().glob("*.engine")):
            return f"remove {tensorrt_cache()}, where a kept engine may be damaged, or use `provider='cpu'`"
        return "use `provider='cpu'`"


@dataclass(frozen=True, slots=True)
class Lack:
    """What keeps a provider from being used.

    Attributes:
        reason: what is missing.
        cure: what to do.
    """

    reason: str
    cure: str

    def __str__(self) -> str:
        return f"{self.reason}; {self.cure}"


def tensorrt_cache() -> Path:
    """Return the folder of TensorRT's engines and timings."""
    return cache_folder() / "tensorrt"


def has_nvidia_gpu() -> bool:
    """Ask the NVIDIA driver itself whether it lists a device, so that neither torch nor CUDA is needed."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0


def _preload(onnxruntime: ModuleType) -> None:
    """Load CUDA and cuDNN from where pip has put them.

    ONNX Runtime prints what it does not find, on standard output, which holds data only: its module gets a `print` of
    its own. Redirecting standard output would lose what another thread writes meanwhile. What is missing is told by
    `_load_failure`.
    """
    vars(onnxruntime)["print"] = _print_nothing
    onnxruntime.preload_dlls()


def _print_nothing(*values: object, **settings: object) -> None:
    pass


def _load_failure(provider: Provider) -> str | None:
    """Load the provider's library as ONNX Runtime will: its own complaint names the library that is missing."""
    import onnxruntime

    folder = Path(onnxruntime.__file__).parent / "capi"
    prefix, suffix = ("", "dll") if sys.platform == "win32" else ("lib", "so")
    try:
        for part in ("shared", provider.word):
            library = folder / f"{prefix}onnxruntime_providers_{part}.{suffix}"
            if library.exists():
                ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        return str(error)
    return None


def why_unusable(
    provider: Provider,
    available: Sequence[str] | None = None,
    load_failure: Callable[[Provider], str | None] = _load_failure,
) -> Lack | None:
    """Say what keeps the provider from being used, and what to do; None when nothing does.

    Args:
        provider: the provider.
        available: what ONNX Runtime was built with, in its own words; None asks it.
        load_failure: loads the provider's libraries; returns the complaint when one is missing.
    """
    import onnxruntime

    if provider.word == "cpu":
        return None
    if provider.name not in (onnxruntime.get_available_providers() if available is None else available):
        lacks = f"the installed ONNX Runtime has no {provider.name}"
        return Lack(lacks, f"install {PACKAGES[provider.word]} in its place")
    if provider.memory == "cuda" and hasattr(onnxruntime, "preload_dlls"):
        _preload(onnxruntime)
    if reason := load_failure(provider):
        cure = f"run: {CUDA_LIBRARIES}" if provider.word == "cuda" else "install it"
        return Lack(f"needs {LIBRARIES[provider.word]}, but {reason}", cure)
    return None


def resolve_provider(
    provider: ProviderWord = "auto",
    device: str = "auto",
    has_gpu: Callable[[], bool] = has_nvidia_gpu,
    problem_of: Callable[[Provider], Lack | None] = why_unusable,
) -> Provider:
    """Turn `provider` and `device` into a provider that this machine has.

    Args:
        provider: "auto" or a key of `PROVIDERS`.
        device: "auto", "cpu", "cuda" or "cuda:N".
        has_gpu: says whether there is an NVIDIA GPU.
        problem_of: says what keeps a provider from being used.

    Raises:
        UsageError: a word that is not known, or two that do not go together.
        VosctlError: this ONNX Runtime or this machine does not have it; says why.
    """
    if provider != "auto" and provider not in PROVIDERS:
        raise UsageError(f"`provider={provider!r}`: unknown; give auto, {', '.join(PROVIDERS)}")
    kind, _, index = device.partition(":")
    if kind not in {"auto", "cpu", "cuda"} or (index and not (kind == "cuda" and index.isdigit())):
        raise UsageError(f"`device={device!r}`: the onnx engine runs on auto, cpu, cuda or cuda:N")
    if provider == "auto":
        if kind == "auto":
            # asked for nothing: the GPU if all it needs is there; the engine's info tells which it was
            usable = has_gpu() and problem_of(Provider("cuda")) is None
            return Provider("cuda" if usable else "cpu")
        chosen, asked, instead = Provider(kind, int(index or 0)), f"`device={device!r}`", "`device='cpu'`"
        if kind == "cuda" and not has_gpu():
            raise VosctlError(f"{asked}: no NVIDIA GPU here, or no working driver for it; use {instead}")
    else:
        chosen, asked, instead = Provider(provider, int(index or 0)), f"`provider={provider!r}`", "`provider='cpu'`"
        if kind != "auto" and (provider in OWN_DEVICE or kind != chosen.memory):
            raise UsageError(f"`provider={provider!r}`: does not run on `device={device!r}`; leave `device` out")
    if lack := problem_of(chosen):
        raise VosctlError(f"{asked}: {lack}; or use {instead}")
    return chosen


def check_loaded(provider: Provider, loaded: list[str]) -> None:
    """Compare a session's providers with the request: ONNX Runtime falls back on the CPU without an error.

    Raises:
        VosctlError: another provider was loaded.
    """
    if not loaded or loaded[0] != provider.name:
        raise VosctlError(
            f"`provider={provider.word!r}`: ONNX Runtime loaded {', '.join(loaded)} instead of {provider.name}; "
            f"check {LIBRARIES.get(provider.word, 'the installation')}, or use `provider='cpu'`"
        )
