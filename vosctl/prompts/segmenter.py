"""An object's mask from what is said of it: a box, clicks, strokes, an earlier mask, alone or together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np

from vosctl.engine.factory import check_threads, create_prompt_engine
from vosctl.engine.prompt_engine import PromptEngine
from vosctl.errors import UsageError
from vosctl.prompts.mirrored import MirroredEngine
from vosctl.prompts.prediction import MaskPrediction
from vosctl.prompts.predictor import MaskPredictor
from vosctl.prompts.prompt import Click, Prompt, Stroke
from vosctl.types import Mask, RGBImage, SoftMask

DEFAULT_PROMPT_WEIGHTS = "prompt"

Finder = Callable[[Prompt], MaskPrediction]
"""Finds the object that a prompt means, in one picture."""


def mask_from(
    image: RGBImage,
    box: Sequence[float] | None = None,
    points: Sequence[Click] = (),
    mask: Mask | SoftMask | None = None,
) -> Mask:
    """Find an object in a picture; see `predict_mask`, which also gives the soft mask and a score.

    Returns:
        (H, W) bool.
    """
    return predict_mask(image, box, points, mask).mask


def predict_mask(
    image: RGBImage,
    box: Sequence[float] | None = None,
    points: Sequence[Click] = (),
    mask: Mask | SoftMask | None = None,
    strokes: Sequence[Stroke] = (),
) -> MaskPrediction:
    """Find an object in a picture.

    Args:
        image: (H, W, 3) uint8 RGB.
        box: x, y, width, height in pixels, round the object; fractions are fine.
        points: clicks (x, y, on_object), in the order in which they were made.
        mask: (H, W), the object as it was found before, perhaps roughly.
        strokes: lines painted over the object or over what is not part of it.

    Returns:
        The mask, its probabilities, a score, and what speaks against it.

    Raises:
        UsageError: nothing is said, or something of it does not fit the picture, or that is none.
    """
    if not (isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3):
        raise UsageError(f"`image`: give a NumPy array (H, W, 3) of uint8 RGB, not {_kind(image)}")
    if not image.size:
        raise UsageError(f"`image`: is {image.shape[1]}x{image.shape[0]}, it has no pixels")
    return finder_for(image)(Prompt.of(box, points, mask, strokes))


def _kind(image: object) -> str:
    return f"{image.shape} of {image.dtype}" if isinstance(image, np.ndarray) else type(image).__name__


def finder_for(image: RGBImage) -> Finder:
    """Return what finds objects in a picture, which must not change meanwhile: a call for each prompt.

    Asked again with one click more or less, it has less to do than for a prompt that is new. The network is loaded at
    the first call in a process and kept.
    """
    predictor: MaskPredictor[Any] | None = None

    def find(prompt: Prompt) -> MaskPrediction:
        nonlocal predictor
        prompt.check(*image.shape[:2])
        if predictor is None:
            predictor = MaskPredictor(_engine(), image)
        return predictor.predict(prompt)

    return find


_registered: list[PromptEngine[Any]] = []


@contextmanager
def registered_prompt_engine(engine: PromptEngine[Any]) -> Iterator[PromptEngine[Any]]:
    """Let an engine find the objects in the place of the shipped network's, for as long as the block lasts."""
    _registered.append(engine)
    try:
        yield engine
    finally:
        _registered.remove(engine)


_threads = [0]


def limit_prompt_threads(threads: int) -> None:
    """Set how many CPU threads the network takes from now on in this process; 0 for one for each core."""
    _threads[0] = check_threads(threads)


def prompt_threads() -> int:
    """Return how many CPU threads the network takes; 0 for one for each core."""
    return _threads[0]


def _engine() -> PromptEngine[Any]:
    return _registered[-1] if _registered else _shipped_engine(prompt_threads())


@lru_cache(maxsize=1)
def _shipped_engine(threads: int) -> PromptEngine[Any]:
    return MirroredEngine(create_prompt_engine(DEFAULT_PROMPT_WEIGHTS, threads=threads))
