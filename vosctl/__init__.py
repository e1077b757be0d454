"""vosctl: follow any object through a video, given its mask in the first frame.

>>> from vosctl import Tracker
>>> tracker = Tracker.load("lite")
>>> first = tracker.start(frame, mask)  # (H, W, 3) uint8 RGB, (H, W) integer object ids
>>> result = tracker.step(next_frame)
>>> result.labels  # (H, W) uint8, the ids of the first mask
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"
__all__ = [
    "MaskPrediction",
    "TrackedFrame",
    "TrackedObject",
    "Tracker",
    "TrackingSettings",
    "VosctlError",
    "__version__",
    "mask_from",
    "predict_mask",
]

if TYPE_CHECKING:
    from vosctl.errors import VosctlError
    from vosctl.prompts import MaskPrediction, mask_from, predict_mask
    from vosctl.tracking import TrackedFrame, TrackedObject, Tracker, TrackingSettings


def __getattr__(name: str) -> Any:
    """Import the public names on first use, so that ``vosctl --help`` loads neither OpenCV nor a network runtime."""
    if name in {"Tracker", "TrackedFrame", "TrackedObject", "TrackingSettings"}:
        from vosctl import tracking

        return getattr(tracking, name)
    if name in {"MaskPrediction", "mask_from", "predict_mask"}:
        from vosctl import prompts

        return getattr(prompts, name)
    if name == "VosctlError":
        from vosctl.errors import VosctlError

        return VosctlError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
