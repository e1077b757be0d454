"""Results that are under way: whoever asks for one waits for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vosctl.tracking.results import TrackedFrame, TrackedObject
from vosctl.types import Alpha, Labels


class ArrivingFrame(TrackedFrame):
    """A frame that is under way: whoever asks for its objects, labels or opacity first waits for them."""

    __slots__ = ("_settled",)
    _settled: Callable[[], Settled]
    arrives_later = True

    @classmethod
    def of(cls, settled: Callable[[], Settled]) -> TrackedFrame:
        """Return the frame whose result will be what `settled` waits for."""
        frame = object.__new__(cls)
        object.__setattr__(frame, "_settled", settled)
        object.__setattr__(frame, "state", None)
        return frame

    def __getattr__(self, name: str) -> object:
        if name not in ("objects", "labels", "alpha"):
            raise AttributeError(name)
        settled = self._settled()
        object.__setattr__(self, "objects", settled.objects)
        if name != "objects":
            labels, alpha = settled.arrive()
            object.__setattr__(self, "labels", labels)
            object.__setattr__(self, "alpha", alpha)
        found: object = object.__getattribute__(self, name)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """What came of a frame.

    Attributes:
        objects: see `TrackedFrame`.
        arrive: waits for labels and opacity, and returns them.
    """

    objects: tuple[TrackedObject, ...]
    arrive: Callable[[], tuple[Labels, Alpha]]


def arrived(frame: TrackedFrame) -> TrackedFrame:
    """Wait for a frame, if it is under way, and return it as one that is there."""
    if not frame.arrives_later:
        return frame
    return TrackedFrame(frame.labels, frame.alpha, frame.objects, frame.state)
