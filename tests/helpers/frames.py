"""Frames whose objects are known, and videos of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from vosctl.types import RGB, Labels, RGBImage

Square = tuple[int, RGB, int, int, int]
"""Id, colour, x, y and side."""


def square_frame(height: int, width: int, *squares: Square, background: RGB = (60, 90, 60)) -> tuple[RGBImage, Labels]:
    """A frame with coloured squares and its labels; a square is (id, colour, x, y, side)."""
    frame = np.full((height, width, 3), background, np.uint8)
    labels = np.zeros((height, width), np.uint8)
    for object_id, colour, x, y, side in squares:
        rows, columns = slice(max(y, 0), max(y + side, 0)), slice(max(x, 0), max(x + side, 0))
        frame[rows, columns] = colour
        labels[rows, columns] = object_id
    return frame, labels


def write_video(
    path: Path, frames: Sequence[RGBImage], rate: int = 25, codec: str = "libx264", crf: str = "12", gop: int = 250
) -> Path:
    """A silent H.264 video of these RGB frames, with a key frame in so many at least."""
    with av.open(str(path), "w") as container:
        height, width = frames[0].shape[:2]
        stream: Any = container.add_stream(codec, rate=rate, options={"crf": crf, "preset": "ultrafast", "g": str(gop)})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def in_matroska(path: Path, target: Path, later: Mapping[int, Fraction] | None = None) -> Path:
    """The picture of a video without B frames in Matroska, which a pipe takes; from some frames on seconds later."""
    moved, late = dict(later or {}), Fraction(0)
    with av.open(str(path)) as source, av.open(str(target), "w") as written:
        stream = written.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.size:
                late += moved.get(number, Fraction(0))
                packet.pts = packet.dts = packet.pts + round(late / packet.time_base)
                packet.stream = stream
                written.mux(packet)
    return target


def lose_frame(path: Path, number: int) -> None:
    """Damage a video without B frames so that a frame cannot be decoded; with a `gop` of 1 no other one suffers."""
    with av.open(str(path)) as container:
        place, size = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size][number]
    assert place is not None
    data = bytearray(path.read_bytes())
    data[place : place + size] = bytes(size)
    path.write_bytes(data)
