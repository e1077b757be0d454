"""The mask that was found for a prompt, and whether it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vosctl.types import Mask, RealBox, SoftMask

LEAST_FILL = 0.08
"""Share of its box that a mask fills, below which it is doubtful."""
LEAST_SCORE = 0.5
"""Expected IoU below which a mask is doubtful."""


@dataclass(frozen=True, slots=True, eq=False)
class MaskPrediction:
    """An object found in a picture.

    Attributes:
        probability: (H, W), of each pixel to be the object's.
        score: the intersection over union with the true mask that is expected, 0..1.
        box: the box that was given, x, y, width, height in pixels.
    """

    probability: SoftMask
    score: float
    box: RealBox | None = None

    @property
    def mask(self) -> Mask:
        """(H, W), the object: where the probability is above one half."""
        return self.probability > 0.5

    @property
    def flaw(self) -> str | None:
        """What speaks against the mask; None when nothing does."""
        area = int(np.count_nonzero(self.mask))
        if area == 0:
            return "no object was found there"
        if self.box is not None and self._is_box_loose:
            share = 100 * area / _area_inside(self.box, *self.probability.shape)
            return f"the mask fills only {share:.1f} % of its box"
        if self.score < LEAST_SCORE:
            return f"the mask is doubtful (score {self.score:.2f} of 1)"
        return None

    @property
    def doubt(self) -> str | None:
        """Why the mask should be looked at before it is used, and what to do; None when nothing speaks against it."""
        flaw = self.flaw
        if flaw is None:
            return None
        closer = "draw the box closer to the object, or " if self._is_box_loose else ""
        return f"{flaw}; {closer}{_CURE}"

    @property
    def _is_box_loose(self) -> bool:
        """Whether there is a mask, and a box of which it fills but a small part."""
        area = int(np.count_nonzero(self.mask))
        return self.box is not None and 0 < area < LEAST_FILL * _area_inside(self.box, *self.probability.shape)


_CURE = "add a `point` on the object where the mask lacks it or one beside it (:-), or give its mask in a file"


def _area_inside(box: RealBox, height: int, width: int) -> float:
    """Return pixels of the box that lie in the picture."""
    x, y, box_width, box_height = box
    across = min(x + box_width, width) - max(x, 0)
    return max(across, 0.0) * max(min(y + box_height, height) - max(y, 0), 0.0)
