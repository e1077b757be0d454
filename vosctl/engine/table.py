"""The table of backends: what `engine`, `device` and `precision` can be, for the library and the command line alike."""

from __future__ import annotations

from contextlib import AbstractContextManager

from vosctl.engine.backend import Backend, EngineRequest
from vosctl.engine.builtin import BACKENDS
from vosctl.errors import UsageError, VosctlError
from vosctl.registration import registered

AUTO = "auto"
_TABLE: dict[str, Backend] = {one.name: one for one in BACKENDS}
_PRECISIONS = ("fp32", "bf16", "fp16", "int8")
_DEVICES = ("cuda", "mps", "cpu")


def backends() -> dict[str, Backend]:
    """Return every backend by name."""
    return dict(_TABLE)


def engine_words() -> tuple[str, ...]:
    """Return what `engine` can be."""
    return (AUTO, *_TABLE)


def precision_words() -> tuple[str, ...]:
    """Return what `precision` can be."""
    known = {word for backend in _TABLE.values() for word in backend.precisions}
    return (AUTO, *(word for word in _PRECISIONS if word in known))


def device_kinds() -> tuple[str, ...]:
    """Return the kinds of devices that backends run on, GPUs first."""
    known = {word for backend in _TABLE.values() for word in backend.devices}
    return tuple(word for word in _DEVICES if word in known)


def choose(engine: str, request: EngineRequest) -> Backend:
    """Return the backend of a name; for "auto" the one that suits the request best.

    Raises:
        UsageError: no such backend.
        VosctlError: none suits the request.
    """
    if engine in _TABLE:
        return _TABLE[engine]
    if engine != AUTO:
        raise UsageError(f"`engine={engine!r}`: unknown; give {', '.join(engine_words())}")
    ranks = {backend.rank(request): backend for backend in reversed(_TABLE.values())}
    best = max(ranks, default=0)
    if best <= 0:
        raise VosctlError(f"{request.weights}: no engine runs it as asked; name one, `engine='onnx'`")
    return ranks[best]


def registered_backend(backend: Backend) -> AbstractContextManager[Backend]:
    """Put a backend into the table, in the place of one of the same name, for as long as the block lasts."""
    return registered(_TABLE, backend.name, backend)
