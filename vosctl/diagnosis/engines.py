"""Which engine is the faster one on this CPU: measured here, and known to `engine="auto"` from then on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from vosctl.diagnosis.findings import Finding, ok, reason, warning
from vosctl.diagnosis.probe import Probe
from vosctl.errors import VosctlError

if TYPE_CHECKING:
    from vosctl.engine.comparison import Comparison

COMPARED = ("lite", "lite-plus")
"""Weights that come with vosctl, one of each of its own networks."""


def _remember(network: str, comparison: Comparison) -> None:
    from vosctl.engine.comparison import remember

    remember(network, comparison)


def compare_engines(
    probe: Probe, names: Sequence[str] = COMPARED, keep: Callable[[str, Comparison], None] = _remember
) -> list[Finding]:
    """Measure whether OpenVINO, where it is installed, is faster than ONNX Runtime.

    Args:
        probe: the machine that is asked.
        names: weights to measure with.
        keep: takes the name of a network and what was measured.
    """
    if not probe.present("openvino"):
        return []
    from vosctl.engine import create_engine
    from vosctl.engine.cache import make_compiled_folder
    from vosctl.engine.comparison import compare

    make_compiled_folder()
    findings = []
    for name in names:
        try:
            onnx, openvino = (
                create_engine(name, engine=engine, device="cpu", precision="fp32") for engine in ("onnx", "openvino")
            )
            found = compare(onnx, openvino)
            keep(onnx.info.network, found)
        except VosctlError as problem:
            message = f"not compared for {name}, `engine='auto'` goes on with what it knows: {reason(problem)}"
            findings.append(warning("engines", message, "cure what else was found, then run `vosctl doctor` again"))
            continue
        times = f"onnx {found.onnx:.1f} ms, openvino {found.openvino:.1f} ms"
        findings.append(ok("engines", f"{name}, a step in fp32: {times}; `engine='auto'` takes {found.faster} here"))
    return findings
