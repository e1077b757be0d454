"""Finding objects in a picture with the prompt network: regions, features that are kept, and rounds of clicks.

Clicks are answered one after the other, each with the mask that the ones before it gave, as the network was trained.
Every answer is kept, so that one more click, or one less, costs one call of the network's small head.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Generic

import numpy as np

from vosctl.engine.prompt_engine import Features, PromptEngine
from vosctl.prompts import maps
from vosctl.prompts.maps import PromptMaps
from vosctl.prompts.prediction import MaskPrediction
from vosctl.prompts.prompt import Prompt
from vosctl.prompts.regions import holds, reach_of, region_round, runs_out, union, whole_region
from vosctl.tracking.crop import Crop, main_box
from vosctl.types import RealBox, RGBImage, SoftMask

KEPT_REGIONS = 8
KEPT_ANSWERS = 64
FOUND_CONTEXT = 1.5
"""Side of a region over the longer side of what was found in a larger one."""
WORTH_ZOOMING = 0.75
"""A smaller region is looked at when its side is at most this share of the one before."""
LARGEST_ZOOM = 4
"""Regions that are looked at for one click, each in the one before."""
MOST_OF_BOX = 0.8
"""Longer side of what was found over its box's, below which it may be a part of the object only."""
GOOD_GUIDE = 0.7
"""Score below which the next region is not laid round what was found in a box."""
UNSEEN_ZOOM = 0.4
"""Side of the next region over the last one's, round a click where nothing was found."""
WIDER = 1.6
"""Side of the next region over the last one's, for a mask that runs out of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What the network said in a region.

    Attributes:
        region: where.
        probability: (S, S).
        score: the IoU that is expected.
    """

    region: Crop
    probability: SoftMask
    score: float


class MaskPredictor(Generic[Features]):
    """Finds objects in one picture.

    Args:
        engine: the network.
        image: (H, W, 3) uint8 RGB; not to be changed while the predictor is used.
    """

    def __init__(self, engine: PromptEngine[Features], image: RGBImage) -> None:
        self._engine, self._image = engine, image
        self._height, self._width = image.shape[:2]
        self._features: OrderedDict[Crop, Features] = OrderedDict()
        # With the mask that was asked about, so that no other one gets its identity meanwhile.
        self._answers: OrderedDict[tuple[object, ...], tuple[Answer, SoftMask | None]] = OrderedDict()

    def predict(self, prompt: Prompt) -> MaskPrediction:
        """Find the object that a prompt means.

        Raises:
            UsageError: nothing is said, or something of it lies outside the picture.
        """
        prompt.check(self._height, self._width)
        answer: Answer | None = None
        for part in _rounds(prompt):
            key = part.box, part.points, part.strokes, id(part.mask)
            known = self._answers.get(key)
            answer = self._answer(part, answer) if known is None else known[0]
            self._answers[key] = answer, part.mask
            self._answers.move_to_end(key)
        while len(self._answers) > KEPT_ANSWERS:
            self._answers.popitem(last=False)
        if answer is None:
            raise ValueError("a prompt that was checked has at least one round")
        return MaskPrediction(self._in_picture(answer), answer.score, prompt.box)

    def _answer(self, prompt: Prompt, before: Answer | None) -> Answer:
        """Answer a prompt of which all but the last click was answered `before`."""
        reach = reach_of(prompt)
        if before is None and prompt.box is None and prompt.mask is None:
            return self._first_click(prompt)
        if before is None and prompt.box is not None:
            return self._first_box(prompt, reach)
        if before is None:
            region = self._round(reach)
        elif reach is None or holds(before.region, reach):
            region = before.region
        else:
            region = self._round(
                union([reach, before.region.box_in_frame(main_box(before.probability > 0.5) or (0, 0, 1, 1))])
            )
        answer = self._ask(prompt, region, before)
        if runs_out(answer.probability > 0.5, region, self._height, self._width) and prompt.box is None:
            answer = self._ask(prompt, self._widened(region), answer)
        return answer

    def _first_box(self, prompt: Prompt, reach: RealBox | None) -> Answer:
        """Look at a box with context, then round what was found, if that can be trusted: the box may be loose."""
        answer = self._ask(prompt, self._round(reach), None)
        found = main_box(answer.probability > 0.5)
        if found is None or reach is None or answer.score < GOOD_GUIDE:
            return answer
        box = answer.region.box_in_frame(found)
        if max(box[2:]) < MOST_OF_BOX * max(reach[2:]):
            return answer
        return self._ask(prompt, self._round(box), answer)

    def _first_click(self, prompt: Prompt) -> Answer:
        """Look at the whole picture, then ever closer at what was found, so that a small object gets a sharp mask."""
        answer = self._ask(prompt, whole_region(self._height, self._width, self._engine.size), None)
        for _ in range(LARGEST_ZOOM - 1):
            region = self._closer(prompt, answer)
            if region.side > WORTH_ZOOMING * answer.region.side:
                break
            closer = self._ask(prompt, region, answer)
            if runs_out(closer.probability > 0.5, region, self._height, self._width):
                return self._ask(prompt, self._widened(region), closer)
            answer = closer
        return answer

    def _closer(self, prompt: Prompt, answer: Answer) -> Crop:
        """Return the region to look at next: round what was found, or round the clicks where nothing was."""
        reach = reach_of(prompt)
        found = main_box(answer.probability > 0.5)
        if found is not None:
            box = answer.region.box_in_frame(found)
            return self._round(box if reach is None else union([box, reach]), FOUND_CONTEXT)
        x, y, width, height = reach or (0.0, 0.0, 1.0, 1.0)
        side = max(UNSEEN_ZOOM * answer.region.side, 2 * max(width, height))
        box = x + width / 2 - side / 2, y + height / 2 - side / 2, side, side
        return self._round(box, 1.0)

    def _round(self, box: RealBox | None, context: float = 1.4) -> Crop:
        if box is None:
            return whole_region(self._height, self._width, self._engine.size)
        return region_round(box, self._height, self._width, self._engine.size, context)

    def _widened(self, region: Crop) -> Crop:
        box = float(region.x), float(region.y), float(region.side), float(region.side)
        return self._round(box, WIDER)

    def _ask(self, prompt: Prompt, region: Crop, before: Answer | None) -> Answer:
        features = self._features.get(region)
        if features is None:
            features = self._engine.encode(region.cut(self._image))
        self._features[region] = features
        self._features.move_to_end(region)
        while len(self._features) > KEPT_REGIONS:
            self._features.popitem(last=False)
        probability, score = self._engine.segment(self._maps(prompt, region, before), features)
        return Answer(region, probability, score)

    def _maps(self, prompt: Prompt, region: Crop, before: Answer | None) -> PromptMaps:
        """Return the prompt in a region, with the mask so far."""
        canvas = np.zeros((5, region.size, region.size), np.float32)
        zoom = region.scale

        def pixel(x: float, y: float) -> tuple[float, float]:
            return (x + 0.5 - region.x) * zoom - 0.5, (y + 0.5 - region.y) * zoom - 0.5

        for x, y, on_object in prompt.points:
            maps.draw_clicks(canvas[maps.POSITIVE if on_object else maps.NEGATIVE], [pixel(x, y)])
        for stroke in prompt.strokes:
            channel = maps.POSITIVE if stroke.on_object else maps.NEGATIVE
            maps.draw_stroke(canvas[channel], [pixel(x, y) for x, y in stroke.path], stroke.radius * zoom)
        if prompt.box is not None:
            x, y, width, height = prompt.box
            box = (x - region.x) * zoom, (y - region.y) * zoom, width * zoom, height * zoom
            maps.draw_box(canvas[maps.BOX], box)
        if before is not None:
            canvas[maps.MASK] = region.resample(before.probability, before.region)
        elif prompt.mask is not None:
            canvas[maps.MASK] = region.cut_mask(prompt.mask)
        frame = -region.x * zoom, -region.y * zoom, self._width * zoom, self._height * zoom
        maps.draw_box(canvas[maps.INSIDE], frame)
        return canvas

    def _in_picture(self, answer: Answer) -> SoftMask:
        """Return (H, W): the answer where its region lies, nothing elsewhere."""
        region = answer.region
        left, top = max(region.x, 0), max(region.y, 0)
        right, bottom = min(region.x + region.side, self._width), min(region.y + region.side, self._height)
        probability = np.zeros((self._height, self._width), np.float32)
        part = region.to_frame(answer.probability, left, top, right - left, bottom - top)
        probability[top:bottom, left:right] = part
        return probability


def _rounds(prompt: Prompt) -> list[Prompt]:
    """Yield the prompt as it grew: box and mask, then click by click from the first on the object, then strokes."""
    grown = [] if prompt.box is None and prompt.mask is None else [replace(prompt, points=(), strokes=())]
    clicks, strokes = prompt.points, prompt.strokes
    grown += [replace(prompt, points=clicks[: n + 1], strokes=()) for n in range(len(clicks))]
    grown += [replace(prompt, strokes=strokes[: n + 1]) for n in range(len(strokes))]
    return [part for part in grown if reach_of(part) is not None]
