"""What callers give to a tracker, checked: each message names the parameter and what to give instead."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from vosctl.engine.factory import check_threads
from vosctl.errors import UsageError
from vosctl.tracking.settings import TrackingSettings
from vosctl.types import Labels, Mask
from vosctl.video.planar import Picture, PlanarPicture

_FRAME = "a NumPy array (H, W, 3) of uint8 RGB"
_MASK = "a NumPy array (H, W) of bool or of whole ids 0..255"

Size = tuple[int, int]
Word = TypeVar("Word", bound=str)


def checked_frame(frame: object, size: Size | None = None) -> Picture:
    """Return a frame, its bytes in order.

    Args:
        frame: what the caller gave.
        size: height and width that it must have, those of the first frame; None for the first one.

    Raises:
        UsageError: it is no frame, it is empty, or it has another size.
    """
    if not isinstance(frame, PlanarPicture):
        if not isinstance(frame, np.ndarray):
            raise UsageError(f"`frame`: give {_FRAME}, not {_kind(frame)}{_advice(frame)}")
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise UsageError(f"`frame`: must be (H, W, 3) uint8 RGB, not {frame.shape} {frame.dtype}{_as_rgb(frame)}")
        frame = np.ascontiguousarray(frame)
    height, width = frame.shape[:2]
    if not (height and width):
        raise UsageError(f"`frame`: is {width}x{height}, it has no pixels")
    if size is not None and (height, width) != size:
        raise UsageError(f"`frame`: is {width}x{height} but the first was {size[1]}x{size[0]}; all must be of one size")
    return frame


def checked_labels(mask: object, size: Size) -> Labels:
    """Return the ids of a mask, bool or of any integer type, as (H, W) uint8.

    Args:
        mask: what the caller gave.
        size: height and width of the frame.

    Raises:
        UsageError: it is no mask, has another size than the frame, or holds ids that cannot be.
    """
    if not isinstance(mask, np.ndarray):
        raise UsageError(f"`mask`: give {_MASK}, not {_kind(mask)}{_advice(mask)}")
    if not (mask.dtype == np.bool_ or np.issubdtype(mask.dtype, np.integer)):
        raise UsageError(f"`mask`: must hold whole ids or bool, not {mask.dtype}; compare or round it first")
    if mask.shape != size:
        raise UsageError(f"`mask`: is {mask.shape} but the frame is {size}; {_as_mask(mask, size)}")
    if mask.min() < 0 or mask.max() > 255:
        raise UsageError(f"`mask`: holds the ids {mask.min()} to {mask.max()}; they must be 0..255")
    if not mask.any():
        raise UsageError("`mask`: is empty; mark at least one object in it")
    return np.ascontiguousarray(mask, np.uint8)


def checked_settings(settings: object) -> TrackingSettings:
    """Return the settings, the default ones for None. Raises UsageError when they are something else."""
    if settings is None:
        return TrackingSettings()
    if not isinstance(settings, TrackingSettings):
        raise UsageError(f"`settings`: give TrackingSettings, not {_kind(settings)}")
    return settings


def checked_weights(weights: object) -> str:
    """Return the name or path of weights. Raises UsageError when it is neither."""
    if isinstance(weights, str | os.PathLike) and isinstance(os.fspath(weights), str):
        return os.fspath(weights)
    raise UsageError(f"`weights`: give a name, a file or a folder, not {_kind(weights)}")


def checked_word(name: str, value: Word) -> Word:
    """Return an option's word. Raises UsageError when it is no text; whether it is known is for the option to say."""
    if not isinstance(cast(object, value), str):
        raise UsageError(f"`{name}={value!r}`: give a word, such as 'auto'")
    return value


def checked_threads(threads: object) -> int:
    """Return a number of threads, 0 for one a core. Raises UsageError when it is none, or far above the cores."""
    if isinstance(threads, bool) or not isinstance(threads, int | np.integer):
        raise UsageError(f"`threads`: must be a whole number, not {_kind(threads)}")
    return check_threads(int(threads))


def checked_id(object_id: object) -> int:
    """Return an object's id, a whole number in 1..255. Raises UsageError when it is none."""
    if isinstance(object_id, bool | np.bool_) or not isinstance(object_id, int | np.integer):
        raise UsageError(f"`object_id`: must be a whole number in 1..255, not {_kind(object_id)}")
    if not 1 <= object_id <= 255:
        raise UsageError(f"`object_id={object_id}`: must be in 1..255")
    return int(object_id)


def masks_by_id(labels: Labels, objects: object = None) -> dict[int, Mask]:
    """Return the mask of every object, (H, W) by id, ascending.

    Args:
        labels: the ids.
        objects: the ids to take, all by default.

    Raises:
        UsageError: an id is asked for that is none, or that is not there.
    """
    present = [int(value) for value in np.flatnonzero(np.bincount(labels.ravel(), minlength=256)) if value]
    if objects is None:
        wanted = present
    else:
        if isinstance(objects, str) or not isinstance(objects, Iterable):
            raise UsageError(f"`objects`: give a list of ids, not {_kind(objects)}")
        wanted = sorted({checked_id(value) for value in objects})
        absent = [value for value in wanted if value not in present]
        if absent or not wanted:
            missing = f"object {absent[0]} has no pixel in the mask" if absent else "names no object"
            raise UsageError(f"`objects`: {missing}, which holds {', '.join(map(str, present))}")
    return {value: labels == value for value in wanted}


def _kind(value: object) -> str:
    if value is None:
        return "None"
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    return f"a {kind.__name__}" if package == "builtins" else f"a {package} {kind.__name__}"


def _as_rgb(frame: NDArray[Any]) -> str:
    """Return how an array that is no frame becomes one, as far as its shape and type say."""
    if frame.ndim == 4:
        return "; give one at a time, frame[0]"
    if frame.ndim == 2:
        return "; of a grey picture use numpy.dstack([frame] * 3)"
    if frame.ndim == 3 and frame.shape[2] == 1:
        return "; of a grey picture use numpy.repeat(frame, 3, axis=2)"
    if frame.ndim == 3 and frame.shape[2] == 4:
        return "; of RGBA use frame[..., :3]"
    if frame.ndim != 3 or frame.shape[2] != 3:
        return "; use frame.transpose(1, 2, 0)" if frame.ndim == 3 and frame.shape[0] == 3 else ""
    if np.issubdtype(frame.dtype, np.floating):
        return "; where 1 is white use (frame * 255).round().astype(numpy.uint8)"
    return "; bring its values to 0..255 and use frame.astype(numpy.uint8)"


def _as_mask(mask: NDArray[Any], size: Size) -> str:
    """Return how an array of another shape becomes a mask of this size, as far as its shape says."""
    if mask.shape == (*size, 1):
        return "use mask[..., 0]"
    if mask.ndim == 3 and mask.shape[:2] == size:
        return "give one id for each pixel, or mask.any(axis=2) for one object in colour"
    if mask.ndim == 3 and mask.shape[1:] == size:
        return "give one object at a time, mask[0], or the ids of all in one array"
    if mask.shape == size[::-1]:
        return "use mask.T"
    return "give a mask of the frame's size"


def _advice(value: object) -> str:
    package = type(value).__module__.partition(".")[0]
    if package == "PIL":
        return "; use numpy.asarray(image)"
    if package == "torch":
        return "; use tensor.cpu().numpy()"
    if isinstance(value, list | tuple):
        return "; use numpy.array(...)"
    return ""
