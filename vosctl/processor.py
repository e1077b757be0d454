"""The processor that a process runs on: its name, what it can do, and how many of its cores may be used."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path


def core_count() -> int:
    """Return how many logical cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


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
