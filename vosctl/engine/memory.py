"""Running out of memory, said as such whichever library noticed it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from vosctl.errors import VosctlError

_WORDS = re.compile(
    r"out of memory|can't allocate memory|cannot allocate memory|failed to allocate memory|bad_alloc|bad allocation"
    r"|std::length_error|not enough memory|insufficient memory|unable to allocate",
    re.IGNORECASE,
)


def is_memory_error(error: BaseException) -> bool:
    """Return whether an error of NumPy, OpenCV, torch, ONNX Runtime or OpenVINO says that memory does not suffice."""
    return isinstance(error, MemoryError) or _WORDS.search(str(error)) is not None


@contextmanager
def memory_errors(doing: str) -> Iterator[None]:
    """Word a lack of memory as what it is.

    Args:
        doing: what is being done, as in "out of memory, ...".

    Raises:
        VosctlError: memory did not suffice.
    """
    try:
        yield
    except VosctlError:
        raise
    except Exception as error:  # each library has its own types; what says nothing of memory goes on as it is
        if not is_memory_error(error):
            raise
        raise VosctlError(
            f"out of memory, {doing}: follow fewer objects at once, use smaller crops (`window_size`) or frames, "
            "or end other programs"
        ) from error
