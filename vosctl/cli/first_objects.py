"""The ways to say what the objects are in the first frame: masks, boxes, points, or a window to draw in."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from vosctl.cli.groups import Decorator, grouped, repeatable
from vosctl.errors import UsageError
from vosctl.time_line import Place

if TYPE_CHECKING:
    from vosctl.prompts import Prompt
    from vosctl.prompts.first_objects import FirstObjects
    from vosctl.prompts.timed import TimedPrompt

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
            with suppress(UsageError):  # part of the name
                at, rest = Place.parse(written), after
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
        mask: masks in any frame.
        prompts: a file of prompts in any frame.
    """

    first_mask: tuple[Path, ...]
    fix_mask: bool
    box: tuple[BoxMark, ...]
    point: tuple[PointMark, ...]
    accept_doubtful: bool = False
    select: bool = False
    mask: tuple[MaskMark, ...] = ()
    prompts: Path | None = None

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

        request = self._as_typed()._of_first_frame()
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

    def timed(self) -> tuple[TimedPrompt, ...]:
        """Return what is said of the objects in any frame, besides what `objects` says of the first.

        Raises:
            UsageError: an object is given two boxes in one frame, or the file of prompts cannot serve.
        """
        from vosctl.prompts.prompt import Prompt
        from vosctl.prompts.prompt_file import read_prompts
        from vosctl.prompts.timed import TimedPrompt

        request = self._as_typed()
        said = [TimedPrompt(mark.at, mark.object_id, mask=mark.path) for mark in request.mask]
        boxes: dict[tuple[Place, int], Box] = {}
        points: dict[tuple[Place, int], list[tuple[float, float, bool]]] = {}
        for mark in request.box:
            if mark.at is None:
                continue
            key = mark.at, mark.object_id or 1
            if key in boxes:
                raise UsageError(f"--box {mark.at}@{key[1]}=: given twice; an object has one box in a frame")
            boxes[key] = mark.box
        for point in request.point:
            if point.at is not None:
                key = point.at, point.object_id or 1
                points.setdefault(key, []).append((point.x, point.y, point.on_object))
        for at, object_id in {**boxes, **points}:
            key = at, object_id
            said.append(TimedPrompt(at, object_id, prompt=Prompt.of(boxes.get(key), points.get(key, ()))))
        return (*said, *(read_prompts(request.prompts) if request.prompts is not None else ()))

    def all_timed(self) -> tuple[TimedPrompt, ...]:
        """Return what is said of the objects in any frame, boxes and points of the first frame too.

        Raises:
            UsageError: see `objects` and `timed`.
        """
        from vosctl.prompts.timed import TimedPrompt

        first = self._as_typed()._of_first_frame()._prompts()
        return (*(TimedPrompt(None, key, prompt=prompt) for key, prompt in first.items()), *self.timed())

    def _of_first_frame(self) -> FirstMaskRequest:
        """Keep what is said without a place on the time line."""
        box = tuple(mark for mark in self.box if mark.at is None)
        return replace(self, box=box, point=tuple(mark for mark in self.point if mark.at is None))

    def _as_typed(self) -> FirstMaskRequest:
        """Drop what the environment says of the objects where the command line says it in another way."""
        context = click.get_current_context(silent=True)

        def typed(name: str) -> bool:
            return context is not None and context.get_parameter_source(name) is ParameterSource.COMMANDLINE

        if not any(typed(name) for name in ("first_mask", "box", "point", "select", "mask", "prompts")):
            return self
        first_mask = self.first_mask if typed("first_mask") else ()
        return FirstMaskRequest(
            first_mask=first_mask,
            fix_mask=self.fix_mask and (bool(first_mask) or typed("mask") or typed("fix_mask")),
            box=self.box if typed("box") else (),
            point=self.point if typed("point") else (),
            accept_doubtful=self.accept_doubtful,
            select=self.select and typed("select"),
            mask=self.mask if typed("mask") else (),
            prompts=self.prompts if typed("prompts") else None,
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


timed_mask_options = (
    repeatable(
        "--mask",
        type=MaskType(),
        help="A mask in any frame: a new object from there on, or a correction of one that is followed. TIME is a "
        "frame's number or a time (12.5s, 1:23.4), the first frame without it; ID the object, those in the mask "
        "without it.",
    ),
    click.option(
        "--prompts",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Masks, boxes and points in any frames, as JSON (docs/time-line.md).",
    ),
)


def first_mask_options(*more: Decorator, timed: bool = False) -> Decorator:
    """--first-mask, --fix-mask, --box, --point and `more`, as a `FirstMaskRequest` named `first`.

    Args:
        more: further options of the request.
        timed: whether boxes and points may be those of any frame.
    """
    elsewhere = " TIME@ puts it into a later frame, see --mask." if timed else ""
    return grouped(
        "first",
        FirstMaskRequest,
        repeatable(
            "--first-mask",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="The objects in the first frame: black and white, indexed PNG, one colour per object, or LabelMe or "
            "COCO JSON. Repeat it for one object a file.",
        ),
        click.option(
            "--fix-mask", is_flag=True, help="Repair a mask of another size or with soft edges, and say what was done."
        ),
        repeatable(
            "--box",
            type=BoxType(timed),
            help="A box round an object in the first frame, in pixels. Repeat it for more objects, which are numbered "
            f"from 1, or as ID= says.{elsewhere}",
        ),
        repeatable(
            "--point",
            type=PointType(timed),
            help="A point on the object in the first frame, or with :- beside it; alone, or to correct the box of the "
            f"same ID. Repeat it; without ID= it is of object 1.{elsewhere}",
        ),
        click.option(
            "--accept-doubtful",
            is_flag=True,
            help="Go on with a doubtful mask from a box or points: one of a low score, or of hardly any of its box.",
        ),
        *more,
    )
