"""The library's front door: one stateful object with one verb."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from vosctl.engine import Engine, create_engine
from vosctl.engine.backend import PrecisionWord, ProviderWord
from vosctl.engine.base import EngineInfo
from vosctl.engine.on_device import follows_on_device
from vosctl.engine.references import why_one_reference
from vosctl.errors import UsageError
from vosctl.tracking.arguments import (
    checked_frame,
    checked_id,
    checked_labels,
    checked_settings,
    checked_threads,
    checked_weights,
    checked_word,
    masks_by_id,
)
from vosctl.tracking.crop import mask_box
from vosctl.tracking.crop_follower import CropFollower
from vosctl.tracking.device_follower import DeviceFollower
from vosctl.tracking.device_frames import DeviceFrameFollower
from vosctl.tracking.edits import nothing_tracked, with_masks, without_object
from vosctl.tracking.follower import Follower
from vosctl.tracking.full_frame_follower import FullFrameFollower
from vosctl.tracking.keeping import STATE_INTERVAL, Reference, TrackerState
from vosctl.tracking.multi_scale import MultiScale
from vosctl.tracking.references import FirstReferences, reference_of
from vosctl.tracking.results import TrackedFrame
from vosctl.tracking.settings import TrackingSettings
from vosctl.types import Labels
from vosctl.video.planar import Picture, rgb_of

GivenMask = NDArray[np.integer[Any]] | NDArray[np.bool_]
"""(H, W): whole ids 0..255, or bool for one object."""


class Tracker:
    """Follows objects through frames, given their masks in the first one. Its state never grows.

        tracker = Tracker.load("lite")
        tracker.start(first_frame, first_mask)
        for frame in frames:
            labels = tracker.step(frame).labels

    A mask may come with any frame: `step(frame, mask)` adds objects or corrects them there, `add` does so in the frame
    that was followed last.

    Frames are (H, W, 3) uint8 RGB (or a `PlanarPicture`, which costs less), all of one size; masks are (H, W) integers,
    0 for the background and 1..255 for the objects. Ids need not be contiguous and come back as given.

    One thread at a time may use a tracker; several trackers, in several threads, may share an engine:
    `Tracker(EngineSettings(threads=1).create())`. There is nothing to close.

    Args:
        engine: runs the network; `Tracker.load` makes one.
        settings: how objects are followed.

    Attributes:
        resumable: whether results hold the tracker's state from time to time, see `TrackedFrame.state`; to be set
            before `start`.

    Raises:
        UsageError: the engine cannot do what the settings ask for.
    """

    def __init__(self, engine: Engine[Any], settings: TrackingSettings | None = None) -> None:
        if not hasattr(engine, "propagate"):
            raise UsageError("`engine`: give an engine; Tracker.load makes one from weights, Tracker.load('lite')")
        self._engine = engine
        self._settings = checked_settings(settings)
        if self._settings.paper_protocol and not engine.takes_float:
            raise UsageError("`paper_protocol=True`: needs the torch engine; use `engine='torch'`")
        self._opens = follows_on_device(engine) if self._settings.on_device else None
        self.resumable = False
        self._shown: dict[int, Reference] = {}
        self._steps = 0
        self._follower: Follower | None = None
        self._frame_size = (0, 0)
        self._result = nothing_tracked(0, 0)

    def __reduce__(self) -> NoReturn:
        """Say why it is not pickled or copied: its network is held by the runtime of this process."""
        raise TypeError("a Tracker cannot be pickled or copied; make one in each process, with Tracker.load")

    @property
    def crop_size(self) -> int | None:
        """Side in pixels of the square that the network sees of each object; None on the full frame."""
        return (self._settings.window_size or self._engine.crop_size) if self._settings.window else None

    @classmethod
    def load(
        cls,
        weights: str | Path = "lite",
        *,
        engine: str = "auto",
        device: str = "auto",
        precision: PrecisionWord = "auto",
        provider: ProviderWord = "auto",
        threads: int = 0,
        compiled: bool = False,
        settings: TrackingSettings | None = None,
    ) -> Self:
        """Load weights into an engine, and put a tracker on it.

        Args:
            weights: registered name, checkpoint file, or folder of exported graphs.
            engine: "auto", "torch", "onnx" or "openvino".
            device: "auto", "cpu", "cuda", "cuda:N" or "mps".
            precision: "auto", "fp32", "bf16", "fp16" or "int8".
            provider: ONNX Runtime's execution provider: "auto" or a key of `vosctl.engine.providers.PROVIDERS`.
            threads: CPU threads of the network; 0 takes one for each core.
            compiled: have torch compile the network first, which takes a while at the start.
            settings: how objects are followed.

        Raises:
            VosctlError: the weights, engine, device or precision cannot be had; the message says why.
        """
        settings = checked_settings(settings)
        if settings.paper_protocol and engine == "auto":
            engine = "torch"  # the protocol's scaled images are floats
        made = create_engine(
            checked_weights(weights),
            engine=checked_word("engine", engine),
            device=checked_word("device", device),
            precision=checked_word("precision", precision),
            provider=checked_word("provider", provider),
            threads=checked_threads(threads),
            compiled=compiled,
        )
        return cls(made, settings)

    @property
    def info(self) -> EngineInfo:
        """Engine, device and precision really used."""
        return self._engine.info

    @property
    def settings(self) -> TrackingSettings:
        """How objects are followed."""
        return self._settings

    @property
    def preparations(self) -> list[str]:
        """What the engine had to make before the first frame, one line each."""
        return list(getattr(self._engine, "preparations", ()))

    @property
    def notes(self) -> list[str]:
        """What is not done as it could be on the device, and why, one line each."""
        return self._follower.notes if isinstance(self._follower, DeviceFollower | DeviceFrameFollower) else []

    @property
    def objects(self) -> tuple[int, ...]:
        """Ids of the objects followed, ascending, lost ones included."""
        return () if self._follower is None else self._follower.ids

    @property
    def one_reference(self) -> str:
        """Why objects are known by one reference, however often they are corrected; empty where there may be two."""
        if self._settings.references == 1:
            return "one reference of an object is asked for"
        if self.crop_size is None:
            return "on the full frame one reference of an object is read"
        return why_one_reference(self._engine)

    @property
    def references(self) -> dict[int, int]:
        """How many references each object that is followed is known by, by id; see `TrackingSettings.references`."""
        return {} if self._follower is None else self._follower.references

    def show(self, frame: Picture, mask: GivenMask, object_id: int) -> None:
        """Show an object in a frame that is not followed: the first reference of it, from the next `start` on.

        It is what an object's later masks are compared with, and kept beside, in the place of the first that is
        followed; see `TrackingSettings.references`. Where one reference is read nothing changes.

        Args:
            frame: of the size of those that are followed.
            mask: (H, W) bool, or integers that are 0 beside the object.
            object_id: 1..255.

        Raises:
            UsageError: an empty mask, or a size or id that does not fit.
        """
        frame = checked_frame(frame)
        marked = checked_labels(mask, frame.shape[:2]) > 0
        box = mask_box(marked)
        if self.crop_size is not None and box is not None:
            self._shown[checked_id(object_id)] = reference_of(frame, marked, box, self.crop_size)

    def start(self, frame: Picture, mask: GivenMask) -> TrackedFrame:
        """Begin with the first frame and the objects' masks in it, forgetting whatever was followed before.

        Args:
            frame: the first frame.
            mask: (H, W) integer ids 0..255, or bool for one object.

        Returns:
            The first frame's result: the mask itself.

        Raises:
            UsageError: the mask has no object, or another size than the frame.
        """
        frame = checked_frame(frame)
        labels = checked_labels(mask, frame.shape[:2])
        height, width, _ = frame.shape
        follower = self._new_follower(height, width, (frame, labels) if self._settings.paper_protocol else None)
        masks = masks_by_id(labels)
        follower.add(frame, masks)
        self._follower, self._frame_size = follower, frame.shape[:2]
        self._result = with_masks(nothing_tracked(*self._frame_size), masks)
        self._steps = 0
        return self._result

    def restore(self, state: TrackerState, height: int, width: int) -> None:
        """Go on after a frame whose result held a state, as if there had been no stop; instead of `start`.

        Args:
            state: see `TrackedFrame.state`.
            height: of the frames in pixels.
            width: of the frames in pixels.

        Raises:
            UsageError: the settings are those of the paper's protocol, which keeps no state.
            ValueError: the state is of another kind of tracker, or damaged.
        """
        if self._settings.paper_protocol:
            raise UsageError("`paper_protocol=True`: keeps no state to go on from; track from the first frame")
        follower = self._new_follower(height, width)
        follower.restore(state)
        self._follower, self._frame_size, self._steps = follower, (height, width), 0
        self._result = nothing_tracked(height, width)

    def keep(self) -> TrackerState | None:
        """Return the tracker's state after the last frame, for `restore`; None where it cannot be kept.

        It can where the tracker was made `resumable`, and the network keeps nothing but the references.

        Raises:
            UsageError: before `start`.
        """
        return self._started().keep()

    def step(self, frame: Picture, mask: GivenMask | None = None, objects: Sequence[int] | None = None) -> TrackedFrame:
        """Follow the objects into the next frame, where the masks of some of them may be known.

        Args:
            frame: of the first frame's size.
            mask: (H, W) integer ids or bool: objects to add or to correct in this frame. The other objects are
                followed into it; of the pixels that the mask covers they get none.
            objects: ids to take from the mask, all by default.

        Returns:
            The frame's result, with the mask as it was given.

        Raises:
            UsageError: before `start`, a frame of another size, or a mask that does not fit.
        """
        if mask is None:
            if objects is not None:
                raise UsageError("`objects`: names ids of `mask`; give both")
            follower = self._started()
            self._result = follower.step(checked_frame(frame, self._frame_size))
            self._steps += 1
            if self.resumable and self._steps % STATE_INTERVAL == 0:
                self._result = replace(self._result, state=follower.keep())
            return self._result
        follower = self._correctable()
        frame = checked_frame(frame, self._frame_size)
        masks = masks_by_id(checked_labels(mask, self._frame_size), objects)
        for object_id in set(masks).intersection(follower.ids):
            follower.remove(object_id, corrected=True)
        result = follower.step(frame)
        follower.add(frame, masks)
        self._result = with_masks(result, masks)
        return self._result

    def add(self, frame: Picture, mask: GivenMask, object_id: int) -> TrackedFrame:
        """Follow one more object, or correct one: its mask in `frame` becomes its new reference.

        The pixels that it covers are taken away from the other objects. One that would claim them back gets a new
        reference, made of what is left to it; one of which little is left is lost until it is seen where no other
        object is.

        Args:
            frame: the last frame given to `start` or `step`.
            mask: (H, W) bool, or integers that are 0 beside the object.
            object_id: 1..255.

        Returns:
            The corrected result of the frame.

        Raises:
            UsageError: before `start`, an empty mask, or a size or id that does not fit.
        """
        follower = self._correctable()
        frame = checked_frame(frame, self._frame_size)
        masks = {checked_id(object_id): checked_labels(mask, self._frame_size) > 0}
        follower.add(frame, masks)
        self._result = with_masks(self._result, masks)
        return self._result

    def remove(self, object_id: int) -> TrackedFrame:
        """Stop following an object.

        Returns:
            The last frame's result without it.

        Raises:
            UsageError: before `start`, or no object of that id is followed.
        """
        follower, object_id = self._started(), checked_id(object_id)
        follower.remove(object_id)
        self._result = without_object(self._result, object_id)
        return self._result

    def _new_follower(self, height: int, width: int, first: tuple[Picture, Labels] | None = None) -> Follower:
        """Return a follower without objects; the paper's protocol needs the first frame and its labels."""
        opens = self._opens
        if self.crop_size is not None:
            size, references = self.crop_size, FirstReferences(self._engine, self._settings.references, self._shown)
            if opens is not None:
                return DeviceFollower(self._engine, opens, height, width, size, references, resumable=self.resumable)
            resumable, smooths = self.resumable, self._settings.smooths
            return CropFollower(self._engine, height, width, size, references, resumable=resumable, smooths=smooths)
        multi_scale = MultiScale(self._engine, height, width, self._settings.scales)
        union = None
        if first is not None:
            frame, labels = first
            mask = multi_scale.pad((labels > 0).astype(np.float32))
            union = multi_scale.encode_reference(rgb_of(frame), mask)
        if opens is not None:
            return DeviceFrameFollower(multi_scale, opens, union, resumable=self.resumable)
        return FullFrameFollower(multi_scale, union, resumable=self.resumable)

    def _started(self) -> Follower:
        if self._follower is None:
            raise UsageError("the tracker has no objects yet; call start(frame, mask) first")
        return self._follower

    def _correctable(self) -> Follower:
        follower = self._started()
        if self._settings.paper_protocol:
            raise UsageError("`paper_protocol=True`: takes its objects from the first frame only")
        return follower
