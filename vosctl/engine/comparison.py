"""Which of the CPU's engines is faster here: measured by `vosctl doctor`, and known to `engine="auto"` from then on.

Neither is faster everywhere: it depends on the processor, and on what else runs. A measurement at the start of a run
would cost more than it gains, so that no run makes one.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from vosctl.engine.base import Engine
from vosctl.engine.cache import cache_folder
from vosctl.errors import VosctlError

MARGIN = 1.1
"""How many times as fast OpenVINO must be: it takes longer to start, and measurements are noisy."""
ROUNDS, STEPS = 5, 4
LIBRARIES = ("vosctl", "onnxruntime", "onnxruntime-gpu", "openvino")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A step of one network in fp32, in its own crop.

    Attributes:
        onnx: median time in ONNX Runtime, milliseconds.
        openvino: the same in OpenVINO.
    """

    onnx: float
    openvino: float

    @property
    def faster(self) -> str:
        """The engine that `engine="auto"` takes."""
        return "openvino" if self.openvino * MARGIN <= self.onnx else "onnx"


def compare(onnx: Engine[Any], openvino: Engine[Any]) -> Comparison:
    """Time the steps of two engines of one network, by turns, so that other work slows both.

    Raises:
        VosctlError: one of them fails.
    """
    size = onnx.crop_size
    image = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    mask = np.zeros((size, size), np.float32)
    mask[size // 3 : -size // 3, size // 3 : -size // 3] = 1
    engines = (onnx, openvino)
    states = [engine.encode_reference(image, mask) for engine in engines]
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for engine, state, taken in zip(engines, states, times, strict=True):
            for step in range(STEPS):
                began = time.perf_counter()
                engine.propagate(image[None], mask[None], [state])
                if step:  # the first one finds the other's threads still at work
                    taken.append(time.perf_counter() - began)
    return Comparison(*(round(1e3 * float(np.median(taken)), 2) for taken in times))


def remember(network: str, comparison: Comparison, file: Path | None = None) -> None:
    """Keep a comparison for later runs on this machine with these libraries.

    Raises:
        VosctlError: the file cannot be written.
    """
    path = file or _file()
    known = {**_read(path), _key(network): asdict(comparison)}
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(known, indent=1), "utf-8")
        part.replace(path)
    except OSError as error:
        raise VosctlError(f"{path}: cannot be written: {error.strerror}; make its folder writable") from error


def recall(network: str, file: Path | None = None) -> Comparison | None:
    """Return what was kept of a network on this machine with these libraries; None when nothing was."""
    kept = _read(file or _file()).get(_key(network), {})
    try:
        return Comparison(float(kept["onnx"]), float(kept["openvino"]))
    except (KeyError, TypeError, ValueError):
        return None


def has_comparisons(file: Path | None = None) -> bool:
    """Return whether anything was ever measured."""
    return (file or _file()).is_file()


def _file() -> Path:
    return cache_folder() / "engines.json"


def _read(path: Path) -> dict[str, Any]:
    """Return what the file holds; it is a cache: one that is missing or damaged holds nothing."""
    try:
        known = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _key(network: str) -> str:
    """Return what a comparison holds for."""
    versions = [f"{name} {_version(name)}" for name in LIBRARIES if _version(name)]
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return ", ".join([network, platform.machine(), _cpu(), f"{cores} cores", *versions])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _cpu() -> str:
    """Return what the processor says it is and can do: a cache folder may be shared by several machines."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.processor()
    lines = dict(line.partition(":")[::2] for line in text.partition("\n\n")[0].splitlines())
    found = {key.strip(): value.strip() for key, value in lines.items()}
    flags = found.get("flags", "").split()
    return " ".join([found.get("model name", ""), *(one for one in ("avx2", "avx512f", "avx512_bf16") if one in flags)])
