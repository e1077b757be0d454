"""The machine and the versions that figures and findings belong to. Imports none of the packages it names."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from vosctl import __version__
from vosctl.processor import core_count, cpu_flags, cpu_name

PACKAGES = (
    "torch", "onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml", "openvino", "numpy",
    "opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless", "av",
    "pillow",
)  # fmt: skip
_DRIVER_TIMEOUT = 20.0  # seconds; a wedged driver never answers


@dataclass(frozen=True, slots=True)
class Gpu:
    """An NVIDIA GPU as its driver lists it.

    Attributes:
        name: the product's name.
        driver: version of the driver.
        memory: MB on the device; None where the driver does not tell, as of a GPU that has the machine's memory.
        used: MB in use now, by anybody; None where the driver does not tell, as of a GPU that is split up (MIG).
    """

    name: str
    driver: str
    memory: int | None
    used: int | None

    def __str__(self) -> str:
        memory = "" if self.memory is None else f", {self.memory} MB"
        return f"{self.name}{memory}, driver {self.driver}"


@dataclass(frozen=True, slots=True)
class Machine:
    """What figures depend on.

    Attributes:
        system: operating system and architecture.
        cpu: the processor's name.
        cores: logical cores this process may use.
        memory: MB of main memory; None where it cannot be told.
        gpus: NVIDIA GPUs.
    """

    system: str
    cpu: str
    cores: int
    memory: int | None
    gpus: tuple[Gpu, ...]


def describe_machine() -> Machine:
    """Describe this machine."""
    try:
        gpus = tuple(nvidia_gpus())
    except (OSError, subprocess.SubprocessError, ValueError):
        gpus = ()
    return Machine(f"{platform.system()} {platform.machine()}", cpu_name(), core_count(), _memory(), gpus)


def package_versions() -> dict[str, str]:
    """Versions of Python, of the vosctl that runs, and of those of `PACKAGES` that are installed."""
    versions = {"python": platform.python_version(), "vosctl": __version__}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def nvidia_gpus(program: str | None = None) -> list[Gpu]:
    """List the GPUs by `nvidia-smi`; none where there is no such program.

    Args:
        program: path of it; by default it is looked up.

    Raises:
        OSError, subprocess.SubprocessError, ValueError: the program is there and fails, hangs or says something else.
    """
    program = program or shutil.which("nvidia-smi")
    if program is None:
        return []
    fields = "name,driver_version,memory.total,memory.used"
    listed = subprocess.run(
        [program, f"--query-gpu={fields}", "--format=csv,noheader,nounits"],
        capture_output=True, text=True, check=True, timeout=_DRIVER_TIMEOUT,
    )  # fmt: skip
    gpus = []
    for line in listed.stdout.splitlines():
        name, driver, memory, used = (part.strip() for part in line.split(","))
        gpus.append(Gpu(name, driver, _megabytes(memory), _megabytes(used)))
    return gpus


def _megabytes(told: str) -> int | None:
    """Read a number of `nvidia-smi`; None where it says in brackets why there is none, as "[N/A]"."""
    return None if told.startswith("[") else int(told)


def has_bf16() -> bool:
    """Return whether the CPU has bf16 instructions (AVX-512 BF16 or AMX); False where the system does not tell."""
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(cpu_flags())


def _memory() -> int | None:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e6)
