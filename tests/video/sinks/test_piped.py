"""Videos through standard output, pipes and open descriptors: not compressed, in Matroska or y4m."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vosctl.errors import UsageError, VosctlError
from vosctl.video.overlay import render_overlay
from vosctl.video.sinks import OutputClosedError, OutputRequest, open_sinks
from vosctl.video.sinks.videos import cut_out

pytestmark = pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")


@pytest.fixture
def stream(tmp_path):
    """A path that writes into an open file, which `read` then reads."""
    with (tmp_path / "out").open("wb") as file:
        yield Path(f"/dev/fd/{file.fileno()}")


@pytest.fixture
def read(stream, tmp_path):
    """Returns a function that reads what was written: (container, streams' types, [(time, frame)])."""

    def run():
        with av.open(str(tmp_path / "out")) as container:
            frames = [(frame.pts * frame.time_base, frame) for frame in container.decode(video=0)]
            return container.format.name, [one.type for one in container.streams], frames

    return run


def write_to(sink, clip):
    for frame, result in zip(clip.frames, clip.results, strict=True):
        sink.write(frame, result)


def times_of(frames):
    return [time for time, _ in frames]


@pytest.mark.parametrize("output", ["overlay", "matte", "composite"])
def test_matroska_keeps_every_frame_and_its_time(clip_of, write, stream, read, output):
    """Of a variable frame rate too."""
    more = {"background": "white"} if output == "composite" else {}
    assert write(clip_of([0, 512, 2048, 2560, 9000]), **{output: stream}, **more) == []
    name, streams, frames = read()
    assert name.startswith("matroska")
    assert streams == ["video"]
    assert times_of(frames) == [Fraction(round(pts * 1000 / 15360), 1000) for pts in (0, 512, 2048, 2560, 9000)]
    assert {(frame.width, frame.height, frame.format.name) for _, frame in frames} == {(128, 96, "yuv420p")}


def test_the_picture_is_not_compressed(clip_of, write, stream, read):
    clip = clip_of([0])
    write(clip, overlay=stream)
    ((_, frame),) = read()[2]
    from vosctl.video.colours import ObjectColours

    colours = ObjectColours()
    colours.see(clip.frames[0].image, clip.results[0].labels, [3])
    drawn = render_overlay(clip.frames[0].image, clip.results[0], colours).astype(int)
    assert np.abs(frame.to_ndarray(format="rgb24") - drawn).mean() < 3, "only chroma is halved"


def test_a_matte_is_the_mattes_own(clip_of, write, stream, read):
    clip = clip_of([0])
    write(clip, matte=stream)
    luma = read()[2][0][1].to_ndarray()[:96].astype(float)
    np.testing.assert_allclose((luma - 16) * 255 / 219, clip.results[0].alpha, atol=1)


def test_a_cutout_keeps_its_transparency_to_the_bit(clip_of, write, stream, read):
    clip = clip_of([0, 512], size=(57, 101))
    write(clip, cutout=stream)
    frames = read()[2]
    assert len(frames) == 2
    for (_, frame), own, result in zip(frames, clip.frames, clip.results, strict=True):
        assert frame.format.name == "rgba"
        np.testing.assert_array_equal(frame.to_ndarray(), cut_out(own.image, result.alpha))


def test_sound_goes_along_in_matroska(clip_of, write, stream, read, make_sound):
    clip = clip_of([0, 5120, 10240]).with_sound_of(make_sound("s.mp4"))
    assert write(clip, overlay=stream) == []
    assert read()[1] == ["video", "audio"]


def test_y4m(clip_of, write, stream, read, make_sound):
    """It holds no sound, and begins when its first frame does."""
    clip = clip_of([1024, 1536, 2048, 2560]).with_sound_of(make_sound("s.mp4"))
    write(clip, overlay=stream, pipe_format="y4m")
    name, streams, frames = read()
    assert (name, streams) == ("yuv4mpegpipe", ["video"])
    assert times_of(frames) == [Fraction(index, 30) for index in range(4)]


def test_y4m_of_an_odd_size(clip_of, write, stream, tmp_path):
    write(clip_of([0, 512], size=(57, 101)), matte=stream, pipe_format="y4m")
    data = (tmp_path / "out").read_bytes()
    assert data.startswith(b"YUV4MPEG2 W101 H57 F30:1 ")
    assert data.count(b"FRAME\n") == 2
    assert len(data) - data.index(b"\n") - 1 == 2 * (6 + 57 * 101 + 2 * 29 * 51)


@pytest.mark.parametrize(
    ("pts", "wrong"),
    [
        ([0, 512, 1024, 3000], 3),  # a gap
        ([0, 512, 700], 2),  # too early
        ([0, 300, 600, 900, 1200], 2),  # another rate than is said
    ],
)
def test_y4m_holds_no_variable_frame_rate(clip_of, write, stream, pts, wrong):
    with pytest.raises(VosctlError, match=rf"y4m holds one frame rate only, and frame {wrong} does not come when 30"):
        write(clip_of(pts), overlay=stream, pipe_format="y4m")


def test_y4m_takes_times_that_are_rounded(clip_of, write, stream, read):
    """As Matroska has them: 29.97 frames a second in milliseconds."""
    rate = Fraction(30000, 1001)
    pts = [round(index / rate * 1000) for index in range(60)]
    write(clip_of(pts, Fraction(1, 1000), frame_rate=rate), overlay=stream, pipe_format="y4m")
    assert times_of(read()[2]) == [index / rate for index in range(60)]


def test_y4m_takes_rounded_times_that_begin_half_a_frame_late(clip_of, write, stream, read):
    """As Matroska has them of 24 frames a second beside AAC, whose first samples are silence: 21 ms."""
    pts = [21 + round(index * 1000 / 24) for index in range(24)]
    write(clip_of(pts, Fraction(1, 1000), frame_rate=Fraction(24)), overlay=stream, pipe_format="y4m")
    assert times_of(read()[2]) == [Fraction(index, 24) for index in range(24)]


def test_y4m_needs_a_frame_rate(clip_of, write, stream):
    with pytest.raises(UsageError, match="`pipe_format=y4m`: holds one frame rate only, and clip says none"):
        write(clip_of([0], frame_rate=None), overlay=stream, pipe_format="y4m")


def test_a_named_pipe_is_written_through(clip_of, write, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write(clip_of([0, 512]), overlay=pipe, pipe_format="y4m")
    reader.join(60)
    assert read[0].count(b"FRAME\n") == 2
    assert pipe.is_fifo()


def test_a_frame_is_out_when_the_next_one_comes(clip_of):
    """A reader that shows the video live does not wait for more."""
    reading, writing = os.pipe()
    clip = clip_of([0, 512, 1024], size=(16, 16))
    try:
        (sink,) = open_sinks(OutputRequest(matte=Path(f"/dev/fd/{writing}"), pipe_format="y4m"), clip.info, print)
        for frame, result in zip(clip.frames[:2], clip.results, strict=False):
            sink.write(frame, result)
        assert os.read(reading, 100_000).count(b"FRAME\n") == 1
        sink.abort()
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("pipe_format", ["matroska", "y4m"])
def test_a_reader_that_goes_away_ends_the_run_quietly(clip_of, pipe_format):
    reading, writing = os.pipe()
    clip = clip_of(list(range(0, 5120, 512)))
    (sink,) = open_sinks(OutputRequest(overlay=Path(f"/dev/fd/{writing}"), pipe_format=pipe_format), clip.info, print)
    os.close(reading)
    try:
        with pytest.raises(OutputClosedError):
            write_to(sink, clip)
        assert sink.abort() is None
    finally:
        os.close(writing)


def test_a_reader_that_stopped_reading_holds_nobody(clip_of):
    reading, writing = os.pipe()
    clip = clip_of(list(range(0, 512 * 40, 512)))
    (sink,) = open_sinks(OutputRequest(overlay=Path(f"/dev/fd/{writing}")), clip.info, print)
    assert sink.partial is None
    ended = threading.Event()

    def write_all():
        write_to(sink, clip)
        sink.abort()
        ended.set()

    thread = threading.Thread(target=write_all, daemon=True)
    thread.start()
    try:
        assert not ended.wait(0.5), "the pipe holds less than that"
        sink.cancel()
        assert ended.wait(60)
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_device_is_one_line(clip_of, write):
    with pytest.raises(VosctlError, match="/dev/full cannot be written: No space left on device"):
        write(clip_of([0, 512]), overlay=Path("/dev/full"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"overlay": "-", "matte": "-"}, "`overlay` and `matte` would both be written to standard output"),
        ({"overlay": "-", "rle": "/dev/stdout"}, "`overlay` and `rle` would both be written to standard output"),
        ({"cutout": "-", "pipe_format": "y4m"}, "y4m holds no transparency"),
        ({"overlay": "o.mp4", "pipe_format": "y4m"}, "`pipe_format`: is of a video on standard output"),
        ({"rle": "-", "pipe_format": "y4m"}, "`pipe_format`: is of a video on standard output"),
        ({"overlay": "-", "pipe_format": "avi"}, "`pipe_format=avi`: give one of matroska, y4m"),
        ({"masks": "-"}, "`masks`: is not written to standard output; .* name a folder"),
        ({"track": "-"}, "`track`: is not written to standard output; .* name a file"),
        ({"annotations": "-"}, "`annotations`: is not written to standard output; .* name a file"),
    ],
)
def test_what_cannot_be_piped(clip_of, given, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = {name: value for name, value in given.items() if name != "pipe_format"}
    request = OutputRequest.of(paths, pipe_format=given.get("pipe_format", "matroska"))
    with pytest.raises(UsageError, match=message):
        open_sinks(request, clip_of([0]).info, print)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="has no pseudo terminals")
def test_a_terminal_is_refused(clip_of):
    import pty

    leader, terminal = pty.openpty()
    try:
        path = Path(f"/dev/fd/{terminal}")
        with pytest.raises(UsageError, match=f"`matte`: {path} is a terminal"):
            open_sinks(OutputRequest(matte=path), clip_of([0]).info, print)
        (sink,) = open_sinks(OutputRequest(rle=path), clip_of([0]).info, print)  # which is text
        sink.abort()
    finally:
        os.close(leader)
        os.close(terminal)


def test_the_source_keeps_its_clock(clip_of, write, stream, read):
    """A clock that begins far on is moved to zero, as in a file."""
    clip = clip_of([90_000 * 120, 90_000 * 120 + 3003], Fraction(1, 90_000))
    write(replace(clip, info=replace(clip.info, frame_rate=None)), overlay=stream)
    assert times_of(read()[2]) == [0, Fraction(33, 1000)]
