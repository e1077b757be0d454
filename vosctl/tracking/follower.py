"""What follows objects from frame to frame, and what is common to the ways of doing it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from vosctl.errors import UsageError
from vosctl.tracking.keeping import KeptValue, Reference, TrackerState
from vosctl.tracking.results import TrackedFrame
from vosctl.types import Mask, SoftMask
from vosctl.video.planar import Picture

REPLACED = 0.25
"""An object keeps less than this share of its pixels under another's mask: it is taken to be replaced or hidden."""
CLAIMED = 0.25
"""Share of the pixels taken from an object that it may find again in the same frame before it gets a new reference."""


class Follower(Protocol):
    """Follows objects through frames of one size."""

    @property
    def ids(self) -> tuple[int, ...]:
        """The objects followed, ascending."""
        ...

    @property
    def references(self) -> dict[int, int]:
        """By how many references each of them is known."""
        ...

    def add(self, frame: Picture, masks: Mapping[int, Mask]) -> None:
        """Take masks as the references of objects, new or followed already; other objects lose the pixels covered.

        Args:
            frame: the last frame.
            masks: (H, W) each, by object id, with at least one true pixel; they do not overlap.
        """
        ...

    def remove(self, object_id: int, *, corrected: bool = False) -> None:
        """Stop following an object.

        Args:
            object_id: of the object.
            corrected: another mask of the same object is added next.

        Raises:
            UsageError: no object of that id is followed.
        """
        ...

    def step(self, frame: Picture) -> TrackedFrame:
        """Follow every object into the next frame."""
        ...

    def keep(self) -> TrackerState | None:
        """Return what `restore` needs to go on from here; None where that cannot be kept."""
        ...

    def restore(self, kept: TrackerState) -> None:
        """Go on from where `keep` was called, with the references encoded anew.

        Raises:
            ValueError: something is missing or of another kind.
        """
        ...


@dataclass(slots=True, eq=False)
class FollowedObject:
    """What every follower keeps of an object: it never grows.

    Attributes:
        state: the engine's state of it.
        probability: float32 in [0, 1], the last soft mask: the next guidance mask.
        lost: whether the object was lost in the last frame.
        yields: it takes pixels only where no other object claims them, because another was put in its place.
        reference: what the state was made of, where it is to be kept.
        has_memory: whether the engine has given another state after a step, so that the reference alone is not enough.
    """

    state: Any
    probability: SoftMask
    lost: bool = field(default=False, kw_only=True)
    yields: bool = field(default=False, kw_only=True)
    reference: Reference | None = field(default=None, kw_only=True)
    has_memory: bool = field(default=False, kw_only=True)


Followed = TypeVar("Followed", bound=FollowedObject)


class ObjectFollower(ABC, Generic[Followed]):
    """The part of a `Follower` that does not depend on what the network sees: its objects and their corrections."""

    def __init__(self, *, resumable: bool = False) -> None:
        self._resumable = resumable
        self._objects: dict[int, Followed] = {}
        self._given: dict[int, Mask] = {}  # the masks given in the last frame, which the references are made of

    @property
    def ids(self) -> tuple[int, ...]:
        """Return the numbers of the objects that are followed."""
        return tuple(self._objects)

    @property
    def references(self) -> dict[int, int]:
        """See `Follower.references`."""
        return dict.fromkeys(self._objects, 1)

    def add(self, frame: Picture, masks: Mapping[int, Mask]) -> None:
        """See `Follower.add`."""
        for object_id, mask in masks.items():
            self._objects[object_id] = self._referenced(object_id, frame, mask)
        self._objects = dict(sorted(self._objects.items()))
        if len(masks) < len(self._objects):
            self._give_way(frame, masks)
        self._given.update(masks)

    def remove(self, object_id: int, *, corrected: bool = False) -> None:
        """See `Follower.remove`."""
        if object_id not in self._objects:
            followed = ", ".join(map(str, self._objects)) or "none"
            raise UsageError(f"`object_id={object_id!r}`: is not followed; the objects followed are: {followed}")
        del self._objects[object_id]
        self._given.pop(object_id, None)

    def _give_way(self, frame: Picture, masks: Mapping[int, Mask]) -> None:
        """Take the pixels that masks cover away from all other objects."""
        covered = np.logical_or.reduce(list(masks.values()))
        contested: dict[int, NDArray[np.bool_]] = {}
        for object_id, one in self._objects.items():
            if object_id in masks:
                continue
            if object_id in self._given:  # its reference shows what it has just lost
                left = self._given[object_id] & ~covered
                self._given[object_id] = left
                if left.any():
                    self._objects[object_id] = self._referenced(object_id, frame, left)
                else:
                    _set_aside(one)
                continue
            taken = self._cut(one, covered)
            if one.lost or not taken.any():
                continue
            if np.count_nonzero(one.probability > 0.5) < REPLACED * np.count_nonzero(taken | (one.probability > 0.5)):
                _set_aside(one)
            else:
                contested[object_id] = taken
        if contested:
            self._settle(frame, contested)

    def _cut(self, one: Followed, covered: Mask) -> NDArray[np.bool_]:
        """Take pixels away from an object's guidance mask, which is where it had them."""
        cover = self._as_seen(one, covered.astype(np.float32))
        before = one.probability > 0.5
        one.probability = one.probability * (1 - cover)
        return before & (cover > 0.5)

    def _settle(self, frame: Picture, contested: Mapping[int, NDArray[np.bool_]]) -> None:
        """Give objects that would claim back what was taken from them a new reference, of what is left to them.

        Such an object's reference shows the pixels taken as a part of it, so that it would compete for them in every
        frame to come, and neither object would win. The others keep their reference, which the user made.
        """
        followed = [self._objects[object_id] for object_id in contested]
        found = self._look(frame, followed)
        for (object_id, taken), one, probability in zip(contested.items(), followed, found, strict=True):
            if np.count_nonzero(probability[taken] > 0.5) > CLAIMED * np.count_nonzero(taken):
                left = self._in_frame(one)
                if left.any():
                    self._objects[object_id] = self._referenced(object_id, frame, left, alone=True)

    def keep(self) -> TrackerState | None:
        """See `Follower.keep`: not where the engine has a memory, or the references were not kept."""
        objects = {}
        for object_id, one in self._objects.items():
            if one.reference is None or one.has_memory:
                return None
            left_out = ("state", "recent", "has_memory")  # the engine's, made anew
            objects[object_id] = {
                field.name: getattr(one, field.name) for field in fields(one) if field.name not in left_out
            }
        return TrackerState(objects, self._keep_more()) if objects else None

    def restore(self, kept: TrackerState) -> None:
        """See `Follower.restore`."""
        try:
            self._objects = {key: self._restored(key, values) for key, values in sorted(kept.objects.items())}
            self._restore_more(kept.more)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"the state does not fit: {error}") from error

    @abstractmethod
    def _restored(self, object_id: int, values: Mapping[str, Any]) -> Followed:
        """Return an object from the fields that were kept of it."""

    def _keep_more(self) -> dict[str, KeptValue]:
        """Return what is kept beside the objects."""
        return {}

    def _restore_more(self, more: Mapping[str, Any]) -> None:
        """Take back what `_keep_more` gave."""

    def _advance(self, one: Followed, state: Any) -> None:
        """Take the engine's state of an object after a step."""
        one.has_memory = one.has_memory or not _is_same(state, one.state)
        one.state = state

    @abstractmethod
    def _referenced(self, object_id: int, frame: Picture, mask: Mask, *, alone: bool = False) -> Followed:
        """Return an object with `mask`, (H, W) with at least one true pixel, as its reference.

        Args:
            object_id: of the object, which may be followed already.
            frame: the last frame.
            mask: of it there.
            alone: whether no earlier reference stays beside this one.
        """

    @abstractmethod
    def _as_seen(self, one: Followed, mask: SoftMask) -> SoftMask:
        """Resample a mask of the frame, (H, W), to the pixels of the object's probability."""

    @abstractmethod
    def _in_frame(self, one: Followed) -> Mask:
        """Return the object's last mask, (H, W)."""

    @abstractmethod
    def _look(self, frame: Picture, followed: list[Followed]) -> list[SoftMask]:
        """Return what the network finds of objects in the last frame, guided by their masks in it; change nothing."""


def _is_same(one: Any, other: Any) -> bool:
    """Whether two of the engine's states are one, or of one for each scale."""
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        return all(first is second for first, second in zip(one, other, strict=True))
    return one is other


def _set_aside(one: FollowedObject) -> None:
    """Lose an object whose place another has taken, until it is found where no other object is."""
    one.probability = np.zeros_like(one.probability)
    one.lost = one.yields = True
