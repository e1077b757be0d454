"""Where torch computes and in which precision: resolved here, once, and told as really chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from vosctl.engine.backend import Precision, PrecisionWord
from vosctl.errors import UsageError, VosctlError
from vosctl.processor import cpu_flags

DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True)
class Placement:
    """A device and the precision the network runs in there.

    Attributes:
        device: the torch device.
        precision: "fp32", "bf16" or "fp16".
    """

    device: torch.device
    precision: Precision

    @property
    def dtype(self) -> torch.dtype:
        """Return the precision as torch's type."""
        return DTYPES[self.precision]

    def __str__(self) -> str:
        if self.device.type == "cuda":
            return f"{self.device} ({torch.cuda.get_device_name(self.device)})"
        return str(self.device)


def has_fast_cpu_bf16(of_torch: object = torch.cpu) -> bool:
    """Return whether this CPU has bf16 instructions: there bf16 is 1.5 to 2 times as fast as fp32, elsewhere slower.

    Args:
        of_torch: PyTorch's module that tells it; before PyTorch 2.5 it does not, and the system is asked.
    """
    tells = [getattr(of_torch, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")]
    if None in tells:
        return not {"avx512_bf16", "amx_bf16"}.isdisjoint(cpu_flags())
    return any(tell() for tell in tells if tell is not None)


def resolve_placement(
    device: str = "auto", precision: PrecisionWord = "auto", has_cpu_bf16: Callable[[], bool] = has_fast_cpu_bf16
) -> Placement:
    """Turn a request into what will really be used.

    Args:
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        precision: "auto", "fp32", "bf16" or "fp16".
        has_cpu_bf16: says whether the CPU has bf16 instructions.

    Raises:
        UsageError: a word that is not known.
        VosctlError: a device or precision that this machine does not have.
    """
    chosen = _resolve_device(device)
    return Placement(chosen, _resolve_precision(precision, chosen, has_cpu_bf16))


def _resolve_device(name: str) -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if kind not in {"cpu", "cuda", "mps"} or (index and not (kind == "cuda" and index.isdigit())):
        raise UsageError(f"`device={name!r}`: unknown; give auto, cpu, cuda, cuda:N or mps")
    if kind == "cuda":
        if not torch.cuda.is_available():
            reason = "this PyTorch was built without CUDA" if torch.version.cuda is None else "no working NVIDIA driver"
            raise VosctlError(
                f"`device={name!r}`: no CUDA device here ({reason}); use `device='cpu'`, or repair the installation"
            )
        if int(index or 0) >= torch.cuda.device_count():
            raise VosctlError(f"`device={name!r}`: this machine has {torch.cuda.device_count()} CUDA device(s), from 0")
        return torch.device("cuda", int(index or 0))
    if kind == "mps" and not torch.backends.mps.is_available():
        raise VosctlError("`device='mps'`: no Metal device here; use `device='cpu'`")
    return torch.device(kind)


def _resolve_precision(precision: PrecisionWord, device: torch.device, has_cpu_bf16: Callable[[], bool]) -> Precision:
    if precision == "auto":
        if device.type == "cuda":
            return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
        return "bf16" if device.type == "cpu" and has_cpu_bf16() else "fp32"
    if precision not in DTYPES:
        raise UsageError(f"`precision={precision!r}`: unknown; give auto, {', '.join(DTYPES)}")
    if precision == "fp16" and device.type == "cpu":
        raise VosctlError("`precision='fp16'`: PyTorch is slow and inexact with it on a CPU; use auto or fp32")
    if precision == "bf16" and device.type == "cpu" and not has_cpu_bf16():
        # measured on an AVX2 CPU: 18 times the time of fp32
        raise VosctlError("`precision='bf16'`: this CPU has no bf16 instructions and would crawl; use auto or fp32")
    return precision
