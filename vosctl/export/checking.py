"""Exported graphs are compared with torch before they may be kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vosctl.engine.base import Engine
from vosctl.errors import VosctlError
from vosctl.export.clip import CheckClip, frame_agreement, frame_j
from vosctl.export.settings import ExportPrecision

LARGEST_DIFFERENCE = 1e-3  # of probabilities, for fp32
LEAST_AGREEMENT: dict[ExportPrecision, float] = {"fp16": 0.995, "int8": 0.97}  # share of the pixels, in every frame
STEPS = 2
FOLLOWED_FRAMES = 16
FOLLOWED_J = 0.75  # of torch's masks: below it the network has lost the object, and what is left of it is no measure


@dataclass(frozen=True, slots=True)
class MaskCheck:
    """Masks of the exported graphs against those of torch, on the made clip.

    Attributes:
        agreement: least share of equal pixels in any frame in which torch follows the object, 0..1.
        j: mean J of the graphs' masks against the truth, 0..1.
        j_torch: the same for torch's masks.
    """

    agreement: float
    j: float
    j_torch: float


def check_probabilities(
    exported: Engine[Any], torch: Engine[Any], sizes: Sequence[tuple[int, int]], objects: int
) -> float:
    """Run both engines on the same input, for one object and for several, at every size.

    Args:
        exported: runs the exported graphs.
        torch: runs the network they were made from.
        sizes: heights and widths in pixels.
        objects: the most objects at once.

    Returns:
        The largest difference of any probability, and of the objects' presence where the network tells it.

    Raises:
        VosctlError: it is `LARGEST_DIFFERENCE` or more.
    """
    clip = CheckClip.made(STEPS + 1)
    differences = [_difference(exported, torch, clip, size, count) for size in sizes for count in sorted({1, objects})]
    worst = float(np.max(differences))  # NaN where there is one, unlike Python's max
    if not worst < LARGEST_DIFFERENCE:
        raise VosctlError(
            f"the exported graphs differ from torch by {worst:.1e} in probability, {LARGEST_DIFFERENCE:.0e} is the "
            "most allowed; nothing was written, try another `opset` or report it"
        )
    return worst


def _difference(exported: Engine[Any], torch: Engine[Any], clip: CheckClip, size: tuple[int, int], count: int) -> float:
    """Return the largest difference over the steps of a short run in which both are fed torch's masks."""
    ids = clip.object_ids
    views = [list(clip.views(ids[index % len(ids)], size)) for index in range(count)]
    first = [one[0] for one in views]
    states = [[engine.encode_reference(*view) for view in first] for engine in (exported, torch)]
    masks = np.stack([mask for _, mask in first])
    differences = []
    for step in range(1, STEPS + 1):
        images = np.stack([one[step][0] for one in views])
        steps = [engine.propagate(images, masks, own) for engine, own in zip((exported, torch), states, strict=True)]
        states = [list(one.states) for one in steps]
        found, masks = (one.probabilities for one in steps)
        differences.append(np.abs(found - masks).max())
        told = [one.presence for one in steps if one.presence is not None]
        if told:
            differences.append(np.abs(told[0] - told[-1]).max())
    return float(np.max(differences))


def check_masks(
    exported: Engine[Any],
    torch: Engine[Any],
    size: tuple[int, int],
    precision: ExportPrecision,
    least: float | None = None,
) -> MaskCheck:
    """Follow the objects of the made clip with both engines, each fed with its own masks.

    Args:
        exported: runs the exported graphs.
        torch: runs the network they were made from.
        size: height and width in pixels of what they are shown.
        precision: of the exported graphs, a key of `LEAST_AGREEMENT`.
        least: share of the pixels that must agree in every frame, 0..1; None takes that of `LEAST_AGREEMENT`.

    Raises:
        VosctlError: in some frame fewer pixels agree.
    """
    clip = CheckClip.made(FOLLOWED_FRAMES)
    masks, masks_torch, truth = clip.follow(exported, size), clip.follow(torch, size), clip.truth(size)
    agreement, j_torch = frame_agreement(masks, masks_torch), frame_j(masks_torch, truth)
    followed = j_torch >= FOLLOWED_J
    if not followed.any():  # a network may know no object at all
        followed[:] = True
    result = MaskCheck(float(agreement[followed].min()), float(frame_j(masks, truth).mean()), float(j_torch.mean()))
    if least is None:
        least = LEAST_AGREEMENT[precision]
    if result.agreement < least:
        raise VosctlError(
            f"`precision={precision!r}`: its masks agree with torch's on {result.agreement:.2%} of the pixels of the "
            f"worst frame, {least:.1%} is the least allowed; nothing was written, use fp32"
        )
    return result
