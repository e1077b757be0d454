"""Which engines, devices and precisions this machine has for some weights: those that can be created."""

from __future__ import annotations

from itertools import product

from vosctl.benchmark.cases import Backend, BenchmarkSettings
from vosctl.engine import create_engine
from vosctl.engine.table import backends
from vosctl.errors import VosctlError


def find_backends(settings: BenchmarkSettings) -> list[Backend]:
    """All that can be had of what was asked for, the one that `engine='auto'` takes first.

    Raises:
        VosctlError: the weights cannot be loaded, or nothing that was asked for can be had.
    """
    usual = create_engine(settings.weights).info
    found: list[Backend] = []
    reason = ""
    listed = [
        (engine, device, precision)
        for engine, backend in backends().items()
        for device, precision in product(backend.devices, backend.precisions)
        if _chosen(engine, settings.engines) and _chosen(device, settings.devices)
    ]
    for engine, device, precision in listed:
        try:
            info = create_engine(settings.weights, engine=engine, device=device, precision=precision).info
        except VosctlError as error:
            reason = reason or str(error)
            continue
        found.append(Backend(engine, device, precision, info.device))
    if not found:
        raise VosctlError(f"`engines`, `devices`: none of these is available here; {reason}")
    wanted = (usual.engine, usual.device, usual.precision)
    return sorted(found, key=lambda one: (one.engine, one.device_name, one.precision) != wanted)


def _chosen(word: str, words: tuple[str, ...]) -> bool:
    return "all" in words or word in words
