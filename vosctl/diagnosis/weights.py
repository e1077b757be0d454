"""The weights, and whether they segment."""

from __future__ import annotations

import time

from vosctl.diagnosis.findings import Finding, error, ok, reason, warning
from vosctl.diagnosis.probe import Probe
from vosctl.errors import VosctlError
from vosctl.weights.registry import DEFAULT_WEIGHTS, read_registry, verify_entry

SELF_TEST_FRAMES = 10
SELF_TEST_SIZE = (432, 240)  # width, height
LEAST_IOU = 0.7
"""What the self-test must reach on average; with weights that work it is above 0.9."""


def check_weights(probe: Probe) -> list[Finding]:
    """Compare every registered file with its digest."""
    try:
        registry = read_registry()
    except VosctlError as problem:
        return [error("weights", reason(problem), "python -m pip install --force-reinstall vosctl")]
    entries = registry.entries
    findings = []
    if registry.problem:
        message, _, cure = registry.problem.rpartition("; ")
        findings.append(warning("imported weights", message, cure))
    if DEFAULT_WEIGHTS not in entries:
        message = f"the weights '{DEFAULT_WEIGHTS}' that come with vosctl are not there"
        findings.append(error("weights", message, "python -m pip install --force-reinstall vosctl"))
    for name, entry in entries.items():
        try:
            verify_entry(entry)
        except VosctlError as problem:
            if entry.shipped:
                findings.append(error(name, reason(problem), "python -m pip install --force-reinstall vosctl"))
            else:
                cure = f"`vosctl weights import FILE --name {name} --overwrite`, or `vosctl weights remove {name}`"
                findings.append(warning(name, reason(problem), cure))
        else:
            findings.append(
                ok(name, f"{entry.network} weights, verified{', retired' if entry.retired else ''}, {entry.path}")
            )
    return findings


def check_segmentation(probe: Probe) -> list[Finding]:
    """Follow the two objects of a made clip with the default weights and compare with the exact masks."""
    import numpy as np

    from vosctl.demo.scene import CUP_ID, RACCOON_ID, render_demo
    from vosctl.tracking import Tracker

    frames = list(render_demo(SELF_TEST_FRAMES, *SELF_TEST_SIZE))
    try:
        tracker = Tracker.load()
        tracker.start(*frames[0])
        begin = time.perf_counter()
        answers = [tracker.step(image).labels for image, _ in frames[1:]]
        seconds = time.perf_counter() - begin
    except VosctlError as problem:
        return [error("self-test", f"cannot run: {reason(problem)}", "see the other findings")]
    ious = []
    for answer, (_, truth) in zip(answers, frames[1:], strict=True):
        for object_id in (RACCOON_ID, CUP_ID):
            either = np.count_nonzero((answer == object_id) | (truth == object_id))
            ious.append(np.count_nonzero((answer == object_id) & (truth == object_id)) / either)
    info = tracker.info
    chosen = f"{info.weights} on {info.engine}, {info.device}, {info.precision}"
    mean = float(np.mean(ious))
    if mean < LEAST_IOU:
        cure = (
            "try `vosctl eval` with `engine='torch'` and `device='cpu'`; "
            "if that is right, the engine above computes wrongly here"
        )
        return [error("self-test", f"IoU {mean:.3f} where {LEAST_IOU} is the least, {chosen}", cure)]
    rate = len(answers) / seconds
    return [ok("self-test", f"IoU {mean:.3f} over {len(answers)} frames, two objects, {rate:.1f} fps, {chosen}")]
