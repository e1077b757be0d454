"""From a source to a sink: what came in goes out."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from vosctl.tracking.results import TrackedFrame
from vosctl.video.sinks import OutputRequest, open_sinks
from vosctl.video.sources import open_source

COLOURS = np.array(
    [[220, 30, 40], [30, 200, 60], [40, 60, 230], [240, 240, 240], [128, 128, 128], [10, 10, 10]], np.uint8
)


def encode_source(path, matrix: int, pts: list[int], size=(64, 96)) -> None:
    """A video with B frames, tagged BT.709 (1) or BT.601 (6)."""
    picture = np.repeat(np.repeat(COLOURS[None], size[1] // 6, axis=1), size[0], axis=0)
    space = {1: "ITU709", 6: "ITU601"}[matrix]
    with av.open(str(path), "w", options={"video_track_timescale": "15360"}) as container:
        stream = container.add_stream("libx264", rate=30, options={"qp": "4", "bf": "2"})
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, 15360)
        context.colorspace, context.color_range = matrix, 1
        for stamp in pts:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").reformat(
                format="yuv420p",
                src_colorspace=space,
                dst_colorspace=space,
                src_color_range="JPEG",
                dst_color_range="MPEG",
            )
            frame.pts, frame.time_base = stamp, Fraction(1, 15360)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("matrix", [1, 6])
def test_colours_and_timestamps_survive(tmp_path, decode, matrix):
    pts = [0, 512, 1100, 2500, 2501, 4000, 4512]
    encode_source(tmp_path / "in.mp4", matrix, pts)
    source = open_source(str(tmp_path / "in.mp4"))
    (sink,) = open_sinks(OutputRequest(overlay=tmp_path / "out.mp4"), source.info, print)
    empty = np.zeros((64, 96), np.uint8)
    for frame in source:
        sink.write(frame, TrackedFrame(empty, empty, ()))
    sink.finish()
    source.close()
    video = decode(tmp_path / "out.mp4")
    assert video.pts == pts
    assert np.abs(video.images[3][32, 8::16].astype(int) - COLOURS).max() <= 5
