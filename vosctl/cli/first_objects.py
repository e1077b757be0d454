"""The ways to say what the objects are in the first frame: masks, boxes, points, or a window to draw in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from vosctl.cli.groups import Decorator, grouped, repeatable
from vosctl.errors import UsageError

if TYPE_CHECKING:
    from vosctl.prompts import Prompt
    from vosctl.prompts.first_objects import FirstObjects

MOST_OBJECTS = 255
LARGEST = 1e6
"""Pixels; no picture is that large, and beyond it numbers are typing errors."""

Box = tuple[float, float, float, float]  # x, y, width, height in pixels; as vosctl.types.RealBox, which needs numpy
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class BoxMark:
    """A box round an object.

    Attributes:
        object_id: the object's number; None where it was not given.
        box: x, y, width, height in pixels.
    """

    object_id: int | None
    box: Box


@dataclass(frozen=True, slots=True)
class PointMark:
    """A point on an object or beside it.

    Attributes:
        object_id: the object's number; None where it was not given.
        x: pixels.
        y: pixels.
        on_object: whether it lies on the object.
    """

    object_id: int | None
    x: float
    y: float
    on_object: bool


class BoxType(click.ParamType):  # type: ignore[type-arg]  # generic only in recent releases of click
    """`[ID=]x,y,w,h` in pixels."""

    name = "[ID=]x,y,w,h"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> BoxMark:
        """Parse what was typed; fail with one line that says how to write it."""
        if isinstance(value, BoxMark):
            return value
        object_id, text = self._split(value, param, ctx)
        numbers = _numbers(text, 4)
        if numbers is None:
            self.fail(f"{value!r}: give x,y,width,height in pixels, such as 220,60,180,400", param, ctx)
        x, y, width, height = numbers
        if width <= 0 or height <= 0:
            self.fail(f"{value!r}: its width and height must be above 0", param, ctx)
        return BoxMark(object_id, (x, y, width, height))

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
    """`[ID=]x,y` on the object or `[ID=]x,y:-` beside it."""

    name = "[ID=]x,y[:-]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> PointMark:  # type: ignore[override]
        """Parse what was typed; fail with one line that says how to write it."""
        if isinstance(value, PointMark):
            return value
        object_id, text = self._split(value, param, ctx)
        place, _, sign = text.partition(":")
        numbers = _numbers(place, 2)
        if numbers is None:
            self.fail(f"{value!r}: give x,y in pixels, such as 310,240, or 310,240:- for background", param, ctx)
        if sign not in ("", "+", "-"):
            self.fail(f"{value!r}: after the colon comes - for background, or + for the object", param, ctx)
        return PointMark(object_id, numbers[0], numbers[1], sign != "-")


def _numbers(text: str, count: int) -> list[float] | None:
    """So many numbers of a sensible size, separated by commas; None where they are something else."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        return None
    sensible = all(math.isfinite(number) and abs(number) <= LARGEST for number in numbers)
    return numbers if len(numbers) == count and sensible else None


@dataclass(frozen=True, slots=True)
class FirstMaskRequest:
    """What the user said of the objects in the first frame; see `first_mask_options`.

    Attributes:
        first_mask: a mask file, or one for each object.
        fix_mask: whether they may be repaired.
        box: boxes, each round an object.
        point: points.
        accept_doubtful: whether to go on with a doubtful mask from boxes and points.
        select: to be drawn in a window.
    """

    first_mask: tuple[Path, ...]
    fix_mask: bool
    box: tuple[BoxMark, ...]
    point: tuple[PointMark, ...]
    accept_doubtful: bool = False
    select: bool = False

    @property
    def given(self) -> bool:
        """Whether there is anything that says what the objects are."""
        return bool(self.first_mask or self.box or self.point or self.select)

    def objects(self) -> FirstObjects:
        """Return the objects to follow.

        Raises:
            UsageError: it is not clear which object a point belongs to.
        """
        from vosctl.prompts.first_objects import FirstObjects

        request = self._as_typed()
        choose = None
        if request.select:
            from vosctl.selection.choosing import choose_objects

            choose = choose_objects
        return FirstObjects(
            mask=request.first_mask or None,
            prompts=request._prompts(),
            choose=choose,
            fix_mask=request.fix_mask,
            accept_doubtful=request.accept_doubtful,
        )

    def _as_typed(self) -> FirstMaskRequest:
        """Drop what the environment says of the objects where the command line says it in another way."""
        context = click.get_current_context(silent=True)

        def typed(name: str) -> bool:
            return context is not None and context.get_parameter_source(name) is ParameterSource.COMMANDLINE

        if not any(typed(name) for name in ("first_mask", "box", "point", "select")):
            return self
        first_mask = self.first_mask if typed("first_mask") else ()
        return FirstMaskRequest(
            first_mask=first_mask,
            fix_mask=self.fix_mask and (bool(first_mask) or typed("fix_mask")),
            box=self.box if typed("box") else (),
            point=self.point if typed("point") else (),
            accept_doubtful=self.accept_doubtful,
            select=self.select and typed("select"),
        )

    def _prompts(self) -> dict[int, Prompt]:
        """Boxes and points by object; boxes without a number are counted from 1, points without one are of object 1."""
        from vosctl.prompts import Prompt

        boxes: dict[int, Box] = {}
        taken = {mark.object_id for mark in self.box}
        unnumbered = [mark.object_id for mark in self.box].count(None)
        free = (number for number in range(1, MOST_OBJECTS + 1) if number not in taken)
        for mark in self.box:
            object_id = next(free, None) if mark.object_id is None else mark.object_id
            if object_id is None:
                raise UsageError(f"--box: {MOST_OBJECTS} objects are the most")
            if object_id in boxes:
                raise UsageError(f"--box {object_id}=: given twice; an object has one box, --point corrects it")
            boxes[object_id] = mark.box
        points: dict[int, list[tuple[float, float, bool]]] = {}
        for point in self.point:
            if point.object_id is None and (unnumbered > 1 or (boxes and 1 not in boxes)):
                raise UsageError(
                    f"--point {point.x:g},{point.y:g}: of which object? give its number, such as "
                    f"--point {max(boxes)}={point.x:g},{point.y:g}"
                )
            points.setdefault(point.object_id or 1, []).append((point.x, point.y, point.on_object))
        order = [*boxes, *(key for key in points if key not in boxes)]
        return {key: Prompt.of(boxes.get(key), tuple(points.get(key, ()))) for key in order}


def first_mask_options(*more: Decorator) -> Decorator:
    """--first-mask, --fix-mask, --box, --point and `more`, as a `FirstMaskRequest` named `first`."""
    return grouped(
        "first",
        FirstMaskRequest,
        repeatable(
            "--first-mask",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="The objects in the first frame: black and white, indexed PNG, a colour an object, or LabelMe or "
            "COCO JSON. Repeat it for one object a file.",
        ),
        click.option(
            "--fix-mask", is_flag=True, help="Repair a mask of another size or with soft edges, and say what was done."
        ),
        repeatable(
            "--box",
            type=BoxType(),
            help="A box round an object in the first frame, in pixels. Repeat it for more objects, which are numbered "
            "from 1, or as ID= says.",
        ),
        repeatable(
            "--point",
            type=PointType(),
            help="A point on the object in the first frame, or with :- beside it; alone, or to correct the box of the "
            "same ID. Repeat it; without ID= it is of object 1.",
        ),
        click.option(
            "--accept-doubtful",
            is_flag=True,
            help="Go on with a doubtful mask from a box or points: one of a low score, or of hardly any of its box.",
        ),
        *more,
    )
