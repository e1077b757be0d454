"""Prompts on a time line as a JSON file, which a page or another program can write.

    {"vosctl_prompts": 1,
     "prompts": [
       {"at": 0, "object": 1, "box": [220, 60, 180, 400]},
       {"at": "0:02.5", "object": 1, "points": [[300, 90, false], [310, 240, true]]},
       {"at": 120, "object": 2, "mask": "second.png"},
       {"at": 150, "object": 2, "rle": {"size": [480, 854], "counts": "..."}}
     ]}

`at` is a frame's number or a time as everywhere (`vosctl.time_line`), and may be left out for the first frame; `object`
is 1..255, and may be left out with a mask that has its own ids. A mask's file is looked for beside the JSON file. `rle`
is COCO's run-length encoding, compressed or as a list.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from pycocotools import mask as coco

from vosctl.errors import UsageError
from vosctl.prompts.first_objects import array_labels
from vosctl.prompts.json_values import Checked, parse, read_text
from vosctl.prompts.mask_file import StrPath
from vosctl.prompts.prompt import Click, Prompt
from vosctl.prompts.run_lengths import decode_runs
from vosctl.prompts.timed import TimedPrompt, ids_of
from vosctl.time_line import Place
from vosctl.video.staging import write_whole

VERSION = 1
"""Of the form that is written; earlier ones are read."""

_KEYS = frozenset({"at", "object", "box", "points", "mask", "rle"})
_LARGEST_SIDE = 65_535


def prompts_of(said: StrPath | Iterable[TimedPrompt]) -> tuple[TimedPrompt, ...]:
    """Return prompts that are given as they are, or as a file of them.

    Raises:
        UsageError: one is no `TimedPrompt`; or see `read_prompts`.
        VosctlError: see `read_prompts`.
    """
    if isinstance(said, str | os.PathLike):
        return read_prompts(said)
    if isinstance(cast(object, said), TimedPrompt):
        raise UsageError("`prompts`: give a list of TimedPrompt, or a file of them, not a single one")
    prompts = tuple(said)
    for prompt in prompts:
        if not isinstance(cast(object, prompt), TimedPrompt):
            raise UsageError(f"`prompts`: give a list of TimedPrompt, or a file of them, not {type(prompt).__name__}")
    return prompts


def read_prompts(path: StrPath) -> tuple[TimedPrompt, ...]:
    """Read a file of prompts.

    Raises:
        UsageError: there is none, it has another form, or it is of a newer version.
        VosctlError: it cannot be read.
    """
    path = Path(path)
    checked = Checked(path)
    content = parse(path, read_text(path))
    if not isinstance(content, dict) or "vosctl_prompts" not in content:
        raise checked.fail('is no file of prompts, which begins with {"vosctl_prompts": 1, "prompts": [')
    version = checked.integer(content["vosctl_prompts"], "vosctl_prompts", 1, 2**31)
    if version > VERSION:
        raise checked.fail(f"is of version {version}, and this vosctl reads up to {VERSION}; update it")
    if unknown := sorted(set(content) - {"vosctl_prompts", "prompts"}):
        raise checked.fail(f"{_shown(unknown[0])} is not known; there are vosctl_prompts and prompts")
    return prompts_from(path, content.get("prompts"))


def prompts_from(path: Path, entries: object) -> tuple[TimedPrompt, ...]:
    """Read the list of prompts of a file at `path`, as `entries_of` gives each.

    Raises:
        UsageError: it has another form, or none.
    """
    checked = Checked(path)
    listed = checked.entries(entries, "prompts")
    if not listed:
        raise checked.fail("has no prompts")
    return tuple(_prompt(checked, entry, f"prompt {number}") for number, entry in enumerate(listed, start=1))


def write_prompts(path: StrPath, prompts: Iterable[TimedPrompt]) -> None:
    """Write prompts so that `read_prompts` gives them back.

    Masks that are arrays become run lengths, an id each; files of masks are named as seen from the file of prompts.

    Raises:
        UsageError: a prompt has what the file cannot hold: strokes, or a mask to be improved.
        VosctlError: it cannot be written.
    """
    path = Path(path)
    entries = [entry for prompt in prompts for entry in entries_of(_seen_from(path, prompt))]
    content = json.dumps({"vosctl_prompts": VERSION, "prompts": entries}, indent=1)
    write_whole(path, (content + "\n").encode())


def _seen_from(path: Path, prompt: TimedPrompt) -> TimedPrompt:
    """Return a prompt whose mask, where it is a file, is named as seen from a file of prompts."""
    if not isinstance(prompt.mask, str | os.PathLike) or Path(prompt.mask).is_absolute():
        return prompt
    return replace(prompt, mask=Path(os.path.relpath(prompt.mask, path.absolute().parent)).as_posix())


def _prompt(checked: Checked, entry: object, what: str) -> TimedPrompt:
    record = checked.record(entry, what)
    if unknown := sorted(set(record) - _KEYS):
        raise checked.fail(f"{what}: {_shown(unknown[0])} is not known; there are {', '.join(sorted(_KEYS))}")
    try:
        at = _place(checked, record.get("at"), what)
        number = record.get("object")
        object_id = None if number is None else checked.integer(number, f"{what}: object", 1, 255)
        box, points = record.get("box"), record.get("points")
        masks = [key for key in ("mask", "rle") if record.get(key) is not None]
        if len(masks) + (box is not None or points not in (None, [])) != 1:  # no click says nothing
            raise checked.fail(f"{what}: give one of mask, rle, or box and points")
        if masks:
            return TimedPrompt(at, object_id, mask=_mask(checked, record, object_id, what), said_in=checked.path)
        prompt = Prompt.of(_numbers(checked, box, 4, f"{what}: box"), _clicks(checked, points, what))
        return TimedPrompt(at, object_id or 1, prompt=prompt, said_in=checked.path)
    except UsageError as error:
        message = str(error)
        raise error if message.startswith(str(checked.path)) else checked.fail(f"{what}: {message}") from error


def _place(checked: Checked, value: object, what: str) -> Place | None:
    if value is None:
        return None
    if isinstance(value, str):
        return Place.parse(value)
    return Place(frame=checked.integer(value, f"{what}: at", 0, 10**9))


def _mask(checked: Checked, record: dict[str, object], object_id: int | None, what: str) -> Any:
    """Return a mask's file, or a mask as it is written out."""
    name = record.get("mask")
    if name is not None:
        if not isinstance(name, str) or not name:
            raise checked.fail(f"{what}: mask is not a file's name")
        return checked.path.parent / name
    rle = checked.record(record["rle"], f"{what}: rle")
    sides = checked.entries(rle.get("size"), f"{what}: size")
    if len(sides) != 2:
        raise checked.fail(f"{what}: size does not have two numbers")
    height, width = (checked.integer(side, f"{what}: size", 1, _LARGEST_SIDE) for side in sides)
    return decode_runs(checked, rle.get("counts"), (height, width))


def _numbers(checked: Checked, value: object, count: int, what: str) -> list[float] | None:
    if value is None:
        return None
    entries = checked.entries(value, what)
    if len(entries) != count:
        raise checked.fail(f"{what} does not have {count} numbers")
    return [checked.number(one, what) for one in entries]


def _clicks(checked: Checked, value: object, what: str) -> list[Click]:
    """Clicks `[x, y]` on the object, or `[x, y, whether it is on the object]`."""
    clicks: list[Click] = []
    for entry in [] if value is None else checked.entries(value, f"{what}: points"):
        point = checked.entries(entry, f"{what}: a point")
        if len(point) not in (2, 3) or not (len(point) == 2 or isinstance(point[2], bool)):
            raise checked.fail(f"{what}: a point is not [x, y] or [x, y, true or false]")
        x, y = (checked.number(one, f"{what}: a point") for one in point[:2])
        clicks.append((x, y, len(point) == 2 or bool(point[2])))
    return clicks


def entries_of(prompt: TimedPrompt) -> list[dict[str, Any]]:
    """Return a prompt as it stands in a file, one entry an object of a mask that is an array.

    Raises:
        UsageError: it has what the file cannot hold.
    """
    place = prompt.at
    head: dict[str, Any] = {}
    if place is not None:
        head["at"] = place.frame if place.seconds is None else str(place)
    if prompt.object_id is not None:
        head["object"] = prompt.object_id
    said = prompt.prompt
    if said is not None:
        if said.strokes or said.mask is not None:
            raise UsageError(f"{prompt}: a file of prompts holds boxes, points and masks only")
        box = {} if said.box is None else {"box": list(said.box)}
        points = {"points": [list(point) for point in said.points]} if said.points else {}
        return [{**head, **box, **points}]
    if not isinstance(prompt.mask, np.ndarray):
        return [{**head, "mask": str(prompt.mask)}]
    if prompt.object_id is not None or prompt.mask.dtype == np.bool_:
        return [{**head, "rle": _rle(prompt.mask != 0)}]
    labels = array_labels(prompt.mask, prompt.mask.shape[:2], f"{prompt}: `mask`")
    return [{**head, "object": one, "rle": _rle(labels == one)} for one in ids_of(labels)]


def _rle(mask: Any) -> dict[str, Any]:
    encoded = coco.encode(np.asfortranarray(mask, np.uint8))
    return {"size": [int(side) for side in encoded["size"]], "counts": encoded["counts"].decode("ascii")}


def _shown(key: object) -> str:
    return "".join(one if one.isprintable() else "?" for one in str(key)[:40])
