"""All checks, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from vosctl.diagnosis import accelerators, packages, video, weights
from vosctl.diagnosis.findings import Finding, error, reason

CHECKS: dict[str, tuple[Callable[[], list[Finding]], ...]] = {
    "Python": (packages.check_python, packages.check_imports, packages.check_rivals),
    "Acceleration": (
        accelerators.check_gpu,
        accelerators.check_torch,
        accelerators.check_providers,
        accelerators.check_openvino,
    ),
    "Video": (video.check_encoders, video.check_decoders, video.check_opencv, video.check_cameras),
    "Weights": (weights.check_weights, weights.check_segmentation),
}
"""Checks by the heading they are shown under."""


def diagnose() -> Iterator[tuple[str, list[Finding]]]:
    """Carry out every check; one that breaks is a finding itself, and the others go on.

    Yields:
        The heading and its findings, a heading at a time.
    """
    for title, checks in CHECKS.items():
        yield title, [finding for check in checks for finding in _carry_out(check)]


def _carry_out(check: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return check()
    except Exception as problem:  # whatever a broken installation raises
        subject = check.__name__.removeprefix("check_")
        message = f"could not be checked: {type(problem).__name__}: {reason(problem)}"
        return [
            error(
                subject, message, "mend what else was found first; then python -m pip install --force-reinstall vosctl"
            )
        ]
