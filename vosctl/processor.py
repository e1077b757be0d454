"""The processor that a process runs on: its name, what it can do, and how many of its cores may be used."""

from __future__ import annotations

import math
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_ROOT = Path("/")


def core_count(root: Path = _ROOT) -> int:
    """Return how many logical cores this process may use: those it is bound to, and a container's share of them.

    Args:
        root: where Linux's own folders, `proc` and `sys`, are.
    """
    if sys.platform != "linux":
        return os.cpu_count() or 1
    shares = [math.ceil(share) for share in _shares(root)]
    return max(1, min(len(os.sched_getaffinity(0)), *shares, sys.maxsize))


def library_threads(asked: int, root: Path = _ROOT) -> int:
    """Return how many threads a library is to be told to start; 0 leaves it to the library.

    Left alone, ONNX Runtime starts one for each core of the machine and binds it there, which this process may not be
    allowed to use, and no library sees a container's share.

    Args:
        asked: what the user asked for, 0 for nothing.
        root: see `core_count`.
    """
    cores = core_count(root)
    return asked or (cores if cores < (os.cpu_count() or 1) else 0)


def cpu_name() -> str:
    """Return the processor's name."""
    return _information("model name") or platform.processor() or platform.machine()


def cpu_flags() -> frozenset[str]:
    """Return what the processor can do, in Linux's words; nothing where the system does not tell."""
    return frozenset(_information("flags").split())


def _information(wanted: str) -> str:
    """Read one line of Linux's description of the first core; empty elsewhere."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            title, _, value = line.partition(":")
            if title.strip() == wanted:
                return value.strip()
    return ""


def _shares(root: Path) -> Iterator[float]:
    """Give how many cores' worth of time this process's control groups, and those above them, are granted."""
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text(encoding="utf-8", errors="replace").splitlines():
            _, controllers, place = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            top = root / "sys/fs/cgroup" / ("cpu" if controllers else "")
            # A container sees its own group at the top, though its name may be that of the machine's view.
            own = top / place.strip("/")
            for folder in (own, *own.parents[: len(own.parts) - len(top.parts)]):
                with suppress(OSError, ValueError):
                    yield _share(folder)


def _share(group: Path) -> float:
    """Read the share of one group, of either version; ValueError where it has none."""
    if (group / "cpu.max").exists():
        quota, period = (group / "cpu.max").read_text(encoding="ascii").split()
    else:
        quota, period = ((group / f"cpu.cfs_{one}_us").read_text(encoding="ascii") for one in ("quota", "period"))
    if float(quota) <= 0 or float(period) <= 0:  # "max" is no number either
        raise ValueError(quota)
    return float(quota) / float(period)
