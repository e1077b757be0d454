"""What is given to an engine, checked before it reaches a library whose words for it nobody would understand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosctl.engine.base import Engine
from vosctl.errors import UsageError


def check_reference(engine: Engine[Any], image: NDArray[Any], mask: NDArray[np.float32]) -> None:
    """Check the arguments of `Engine.encode_reference`.

    Raises:
        UsageError: no array, or one of another type or shape; says which.
    """
    _check_image(engine, "image", image, 3)
    _check_mask("mask", mask, image.shape[:2])


def check_batch(
    engine: Engine[Any], images: NDArray[Any], masks: NDArray[np.float32], states: Sequence[object]
) -> None:
    """Check the arguments of `Engine.propagate`.

    Raises:
        UsageError: no array, or one of another type or shape, or not one state for each; says which.
    """
    _check_image(engine, "images", images, 4)
    _check_mask("masks", masks, images.shape[:3])
    if not isinstance(states, Sequence) or len(states) != len(images):
        given = len(states) if isinstance(states, Sequence) else type(states).__name__
        raise UsageError(f"`states`: give a list of {len(images)}, one for each image, not {given}")
    for state in states:
        if not isinstance(state, tuple):
            raise UsageError(f"`states`: give what the engine's encode_reference returned, not {type(state).__name__}")


def _check_image(engine: Engine[Any], name: str, image: NDArray[Any], axes: int) -> None:
    shape = "(H, W, 3)" if axes == 3 else "(N, H, W, 3)"
    kinds = "uint8, or float32 in [0, 1]" if engine.takes_float else "uint8"
    if not isinstance(image, np.ndarray):
        raise UsageError(f"`{name}`: give a NumPy array {shape} {kinds}, not {type(image).__name__}")
    if image.dtype != np.uint8 and not (engine.takes_float and image.dtype == np.float32):
        raise UsageError(f"`{name}`: must be {kinds}, not {image.dtype}")
    if image.ndim != axes or image.shape[-1] != 3 or 0 in image.shape:
        raise UsageError(f"`{name}`: must be {shape} RGB and not empty, not {image.shape}")
    height, width = image.shape[-3:-1]
    if height % engine.stride or width % engine.stride:
        raise UsageError(f"`{name}`: height and width must be multiples of {engine.stride}, not {height}x{width}")


def _check_mask(name: str, mask: NDArray[np.float32], shape: tuple[int, ...]) -> None:
    if not isinstance(mask, np.ndarray):
        raise UsageError(f"`{name}`: give a NumPy array of float32 in [0, 1], not {type(mask).__name__}")
    if mask.dtype != np.float32:
        raise UsageError(f"`{name}`: must be float32 in [0, 1], not {mask.dtype}")
    if mask.shape != shape:
        raise UsageError(f"`{name}`: must be {shape} as the image is, not {mask.shape}")
