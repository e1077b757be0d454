"""The live window's state: what keys and mouse mean, and what is to be done about it. No window, no clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vosctl.live.view import VIEWS, ViewName
from vosctl.prompts import Finder, finder_for
from vosctl.selection.drawing import ObjectDrawing
from vosctl.selection.events import Closed, Event, Key, Mouse, Wheel
from vosctl.selection.viewport import Viewport
from vosctl.tracking.results import TrackedFrame
from vosctl.types import Mask, RGBImage
from vosctl.video.colours import ObjectColours

LIVE_HELP = (
    "drag or a: add object  c correct  d delete  Tab 1-9 select  Space pause  "
    "r record  s snapshot  v view  h hide  q quit"
)
DRAWING_HELP = (
    "click: add  right click or Alt-click: take away  drag: box  wheel: zoom  z undo  y redo  s line round it  "
    "p paint  e erase  b click again  Backspace anew  Enter take  Esc cancel"
)
LARGEST_ID = 255

_DRAG_PIXELS = 4
"""The mouse must move so far before a press on the live picture begins a box; less is a click, which selects."""


@dataclass(frozen=True, slots=True, eq=False)
class Add:
    """Follow an object, or correct it: its mask, (H, W) bool, in `image`, (H, W, 3) uint8 RGB."""

    object_id: int
    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Remove:
    """Stop following an object."""

    object_id: int


@dataclass(frozen=True, slots=True)
class ToggleRecording:
    """Start or stop recording."""


@dataclass(frozen=True, slots=True)
class TakeSnapshot:
    """Write the picture and its mask."""


@dataclass(frozen=True, slots=True)
class Quit:
    """End the run."""


Command = Add | Remove | ToggleRecording | TakeSnapshot | Quit


class Session:
    """The state of a live window.

    Args:
        view: how the objects are shown at first.
        finder_for: makes what finds objects in a picture.

    Attributes:
        view: how the objects are shown.
        paused: whether the picture stands and nothing is followed.
        drawing: the object being drawn on a picture that stands, while the others are followed on; None in between.
        standing: (H, W) uint8, the labels of the picture that is drawn on.
        selected: the object that c and d mean.
        message: the last thing that was done, for the screen.
        show_help: whether the keys are on the screen.
        image: the last picture, (H, W, 3) uint8 RGB; None before the first.
        result: its objects.
    """

    def __init__(self, view: ViewName = "overlay", finder_for: Callable[[RGBImage], Finder] = finder_for) -> None:
        self.view = view
        self.paused = False
        self.drawing: ObjectDrawing | None = None
        self.standing = np.zeros((1, 1), np.uint8)
        self.selected: int | None = None
        self.message = ""
        self.show_help = True
        self.image: NDArray[np.uint8] | None = None
        self.result: TrackedFrame | None = None
        self.colours = ObjectColours()
        self._press: Mouse | None = None
        self._finder_for = finder_for

    def see(self, image: NDArray[np.uint8], result: TrackedFrame) -> None:
        """Take in that a frame was followed, or that the objects in it were changed."""
        self.image, self.result = image, result
        self.colours.see(image, result.labels, [one.id for one in result.objects if one.box])
        objects = self.objects
        if self.selected not in objects:
            self.selected = objects[-1] if objects else None

    @property
    def objects(self) -> tuple[int, ...]:
        """The ids that are followed."""
        return tuple(one.id for one in self.result.objects) if self.result else ()

    @property
    def help(self) -> str:
        """The keys that mean something now."""
        return DRAWING_HELP if self.drawing else LIVE_HELP

    def handle(self, event: Event) -> Sequence[Command]:
        """Take one event in and say what is to be done."""
        if isinstance(event, Closed):
            return [Quit()]
        if self.drawing is not None:
            return self._draw(self.drawing, event)
        if isinstance(event, Key):
            return self._key(event.name)
        if isinstance(event, Mouse):
            self._point(event)
        return []

    @property
    def busy(self) -> bool:
        """Whether a mask is to be found: show the picture, which says so, then call `work`."""
        return self.drawing is not None and self.drawing.busy

    def work(self) -> bool:
        """Find the mask that was asked for, else the one under the mouse. Whether anything changed."""
        return self.drawing is not None and (self.drawing.work() or self.drawing.look_ahead())

    def _draw(self, drawing: ObjectDrawing, event: Event) -> Sequence[Command]:
        if event == Key("enter"):
            drawing.work()
        match event:
            case Mouse():
                drawing.mouse(event)
            case Wheel():
                drawing.wheel(event)
            case Key("escape"):
                self.drawing, self.message = None, "Nothing taken"
            case Key("enter") if drawing.mask is not None:
                self.drawing, self.selected = None, drawing.object_id
                self.message = f"Object {drawing.object_id} taken"
                return [Add(drawing.object_id, drawing.image, drawing.mask)]
            case Key("enter"):
                drawing.message = "Click on the object first, or drag a box round it"
            case Key(name):
                drawing.key(name)
        return []

    def _key(self, name: str) -> Sequence[Command]:
        self.message = ""
        match name:
            case "q" | "escape":
                return [Quit()]
            case "a":
                self._add()
            case "c":
                self._correct()
            case "d" | "delete" if self.selected is not None:
                self.message = f"Object {self.selected} deleted"
                return [Remove(self.selected)]
            case "r":
                return [ToggleRecording()]
            case "s":
                return [TakeSnapshot()]
            case "space":
                self.paused = not self.paused
            case "v":
                self.view = VIEWS[(VIEWS.index(self.view) + 1) % len(VIEWS)]
            case "h":
                self.show_help = not self.show_help
            case "tab":
                self._select_next()
            case digit if digit.isdigit() and int(digit) in self.objects:
                self.selected = int(digit)
        return []

    def _add(self) -> None:
        free = next((one for one in range(1, LARGEST_ID + 1) if one not in self.objects), None)
        if free is None:
            self.message = f"{LARGEST_ID} objects are the most; delete one first"
        elif self.image is not None and self.result is not None:
            self.standing = self.result.labels
            self.drawing = self._drawing(self.image, free)

    def _drawing(self, image: RGBImage, object_id: int, mask: Mask | None = None) -> ObjectDrawing:
        return ObjectDrawing(image, object_id, self._finder_for(image), mask, self.standing)

    def _correct(self) -> None:
        if self.image is None or self.result is None or self.selected is None:
            self.message = "There is no object to correct; a adds one"
            return
        mask = self.result.labels == self.selected
        self.standing = self.result.labels
        # A lost object has no mask to correct: it is drawn anew.
        self.drawing = self._drawing(self.image, self.selected, mask if mask.any() else None)

    def _select_next(self) -> None:
        objects = self.objects
        if objects:
            place = objects.index(self.selected) + 1 if self.selected in objects else 0
            self.selected = objects[place % len(objects)]

    def _point(self, event: Mouse) -> None:
        """Select the object under a click; begin a box, on the picture shown, with a drag."""
        if event.action == "press":
            self._press = event
            self._select_at(event)
        elif event.action == "release":
            self._press = None
        elif self._press and max(abs(event.x - self._press.x), abs(event.y - self._press.y)) >= _DRAG_PIXELS:
            press, self._press = self._press, None
            self._add()
            if self.drawing is not None:
                self.drawing.mouse(press)
                self.drawing.mouse(event)

    def _select_at(self, event: Mouse) -> None:
        if self.result is None:
            return
        height, width = self.result.labels.shape
        view = Viewport.whole(width, height)
        if 0 <= event.x < view.shown[0] and 0 <= event.y < view.shown[1]:
            x, y = view.in_picture(event.x, event.y)
            under = int(self.result.labels[round(y), round(x)])
            self.selected = under or self.selected
