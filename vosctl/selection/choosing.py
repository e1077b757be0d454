"""Choosing the objects of a first frame in a window, before anything is followed."""

from __future__ import annotations

from typing import Literal

import numpy as np

from vosctl.errors import VosctlError
from vosctl.prompts import Finder, finder_for
from vosctl.selection.canvas import draw_drawing, draw_strip
from vosctl.selection.drawing import ObjectDrawing
from vosctl.selection.events import Closed, Event, Key, Mouse, Wheel
from vosctl.selection.window import Window, require_display
from vosctl.types import Labels, RGBImage

Outcome = Literal["done", "cancelled"]

_HELP = (
    "click: add  right click or Alt-click: take away  drag: box  wheel: zoom  z undo  y redo  s line round it  "
    "p paint  e erase  b click again  Backspace anew  Enter take  d delete the last  Enter again: go on  Esc cancel"
)


class ObjectChooser:
    """Objects chosen one after the other on one picture: the state behind the window.

    Attributes:
        labels: (H, W) uint8, the objects taken so far, numbered from 1.
        drawing: the object being drawn.
    """

    def __init__(self, image: RGBImage, finder: Finder) -> None:
        self._image, self._finder = image, finder
        self.labels = np.zeros(image.shape[:2], np.uint8)
        self.drawing = ObjectDrawing(image, 1, finder)

    def handle(self, event: Event) -> Outcome | None:
        """Take one event in; says when choosing is over."""
        match event:
            case Mouse():
                self.drawing.mouse(event)
            case Wheel():
                self.drawing.wheel(event)
            case Closed() | Key("escape" | "q"):
                return "cancelled"
            case Key("enter"):
                return self._take()
            case Key("d" | "delete"):
                self._delete()
            case Key(name):
                self.drawing.key(name)
        return None

    def _take(self) -> Outcome | None:
        drawing = self.drawing
        drawing.work()
        if drawing.mask is None:
            if self.labels.any():
                return "done"
            drawing.message = "Click on an object first, or drag a box round it"
            return None
        self.labels[drawing.mask] = drawing.object_id
        self.drawing = ObjectDrawing(self._image, min(drawing.object_id + 1, 255), self._finder)
        self.drawing.message = f"Object {drawing.object_id} taken; Enter goes on, or draw another"
        return None

    def _delete(self) -> None:
        last = int(self.labels.max())
        if last:
            self.labels[self.labels == last] = 0
            self.drawing = ObjectDrawing(self._image, last, self._finder)

    def picture(self) -> RGBImage:
        """Return (H, W, 3) uint8 RGB, what the window shows."""
        canvas = draw_drawing(self.drawing, self.labels)
        draw_strip(canvas, [f"Object {self.drawing.object_id}: {self.drawing.message}"])
        draw_strip(canvas, [_HELP], bottom=True)
        return canvas


def choose_objects(image: RGBImage) -> Labels:
    """Let the user choose objects on a picture in a window.

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        (H, W) uint8 labels, at least one object.

    Raises:
        VosctlError: there is no display, or the user cancelled.
    """
    require_display("give `first_mask`, `box` or `point` instead of `choose`")
    height, width = image.shape[:2]
    chooser = ObjectChooser(image, finder_for(image))
    with Window("vosctl: choose the objects", width, height) as window:
        while True:
            busy = chooser.drawing.busy
            events = window.show(chooser.picture(), wait=0.001 if busy else 0.02)
            for event in events:
                outcome = chooser.handle(event)
                if outcome == "cancelled":
                    raise VosctlError("no object was chosen: the window was left with Esc, q or its close button")
                if outcome == "done":
                    return chooser.labels
            if busy:  # and the picture said so
                chooser.drawing.work()
            elif not events:
                chooser.drawing.look_ahead()
