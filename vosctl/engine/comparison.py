"""Which of the CPU's engines is faster here: measured by `vosctl doctor`, and known to `engine="auto"` from then on.

Neither is faster everywhere: it depends on the processor, and on what else runs. A measurement at the start of a run
would cost more than it gains, so that no run makes one.
"""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from vosctl.engine.base import Engine
from vosctl.engine.cache import cache_folder
from vosctl.engine.timing import step_times
from vosctl.errors import VosctlError
from vosctl.processor import core_count, cpu_flags, cpu_name
from vosctl.weights.files import write_whole

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
    seconds = step_times((onnx, openvino), image, mask, rounds=ROUNDS, steps=STEPS, ignored=1)
    return Comparison(*(round(1e3 * one, 2) for one in seconds))


def remember(network: str, comparison: Comparison, file: Path | None = None) -> None:
    """Keep a comparison for later runs on this machine with these libraries.

    Raises:
        VosctlError: the file cannot be written.
    """
    path = file or _file()
    known = {**_read(path), _key(network): asdict(comparison)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(known, indent=1).encode())
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
    # a cache folder may be shared by several machines
    cpu = " ".join([cpu_name(), *(one for one in ("avx2", "avx512f", "avx512_bf16") if one in cpu_flags())])
    return ", ".join([network, platform.machine(), cpu, f"{core_count()} cores", *versions])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
