"""An object's mask from what is said of it: a box, clicks, strokes, an earlier mask, alone or together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from vosctl.engine.prompt_engine import PromptEngine
from vosctl.prompts.prediction import MaskPrediction
from vosctl.prompts.predictor import MaskPredictor
from vosctl.prompts.prompt import Click, Prompt, Stroke
from vosctl.selection.grabcut import mask_from_box, mask_from_points, refine_mask
from vosctl.types import Mask, RGBImage, SoftMask

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
        UsageError: nothing is said, or something of it does not fit the picture.
    """
    return finder_for(image)(Prompt.of(box, points, mask, strokes))


def finder_for(image: RGBImage) -> Finder:
    """Return what finds objects in a picture, which must not change meanwhile: a call for each prompt.

    Asked again with one click more or less, it has less to do than for a prompt that is new.
    """
    predictor: MaskPredictor[Any] | None = None

    def find(prompt: Prompt) -> MaskPrediction:
        nonlocal predictor
        prompt.check(*image.shape[:2])
        if not _registered:
            return _by_grabcut(image, prompt)
        if predictor is None:
            predictor = MaskPredictor(_engine(), image)
        return predictor.predict(prompt)

    return find


_registered: list[PromptEngine[Any]] = []


@contextmanager
def registered_prompt_engine(engine: PromptEngine[Any]) -> Iterator[PromptEngine[Any]]:
    """Let an engine find the objects in the place of GrabCut, for as long as the block lasts."""
    _registered.append(engine)
    try:
        yield engine
    finally:
        _registered.remove(engine)


def _engine() -> PromptEngine[Any]:
    return _registered[-1]


def _by_grabcut(image: RGBImage, prompt: Prompt) -> MaskPrediction:
    prompt.check(*image.shape[:2])
    found: Mask
    on = [(round(x), round(y)) for x, y, on_object in prompt.points if on_object]
    beside = [(round(x), round(y)) for x, y, on_object in prompt.points if not on_object]
    for stroke in prompt.strokes:
        path = [(round(x), round(y)) for x, y in stroke.path]
        (on if stroke.on_object else beside).extend(path)
    if prompt.mask is not None:
        found = prompt.mask > 0.5
    elif prompt.box is not None:
        x, y, width, height = (round(value) for value in prompt.box)
        found = mask_from_box(image, (x, y, width, height))
    else:
        found = mask_from_points(image, on, beside)
    if (on or beside) and (prompt.mask is not None or prompt.box is not None):
        found = refine_mask(image, found, on, beside, max(3, round(min(image.shape[:2]) / 60)))
    return MaskPrediction(found.astype(np.float32), 1.0, prompt.box)
