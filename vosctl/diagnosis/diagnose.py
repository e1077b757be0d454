"""All checks, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from vosctl.diagnosis import accelerators, engines, packages, video, weights
from vosctl.diagnosis.findings import Finding, error, reason
from vosctl.diagnosis.probe import Probe

Check = Callable[[Probe], list[Finding]]
Checks = Mapping[str, Sequence[Check]]

CHECKS: Checks = {
    "Python": (
        packages.check_python,
        packages.check_imports,
        packages.check_versions,
        packages.check_rivals,
        packages.check_extras,
    ),
    "Acceleration": (
        accelerators.check_cpu,
        accelerators.check_gpu,
        accelerators.check_torch,
        accelerators.check_providers,
        accelerators.check_openvino,
        engines.compare_engines,
    ),
    "Video": (
        video.check_encoders,
        video.check_decoders,
        video.check_nvidia_video,
        video.check_opencv,
        video.check_cameras,
    ),
    "Weights": (weights.check_weights, weights.check_segmentation),
}
"""Checks by the heading they are shown under."""


def diagnose(checks: Checks = CHECKS, probe: Probe | None = None) -> Iterator[tuple[str, list[Finding]]]:
    """Carry out every check; one that breaks is a finding itself, and the others go on.

    Args:
        checks: what to check, by heading.
        probe: the machine that is asked; by default this one.

    Yields:
        The heading and its findings, a heading at a time.
    """
    asked = probe or Probe()
    for title, group in checks.items():
        yield title, [finding for check in group for finding in _carry_out(check, asked)]


def _carry_out(check: Check, probe: Probe) -> list[Finding]:
    try:
        return check(probe)
    except Exception as problem:  # whatever a broken installation raises
        subject = check.__name__.removeprefix("check_")
        message = f"could not be checked: {type(problem).__name__}: {reason(problem)}"
        cure = "cure what else was found first; then python -m pip install --force-reinstall vosctl"
        return [error(subject, message, cure)]
