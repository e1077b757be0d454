"""How much memory this process may have, where that is limited: `ulimit -v`, as on machines that many share."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

_STATUS = Path("/proc/self/status")
_NEARLY = 0.9
"""Of the limit: what did not fit into the rest has failed."""


def reached_limit(status: Path = _STATUS) -> int | None:
    """Return the most memory that this process may have, in bytes, where it has come close to that; else None.

    Args:
        status: what Linux says of the process.
    """
    if sys.platform == "win32":
        return None
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    peak = 0
    with suppress(OSError, ValueError):
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            title, _, value = line.partition(":")
            if title == "VmPeak":
                peak = int(value.split()[0]) << 10
    return limit if peak > _NEARLY * limit else None


def words_of_limit() -> str:
    """Return what there is to say of the limit behind the line of an error: nothing where it was not reached."""
    limit = reached_limit()
    if limit is None:
        return ""
    return f" (all the memory that this process may have is used: {limit >> 20} MiB, `ulimit -v`)"
