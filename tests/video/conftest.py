"""Small videos made for the tests."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest


@pytest.fixture
def make_video(tmp_path):
    """Returns a function that encodes RGB pictures to a file and returns its path."""

    def make(
        name: str,
        pictures,
        *,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        rate: Fraction | int = 25,
        pts=None,
        sound: bool = False,
        container_format: str | None = None,
        options: dict[str, str] | None = None,
        pixel_aspect: Fraction = Fraction(1),
    ) -> Path:
        path = tmp_path / name
        lossless = {"qp": "0", "preset": "ultrafast"} if codec == "libx264" else {}
        with av.open(str(path), "w", format=container_format, options=options or {}) as container:
            stream: Any = container.add_stream(codec, rate=rate, options=lossless)
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = pix_fmt
            stream.codec_context.sample_aspect_ratio = pixel_aspect
            if pts is not None:
                stream.codec_context.time_base = Fraction(1, 1000)
            audio = container.add_stream("aac", rate=8000, layout="mono") if sound else None
            for index, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pix_fmt)
                frame.pts = index if pts is None else pts[index]
                frame.time_base = 1 / Fraction(rate) if pts is None else Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
            if audio is not None:
                _add_tone(container, audio)
        return path

    return make


def _add_tone(container, stream) -> None:
    samples = (np.sin(np.arange(8000) / 10)[None] * 0.5).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
    frame.sample_rate = 8000
    frame.pts = 0
    container.mux(stream.encode(frame))
    container.mux(stream.encode())
