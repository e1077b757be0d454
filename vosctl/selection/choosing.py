"""Choosing objects in a window: those of a first frame, before anything is followed, or of a later one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import numpy as np

from vosctl.errors import VosctlError
from vosctl.prompts import Finder, finder_for
from vosctl.prompts.choices import ShownFrame
from vosctl.prompts.timed import ids_of
from vosctl.selection.canvas import draw_drawing, draw_strip
from vosctl.selection.drawing import ObjectDrawing
from vosctl.selection.events import Closed, Event, Key, Mouse, Wheel
from vosctl.selection.window import Window, require_display
from vosctl.types import Labels, Mask, RGBImage
from vosctl.video.colours import object_colour

Outcome = Literal["done", "cancelled"]

LARGEST_ID = 255
_HELP = (
    "click: add  right click or Alt-click: take away  drag: box  wheel: zoom  z undo  y redo  s line round it  "
    "p paint  e erase  b click again  Backspace anew  Tab 1-9 another object  a new object  Enter take  "
    "d take back the last  Enter again: go on  Esc cancel"
)
_LEFT = "the window was left with Esc, q or its close button"


class ObjectChooser:
    """Objects chosen one after the other on one picture: the state behind the window.

    Args:
        image: (H, W, 3) uint8 RGB.
        finder: finds the object that a prompt means in this picture.
        known: (H, W) uint8, the objects that are known in it already, which may be corrected; None for none.
        ids: of objects that are known, whether or not they are seen in it.

    Attributes:
        labels: (H, W) uint8, the objects that are known and those taken so far, numbered on from those.
        drawing: the object being drawn.
    """

    def __init__(self, image: RGBImage, finder: Finder, known: Labels | None = None, ids: Collection[int] = ()) -> None:
        self._image, self._finder = image, finder
        self._known = np.zeros(image.shape[:2], np.uint8) if known is None else known
        seen = ids_of(self._known)
        self._ids = {*ids, *seen}
        self._taken: dict[int, Mask] = {}  # the later on top
        self.labels = self._known
        self.drawing = self._begin(min(seen or self._ids or {1}))

    @property
    def chosen(self) -> Labels:
        """(H, W) uint8, the objects taken so far, without those that are only known."""
        labels = np.zeros_like(self._known)
        for object_id, mask in self._taken.items():
            labels[mask] = object_id
        return labels

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
                return self._enter()
            case Key("d" | "delete"):
                self._take_back()
            case Key("tab"):
                self._go_on()
            case Key("a"):
                self._keep()
                self._go_to(self._free())
            case Key(name) if name.isdecimal():
                if int(name) in self._ids | set(self._taken):
                    self._keep()
                    self._go_to(int(name))
            case Key(name):
                self.drawing.key(name)
        return None

    def _enter(self) -> Outcome | None:
        """Take the object that is drawn; where there is nothing to take, go on with those taken before."""
        drawing = self.drawing
        drawing.work()
        if drawing.mask is None and drawing.changed and drawing.object_id in self._ids:
            drawing.message = "Nothing is left of it; click on it, z brings it back, Tab leaves it as it was"
            return None
        if not self._keep():
            if self._taken:
                return "done"
            drawing.message = (
                "Click on an object first, or drag a box round it"
                if drawing.mask is None
                else "Nothing is changed yet; click what it lacks or what is too much, Tab another object, a a new one"
            )
            return None
        taken = f"Object {drawing.object_id} taken; Enter goes on"
        if drawing.object_id in self._ids:
            self._go_to(drawing.object_id)
            self.drawing.message = f"{taken}, Tab another object, a a new one"
        elif (free := self._free()) is not None:
            self.drawing = self._begin(free)
            self.drawing.message = f"{taken}, or draw another"
        return None

    def _keep(self) -> bool:
        """Take the object that is drawn, if anything of it is new. Whether it was."""
        drawing = self.drawing
        drawing.work()
        if drawing.mask is None or not drawing.changed:
            return False
        self._taken.pop(drawing.object_id, None)
        self._taken[drawing.object_id] = drawing.mask
        self._lay()
        return True

    def _take_back(self) -> None:
        """Forget the object that was taken last; one that was known is again as it was."""
        if self._taken:
            last, _ = self._taken.popitem()
            self._lay()
            self.drawing = self._begin(last)

    def _lay(self) -> None:
        """Lay what was taken over what is known."""
        chosen = self.chosen
        kept = np.where(np.isin(self._known, list(self._taken)), np.uint8(0), self._known)
        self.labels = np.where(chosen > 0, chosen, kept)

    def _go_on(self) -> None:
        """Draw the next object: after those that there are comes a new one."""
        self._keep()
        free = self._free()
        order = [*sorted({*self._ids, *self._taken}), *([] if free is None else [free])]
        here = self.drawing.object_id
        self._go_to(order[(order.index(here) + 1) % len(order)] if here in order else order[0])

    def _free(self) -> int | None:
        """Return the number of the next new object; None where there are too many."""
        return next((one for one in range(1, LARGEST_ID + 1) if one not in self._ids and one not in self._taken), None)

    def _go_to(self, object_id: int | None) -> None:
        """Draw another object, in the same part of the picture."""
        if object_id is None:
            self.drawing.message = f"{LARGEST_ID} objects are the most"
            return
        view = self.drawing.view
        self.drawing = self._begin(object_id)
        self.drawing.view = view

    def _begin(self, object_id: int) -> ObjectDrawing:
        """Return what an object is drawn with; one that is there is corrected."""
        mask = self.labels == object_id
        if not mask.any():
            return ObjectDrawing(self._image, object_id, self._finder, others=self.labels)
        drawing = ObjectDrawing(self._image, object_id, self._finder, mask, self.labels)
        drawing.message = "Click what it lacks, right click or Alt-click what is too much; Tab another object"
        return drawing

    def picture(self, frame: int | None = None) -> RGBImage:
        """Return (H, W, 3) uint8 RGB, what the window shows; `frame` is the number that it names."""
        canvas = draw_drawing(self.drawing, self.labels)
        there = "" if frame is None else f"Frame {frame}, o"
        line = f"{there or 'O'}bject {self.drawing.object_id}: {self.drawing.message}"
        draw_strip(canvas, [(line, object_colour(self.drawing.object_id))])
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
    chooser = ObjectChooser(image, finder_for(image))
    if not _shown(chooser, "vosctl: choose the objects"):
        raise VosctlError(f"no object was chosen: {_LEFT}")
    return chooser.chosen


def choose_in_frame(shown: ShownFrame) -> Labels:
    """Let the user correct the objects of a later frame, or add others, in a window.

    Returns:
        (H, W) uint8 labels of what was drawn, at least one object.

    Raises:
        VosctlError: there is no display, or the user cancelled.
    """
    require_display("give `prompts`, `mask`, `box` or `point` instead of `choose_at`")
    chooser = ObjectChooser(shown.image, finder_for(shown.image), shown.labels, shown.ids)
    if not _shown(chooser, f"vosctl: frame {shown.number}", shown.number):
        raise VosctlError(f"nothing was drawn in frame {shown.number}, and nothing is changed: {_LEFT}")
    return chooser.chosen


def _shown(chooser: ObjectChooser, title: str, frame: int | None = None) -> bool:
    """Show a window until the user goes on or cancels. Whether it was the first."""
    height, width = chooser.labels.shape
    with Window(title, width, height) as window:
        while True:
            busy = chooser.drawing.busy
            events = window.show(chooser.picture(frame), wait=0.001 if busy else 0.02)
            for event in events:
                outcome = chooser.handle(event)
                if outcome is not None:
                    return outcome == "done"
            if busy:  # and the picture said so
                chooser.drawing.work()
            elif not events:
                chooser.drawing.look_ahead()
