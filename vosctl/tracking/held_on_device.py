"""What both followers do alike whose objects are on the engine's device: they get them back before they are changed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager

from vosctl.tracking.follower import Followed, ObjectFollower
from vosctl.tracking.keeping import TrackerState
from vosctl.types import Mask
from vosctl.video.planar import Picture


class HeldOnDevice(ObjectFollower[Followed]):
    """A follower that leaves its objects on the device; named before the plain one, which does what is asked.

    Attributes:
        _lock: held by whoever uses the objects: results are asked for on other threads. It can be taken twice.
    """

    _lock: AbstractContextManager[bool]

    @abstractmethod
    def _fetch(self) -> None:
        """Wait for what is under way, and get the objects back from the device."""

    def add(self, frame: Picture, masks: Mapping[int, Mask]) -> None:
        """See `Follower.add`."""
        with self._lock:
            self._fetch()
            super().add(frame, masks)

    def remove(self, object_id: int, *, corrected: bool = False) -> None:
        """See `Follower.remove`."""
        with self._lock:
            self._fetch()
            super().remove(object_id, corrected=corrected)

    def keep(self) -> TrackerState | None:
        """See `Follower.keep`."""
        with self._lock:
            self._fetch()
            return super().keep()

    def restore(self, kept: TrackerState) -> None:
        """See `Follower.restore`."""
        with self._lock:
            self._fetch()
            super().restore(kept)
