"""First masks that annotation tools write as JSON.

- LabelMe: each shape is an object, those of one label and `group_id` are one; `__ignore__` and `_background_` are none.
- COCO: each annotation of the only image that has any is an object.
- Run-length encoding alone: one `{"size": ..., "counts": ...}`, a list of them or of annotations, or JSON lines as
  vosctl's own `rle` output writes them, of which the first frame's are read and the ids kept.

Objects are numbered from 1 in the file's order; a later one lies on top.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from pycocotools import mask as coco

from vosctl.errors import UsageError
from vosctl.prompts.json_values import Checked, parse, read_text
from vosctl.prompts.mask_size import check_size
from vosctl.prompts.run_lengths import decode_runs
from vosctl.types import Labels, Mask

SUFFIXES = (".json", ".jsonl", ".ndjson")
_MOST_OBJECTS = 255
_LARGEST_SIDE = 65_535
_FAR_OUTSIDE = 100_000.0  # pixels: a corner further out is moved here, which changes no line that can be seen
_MOST_NAMED = 8
_NOT_OBJECTS = ("__ignore__", "_background_")

Polygon = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class _Object:
    """An object's name, for the notes, and its parts, which are not decoded yet.

    Attributes:
        name: as the file calls it, or "".
        parts: shapes of LabelMe, or segmentations of COCO.
        id: its number where the file says it.
    """

    name: str
    parts: tuple[object, ...]
    id: int | None = None


def read_annotations(path: Path, frame_size: tuple[int, int], fix: bool, notes: list[str]) -> Labels:
    """Read the objects of one annotated frame.

    Args:
        path: a JSON or JSON-lines file.
        frame_size: (height, width) of the frames.
        fix: whether annotations of another size may be resized later.
        notes: the objects' names and what was left out are added to it.

    Returns:
        (H, W) labels at the size that the file says.

    Raises:
        UsageError: it is no such file, another size than the frames, or of several images.
        VosctlError: it cannot be read.
    """
    text = read_text(path)
    lines = [line for line in text.splitlines() if line.strip()]
    checked = Checked(path)
    if path.suffix.lower() != ".json" or (len(lines) > 1 and _is_whole(path, lines[0])):
        content: object = _first_frame(checked, (parse(path, line) for line in lines), notes)
    else:
        content = parse(path, text)
    if isinstance(content, dict) and "shapes" in content:
        objects, size, draw = *_labelme(checked, content), _labelme_mask
    else:
        objects, size, draw = *_coco(checked, content, frame_size), _coco_mask
    if not objects:
        raise checked.fail("holds no object; annotate the objects of the first frame")
    if len(objects) > _MOST_OBJECTS:
        raise checked.fail(f"holds {len(objects)} objects; {_MOST_OBJECTS} are the most")
    check_size(path, size, frame_size, fix)
    labels = np.zeros(size, np.uint8)
    ids = _ids(checked, objects)
    for number, item in zip(ids, objects, strict=True):
        for part in item.parts:
            labels[draw(checked, part, size)] = number
    _tell(objects, ids, labels, notes)
    return labels


def _is_whole(path: Path, line: str) -> bool:
    """Return whether a line is JSON by itself, and so one of several."""
    try:
        return isinstance(parse(path, line), dict)
    except UsageError:
        return False


def _ids(checked: Checked, objects: list[_Object]) -> list[int]:
    if any(item.id is None for item in objects):
        return list(range(1, len(objects) + 1))
    ids = [item.id for item in objects if item.id is not None]
    if len(set(ids)) < len(ids):
        raise checked.fail("an object is there twice in the first frame; keep one line for each")
    return ids


def _tell(objects: list[_Object], ids: list[int], labels: Labels, notes: list[str]) -> None:
    named = [f"{number} is {item.name}" for number, item in zip(ids, objects, strict=True) if item.name]
    if named:
        more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
        notes.append(f"objects: {', '.join(named[:_MOST_NAMED])}{more}")
    hidden = np.setdiff1d(ids, labels)
    if hidden.size and hidden.size < len(ids):
        notes.append(f"nothing is to be seen of object {', '.join(map(str, hidden))}: empty, outside or covered")


def _first_frame(checked: Checked, lines: Iterable[object], notes: list[str]) -> list[object]:
    """Return those of JSON lines that are of the first frame."""
    records = [checked.record(line, "a line") for line in lines]
    frames = [checked.integer(record.get("frame", 0), "frame", 0, 2**53) for record in records]
    if not frames:
        return []
    first = min(frames)
    if max(frames) > first:
        notes.append(f"of its frames the first, {first}, is read")
    # A lost object has an empty mask and no box.
    return [
        record
        for record, frame in zip(records, frames, strict=True)
        if frame == first and record.get("status") != "lost"
    ]


def _labelme(checked: Checked, content: dict[str, object]) -> tuple[list[_Object], tuple[int, int]]:
    size = (
        checked.integer(content.get("imageHeight"), "imageHeight", 1, _LARGEST_SIDE),
        checked.integer(content.get("imageWidth"), "imageWidth", 1, _LARGEST_SIDE),
    )
    groups: dict[object, tuple[str, list[object]]] = {}
    for number, entry in enumerate(checked.entries(content["shapes"], "shapes")):
        shape = checked.record(entry, "a shape")
        label = checked.text(shape.get("label"), "")
        if label in _NOT_OBJECTS:
            continue
        group = shape.get("group_id")
        key: object = (label, group) if isinstance(group, int | str) else number
        groups.setdefault(key, (label, []))[1].append(shape)
    return [_Object(name, tuple(parts)) for name, parts in groups.values()], size


def _labelme_mask(checked: Checked, part: object, size: tuple[int, int]) -> Mask:
    """Return the pixels of a shape, as LabelMe itself draws it, with Pillow and its outline."""
    shape = checked.record(part, "a shape")
    points = _points(checked, shape.get("points"))
    kind = shape.get("shape_type") or "polygon"
    if kind == "mask" and points:
        return _pasted(checked, shape.get("mask"), points[0], size)
    canvas = Image.new("L", (size[1], size[0]))
    draw = ImageDraw.Draw(canvas)
    if kind == "polygon" and len(points) >= 3:
        draw.polygon(points, fill=1, outline=1)
    elif kind == "rectangle" and len(points) >= 2:
        xs, ys = [x for x, _ in points], [y for _, y in points]
        draw.rectangle((min(xs), min(ys), max(xs), max(ys)), fill=1, outline=1)
    elif kind == "circle" and len(points) == 2:
        (x, y), (x2, y2) = points
        radius = float(np.hypot(x2 - x, y2 - y))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1, outline=1)
    else:
        raise checked.fail(
            f"a shape of the type {checked.text(kind, 'unknown')} with {len(points)} points has no inside; "
            "outline the object with a polygon"
        )
    return np.array(canvas) > 0


def _points(checked: Checked, value: object) -> Polygon:
    points = []
    for entry in checked.entries(value, "points"):
        pair = checked.entries(entry, "a point")
        if len(pair) != 2:
            raise checked.fail("a point does not have two numbers")
        x, y = (_within_reach(checked.number(number, "a coordinate")) for number in pair)
        points.append((x, y))
    return points


def _within_reach(number: float) -> float:
    return min(max(number, -_FAR_OUTSIDE), _FAR_OUTSIDE)


def _pasted(checked: Checked, encoded: object, corner: tuple[float, float], size: tuple[int, int]) -> Mask:
    """Read a small picture in base64 and put it at its corner."""
    mask = np.zeros(size, np.bool_)
    if not isinstance(encoded, str):
        raise checked.fail("a shape of the type mask has no picture")
    try:
        with Image.open(io.BytesIO(base64.b64decode(encoded)), formats=("PNG",)) as image:
            if image.height > size[0] or image.width > size[1]:
                raise checked.fail("the picture of a mask is larger than the image")
            small = np.array(image.convert("L")) > 0
    except (OSError, ValueError, SyntaxError, binascii.Error, Image.DecompressionBombError) as error:
        raise checked.fail("the picture of a mask cannot be read") from error
    x, y = (int(np.clip(round(place), -_LARGEST_SIDE, _LARGEST_SIDE)) for place in corner)
    left, top = max(x, 0), max(y, 0)
    part = small[top - y :, left - x :]
    target = mask[top : max(y + small.shape[0], 0), left : max(x + small.shape[1], 0)]
    target |= part[: target.shape[0], : target.shape[1]]
    return mask


def _coco(checked: Checked, content: object, frame_size: tuple[int, int]) -> tuple[list[_Object], tuple[int, int]]:
    if isinstance(content, dict) and "annotations" in content:
        return _dataset(checked, content)
    entries = [
        checked.record(entry, "an annotation") for entry in (content if isinstance(content, list) else [content])
    ]
    images = list(dict.fromkeys(str(entry["image_id"]) for entry in entries if "image_id" in entry))
    if len(images) > 1:
        raise _several_images(checked, images)
    objects = [_annotation(checked, entry, {}) for entry in entries]
    sizes = {_size(checked, part) for item in objects for part in item.parts if isinstance(part, dict)}
    if len(sizes) > 1:
        raise checked.fail("its objects are of images of different sizes; keep those of the first frame")
    return objects, sizes.pop() if sizes else frame_size


def _dataset(checked: Checked, content: dict[str, object]) -> tuple[list[_Object], tuple[int, int]]:
    """Return the objects of the one image of a COCO file that has any."""
    annotations = [
        checked.record(entry, "an annotation") for entry in checked.entries(content["annotations"], "annotations")
    ]
    images = {
        str(image.get("id")): image
        for image in (checked.record(entry, "an image") for entry in checked.entries(content.get("images"), "images"))
    }
    annotated = list(dict.fromkeys(str(annotation.get("image_id")) for annotation in annotations))
    if len(annotated) > 1:
        raise _several_images(checked, [checked.text(images.get(key, {}).get("file_name"), key) for key in annotated])
    if annotated and annotated[0] not in images:
        raise checked.fail("its annotations name an image that it does not list")
    names_of = {
        str(category.get("id")): checked.text(category.get("name"), "")
        for entry in checked.entries(content.get("categories", []), "categories")
        if isinstance(entry, dict) and (category := entry)
    }
    image = images[annotated[0]] if annotated else {"height": 1, "width": 1}
    size = (
        checked.integer(image.get("height"), "height", 1, _LARGEST_SIDE),
        checked.integer(image.get("width"), "width", 1, _LARGEST_SIDE),
    )
    return [_annotation(checked, annotation, names_of) for annotation in annotations], size


def _several_images(checked: Checked, names: list[str]) -> UsageError:
    named = [checked.text(name, "") for name in names[:_MOST_NAMED]]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return checked.fail(
        f"holds objects of {len(names)} images ({', '.join(named)}{more}); keep those of the first frame"
    )


def _annotation(checked: Checked, entry: dict[str, object], names_of: dict[str, str]) -> _Object:
    segmentation = entry.get("segmentation", entry if "counts" in entry else None)
    if segmentation is None:
        raise checked.fail("is neither LabelMe's nor COCO's JSON: an entry has no segmentation")
    number = entry.get("object")
    return _Object(
        names_of.get(str(entry.get("category_id")), ""),
        (segmentation,),
        None if number is None else checked.integer(number, "object", 1, _MOST_OBJECTS),
    )


def _size(checked: Checked, segmentation: object) -> tuple[int, int]:
    size = checked.entries(checked.record(segmentation, "a segmentation").get("size"), "size")
    if len(size) != 2:
        raise checked.fail("size does not have two numbers")
    return (
        checked.integer(size[0], "size", 1, _LARGEST_SIDE),
        checked.integer(size[1], "size", 1, _LARGEST_SIDE),
    )


def _coco_mask(checked: Checked, part: object, size: tuple[int, int]) -> Mask:
    if isinstance(part, dict):
        if _size(checked, part) != size:
            raise checked.fail("an object is of another size than its image")
        return decode_runs(checked, part.get("counts"), size)
    polygons: list[list[float]] = []
    for entry in checked.entries(part, "a segmentation"):
        numbers = [checked.number(number, "a coordinate") for number in checked.entries(entry, "a polygon")]
        if len(numbers) < 6 or len(numbers) % 2:
            raise checked.fail("a polygon does not have three corners of two numbers")
        polygons.append([_within_reach(number) for number in numbers])
    if not polygons:
        return np.zeros(size, np.bool_)
    runs = coco.merge(coco.frPyObjects(polygons, *size))  # the pixels that everybody else takes them for
    return decode_runs(checked, runs["counts"].decode("ascii"), size)
