"""What a mask, a box or a point on the command line is: `[TIME@][ID=]` and a file or numbers."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from vosctl.errors import UsageError
from vosctl.time_line import Place

_NEARLY_PLACE = re.compile(r"-?\d[\d:.,]*s?")
MOST_OBJECTS = 255
LARGEST = 1e6
"""Pixels; no picture is that large, and beyond it numbers are typing errors."""

Box = tuple[float, float, float, float]  # x, y, width, height in pixels; as vosctl.types.RealBox, which needs numpy


@dataclass(frozen=True, slots=True)
class BoxMark:
    """A box round an object.

    Attributes:
        object_id: the object's number; None where it was not given.
        box: x, y, width, height in pixels.
        at: the frame; None for the first.
    """

    object_id: int | None
    box: Box
    at: Place | None = None


@dataclass(frozen=True, slots=True)
class PointMark:
    """A point on an object or beside it.

    Attributes:
        object_id: the object's number; None where it was not given.
        x: pixels.
        y: pixels.
        on_object: whether it lies on the object.
        at: the frame; None for the first.
    """

    object_id: int | None
    x: float
    y: float
    on_object: bool
    at: Place | None = None


@dataclass(frozen=True, slots=True)
class MaskMark:
    """A mask in some frame.

    Attributes:
        object_id: the object's number; None for the ids that the mask has.
        path: its file.
        at: the frame; None for the first.
    """

    object_id: int | None
    path: Path
    at: Place | None = None


class BoxType(click.ParamType):  # type: ignore[type-arg]  # generic only in recent releases of click
    """`[TIME@][ID=]x,y,w,h` in pixels.

    Args:
        timed: whether a place on the time line may come first.
    """

    form = "[ID=]x,y,w,h"

    def __init__(self, timed: bool = False) -> None:
        self._timed = timed
        self.name = f"[TIME@]{self.form}" if timed else self.form

    def _place(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Place | None, str]:
        """Return the frame, if it is given, and the rest."""
        written, at, rest = value.partition("@")
        if not at or not self._timed:
            return None, value
        try:
            return Place.parse(written), rest
        except UsageError as error:
            self.fail(f"{value!r}: before @: {error}", param, ctx)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> BoxMark:
        """Parse what was typed; fail with one line that says how to write it."""
        if isinstance(value, BoxMark):
            return value
        at, text = self._place(value, param, ctx)
        object_id, text = self._split(text, param, ctx)
        numbers = _numbers(text, 4)
        if numbers is None:
            self.fail(f"{value!r}: give x,y,width,height in pixels, such as 220,60,180,400", param, ctx)
        x, y, width, height = numbers
        if width <= 0 or height <= 0:
            self.fail(f"{value!r}: its width and height must be above 0", param, ctx)
        return BoxMark(object_id, (x, y, width, height), at)

    def _split(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int | None, str]:
        """Return the object's number, if it is given, and the rest."""
        number, equals, rest = value.partition("=")
        if not equals:
            return None, value
        if not (number.strip().isascii() and number.strip().isdecimal() and len(number) <= 9):
            self.fail(f"{value!r}: before = comes the object's number, such as 2=", param, ctx)
        if not 1 <= int(number) <= MOST_OBJECTS:
            self.fail(f"{value!r}: the object's number must be 1 to {MOST_OBJECTS}", param, ctx)
        return int(number), rest


class PointType(BoxType):
    """`[TIME@][ID=]x,y` on the object or `[TIME@][ID=]x,y:-` beside it."""

    form = "[ID=]x,y[:-]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> PointMark:  # type: ignore[override]
        """Parse what was typed; fail with one line that says how to write it."""
        if isinstance(value, PointMark):
            return value
        at, text = self._place(value, param, ctx)
        object_id, text = self._split(text, param, ctx)
        place, _, sign = text.partition(":")
        numbers = _numbers(place, 2)
        if numbers is None:
            self.fail(f"{value!r}: give x,y in pixels, such as 310,240, or 310,240:- for background", param, ctx)
        if sign not in ("", "+", "-"):
            self.fail(f"{value!r}: after the colon comes - for background, or + for the object", param, ctx)
        return PointMark(object_id, numbers[0], numbers[1], sign != "-", at)


class MaskType(click.ParamType):  # type: ignore[type-arg]  # generic only in recent releases of click
    """`[TIME@][ID=]FILE`. What reads as neither is part of the file's name; `./` before it ends all doubt."""

    name = "[TIME@][ID=]FILE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> MaskMark:
        """Read a mask."""
        if isinstance(value, MaskMark):
            return value
        at, rest = None, value
        written, separator, after = value.partition("@")
        if separator:
            try:
                at, rest = Place.parse(written), after
            except UsageError as error:  # part of the name, unless there is no such file and it is nearly a time
                if _NEARLY_PLACE.fullmatch(written) and not Path(value).exists():
                    self.fail(f"{value!r}: before @: {error}", param, ctx)
        number, separator, after = rest.partition("=")
        object_id = None
        if separator and number.isascii() and number.isdecimal() and len(number) <= 9:
            object_id, rest = int(number), after
            if not 1 <= object_id <= MOST_OBJECTS:
                self.fail(f"{value!r}: the object's number must be 1 to {MOST_OBJECTS}", param, ctx)
        if not rest:
            self.fail(f"{value!r}: names no file", param, ctx)
        return MaskMark(object_id, Path(rest), at)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Files, as for a path."""
        return [CompletionItem(incomplete, type="file")]


def _numbers(text: str, count: int) -> list[float] | None:
    """So many numbers of a sensible size, separated by commas; None where they are something else."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        return None
    sensible = all(math.isfinite(number) and abs(number) <= LARGEST for number in numbers)
    return numbers if len(numbers) == count and sensible else None
