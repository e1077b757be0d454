"""Labels as JSON lines with COCO run-length encoding."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from vosctl.tracking.results import TrackedFrame
from vosctl.video.frames import Frame
from vosctl.video.sinks.text_files import TextFileSink
from vosctl.video.staging import write_errors
from vosctl.video.standard_output import STANDARD_OUTPUT, OutputStream


def rle_lines(frame: Frame, result: TrackedFrame) -> list[str]:
    """Return one JSON object for each object of a frame, lost ones included, ordered by id.

    Keys: `frame` (index from 0), `pts` (the source's own units), `time` (seconds), `object` (id), `bbox` (x, y, width,
    height in pixels; null when lost), `area` (pixels), `score` (0..1), `status` ("tracked" or "lost"), `segmentation`
    (COCO compressed RLE: `size` is height, width; empty mask when lost).
    """
    # COCO counts runs down the columns: transposed once, every object's mask is then in the order it is read.
    columns = cv2.transpose(result.labels)
    return [
        json.dumps(
            {
                "frame": frame.index,
                "pts": frame.pts,
                "time": round(frame.time, 6),
                "object": item.id,
                "bbox": item.box,
                "area": item.area,
                "score": round(item.score, 4),
                "status": item.status,
                "segmentation": encode_mask(columns, item.id),
            },
            separators=(",", ":"),
        )
        for item in result.objects
    ]


def encode_mask(columns: NDArray[Any], object_id: int) -> dict[str, Any]:
    """Return an object's compressed run lengths, from the transposed labels."""
    encoded = coco.encode((columns == object_id).view(np.uint8).T)
    return {"size": [int(side) for side in encoded["size"]], "counts": encoded["counts"].decode("ascii")}


class RleFileSink(TextFileSink):
    """JSON lines into a file."""

    name = "rle"

    def _is_empty(self) -> bool:
        return self._whole == 0  # frames without objects have no lines

    def _head(self) -> str:
        return ""

    def _one(self, frame: Frame, result: TrackedFrame) -> str:
        return "".join(f"{line}\n" for line in rle_lines(frame, result))

    def _tail(self) -> str:
        return ""


class RleStreamSink:
    """JSON lines on standard output, a pipe or a device, each frame's as soon as it is tracked.

    Args:
        path: what is written through; `-` for standard output.

    Raises:
        VosctlError: standard output is closed, or the pipe or device cannot be opened.
    """

    name = "rle"
    partial = None

    def __init__(self, path: Path = STANDARD_OUTPUT) -> None:
        self.path = path
        with write_errors(path):
            self._stream = OutputStream(path)

    def write(self, frame: Frame, result: TrackedFrame) -> None:
        """See `Sink.write`."""
        with self._stream.errors():
            self._stream.write("".join(f"{line}\n" for line in rle_lines(frame, result)).encode())

    def finish(self) -> Path:
        """See `Sink.finish`."""
        with write_errors(self.path):
            self._stream.close()
        return self.path

    def abort(self) -> Path | None:
        """See `Sink.abort`."""
        with suppress(OSError):
            self._stream.close()
        return None

    def cancel(self) -> None:
        """See `Sink.cancel`."""
        self._stream.cancel()

    def abandon(self) -> Path | None:
        """See `Sink.abandon`."""
        return None
