"""`torch.compile` for whoever asks for it: the network is compiled when the engine is made, and kept on disk."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import torch

from vosctl.engine.cache import compiled_by_torch
from vosctl.engine.memory import is_memory_error
from vosctl.errors import VosctlError
from vosctl.network.base import PropagationNetwork

Compiler = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Compiles a function when it is first called."""

_CALLS = ("propagate", "propagate_with_presence")


def torch_compiler() -> Compiler:
    """Return `torch.compile`, which keeps what it compiles in the user's cache folder, or where the user has said."""
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(compiled_by_torch()))

    def compiled(call: Callable[..., Any]) -> Callable[..., Any]:
        made: Callable[..., Any] = torch.compile(call)
        return made

    return compiled


def compile_network(network: PropagationNetwork, compiler: Compiler, run: Callable[[], object]) -> str:
    """Compile what a network does in every frame.

    Args:
        network: the network, whose calls are replaced.
        compiler: compiles them.
        run: runs a step, which has them compiled.

    Returns:
        One line on how long it took.

    Raises:
        VosctlError: it cannot be compiled here; says why.
    """
    for name in _CALLS:
        setattr(network, name, compiler(getattr(network, name)))
    begin = time.perf_counter()
    try:
        run()
    except (RuntimeError, OSError) as error:  # what torch's compilers raise, and the folder that they write into
        if is_memory_error(error):
            raise
        raise VosctlError(
            f"`compiled=True`: torch cannot compile the network here ({_reason(error)}); leave it out"
        ) from error
    return f"the network was compiled in {time.perf_counter() - begin:.1f} s"


def _reason(error: Exception) -> str:
    """Return the line of an error that says what is wrong; torch puts before it which of its compilers raised it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.endswith("raised:")]
    return (telling or lines or [type(error).__name__])[0][:200]
