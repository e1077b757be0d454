"""What a list of jobs may say of each, read from a cell of a CSV file or a value of JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import get_args

from vosctl.errors import UsageError
from vosctl.jobs.both_ways import Direction
from vosctl.prompts.prompt import Click, Prompt
from vosctl.time_line import Place, parse_rate
from vosctl.types import RealBox
from vosctl.video.names import ObjectNames
from vosctl.video.sinks.base import ANNOTATION_FORMATS

Boxes = dict[int, RealBox]
Points = dict[int, tuple[Click, ...]]
Names = dict[int, str]
Value = str | bool | int | float | Fraction | Place | tuple[str, ...] | tuple[float, ...] | Boxes | Points | Names
Values = Mapping[str, Value]

_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise UsageError(f"{name}: give text, not {_shown(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{name}: {_shown(value)} is not UTF-8 text") from None
    return value


def _texts(name: str, value: object) -> tuple[str, ...]:
    """One text, or several: a list, in a cell with `;` between them."""
    parts = value if isinstance(value, list) else [part.strip() for part in _text(name, value).split(";")]
    return tuple(_text(name, part) for part in parts)


def _flag(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word not in (*_YES, *_NO):
        raise UsageError(f"{name}: give true or false, not {_shown(value)}")
    return word in _YES


def _number(name: str, value: object) -> float:
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, str | int | float) else float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"{name}: give a number, not {_shown(value)}")
    return number


def _whole(name: str, value: object) -> int:
    number = _number(name, value)
    if not number.is_integer() or abs(number) > 10**9:
        raise UsageError(f"{name}: give a whole number, not {_shown(value)}")
    return int(number)


def _from_1(name: str, value: object) -> int:
    number = _whole(name, value)
    if number < 1:
        raise UsageError(f"{name}: must be 1 or more, not {number}")
    return number


def _rate(name: str, value: object) -> Fraction:
    rate = parse_rate(str(value))
    if rate is None:
        raise UsageError(f"{name}: give frames per second, such as 25 or 30000/1001, not {_shown(value)}")
    return rate


def _place(name: str, value: object) -> Place:
    try:
        return Place.of(value if isinstance(value, int) else str(value))
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None


def _one_of(words: Sequence[str]) -> Callable[[str, object], str]:
    def read(name: str, value: object) -> str:
        if value not in words:
            raise UsageError(f"{name}: give one of {', '.join(words)}, not {_shown(value)}")
        return str(value)

    return read


def _scales(name: str, value: object) -> tuple[float, ...]:
    parts = value if isinstance(value, list) else str(value).split(",")
    return tuple(_number(name, part) for part in parts)


def _boxes(name: str, value: object) -> Boxes:
    """Read a box `[x, y, width, height]` of object 1, or such boxes by the objects' ids."""
    value = _structure(name, value)
    by_id = value if isinstance(value, dict) else {"1": value}
    boxes: Boxes = {}
    for key, box in by_id.items():
        numbers = [_number(name, one) for one in box] if isinstance(box, list) else []
        if len(numbers) != 4:
            raise UsageError(f"{name}: give x, y, width and height in pixels, not {_shown(box)}")
        boxes[_object_id(name, key)] = (numbers[0], numbers[1], numbers[2], numbers[3])
    return boxes


def _points(name: str, value: object) -> Points:
    """Read points `[[x, y], [x, y, false]]` of object 1, or such points by the objects' ids."""
    value = _structure(name, value)
    by_id = value if isinstance(value, dict) else {"1": value}
    return {_object_id(name, key): _clicks(name, points) for key, points in by_id.items()}


def _clicks(name: str, points: object) -> tuple[Click, ...]:
    if isinstance(points, list) and points and not isinstance(points[0], list):
        points = [points]  # a single one
    clicks: list[Click] = []
    for point in points if isinstance(points, list) else [points]:
        if not isinstance(point, list) or not (len(point) == 2 or (len(point) == 3 and isinstance(point[2], bool))):
            raise UsageError(f"{name}: give points as [x, y], or [x, y, false] beside the object, not {_shown(point)}")
        clicks.append((_number(name, point[0]), _number(name, point[1]), len(point) == 2 or point[2]))
    return tuple(clicks)


def _names(name: str, value: object) -> Names:
    """Read names by the objects' ids, `{"1": "mouse"}`, or in a cell `1=mouse;2=cage`."""
    if isinstance(value, str) and not value.startswith("{"):
        return dict(ObjectNames.parse(_texts(name, value)).by_id)
    value = _structure(name, value)
    if not isinstance(value, dict):
        raise UsageError(f"{name}: give names by the objects' numbers, such as 1=mouse, not {_shown(value)}")
    return dict(ObjectNames({_object_id(name, key): _text(name, one) for key, one in value.items()}).by_id)


def _structure(name: str, value: object) -> object:
    """Return a value that is a list or an object; a cell holds it as JSON, or numbers with commas between them."""
    if not isinstance(value, str):
        return value
    try:
        structure: object = json.loads(value if value.startswith(("[", "{")) else f"[{value}]")
    except (ValueError, RecursionError):
        raise UsageError(f"{name}: give numbers with commas between them, or JSON, not {_shown(value)}") from None
    return structure


def _object_id(name: str, key: str) -> int:
    if not (key.isascii() and key.isdecimal() and 1 <= int(key[:9]) <= 255):
        raise UsageError(f"{name}: an object's number must be 1 to 255, not {_shown(key)}")
    return int(key)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


READERS: dict[str, Callable[[str, object], Value]] = {
    "source": _text,
    "name": _text,
    "first_mask": _texts,
    "box": _boxes,
    "point": _points,
    "prompts": _text,
    "outputs": _text,
    "fix_mask": _flag,
    "accept_doubtful": _flag,
    "start": _place,
    "end": _place,
    "every": _from_1,
    "max_frames": _from_1,
    "frame_rate": _rate,
    "direction": _one_of(get_args(Direction)),
    "window": _flag,
    "window_size": _whole,
    "scales": _scales,
    "references": _whole,
    "temporal_smoothing": _flag,
    "colors": _text,
    "background": _text,
    "annotation_format": _one_of(ANNOTATION_FORMATS),
    "object_names": _names,
    "grow": _whole,
    "feather": _number,
    "clean_edges": _flag,
    "audio": _flag,
}
"""What a list may say of a job, by its name, and what reads it."""


def prompts_by_object(boxes: object, points: object) -> dict[int, Prompt]:
    """Put the boxes and points of each object together.

    Raises:
        UsageError: a box or a point cannot be.
    """
    box = boxes if isinstance(boxes, dict) else {}
    point = points if isinstance(points, dict) else {}
    return {key: Prompt.of(box.get(key), point.get(key, ())) for key in {**box, **point}}
