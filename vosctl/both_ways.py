"""Following objects both ways: forwards and backwards from what is said of them, to where the next is said.

The backward run comes first. Its results are kept as run lengths and packed mattes; then the video is followed forwards
as always, and each frame takes each object from the run that is nearer to what was said of it, or from the other one
where the nearer one has lost it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.interrupts import check
from vosctl.prompted import PromptedTracker
from vosctl.prompts.schedule import Schedule
from vosctl.tracking import TrackedFrame, TrackedObject, Tracker
from vosctl.tracking.crop import mask_box
from vosctl.tracking.edits import nothing_tracked
from vosctl.tracks.coding import PackedMatte, pack_mask, pack_matte, unpack_mask, unpack_matte
from vosctl.types import Alpha, Labels
from vosctl.video.backwards import frames_backwards
from vosctl.video.frames import Frame
from vosctl.video.sources import RangedSource, Source

_SOFT_BAND = 31
"""Pixels round an object, and across, in which its matte may be soft."""


@dataclass(frozen=True, slots=True, eq=False)
class PackedResult:
    """A frame's result in a few bytes.

    Attributes:
        objects: as in the result.
        masks: of each of them, run lengths.
        matte: of all of them.
        size: (height, width).
    """

    objects: tuple[TrackedObject, ...]
    masks: tuple[bytes, ...]
    matte: PackedMatte
    size: tuple[int, int]

    @classmethod
    def of(cls, result: TrackedFrame) -> PackedResult:
        """Pack a result."""
        masks = tuple(pack_mask(result.labels == one.id) for one in result.objects)
        height, width = result.labels.shape
        return cls(result.objects, masks, pack_matte(result.alpha), (height, width))

    def unpack(self) -> TrackedFrame:
        """Return the result."""
        labels = np.zeros(self.size, np.uint8)
        for one, packed in zip(self.objects, self.masks, strict=True):
            if (found := unpack_mask(packed)) is not None:
                (x, y, width, height), mask = found
                labels[y : y + height, x : x + width][mask] = one.id
        return TrackedFrame(labels, unpack_matte(self.matte, *self.size), self.objects)

    @property
    def nbytes(self) -> int:
        """How many bytes are kept of masks and matte."""
        return sum(map(len, self.masks)) + len(self.matte.png)


def reaches_back(schedule: Schedule) -> bool:
    """Whether there is anything to follow backwards: a mask after the first frame."""
    return any(number > (schedule.first or 0) for number in schedule.anchors())


def follow_backwards(tracker: Tracker, source: Source, schedule: Schedule) -> dict[int, PackedResult]:
    """Follow the objects from the last frame in which one is said back to the first frame.

    Args:
        tracker: started anew; a later start forgets what is done here.
        source: seekable; it is at its first frame afterwards.
        schedule: what is said when, looked at. Clicks that correct what is followed are for the way forwards only.

    Returns:
        The result of each frame, by its number.

    Raises:
        VosctlError: the source cannot be read.
        KeyboardInterrupt: interrupted.
    """
    anchors = schedule.anchors()
    first, every = schedule.first or 0, source.every if isinstance(source, RangedSource) else 1
    numbers = range(first, max(anchors) + 1, every)
    kept: dict[int, PackedResult] = {}
    for frame in frames_backwards(source, numbers):
        check()
        masks = {key: packed.mask for key, packed in anchors.get(frame.index, {}).items()}
        labels = schedule.drawn(masks, frame.index)
        if not kept and labels is not None:
            result = tracker.start(frame.picture, labels)
        else:
            result = tracker.step(frame.picture, labels)
        kept[frame.index] = PackedResult.of(result)
    source.seek(first)
    return kept


class BothWays:
    """Takes each object of each frame from the run that is nearer to what was said of it.

    Args:
        forwards: follows forwards.
        backwards: the results of the run backwards, by the frame's number; each is dropped once it was used.
        schedule: what is said when.
    """

    def __init__(self, forwards: PromptedTracker, backwards: dict[int, PackedResult], schedule: Schedule) -> None:
        self._forwards, self._backwards = forwards, backwards
        self._said = {key: schedule.said_of(key) for key in schedule.ids}

    def follow(self, frame: Frame) -> TrackedFrame:
        """Follow the objects into the next frame.

        Raises:
            UsageError: what is said of it does not fit.
            VosctlError: what was found for it is doubtful and that is not accepted.
        """
        result = self._forwards.follow(frame)
        packed = self._backwards.pop(frame.index, None)
        if packed is None:
            return result
        ahead, back = ({one.id: one for one in objects} for objects in (result.objects, packed.objects))
        taken = {
            key for key in back if _takes_backwards(self._said[key], frame.index, ahead.get(key), back[key])
        }  # fmt: skip
        return _joined(result, packed.unpack(), taken) if taken else result


def _takes_backwards(
    said: Sequence[tuple[int, bool]], number: int, ahead: TrackedObject | None, back: TrackedObject
) -> bool:
    """Whether an object of a frame is taken from the backward run.

    Args:
        said: the frames in which anything is said of it, rising, and whether that is known on the way back too.
        number: the frame's.
        ahead: what the forward run says of it.
        back: what the backward run says of it.
    """
    place = bisect_right(said, (number, True))
    if place == len(said) or ahead is None:
        return ahead is None and place < len(said)
    before, (after, known) = (said[place - 1][0] if place else None), said[place]
    if before is None:
        return True
    if not known or before == number:
        return False
    nearer = after - number < number - before
    lost, other_lost = (ahead.status == "lost"), (back.status == "lost")
    return nearer if lost == other_lost else lost


def _joined(ahead: TrackedFrame, back: TrackedFrame, taken: set[int]) -> TrackedFrame:
    """Return a frame with some objects as the backward run has them; where two overlap, the surer one is on top."""
    objects = [one for one in ahead.objects if one.id not in taken]
    if not objects:
        return _only(back, taken)
    objects += [one for one in back.objects if one.id in taken]
    height, width = ahead.labels.shape
    labels = nothing_tracked(height, width).labels
    for one in sorted(objects, key=lambda one: one.score):
        labels[(back if one.id in taken else ahead).labels == one.id] = one.id
    rest = {one.id for one in objects} - taken
    alpha = np.maximum(_matte_of(ahead, rest), _matte_of(back, taken))
    counted = [_counted(one, labels) for one in sorted(objects, key=lambda one: one.id)]
    return TrackedFrame(labels, alpha, tuple(counted))


def _only(result: TrackedFrame, ids: set[int]) -> TrackedFrame:
    """Return a result with some of its objects."""
    if ids >= {one.id for one in result.objects}:
        return result
    labels = np.where(_any_of(result.labels, ids), result.labels, np.uint8(0))
    objects = tuple(one for one in result.objects if one.id in ids)
    return TrackedFrame(labels, _matte_of(result, ids), objects)


def _matte_of(result: TrackedFrame, ids: set[int]) -> Alpha:
    """Return the matte of some of a frame's objects: their pixels, and round them those of no object."""
    own = _any_of(result.labels, ids)
    near = cv2.dilate(own.view(np.uint8), np.ones((_SOFT_BAND, _SOFT_BAND), np.uint8)) > 0
    return np.where(own | (near & (result.labels == 0)), result.alpha, np.uint8(0))


def _any_of(labels: Labels, ids: set[int]) -> NDArray[np.bool_]:
    table = np.zeros(256, np.bool_)
    table[list(ids)] = True
    return np.asarray(table[labels])


def _counted(one: TrackedObject, labels: Labels) -> TrackedObject:
    mask = labels == one.id
    box = mask_box(mask)
    if box is None:
        return TrackedObject(one.id, "lost", 0.0, 0, None)
    return replace(one, area=int(np.count_nonzero(mask)), box=box)
