"""Following objects in crops where the network computes: see `CropFollower`, which stays the plain path.

A frame in which every object stays in sight is done on the device, and its figures are judged by the plain path's
rules. Whatever else happens (an object gets lost, is looked for, is given or corrected) is done by the plain path,
from where the objects were before that frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosctl.engine.base import Engine
from vosctl.engine.on_device import Carried, CropsOnDevice, FollowsOnDevice, Found, Look, Square
from vosctl.errors import VosctlError
from vosctl.tracking.arriving import ArrivingFrame, Settled
from vosctl.tracking.crop import FILL, Crop, main_box
from vosctl.tracking.crop_follower import CropFollower
from vosctl.tracking.cropped_object import CroppedObject
from vosctl.tracking.held_on_device import HeldOnDevice
from vosctl.tracking.presence import SURE_ABOVE, Belief
from vosctl.tracking.references import FirstReferences
from vosctl.tracking.results import TrackedFrame, TrackedObject
from vosctl.tracking.search import View
from vosctl.types import Box
from vosctl.video.planar import Picture


@dataclass(slots=True, eq=False)
class UnderWay:
    """A frame that the device is at.

    Attributes:
        frame: its picture.
        before: the scene in the frame before, see `SceneChange.before`.
        scene: the scene in this one.
        found: waits for what is found, and returns it.
        settled: what came of it; None until somebody has waited.
    """

    frame: Picture
    before: NDArray[np.int16] | None
    scene: NDArray[np.int16] | None
    found: Callable[[], Found]
    settled: Settled | None = None


class DeviceFollower(HeldOnDevice[CroppedObject], CropFollower):
    """Follows objects in their crops, on the engine's device.

    Each frame's result is waited for when the next frame is there and on its way up, or when somebody asks for it.

    Args:
        engine: the engine.
        opens: the same engine, where it follows on its device.
        height: height of the frames in pixels.
        width: width of the frames in pixels.
        size: side in pixels the crops are resampled to.
        references: the objects' first references.
        resumable: whether the references are kept, for `keep`.
    """

    def __init__(
        self,
        engine: Engine[Any],
        opens: FollowsOnDevice,
        height: int,
        width: int,
        size: int,
        references: FirstReferences,
        *,
        resumable: bool = False,
    ) -> None:
        super().__init__(engine, height, width, size, references, resumable=resumable)
        self._crops: CropsOnDevice = opens.open_crops(height, width, size, FILL)
        self._lock = RLock()  # results are asked for on other threads
        self._under_way: UnderWay | None = None
        self._are_there = False  # whether the objects' masks are on the device, and those here are old
        self._remembered: dict[int, Crop] = {}  # where objects were seen beyond doubt, while they are on the device
        self._sure_now: set[int] = set()  # which of them in the last frame

    @property
    def notes(self) -> list[str]:
        """See `CropsOnDevice.notes`."""
        return self._crops.notes

    def step(self, frame: Picture) -> TrackedFrame:
        """Follow every object into the next frame."""
        with self._lock:
            if not self._objects:
                self._fetch()
                return super().step(frame)
            before, change = self._scene.before, self._scene.between(frame)
            kept = None
            if self._under_way is not None and change == "none":
                kept = self._crops.send(frame)  # it goes up while the frame before is done
            self._wait()
            if change != "none" or self._is_plain():
                self._fetch()
                return self._follow(frame, before, change)
            return self._begin(self._crops.send(frame) if kept is None else kept, before)

    def _is_plain(self) -> bool:
        """Return whether the next frame is the plain path's, whatever it shows."""
        lost = any(one.lost for one in self._objects.values())
        return lost or not self._objects or self._search_frames > 1

    def _begin(self, frame: Picture, before: NDArray[np.int16] | None) -> TrackedFrame:
        """Have the objects followed into the frame that was sent to the device."""
        self._send()
        looks = [
            Look(object_id, _square(one.framing.crop), _square(one.seen_in), one.yields, object_id in self._sure_now)
            for object_id, one in self._objects.items()
        ]
        under_way = UnderWay(frame, before, self._scene.before, self._crops.look(looks))
        self._under_way = under_way

        def settled() -> Settled:
            with self._lock:
                if under_way.settled is None:
                    self._wait()
            if under_way.settled is None:
                raise VosctlError("the frame was not followed to its end, an error has ended the run before")
            return under_way.settled

        return ArrivingFrame.of(settled)

    def _wait(self) -> None:
        """Wait for the frame that is under way, and judge it; the plain path does it anew when one is not in sight."""
        under_way = self._under_way
        if under_way is None:
            return
        found = under_way.found()
        followed = list(self._objects.items())
        judged = [self._seen_there(one, found, index) for index, (_, one) in enumerate(followed)]
        self._under_way = None
        if any(seen is None for seen in judged):
            self._take_back(before=True)
            now, self._scene.before = self._scene.before, under_way.scene
            plain = self._follow(under_way.frame, under_way.before, "none")
            self._scene.before = now
            under_way.settled = Settled(plain.objects, lambda: (plain.labels, plain.alpha))
            return
        self._given.clear()
        self._search_frames = max(self._search_frames - 1, 0)
        self._sure_now.clear()
        reports = []
        for index, ((object_id, one), seen) in enumerate(zip(followed, judged, strict=True)):
            if seen is not None:
                reports.append(self._taken(object_id, one, found, index, *seen))
        under_way.settled = Settled(tuple(reports), found.arrive)

    def _seen_there(self, one: CroppedObject, found: Found, index: int) -> tuple[Belief | None, float, Box] | None:
        """Judge an object by the plain path's rules: belief, presence and box; None when it is not in sight."""
        belief, presence = None, 1.0
        if found.presence is not None:
            presence, guided = float(found.presence[index]), bool(found.guided[index])
            belief, presence = self._judged(one, int(found.own_pixels[index]), presence, guided=guided)
        pixels, score = int(found.pixels[index]), float(found.score[index]) * presence
        area = pixels / one.framing.crop.scale**2
        if not found.areas[index] or not self._is_seen(one, belief, pixels, score, area):
            return None
        box = main_box(found.masks[index])
        return None if box is None else (belief, presence, box)

    def _taken(
        self,
        object_id: int,
        one: CroppedObject,
        found: Found,
        index: int,
        belief: Belief | None,
        presence: float,
        box: Box,
    ) -> TrackedObject:
        """Store what was seen of an object, and move its crop."""
        crop = one.framing.crop
        if belief is not None:
            one.belief = belief
            if presence >= SURE_ABOVE and not belief.trial:
                self._sure_now.add(object_id)
                self._remembered[object_id] = crop
        one.seen_in = crop
        one.settle()
        one.move(crop, box, int(found.pixels[index]), self._height, self._width)
        score = float(found.score[index]) * presence
        x, y, width, height = map(int, found.boxes[index])
        told = None if belief is None else presence
        return TrackedObject(object_id, "tracked", score, int(found.areas[index]), (x, y, width, height), told)

    def _send(self) -> None:
        """Put the objects on the device."""
        if self._are_there:
            return
        for one in self._objects.values():
            if one.sure is None and self._crops.tells_presence:
                one.sure = View(one.seen_in, one.probability)  # the mask that was given
        self._crops.take(
            [
                Carried(one.state, one.probability, None if one.sure is None else one.sure.guidance, one.sure_image)
                for one in self._objects.values()
            ]
        )
        self._are_there = True
        self._sure_now.clear()
        self._remembered.clear()

    def _fetch(self) -> None:
        """Get the objects back from the device, as they are after its last frame."""
        self._wait()
        self._take_back(before=False)

    def _take_back(self, *, before: bool) -> None:
        """Get the objects back from the device, as they are or as they were before its last frame."""
        if not self._are_there:
            return
        self._are_there = False
        remember = [object_id in self._sure_now for object_id in self._objects]
        for (object_id, one), carried in zip(
            self._objects.items(), self._crops.give(remember, before=before), strict=True
        ):
            one.probability = carried.probability
            if object_id in self._remembered and carried.sure is not None:
                one.sure = View(self._remembered[object_id], carried.sure)
                one.sure_image = carried.sure_image


def _square(crop: Crop) -> Square:
    return crop.x, crop.y, crop.side
