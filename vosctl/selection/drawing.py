"""One object being pointed at on a picture that stands still: clicks, a box, lines, paint, and the mask they give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import hypot
from time import perf_counter
from typing import Literal

import cv2
import numpy as np

from vosctl.errors import VosctlError
from vosctl.prompts import Finder, MaskPrediction, Prompt, Stroke
from vosctl.selection.events import Mouse, Wheel
from vosctl.selection.painting import painted_over
from vosctl.selection.precedence import Shared, named, shared
from vosctl.selection.viewport import Viewport
from vosctl.types import Box, Labels, Mask, RGBImage

Tool = Literal["point", "stroke", "paint", "erase"]

TOOLS: dict[str, Tool] = {"b": "point", "s": "stroke", "p": "paint", "e": "erase"}
"""The key of each tool."""

_BRUSH = 1 / 60
"""Radius of the brush over the picture's shorter side."""
_DRAG_PIXELS = 4
"""The mouse must move so far on the screen for a press to become a box; less is a click."""
_LEAST_LINE = 16
"""Pixels that a line must enclose."""
PREVIEW_PATIENCE = 0.15
"""Seconds that a mask may take to be shown before the click."""
_HINTS: dict[Tool, str] = {
    "point": "Click on the object, or drag a box round it",
    "stroke": "Draw a line round the object",
    "paint": "Paint over what is missing",
    "erase": "Paint over what is too much",
}
_CORRECT = "click what it lacks, right click or Alt-click what is too much"
_NEXT = f"Enter takes it; {_CORRECT}, z undoes"


class ObjectDrawing:
    """The state of pointing at one object.

    What is said is kept as a list of prompts, one for each thing done, so that it can be undone and done again. Finding
    the mask may take a moment: `mouse` and `key` only note what is asked for, `work` does it, so that a window can show
    in between that it is busy.

    Args:
        image: (H, W, 3) uint8 RGB, the picture drawn on.
        object_id: 1..255.
        finder: finds the object that a prompt means in this picture.
        mask: (H, W) bool, a mask to be corrected.
        others: (H, W) uint8, ids of the objects that are there; they keep what is theirs, see `precedence`.
        patience: seconds; no mask is shown before a click where one takes longer.

    Attributes:
        mask: (H, W) bool, the object as it is now; None before the first click, box or line.
        preview: (H, W) bool, what a click where the mouse is would give; None where that is not known.
        tool: what a drag does.
        path: points (x, y) of the drag in progress.
        message: what the user should know or do now.
        brush: radius in pixels.
        view: the part of the picture that is shown.
    """

    def __init__(
        self,
        image: RGBImage,
        object_id: int,
        finder: Finder,
        mask: Mask | None = None,
        others: Labels | None = None,
        patience: float = PREVIEW_PATIENCE,
    ) -> None:
        height, width = image.shape[:2]
        others = np.zeros((height, width), np.uint8) if others is None else others
        self._others = np.where(others == object_id, np.uint8(0), others)
        self.image = image
        self.object_id = object_id
        self.mask = mask
        self.preview: Mask | None = None
        self.tool: Tool = "point"
        self.path: list[tuple[float, float]] = []
        self.brush = max(3, round(min(height, width) * _BRUSH))
        self.view = Viewport.whole(width, height)
        self.message = _HINTS["point"] if mask is None else _NEXT
        self._finder, self._patience = finder, patience
        start = Prompt() if mask is None else Prompt(mask=mask.astype(np.float32))
        self._done: list[tuple[Prompt, Mask | None]] = [(start, mask)]
        self._place = 0  # in the list, of what is shown
        self._asked: Prompt | None = None
        self._away = False
        self._hover: tuple[float, float] | None = None
        self._seconds = 0.0  # that the last mask took

    @property
    def prompt(self) -> Prompt:
        """What is said of the object so far."""
        return self._asked or self._done[self._place][0]

    @property
    def changed(self) -> bool:
        """Whether it is another than it was at first."""
        return self._asked is not None or self._place > 0

    @property
    def busy(self) -> bool:
        """Whether a mask is still to be found: call `work`."""
        return self._asked is not None

    def key(self, name: str) -> bool:
        """Choose a tool, undo, do again, or start over. Whether the key meant anything here."""
        if name in TOOLS:
            tool = TOOLS[name]
            if tool in ("paint", "erase") and self.mask is None:
                self.message = f"{_HINTS['point']} first, then correct it"
                return True
            self.tool = tool
            self.message = _HINTS[tool]
        elif name == "backspace":
            self._asked = None
            self._note(Prompt(), None)
            self.tool, self.message = "point", _HINTS["point"]
        elif name in ("z", "undo", "y", "redo"):
            self._step(-1 if name in ("z", "undo") else 1)
        else:
            return False
        self.path, self.preview = [], None
        return True

    def _step(self, by: int) -> None:
        self.work()
        place = self._place + by
        if not 0 <= place < len(self._done):
            self.message = "Nothing to undo" if by < 0 else "Nothing to do again"
            return
        self._place = place
        self.mask = self._done[place][1]
        self.message = _HINTS["point"] if self.mask is None else _NEXT
        if self.mask is None:
            self.tool = "point"

    def _note(self, prompt: Prompt, mask: Mask | None) -> None:
        """Keep what was done last; what had been undone is gone."""
        self._done = [*self._done[: self._place + 1], (prompt, mask)]
        self._place += 1
        self.mask = mask

    def mouse(self, event: Mouse) -> None:
        """Follow clicks and drags, and where the mouse is."""
        point = self.view.in_picture(event.x, event.y)
        if event.action == "press":
            self.work()
            self.path, self._away, self.preview = [point], event.away, None
        elif self.path:
            self.path.append(point)
            if event.action == "release":
                self._finish()
        else:
            self._hover = point

    def wheel(self, event: Wheel) -> None:
        """Look closer, or from farther away."""
        self.view = self.view.turned(event.x, event.y, event.up)

    @property
    def dragging_box(self) -> bool:
        """Whether the drag in progress is a box."""
        return self.tool == "point" and self._is_drag() and not self._away

    def box(self) -> Box:
        """x, y, width, height of the box being dragged."""
        (x0, y0), (x1, y1) = self.path[0], self.path[-1]
        left, top = round(min(x0, x1)), round(min(y0, y1))
        return left, top, round(max(x0, x1)) - left + 1, round(max(y0, y1)) - top + 1

    def work(self) -> bool:
        """Find the mask that was asked for. Whether there was one to find."""
        if self._asked is None:
            return False
        prompt, self._asked = self._asked, None
        self._find(prompt)
        return True

    def _find(self, prompt: Prompt) -> None:
        began = perf_counter()
        try:
            found = self._finder(prompt)
        except VosctlError as error:
            self.message = plain(str(error))
            return
        self._seconds = perf_counter() - began
        mask = painted_over(found.mask, prompt.strokes)
        if not mask.any():
            self.message = (
                f"Nothing was found there; {_HINTS['point'].lower()}, or s draws a line round it"
                if self.mask is None
                else "That would leave nothing of the object; it stays as it was, Backspace begins anew"
            )
            return
        part = shared(mask, prompt, self._others)
        self._note(prompt, part.mask)
        self._hover = None
        self.message = _said_of(found, part)

    def look_ahead(self) -> bool:
        """Find what a click where the mouse rests would give, where that is quick. Whether anything changed."""
        hover, self._hover = self._hover, None
        if hover is None or self.tool != "point" or self.path:
            return False
        had, self.preview = self.preview is not None, None
        x, y = round(hover[0]), round(hover[1])
        known = 0 < self._seconds < self._patience
        if known and not (self.mask is not None and self.mask[y, x]):
            began = perf_counter()
            try:
                prompt = replace(self.prompt, points=(*self.prompt.points, (*hover, True)))
                self.preview = shared(self._finder(prompt).mask, prompt, self._others).mask
            except VosctlError:  # of no interest before the click
                self.preview = None
            self._seconds = perf_counter() - began
        return had or self.preview is not None

    def _is_drag(self) -> bool:
        if not self.path:
            return False
        far = max(hypot(x - self.path[0][0], y - self.path[0][1]) for x, y in self.path)
        return far * self.view.magnification >= _DRAG_PIXELS

    def _finish(self) -> None:
        """Make a prompt of the drag or click that has ended."""
        prompt = self._done[self._place][0]
        path, self.path = self.path, []
        if self.tool == "stroke":
            self._ask_inside(path)
        elif self.tool in ("paint", "erase"):
            stroke = Stroke(tuple(path), (self.tool == "paint") != self._away, self.brush)
            self._asked = replace(prompt, strokes=(*prompt.strokes, stroke))
        elif max(hypot(x - path[0][0], y - path[0][1]) for x, y in path) * self.view.magnification < _DRAG_PIXELS:
            self._ask_at(path[-1])
        elif self._away:
            stroke = Stroke(tuple(path), False, self.brush)
            self._asked = replace(prompt, strokes=(*prompt.strokes, stroke)) if self.mask is not None else None
        else:
            (x0, y0), (x1, y1) = path[0], path[-1]
            box = min(x0, x1), min(y0, y1), abs(x1 - x0) + 1, abs(y1 - y0) + 1
            self._asked = Prompt(box=box)
        if self.busy:
            self.message = "Looking for it ..."

    def _ask_at(self, point: tuple[float, float]) -> None:
        prompt = self._done[self._place][0]
        if self._away and self.mask is None:
            self.message = f"{_HINTS['point']} first"
            return
        self._asked = replace(prompt, points=(*prompt.points, (*point, not self._away)))

    def _ask_inside(self, path: Sequence[tuple[float, float]]) -> None:
        """Take what a closed line encloses for the object, roughly."""
        inside = np.zeros(self.image.shape[:2], np.uint8)
        if len(path) >= 3:
            cv2.fillPoly(inside, [np.array(np.round(path), np.int32)], 1)
        if np.count_nonzero(inside) < _LEAST_LINE:
            self.message = "The line encloses next to nothing; draw it all the way round the object"
            return
        x, y, width, height = cv2.boundingRect(inside)
        box = float(x), float(y), float(width), float(height)
        self._asked = Prompt(box=box, mask=inside.astype(np.float32))


def _said_of(found: MaskPrediction, part: Shared) -> str:
    """Return what the user should know of a mask, and can do in the window."""
    if found.flaw is not None:
        closer = "" if found.box is None else "drag a closer box, "
        return f"{found.flaw[0].upper()}{found.flaw[1:]}; {closer}{_CORRECT}, Enter takes it as it is"
    if part.kept:
        return f"What {named(part.kept)} has there stays; click or paint (p) there to take it too, Enter takes the rest"
    if part.covered:
        return f"Nothing is left of {named(part.covered)}; z undoes, Enter takes it"
    if part.taken:
        return f"Taken in part from {named(part.taken)}; {_NEXT}"
    return _NEXT


def plain(message: str) -> str:
    """Return a message of the library without its marks round parameters."""
    return message.replace("`", "")
