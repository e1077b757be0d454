"""Masks in the forms of annotation tools: COCO, CVAT, LabelMe, and YOLO's segments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.tracking.results import TrackedFrame, TrackedObject
from vosctl.types import Box, Labels, Mask
from vosctl.video.frames import Frame, SourceInfo
from vosctl.video.names import ObjectNames
from vosctl.video.sinks.base import YOLO_NAMES
from vosctl.video.sinks.pictures import PictureSink
from vosctl.video.sinks.rle import encode_mask
from vosctl.video.sinks.text_files import TextFileSink
from vosctl.video.staging import write_errors

_NO_NAMES = ObjectNames()
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
Polygon = NDArray[np.int32]
"""(N, 2) x and y of the centres of the pixels on an outline."""


def frame_name(frame: Frame) -> str:
    """Return the name of a frame's picture without its extension, as `masks` names it."""
    return frame.name if frame.name is not None else f"{frame.index:05d}"


def seen_objects(result: TrackedFrame) -> list[tuple[TrackedObject, Box]]:
    """Return the objects that have pixels in a frame, with their boxes."""
    return [(one, one.box) for one in result.objects if one.box is not None]


def outlines(labels: Labels, object_id: int, box: Box) -> list[Polygon]:
    """Return an object's outer outlines, one a part, with holes filled; parts of one or two pixels are left out."""
    x, y, width, height = box
    mask = (labels[y : y + height, x : x + width] == object_id).view(np.uint8)
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(x, y))
    return [np.asarray(one[:, 0], np.int32) for one in found if len(one) >= 3]


class _FileSink(TextFileSink):
    """One file of annotations for all frames."""

    name = "annotations"

    def __init__(self, path: Path, info: SourceInfo, *, overwrite: bool, names: ObjectNames = _NO_NAMES) -> None:
        self._info, self._names = info, names
        super().__init__(path, overwrite=overwrite)


class CocoSink(_FileSink):
    """COCO JSON: an image a frame, a category a name; masks as compressed run lengths, with score and track id."""

    def __init__(self, path: Path, info: SourceInfo, *, overwrite: bool, names: ObjectNames = _NO_NAMES) -> None:
        self._images: list[dict[str, Any]] = []
        self._classes: set[int] = set()
        self._annotations = 0
        super().__init__(path, info, overwrite=overwrite, names=names)

    def _head(self) -> str:
        return '{"info":' + _line({"description": f"{self._info.name}, by vosctl"}) + ',"annotations":[\n'

    def _one(self, frame: Frame, result: TrackedFrame) -> str:
        image_id = len(self._images) + 1
        columns = cv2.transpose(result.labels)
        lines = []
        for item, box in seen_objects(result):
            self._annotations += 1
            self._classes.add(self._names.class_of(item.id))
            annotation = {
                "id": self._annotations,
                "image_id": image_id,
                "category_id": self._names.class_of(item.id),
                "track_id": item.id,
                "iscrowd": 0,
                "bbox": box,
                "area": item.area,
                "score": round(item.score, 4),
                "segmentation": encode_mask(columns, item.id),
            }
            lines.append((",\n" if self._annotations > 1 else "") + _line(annotation))
        size = {"width": self._info.width, "height": self._info.height}
        self._images.append({"id": image_id, "file_name": f"{frame_name(frame)}.png", **size, "frame": frame.index})
        return "".join(lines)

    def _tail(self) -> str:
        categories = [
            {"id": one, "name": self._names.of(one), "supercategory": "object"} for one in sorted(self._classes)
        ]
        return f'\n],"images":{_line(self._images[: self._count])},"categories":{_line(categories)}}}\n'


class CvatSink(_FileSink):
    """CVAT for images 1.1: XML, a mask an object and frame."""

    def _head(self) -> str:
        return (
            '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'
            f"<meta><source>{escape(_text(self._info.name))}</source></meta>\n"
        )

    def _one(self, frame: Frame, result: TrackedFrame) -> str:
        name = quoteattr(_text(f"{frame_name(frame)}.png"))
        size = f'width="{self._info.width}" height="{self._info.height}"'
        lines = [f'<image id="{self._count}" name={name} {size}>']
        for item, (x, y, width, height) in seen_objects(result):
            runs = row_runs(result.labels[y : y + height, x : x + width] == item.id)
            label = quoteattr(self._names.of(item.id))
            lines.append(
                f'<mask label={label} source="auto" occluded="0" rle="{", ".join(map(str, runs))}" '
                f'left="{x}" top="{y}" width="{width}" height="{height}" z_order="0"></mask>'
            )
        return "\n".join([*lines, "</image>\n"])

    def _tail(self) -> str:
        return "</annotations>\n"


def row_runs(mask: Mask) -> list[int]:
    """Return the run lengths of a mask along its rows, beginning with background, as CVAT counts them."""
    flat = np.ascontiguousarray(mask).ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs: list[int] = np.diff(np.concatenate(([0], edges, [flat.size]))).tolist()
    return [0, *runs] if flat[0] else runs


class LabelMeSink(PictureSink):
    """LabelMe JSON, one a frame: polygons without holes, the parts of an object in one group."""

    name = "annotations"
    suffix = ".json"

    def __init__(self, path: Path, *, overwrite: bool, names: ObjectNames = _NO_NAMES) -> None:
        super().__init__(path, overwrite=overwrite)
        self._names = names

    def _write_picture(self, path: Path, frame: Frame, result: TrackedFrame) -> None:
        height, width = result.labels.shape
        shapes = [
            {
                "label": self._names.of(item.id),
                "points": outline.tolist(),
                "group_id": item.id,
                "shape_type": "polygon",
                "flags": {},
            }
            for item, box in seen_objects(result)
            for outline in outlines(result.labels, item.id, box)
        ]
        whole = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": f"{frame_name(frame)}.png"}
        path.write_text(_line({**whole, "imageData": None, "imageHeight": height, "imageWidth": width}), "utf-8")


class YoloSink(PictureSink):
    """YOLO's segments, a text file a frame: a line for each part of an object. Beside them the names of the classes.

    A class is the object's number less one, or the lowest such number of the objects that have its name.
    """

    name = "annotations"
    suffix = ".txt"

    def __init__(self, path: Path, *, overwrite: bool, names: ObjectNames = _NO_NAMES) -> None:
        super().__init__(path, overwrite=overwrite)
        self._names = names
        self._classes = 0

    def finish(self) -> Path:
        """See `Sink.finish`."""
        with write_errors(self.path):
            self._write_names()
        return super().finish()

    def abort(self) -> Path | None:
        """See `Sink.abort`: the frames so far, with the names of their classes."""
        if self._count:
            with suppress(OSError):
                self._write_names()
        return super().abort()

    def _write_names(self) -> None:
        (self._staged.partial / YOLO_NAMES).write_text(self._described(), "utf-8")

    def _described(self) -> str:
        # Every number up to the largest has to have a name.
        names = (
            f"  {one}: {json.dumps(self._names.of(one + 1), ensure_ascii=False)}\n" for one in range(self._classes)
        )
        return (
            "# To train on them with Ultralytics, put the pictures into images/, these files into labels/ beside it.\n"
            f"path: .\ntrain: images\nval: images\nnames:{'' if self._classes else ' {}'}\n" + "".join(names)
        )

    def _write_picture(self, path: Path, frame: Frame, result: TrackedFrame) -> None:
        height, width = result.labels.shape
        lines = []
        for item, box in seen_objects(result):
            number = self._names.class_of(item.id)
            self._classes = max(self._classes, number)
            for outline in outlines(result.labels, item.id, box):
                corners = (outline + 0.5) / (width, height)
                lines.append(" ".join([str(number - 1), *(f"{value:.6f}" for value in corners.ravel())]) + "\n")
        path.write_text("".join(lines), "ascii")


def _line(value: dict[str, Any] | Iterable[dict[str, Any]]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _text(name: str) -> str:
    """Return a file's name as XML can hold it: without control characters, and bytes that are no UTF-8."""
    return _NOT_IN_XML.sub("\ufffd", name)
