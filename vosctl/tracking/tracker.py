"""The library's front door: one stateful object with one verb."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vosctl.engine import Engine, create_engine
from vosctl.engine.base import EngineInfo
from vosctl.errors import UsageError
from vosctl.planar import Picture, PlanarPicture, rgb_of
from vosctl.tracking.crop import mask_box
from vosctl.tracking.crop_follower import CropFollower
from vosctl.tracking.full_frame_follower import FullFrameFollower
from vosctl.tracking.multi_scale import MultiScale
from vosctl.tracking.results import TrackedFrame, TrackedObject
from vosctl.tracking.settings import TrackingSettings


class Tracker:
    """Follows objects through frames, given their masks in the first one. Its state never grows.

        tracker = Tracker.load("lite")
        tracker.start(first_frame, first_mask)
        for frame in frames:
            labels = tracker.step(frame).labels

    Frames are (H, W, 3) uint8 RGB (or a `PlanarPicture`, which costs less), all of one size; masks are (H, W) integers,
    0 for the background and 1..255 for the objects. Ids need not be contiguous and come back as given.

    Args:
        engine: runs the network; `Tracker.load` makes one.
        settings: how objects are followed.

    Raises:
        UsageError: the engine cannot do what the settings ask for.
    """

    def __init__(self, engine: Engine[Any], settings: TrackingSettings | None = None) -> None:
        self._engine = engine
        self._settings = settings or TrackingSettings()
        if self._settings.paper_protocol and not engine.takes_float:
            raise UsageError("`paper_protocol=True`: needs the torch engine; use `engine='torch'`")
        self._follower: CropFollower | FullFrameFollower | None = None
        self._frame_size = (0, 0)

    @classmethod
    def load(
        cls,
        weights: str = "lite",
        *,
        engine: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        provider: str = "auto",
        threads: int = 0,
        settings: TrackingSettings | None = None,
    ) -> Self:
        """Load weights into an engine, and put a tracker on it.

        Args:
            weights: registered name, checkpoint file, or folder of exported graphs.
            engine: "auto", "torch", "onnx" or "openvino".
            device: "auto", "cpu", "cuda", "cuda:N" or "mps".
            precision: "auto", "fp32", "bf16", "fp16" or "int8".
            provider: ONNX Runtime's execution provider: "auto", "cpu", "cuda", "tensorrt" or "openvino".
            threads: CPU threads of the network; 0 takes one for each core.
            settings: how objects are followed.

        Raises:
            VosctlError: the weights, engine, device or precision cannot be had; the message says why.
        """
        if settings and settings.paper_protocol and engine == "auto":
            engine = "torch"  # the protocol's scaled images are floats
        made = create_engine(
            weights, engine=engine, device=device, precision=precision, provider=provider, threads=threads
        )
        return cls(made, settings)

    @property
    def info(self) -> EngineInfo:
        """Engine, device and precision really used."""
        return self._engine.info

    def start(self, frame: Picture, mask: NDArray[np.integer] | NDArray[np.bool_]) -> TrackedFrame:
        """Begin with the first frame and the objects' masks in it, forgetting whatever was followed before.

        Args:
            frame: the first frame.
            mask: (H, W) integer ids 0..255, or bool for one object.

        Returns:
            The first frame's result: the mask itself.

        Raises:
            UsageError: the mask has no object, or another size than the frame.
        """
        _check_frame(frame)
        labels = _checked_labels(mask, frame.shape[:2])
        self._frame_size = frame.shape[:2]
        self._follower = self._new_follower(frame, labels)
        objects = []
        for object_id in (int(value) for value in np.unique(labels) if value):
            one = labels == object_id
            self._follower.add(object_id, frame, one)
            objects.append(TrackedObject(object_id, "tracked", 1.0, int(np.count_nonzero(one)), mask_box(one)))
        return TrackedFrame(labels, np.where(labels > 0, np.uint8(255), np.uint8(0)), tuple(objects))

    def step(self, frame: Picture) -> TrackedFrame:
        """Follow the objects into the next frame.

        Args:
            frame: of the first frame's size.

        Raises:
            UsageError: before `start`, or the frame has another size.
        """
        follower = self._started()
        self._check_size(frame)
        return follower.step(frame)

    def add(self, frame: Picture, mask: NDArray[np.bool_], object_id: int) -> None:
        """Follow one more object, or correct one: its mask in `frame` becomes its new reference.

        Args:
            frame: the last frame given to `start` or `step`.
            mask: (H, W) bool, the object.
            object_id: 1..255.

        Raises:
            UsageError: before `start`, an empty mask, or a size or id that does not fit.
        """
        follower = self._started()
        self._check_size(frame)
        if self._settings.paper_protocol:
            raise UsageError("--paper-protocol: takes its objects from the first frame only")
        if not 1 <= object_id <= 255:
            raise UsageError(f"object id {object_id}: must be 1..255")
        follower.add(object_id, frame, _checked_labels(mask, self._frame_size) > 0)

    def remove(self, object_id: int) -> None:
        """Stop following an object.

        Raises:
            KeyError: no object of that id is followed.
        """
        self._started().remove(object_id)

    def _new_follower(self, frame: Picture, labels: NDArray[np.uint8]) -> CropFollower | FullFrameFollower:
        height, width = self._frame_size
        if self._settings.window:
            size = self._settings.window_size or self._engine.window
            return CropFollower(self._engine, height, width, size)
        multi_scale = MultiScale(self._engine, height, width, self._settings.scales)
        if not self._settings.paper_protocol:
            return FullFrameFollower(multi_scale)
        union = multi_scale.pad((labels > 0).astype(np.float32))
        return FullFrameFollower(multi_scale, multi_scale.encode_reference(rgb_of(frame), union))

    def _started(self) -> CropFollower | FullFrameFollower:
        if self._follower is None:
            raise UsageError("the tracker has no objects yet; call start(frame, mask) first")
        return self._follower

    def _check_size(self, frame: Picture) -> None:
        _check_frame(frame)
        if frame.shape[:2] != self._frame_size:
            (height, width), (first_height, first_width) = frame.shape[:2], self._frame_size
            raise UsageError(
                f"a frame is {width}x{height} but the first was {first_width}x{first_height}; all must be of one size"
            )


def _check_frame(frame: Picture) -> None:
    if isinstance(frame, PlanarPicture):
        return
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise UsageError(f"a frame must be (H, W, 3) uint8 RGB, not {frame.shape} {frame.dtype}")


def _checked_labels(mask: NDArray[np.integer] | NDArray[np.bool_], size: tuple[int, ...]) -> NDArray[np.uint8]:
    if mask.shape != tuple(size):
        raise UsageError(f"the mask is {mask.shape} but the frame is {tuple(size)}; give a mask of the frame's size")
    if not (mask.dtype == np.bool_ or np.issubdtype(mask.dtype, np.integer)):
        raise UsageError(f"the mask must hold integer ids, not {mask.dtype}")
    if mask.min() < 0 or mask.max() > 255:
        raise UsageError("the mask's ids must be 0..255")
    if not mask.any():
        raise UsageError("the mask is empty; mark at least one object in it")
    return mask.astype(np.uint8)
