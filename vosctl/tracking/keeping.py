"""What a tracker needs to go on from a frame: kept as plain values, so that a run can be taken up again later.

The engine's own states are not among them: they are made anew from the references, which are kept as the network saw
them. So what goes on is the same as what would have gone on without the stop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosctl.tracking.crop import Crop
from vosctl.tracking.framing import Framing
from vosctl.tracking.presence import Belief
from vosctl.tracking.search import View
from vosctl.tracking.smoothing import Shown
from vosctl.types import SoftMask

STATE_INTERVAL = 25
"""Frames from one state that is kept to the next: about a second of a video."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What the network was shown of an object as its reference.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        mask: float32 in [0, 1].
    """

    image: NDArray[np.uint8]
    mask: SoftMask


KeptValue = bool | int | float | str | None | NDArray[Any] | Belief | Crop | Framing | View | Reference | Shown
KEPT_TYPES: dict[str, type[Any]] = {one.__name__: one for one in (Belief, Crop, Framing, View, Reference, Shown)}
"""The dataclasses that may be in a state, by name; their fields are kept values or tuples of numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackerState:
    """A tracker after a frame.

    Attributes:
        objects: by id, every field of what is followed, but for the engine's state, by its name.
        more: what the follower keeps beside its objects, by name.
    """

    objects: Mapping[int, Mapping[str, KeptValue]]
    more: Mapping[str, KeptValue]
