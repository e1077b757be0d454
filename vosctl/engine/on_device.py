"""Following where the network computes: what an engine is given and gives that also cuts, merges and labels there.

A frame goes up once, as bytes; what comes back is a few figures an object, its mask in its crop, and the labelled
frame. All of it is on its way while the host does something else. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from vosctl.engine.base import Engine
from vosctl.errors import UsageError
from vosctl.types import RGB, Alpha, Labels, RGBImage, SoftMask
from vosctl.video.planar import Picture

Square = tuple[int, int, int]
"""x, y and side of a crop in frame pixels; it may lie outside the frame."""

BUCKETS = (1, 2, 4, 8, 16)
"""How many objects a step is made for; more than that go in multiples of the last."""


def bucket_of(objects: int) -> int:
    """Return the number of objects that a step for so many is made for: shapes stay the same as objects come and go."""
    fitting = [bucket for bucket in BUCKETS if bucket >= objects]
    return fitting[0] if fitting else -(-objects // BUCKETS[-1]) * BUCKETS[-1]


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """One object as it is carried between the host and the device.

    Attributes:
        state: the engine's state of it.
        probability: (S, S), its last soft mask.
        sure: (S, S), its mask when it was last seen beyond doubt; None where there is none.
        sure_image: (S, S, 3), what was seen then.
    """

    state: Any
    probability: SoftMask
    sure: SoftMask | None = None
    sure_image: RGBImage | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """Where one object is looked for in a frame.

    Attributes:
        id: of the object.
        crop: the part of the frame that the network is shown.
        seen_in: the part that the object's last mask is of.
        yields: it takes nothing away from objects that do not.
        remember: what was seen of it in the frame before was beyond doubt, and is kept as `Carried.sure`.
    """

    id: int
    crop: Square
    seen_in: Square
    yields: bool = False
    remember: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What was found of N objects in one frame.

    Attributes:
        own_pixels: (N,), of the crop, that the network marked.
        presence: (N,), see `Step.presence`; None where the network does not tell it.
        guided: (N,), whether the guidance mask marked anything.
        pixels: (N,), of the crop, that are left after merging.
        score: (N,), their mean probability; 0 where there are none.
        masks: (N, S, S), those pixels.
        areas: (N,), pixels of the frame labelled with the object.
        boxes: (N, 4), x, y, width, height of those.
        arrive: waits for the labelled frame and its opacity, and returns them.
        shown: fetches what the network was shown of one object, (S, S, 3), and its own answer, (S, S), before the next
            frame; for a rule that the figures do not suffice for, at the price of a wait.
    """

    own_pixels: NDArray[np.int64]
    presence: NDArray[np.float32] | None
    guided: NDArray[np.bool_]
    pixels: NDArray[np.int64]
    score: NDArray[np.float32]
    masks: NDArray[np.bool_]
    areas: NDArray[np.int64]
    boxes: NDArray[np.int64]
    arrive: Callable[[], tuple[Labels, Alpha]]
    shown: Callable[[int], tuple[RGBImage, SoftMask]]


class CropsOnDevice(Protocol):
    """Objects that are followed in crops of one size, in frames of one size, on a device. For one thread at a time.

    Attributes:
        notes: what was not done as it could be, and why, one line each.
        tells_presence: whether the network tells presence.
    """

    notes: list[str]
    tells_presence: bool

    def take(self, objects: Sequence[Carried]) -> None:
        """Follow these objects, in this order, and no others."""
        ...

    def send(self, picture: Picture) -> Picture:
        """Send the next frame up; what is asked of the frame before goes on meanwhile.

        Returns:
            The picture, as it stays until the second `send` after this one, whatever becomes of the one that was given.
        """
        ...

    def look(self, looks: Sequence[Look]) -> Callable[[], Found]:
        """Begin to look for the objects in the frame that was sent, one look each; waits for nothing.

        Returns:
            What waits for what is found, and returns it. To be called before the next `look`, `take` or `give`.
        """
        ...

    def give(self, remember: Sequence[bool], *, before: bool) -> list[Carried]:
        """Return the objects as they are.

        Args:
            remember: as in `Look`, of the last frame; not used with `before`.
            before: as they were before the last frame, which is to be followed otherwise.
        """
        ...


@dataclass(frozen=True, slots=True)
class FrameGeometry:
    """How full frames are padded and scaled for the network.

    Attributes:
        size: height and width of the frames.
        padded: height and width with their padding, zeros.
        top: rows of padding above.
        left: columns of padding on the left.
        sizes: height and width that the network sees, for each scale.
    """

    size: tuple[int, int]
    padded: tuple[int, int]
    top: int
    left: int
    sizes: tuple[tuple[int, int], ...]

    @property
    def rows(self) -> slice:
        """The frame's rows in a padded one."""
        return slice(self.top, self.top + self.size[0])

    @property
    def columns(self) -> slice:
        """The frame's columns in a padded one."""
        return slice(self.left, self.left + self.size[1])

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """What is padded: left, right, top, bottom."""
        below, right = self.padded[0] - self.rows.stop, self.padded[1] - self.columns.stop
        return self.left, right, self.top, below


@dataclass(frozen=True, slots=True, eq=False)
class WholeObject:
    """One object that is followed on the full frame, as it is carried to the device.

    Attributes:
        states: the engine's states of it, one a scale.
        probability: (padded height, padded width), its last soft mask.
    """

    states: tuple[Any, ...]
    probability: SoftMask


@dataclass(frozen=True, slots=True, eq=False)
class FoundInFrame:
    """What was found of N objects in one full frame.

    Attributes:
        areas: (N,), pixels labelled with the object.
        score: (N,), their mean probability; 0 where there are none.
        boxes: (N, 4), x, y, width, height of those.
        arrive: waits for the labelled frame and its opacity, and returns them.
    """

    areas: NDArray[np.int64]
    score: NDArray[np.float32]
    boxes: NDArray[np.int64]
    arrive: Callable[[], tuple[Labels, Alpha]]


class FramesOnDevice(Protocol):
    """Objects that are followed on the full frame, in frames of one size, on a device. For one thread at a time.

    Attributes:
        notes: see `CropsOnDevice`.
    """

    notes: list[str]

    def take(self, objects: Sequence[WholeObject], union: tuple[Any, ...] | None = None) -> None:
        """Follow these objects, in this order, and no others.

        Args:
            objects: the objects.
            union: states of the union of all, one a scale: it is followed too where there are several, and the
                background is what it leaves. None merges the objects alone.
        """
        ...

    def send(self, picture: Picture) -> None:
        """Send the next frame up."""
        ...

    def look(self, ids: Sequence[int], yields: Sequence[bool]) -> Callable[[], FoundInFrame]:
        """Begin to follow the objects into the frame that was sent; waits for nothing.

        Args:
            ids: of the objects.
            yields: for each of them whether it takes nothing away from those that do not.

        Returns:
            What waits for what is found, and returns it.
        """
        ...

    def give(self) -> list[SoftMask]:
        """Return the objects' masks after the last frame, padded."""
        ...


class FollowsOnDevice(Protocol):
    """An engine that may be able to follow on its device."""

    def check_on_device(self) -> None:
        """Make sure that it can. Raises UsageError or VosctlError where it cannot; says why, and what to do."""
        ...

    def open_frames(self, geometry: FrameGeometry) -> FramesOnDevice:
        """Return room for objects in full frames of one size."""
        ...

    def open_crops(self, height: int, width: int, size: int, fill: RGB) -> CropsOnDevice:
        """Return room for objects in frames of one size.

        Args:
            height: of the frames in pixels.
            width: of the frames in pixels.
            size: side in pixels of the crops as the network sees them, a multiple of its stride.
            fill: colour of a crop outside the frame.
        """
        ...


def follows_on_device(engine: Engine[Any]) -> FollowsOnDevice:
    """Return the same engine, which follows on its device.

    Raises:
        UsageError, VosctlError: it does not, or not here; says why, and what to do.
    """
    if not hasattr(engine, "open_crops"):
        raise UsageError(
            f"`on_device=True`: the {engine.info.engine} engine cannot; use `engine='torch'` or `engine='onnx'`"
        )
    opens = cast(FollowsOnDevice, engine)
    opens.check_on_device()
    return opens
