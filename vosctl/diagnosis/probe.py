"""What the checks ask of the machine, in one place, so that a test can hand in other answers."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from vosctl.diagnosis.machine import Gpu, has_bf16, nvidia_gpus
from vosctl.extras import is_present
from vosctl.processor import core_count


def installed_version(package: str) -> str | None:
    """Return the version of an installed package, None when it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def requirements() -> list[str]:
    """Return what vosctl requires, as its metadata has it; nothing where it runs without an installation."""
    try:
        return requires("vosctl") or []
    except PackageNotFoundError:
        return []


def _video_devices() -> list[str]:
    return sorted(str(path) for path in Path("/dev").glob("video*"))


def _may_open(path: str) -> bool:
    return os.access(path, os.R_OK | os.W_OK)


@dataclass(frozen=True, slots=True)
class Probe:
    """The questions, answered by this machine unless told otherwise.

    Attributes:
        python: version of the interpreter.
        system: `sys.platform`.
        load: imports a module by name; raises ImportError or OSError. `Any`, as modules have no common type.
        installed: version of an installed package by its name in the index, or None.
        requirements: what vosctl requires, as its metadata has it: "numpy>=2", with a marker after a semicolon.
        present: whether a module can be imported, without importing it.
        gpus: what the NVIDIA driver lists; raises OSError, SubprocessError or ValueError when it is broken.
        pci_devices: folder in which Linux lists the devices on the bus.
        cores: how many cores the machine has.
        usable_cores: how many of them this process may use.
        bf16: whether the CPU has bf16 instructions.
        video_devices: paths of the camera devices on Linux.
        may_open: whether this user may open such a device.
    """

    python: tuple[int, ...] = tuple(int(part) for part in platform.python_version_tuple()[:2])
    system: str = sys.platform
    load: Callable[[str], Any] = import_module
    installed: Callable[[str], str | None] = installed_version
    requirements: Callable[[], list[str]] = requirements
    present: Callable[[str], bool] = is_present
    gpus: Callable[[], list[Gpu]] = nvidia_gpus
    pci_devices: Path = field(default_factory=lambda: Path("/sys/bus/pci/devices"))
    cores: Callable[[], int] = lambda: os.cpu_count() or 1
    usable_cores: Callable[[], int] = core_count
    bf16: Callable[[], bool] = has_bf16
    video_devices: Callable[[], list[str]] = _video_devices
    may_open: Callable[[str], bool] = _may_open
