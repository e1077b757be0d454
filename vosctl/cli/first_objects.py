"""The ways to say what the objects are in the first frame: masks, boxes, points, or a window to draw in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from vosctl.cli.groups import Decorator, grouped, repeatable
from vosctl.cli.marks import MOST_OBJECTS, Box, BoxMark, BoxType, MaskMark, MaskType, PointMark, PointType
from vosctl.cli.output_options import path_option
from vosctl.cli.paths import GivenPath
from vosctl.cli.places import PlaceType
from vosctl.errors import UsageError
from vosctl.time_line import Place

if TYPE_CHECKING:
    from vosctl.prompts import Prompt
    from vosctl.prompts.choices import ChoiceAt
    from vosctl.prompts.drawn import DrawnPrompts
    from vosctl.prompts.first_objects import FirstObjects
    from vosctl.prompts.timed import TimedPrompt


WAYS = ("first_mask", "box", "point", "select", "mask", "prompts", "select_at")
"""The options that say what the objects are."""


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
        select_at: frames in which they are to be drawn in a window.
        save_prompts: where what is drawn is kept.
    """

    first_mask: tuple[Path, ...]
    fix_mask: bool
    box: tuple[BoxMark, ...]
    point: tuple[PointMark, ...]
    accept_doubtful: bool = False
    select: bool = False
    mask: tuple[MaskMark, ...] = ()
    prompts: Path | None = None
    select_at: tuple[Place, ...] = ()
    save_prompts: Path | None = None

    @property
    def given(self) -> bool:
        """Whether there is anything that says what the objects are."""
        return bool(self.first_mask or self.box or self.point or self.select)

    def drawn(self, overwrite: bool, outputs: Iterable[Path]) -> DrawnPrompts | None:
        """Return what keeps what is drawn; None where it is not to be kept.

        Args:
            overwrite: whether its file may be replaced.
            outputs: what the run writes.

        Raises:
            UsageError: nothing is to be drawn, or the file may not be written.
        """
        from vosctl.prompts.drawn import DrawnPrompts

        if self.save_prompts is None:
            return None
        request = self._as_typed()
        if not (request.select or request.select_at):
            if not _typed("save_prompts"):
                return None
            raise UsageError("--save-prompts: keeps what is drawn in a window; add --select or --select-at")
        inputs = [] if request.prompts is None else [request.prompts]
        return DrawnPrompts(self.save_prompts, overwrite=overwrite, others=(*outputs, *inputs))

    def choices(self, drawn: DrawnPrompts | None = None) -> tuple[ChoiceAt, ...]:
        """Return the later frames in which the user is to draw; `drawn` keeps it."""
        places = self._as_typed().select_at
        if not places:
            return ()
        from vosctl.prompts.choices import ChoiceAt
        from vosctl.selection.choosing import choose_in_frame

        choose = choose_in_frame if drawn is None else drawn.of_later(choose_in_frame)
        return tuple(ChoiceAt(place, choose) for place in places)

    def objects(self, drawn: DrawnPrompts | None = None) -> FirstObjects:
        """Return the objects to follow; `drawn` keeps what is drawn in a window.

        Raises:
            UsageError: it is not clear which object a point belongs to.
        """
        from vosctl.prompts.first_objects import FirstObjects

        request = self._as_typed()._of_first_frame()
        choose = None
        if request.select:
            from vosctl.selection.choosing import choose_objects

            choose = choose_objects if drawn is None else drawn.of_first(choose_objects)
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
        if not any(_typed(name) for name in WAYS):
            return self
        first_mask = self.first_mask if _typed("first_mask") else ()
        return FirstMaskRequest(
            first_mask=first_mask,
            fix_mask=self.fix_mask and (bool(first_mask) or _typed("mask") or _typed("fix_mask")),
            box=self.box if _typed("box") else (),
            point=self.point if _typed("point") else (),
            accept_doubtful=self.accept_doubtful,
            select=self.select and _typed("select"),
            mask=self.mask if _typed("mask") else (),
            prompts=self.prompts if _typed("prompts") else None,
            select_at=self.select_at if _typed("select_at") else (),
            save_prompts=self.save_prompts,
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


def _typed(name: str) -> bool:
    """Whether an option is on the command line, and not in the environment."""
    context = click.get_current_context(silent=True)
    return context is not None and context.get_parameter_source(name) is ParameterSource.COMMANDLINE


window_options = (
    click.option("--select", is_flag=True, help="Draw the objects on the first frame, in a window."),
    repeatable(
        "--select-at",
        type=PlaceType(),
        help="Draw them on this frame, in a window: its number from 0, or a time: 12.5s, 1:23.4. With --resume the "
        "masks that the track has there are shown, to be corrected, and new objects may be added. May be repeated.",
    ),
    path_option("--save-prompts", "FILE", "Keep what is drawn in a window as a file for --prompts, .json."),
)
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
        type=GivenPath(path_type=Path),
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
            type=GivenPath(path_type=Path),
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
