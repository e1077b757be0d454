"""How objects are followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

from vosctl.arguments import real_number, whole_number
from vosctl.errors import UsageError

PAPER_SCALES = (0.5, 0.75, 1.0)
SMALL_CROP = 192
"""Side in pixels of a crop below which masks are much worse, and objects that are seen are lost (README, speed)."""
References = Literal[1, 2]
"""How many references of an object are read at most."""


@dataclass(frozen=True, slots=True)
class TrackingSettings:
    """Settings of the tracker.

    Attributes:
        window: follow each object in a square crop around it; False runs the network on the full frame.
        window_size: side in pixels the crop is resampled to, a multiple of 32; 0 takes the network's own.
        scales: full frame only: the scales the frame is run at; the probabilities are averaged.
        paper_protocol: full frame with the official padding, scales and merging of objects, step by step.
        on_device: cut or scale, merge and label where the network computes, so that frames go up and masks come down
            once, and a frame's result is waited for when the next one is under way (`TrackedFrame.arrives_later`); for
            the torch and the onnx engine. The masks differ a little from those of the plain path.
        references: of an object in a crop that are read at most: 2 for the first and the latest one, where the network
            reads two and they agree; with 1 a correction always takes the old one's place.
        temporal_smoothing: average each mask with that of the frame before, carried along with the picture's motion:
            less flicker and better masks, for some milliseconds an object (`vosctl.tracking.smoothing`). In crops, not
            with `on_device`; None smooths wherever that can be done.
    """

    window: bool = True
    window_size: int = 0
    scales: tuple[float, ...] = (1.0,)
    paper_protocol: bool = False
    on_device: bool = False
    references: References = 2
    temporal_smoothing: bool | None = None

    def __post_init__(self) -> None:
        if whole_number("window_size", self.window_size) % 32 or not 0 <= self.window_size <= 2048:
            raise UsageError(f"`window_size={self.window_size}`: must be a multiple of 32 up to 2048")
        if not isinstance(cast(object, self.scales), Sequence) or isinstance(cast(object, self.scales), str):
            raise UsageError(f"`scales={self.scales!r}`: give a tuple of numbers, such as (0.5, 1.0)")
        for name in ("window", "paper_protocol", "on_device"):
            if (value := getattr(self, name)) not in (True, False):
                raise UsageError(f"`{name}={value!r}`: give True or False")
        scales = tuple(self.scales)
        if not scales or not all(0.1 <= real_number("scales", scale) <= 4.0 for scale in scales):
            raise UsageError("`scales`: give one or more numbers between 0.1 and 4")
        if self.paper_protocol and (self.window or scales != PAPER_SCALES):
            raise UsageError(
                "`paper_protocol=True`: is full frame at scales 0.5, 0.75 and 1.0; leave `window` and `scales` out"
            )
        if self.window and scales != (1.0,):
            raise UsageError("`scales`: is for the full frame; add `window=False`")
        if self.references not in get_args(References):
            raise UsageError(f"`references={self.references!r}`: give 1 or 2")
        if self.temporal_smoothing not in (None, True, False):
            raise UsageError(f"`temporal_smoothing={self.temporal_smoothing!r}`: give True, False or None")
        if self.temporal_smoothing and not self._can_smooth:
            raise UsageError(
                "`temporal_smoothing=True`: is done in crops, where they are cut by the plain path; "
                f"leave `{'on_device' if self.window else 'window'}` out"
            )

    @property
    def smooths(self) -> bool:
        """Whether masks are smoothed through time."""
        return self._can_smooth if self.temporal_smoothing is None else bool(self.temporal_smoothing)

    @property
    def _can_smooth(self) -> bool:
        return self.window and not self.on_device

    @classmethod
    def paper(cls, *, on_device: bool = False) -> TrackingSettings:
        """Return the protocol of the paper's tables."""
        return cls(window=False, scales=PAPER_SCALES, paper_protocol=True, on_device=on_device)
