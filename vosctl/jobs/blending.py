"""Putting a frame together from the results of several runs: each object from the one that it is to be taken from.

Between two places where an object is said, a run forwards from the first and one backwards from the second both show
it. The frame has the mean of their probabilities, each counted the more the nearer it is to its own place. Where they
show different things the nearer one is taken, and what one of them has lost is the other's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.tracking import TrackedFrame, TrackedObject
from vosctl.tracking.crop import mask_box
from vosctl.types import Alpha, Box, Labels, Mask

_SOFT_BAND = 31
"""Pixels round an object, and across, in which its matte may be soft."""
_AGREE = 0.5
"""Intersection over union of two masks below which they are not of one thing: the mean of them would be neither."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Where an object of a frame is taken from.

    Attributes:
        ahead: the result of the run forwards.
        back: that of the run backwards.
        share: of `ahead`, 0..1; what is missing to 1 is that of `back`.
    """

    ahead: TrackedFrame
    back: TrackedFrame
    share: float

    def whole(self, key: int) -> TrackedFrame | None:
        """Return the one result that object `key` is taken from; None where it is the mean of two."""
        if self.share == 1 or self.ahead is self.back:
            return self.ahead
        if self.share == 0:
            return self.back
        one, other = self.ahead.labels == key, self.back.labels == key
        if np.count_nonzero(one & other) >= _AGREE * np.count_nonzero(one | other):
            return None
        return self.ahead if self.share >= 0.5 else self.back


def share_ahead(
    said: Sequence[int], number: int, ahead: TrackedObject | None, back: TrackedObject | None
) -> float | None:
    """Return which share of an object of a frame is the forward run's, 0..1; None where neither run has it.

    Args:
        said: the frames in which anything is said of it, rising.
        number: the frame's.
        ahead: what the forward run says of it.
        back: what the backward run says of it.
    """
    place = bisect_right(said, number)
    before = said[place - 1] if place else None
    if ahead is None or back is None or place == len(said) or before == number:
        if ahead is not None:
            return 1.0
        return 0.0 if back is not None and place < len(said) else None
    if before is None:
        return 0.0
    share = (said[place] - number) / (said[place] - before)
    if (ahead.status == "lost") != (back.status == "lost"):
        return float(back.status == "lost")
    if ahead.status == "lost":
        return float(share >= 0.5)
    return share


def put_together(parts: Mapping[int, Part]) -> TrackedFrame:
    """Return a frame of objects as their parts say; where two overlap, the surer one is on top.

    Args:
        parts: by object, at least one.
    """
    sources: dict[int, tuple[TrackedFrame, set[int]]] = {}
    mixed: list[tuple[TrackedObject, Mask, Alpha]] = []
    for key, part in parts.items():
        if (whole := part.whole(key)) is not None:
            sources.setdefault(id(whole), (whole, set()))[1].add(key)
        else:
            mixed.append(_mixed(key, part))
    if not mixed and len(sources) == 1:
        return only(*next(iter(sources.values())))
    drawn = [(one, mask) for one, mask, _ in mixed]
    mattes = [matte for _, _, matte in mixed]
    for result, ids in sources.values():
        drawn += [(one, np.asarray(result.labels == one.id)) for one in result.objects if one.id in ids]
        mattes.append(_matte_of(result, ids))
    labels = np.zeros_like(mattes[0])
    for one, mask in sorted(drawn, key=lambda pair: pair[0].score):
        labels[mask] = one.id
    objects = sorted((one for one, _ in drawn), key=lambda one: one.id)
    return TrackedFrame(labels, np.asarray(np.maximum.reduce(mattes)), tuple(_counted(one, labels) for one in objects))


def _mixed(key: int, part: Part) -> tuple[TrackedObject, Mask, Alpha]:
    """Return an object of two runs: what is said of it, its mask and its matte."""
    share = part.share
    matte = cv2.addWeighted(_matte_of(part.ahead, {key}), share, _matte_of(part.back, {key}), 1 - share, 0)
    ahead, back = (next(one for one in result.objects if one.id == key) for result in (part.ahead, part.back))
    presence = None
    if ahead.presence is not None and back.presence is not None:
        presence = share * ahead.presence + (1 - share) * back.presence
    score = share * ahead.score + (1 - share) * back.score
    return replace(ahead, score=score, presence=presence), np.asarray(matte > 127), np.asarray(matte)


def only(result: TrackedFrame, ids: set[int]) -> TrackedFrame:
    """Return a result with some of its objects."""
    if ids >= {one.id for one in result.objects}:
        return result
    labels = np.where(_any_of(result.labels, ids), result.labels, np.uint8(0))
    objects = tuple(one for one in result.objects if one.id in ids)
    return TrackedFrame(labels, _matte_of(result, ids), objects)


def _matte_of(result: TrackedFrame, ids: set[int]) -> Alpha:
    """Return the matte of some of a frame's objects: their pixels, and round them those of no object."""
    matte = np.zeros_like(result.alpha)
    own = _any_of(result.labels, ids)
    box = mask_box(own)
    if box is None:
        return matte
    part = _widened(box, _SOFT_BAND // 2)
    mine = own[part]
    near = cv2.dilate(mine.view(np.uint8), np.ones((_SOFT_BAND, _SOFT_BAND), np.uint8)) > 0
    matte[part] = np.where(mine | (near & (result.labels[part] == 0)), result.alpha[part], np.uint8(0))
    return matte


def _widened(box: Box, margin: int) -> tuple[slice, slice]:
    x, y, width, height = box
    return slice(max(y - margin, 0), y + height + margin), slice(max(x - margin, 0), x + width + margin)


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
