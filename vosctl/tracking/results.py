"""What the tracker says of a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from vosctl.types import Alpha, Box, Labels

if TYPE_CHECKING:
    from vosctl.tracking.keeping import TrackerState

ObjectStatus = Literal["tracked", "lost"]


@dataclass(frozen=True, slots=True)
class TrackedObject:
    """One object in one frame.

    Attributes:
        id: the id the user gave it in the first mask, 1..255.
        status: "tracked", or "lost" while it is not found, or what is marked is taken for something else.
        score: mean probability over the object's own pixels, 0..1 (0 when lost), times the presence where the network
            tells it: it falls when the mask is doubtful, and when what is marked may be something else.
        area: pixels labelled with it in this frame.
        box: x, y, width, height of those pixels; None when there are none.
        presence: the probability that what was looked at shows the object, 0..1; None where the network does not tell
            it and in frames whose mask was given.
    """

    id: int
    status: ObjectStatus
    score: float
    area: int
    box: Box | None
    presence: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFrame:
    """The tracker's answer for one frame, at the frame's own size.

    Attributes:
        labels: (H, W) uint8, 0 for background, else an object's id. Labels never overlap.
        alpha: (H, W) uint8, 0..255, the probability that the pixel belongs to any object: soft at the edges.
        objects: one entry per object that is followed, ordered by id, lost ones included.
        state: what the tracker needs to go on from here: in some frames of one that is `resumable`, else None.
        arrives_later: whether it may still be under way: whoever asks for its objects or masks first then waits. It
            costs nothing to ask for them after the next frame was given to the tracker.
    """

    arrives_later: ClassVar[bool] = False

    labels: Labels
    alpha: Alpha
    objects: tuple[TrackedObject, ...]
    state: TrackerState | None = None

    def find(self, object_id: int) -> TrackedObject | None:
        """Return what is said of an object; None where it is not followed."""
        return next((one for one in self.objects if one.id == object_id), None)
