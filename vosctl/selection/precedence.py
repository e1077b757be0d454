"""Which pixels an object that is drawn takes from those that are there: the ones that are meant, and no more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from vosctl.prompts import Prompt
from vosctl.prompts.timed import ids_of
from vosctl.selection.painting import painted_over
from vosctl.types import Labels, Mask


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """A mask among others.

    Attributes:
        mask: (H, W), what the object has of it.
        kept: ids of the objects that keep what they have of it.
        taken: ids of those that lose something to it.
        covered: those of them that are left with nothing.
    """

    mask: Mask
    kept: tuple[int, ...] = ()
    taken: tuple[int, ...] = ()
    covered: tuple[int, ...] = ()


def shared(mask: Mask, prompt: Prompt, others: Labels) -> Shared:
    """Say what an object has of a mask that was found for it, among others.

    What nobody has is the object's. Of what others have it takes what is painted, each part that is clicked in, and all
    where most of the mask lies on them: then they had taken in what is drawn.

    Args:
        mask: (H, W), at least one pixel.
        prompt: what is said of the object.
        others: (H, W) ids of the other objects.
    """
    overlap = mask & (others > 0)
    if not overlap.any():
        return Shared(mask)
    mostly = 2 * np.count_nonzero(overlap) > np.count_nonzero(mask)
    meant = overlap if mostly else overlap & _meant(overlap, prompt, others)
    left = overlap & ~meant
    taken = ids_of(others[meant])
    remaining = ids_of(others[~meant])
    return Shared(
        mask & ~left, tuple(ids_of(others[left])), tuple(taken), tuple(one for one in taken if one not in remaining)
    )


def _meant(overlap: Mask, prompt: Prompt, others: Labels) -> Mask:
    """Return where somebody painted, and the parts of the overlap with each object that somebody clicked in."""
    meant = painted_over(np.zeros_like(overlap), prompt.strokes)
    for x, y in ((round(x), round(y)) for x, y, on_object in prompt.points if on_object):
        if overlap[y, x]:
            part = (overlap & (others == others[y, x])).astype(np.uint8)
            _, regions = cv2.connectedComponents(part, connectivity=8)
            meant |= regions == regions[y, x]
    return meant


def named(ids: Iterable[int]) -> str:
    """Return "object 2" or "objects 2, 3"."""
    ids = list(ids)
    return f"object{'s' * (len(ids) > 1)} {', '.join(map(str, ids))}"
