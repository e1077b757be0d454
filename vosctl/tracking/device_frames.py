"""Following on the full frame where the network computes: see `FullFrameFollower`, which stays the plain path.

Nothing that is found in a frame decides how the next one is followed, so that a frame's result is waited for when the
next one is under way already. What is given or corrected is done by the plain path.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock

from vosctl.engine.on_device import FollowsOnDevice, FoundInFrame, FramesOnDevice, WholeObject
from vosctl.tracking.arriving import ArrivingFrame, Settled
from vosctl.tracking.follower import FollowedObject
from vosctl.tracking.full_frame_follower import FullFrameFollower
from vosctl.tracking.held_on_device import HeldOnDevice
from vosctl.tracking.multi_scale import MultiScale, StatePerScale
from vosctl.tracking.results import TrackedFrame, TrackedObject
from vosctl.video.planar import Picture


@dataclass(slots=True, eq=False)
class UnderWay:
    """A frame that the device is at.

    Attributes:
        ids: of the objects that are followed into it.
        found: waits for what is found, and returns it.
        settled: what came of it; None until somebody has waited.
    """

    ids: tuple[int, ...]
    found: Callable[[], FoundInFrame]
    settled: Settled | None = None


class DeviceFrameFollower(HeldOnDevice[FollowedObject], FullFrameFollower):
    """Follows objects on the full frame, on the engine's device.

    Args:
        multi_scale: runs the network for what is given.
        opens: its engine, where it follows on its device.
        union: see `FullFrameFollower`.
        resumable: whether the references are kept, for `keep`; not with a union.
    """

    def __init__(
        self,
        multi_scale: MultiScale,
        opens: FollowsOnDevice,
        union: StatePerScale | None = None,
        *,
        resumable: bool = False,
    ) -> None:
        super().__init__(multi_scale, union, resumable=resumable)
        self._frames: FramesOnDevice = opens.open_frames(multi_scale.geometry)
        self._lock = RLock()  # results are asked for on other threads
        self._under_way: UnderWay | None = None
        self._are_there = False  # whether the objects' masks are on the device, and those here are old

    @property
    def notes(self) -> list[str]:
        """See `FramesOnDevice.notes`."""
        return self._frames.notes

    def step(self, frame: Picture) -> TrackedFrame:
        """Follow every object into the next frame."""
        with self._lock:
            if not self._objects:
                return super().step(frame)
            self._given.clear()
            self._send()
            self._frames.send(frame)
            ids = self.ids
            under_way = UnderWay(ids, self._frames.look(ids, [one.yields for one in self._objects.values()]))
            before, self._under_way = self._under_way, under_way
            if before is not None:
                self._settle_one(before)
        return ArrivingFrame.of(lambda: self._settle_one(under_way))

    def _settle_one(self, under_way: UnderWay) -> Settled:
        """Wait for a frame."""
        with self._lock:
            if under_way.settled is None:
                found = under_way.found()
                objects = tuple(_report(object_id, found, index) for index, object_id in enumerate(under_way.ids))
                under_way.settled = Settled(objects, found.arrive)
                for seen in objects:
                    if (one := self._objects.get(seen.id)) is not None:
                        one.lost = seen.status == "lost"
            return under_way.settled

    def _send(self) -> None:
        """Put the objects on the device."""
        if not self._are_there:
            objects = [WholeObject(one.state, one.probability) for one in self._objects.values()]
            self._frames.take(objects, self._union)
            self._are_there = True

    def _fetch(self) -> None:
        """Get the objects back from the device."""
        if self._under_way is not None:
            self._settle_one(self._under_way)
            self._under_way = None
        if self._are_there:
            self._are_there = False
            for one, probability in zip(self._objects.values(), self._frames.give(), strict=True):
                one.probability = probability


def _report(object_id: int, found: FoundInFrame, index: int) -> TrackedObject:
    area = int(found.areas[index])
    if not area:
        return TrackedObject(object_id, "lost", 0.0, 0, None)
    x, y, width, height = map(int, found.boxes[index])
    return TrackedObject(object_id, "tracked", float(found.score[index]), area, (x, y, width, height))
