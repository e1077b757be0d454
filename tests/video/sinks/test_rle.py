"""JSON lines of COCO masks."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco

from vosctl.tracking.edits import nothing_tracked
from vosctl.video.sinks import OutputRequest, open_sinks


def test_every_object_of_every_frame_has_a_line(clip_of, write, tmp_path):
    clip = clip_of([0, 7680])
    write(clip, rle=tmp_path / "r.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert [(line["frame"], line["pts"], line["time"], line["object"]) for line in lines] == [
        (0, 0, 0.0, 3),
        (0, 0, 0.0, 7),
        (1, 7680, 0.5, 3),
        (1, 7680, 0.5, 7),
    ]
    tracked, lost = lines[2:]
    assert (tracked["bbox"], tracked["area"], tracked["score"], tracked["status"]) == (
        [32, 24, 48, 48],
        2304,
        0.9,
        "tracked",
    )
    np.testing.assert_array_equal(coco.decode(tracked["segmentation"]), clip.results[1].labels == 3)
    assert (lost["bbox"], lost["area"], lost["score"], lost["status"]) == (None, 0, 0.0, "lost")
    assert coco.decode(lost["segmentation"]).shape == (96, 128)
    assert not coco.decode(lost["segmentation"]).any()


def test_bbox_and_area_agree_with_coco(clip_of, write, tmp_path):
    write(clip_of([0], size=(97, 129)), rle=tmp_path / "r.jsonl")
    line = json.loads((tmp_path / "r.jsonl").read_text().splitlines()[0])
    assert coco.toBbox(line["segmentation"]).tolist() == line["bbox"]
    assert coco.area(line["segmentation"]) == line["area"]


def test_frames_without_objects_have_no_lines_also_where_there_are_no_others(clip_of, write, tmp_path):
    clip = clip_of([0, 512])
    clip.results = [nothing_tracked(96, 128)] * 2
    write(clip, rle=tmp_path / "r.jsonl")
    assert (tmp_path / "r.jsonl").read_text() == ""


def test_standard_output_gets_a_frame_as_soon_as_it_is_written(clip_of, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(raw)))
    clip = clip_of([0, 512])
    (sink,) = open_sinks(OutputRequest(rle=Path("-")), clip.info, print)
    sink.write(clip.frames[0], clip.results[0])
    assert len(raw.getvalue().splitlines()) == 2
    assert str(sink.finish()) == "-"


CLOSED = """
import sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from vosctl.tracking.results import TrackedFrame, TrackedObject
from vosctl.video.frames import Frame, SourceInfo
from vosctl.video.sinks import OutputClosedError, OutputRequest, open_sinks
image, labels = np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), np.uint8)
result = TrackedFrame(labels, labels, (TrackedObject(1, "tracked", 1.0, 64, (0, 0, 8, 8)),))
info = SourceInfo("x", 8, 8, Fraction(25), Fraction(1, 25))
(sink,) = open_sinks(OutputRequest(rle=Path("-")), info, print)
try:
    for index in range(100_000):
        sink.write(Frame(index, image, index, info.time_base), result)
except OutputClosedError as error:
    sink.abort()
    sys.exit(error.exit_code)
"""


def test_a_closed_pipe_ends_quietly():
    process = subprocess.Popen([sys.executable, "-c", CLOSED], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert json.loads(process.stdout.readline())["frame"] == 0
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 141
    process.stderr.close()


@pytest.mark.parametrize("whole", [0, 2])
def test_abort_keeps_whole_lines(clip_of, tmp_path, whole):
    clip = clip_of([0, 512])
    (sink,) = open_sinks(OutputRequest(rle=tmp_path / "r.jsonl"), clip.info, print)
    for frame, result in zip(clip.frames[:whole], clip.results, strict=False):
        sink.write(frame, result)
    kept = sink.abort()
    assert not (tmp_path / "r.jsonl").exists()
    if whole:
        assert [json.loads(line)["frame"] for line in kept.read_text().splitlines()] == [0, 0, 1, 1]
    else:
        assert kept is None
        assert list(tmp_path.iterdir()) == []
