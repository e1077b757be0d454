"""Overlay and matte videos: timestamps, colours, sizes, containers."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
import pytest

from vosctl.errors import UsageError, VosctlError
from vosctl.video import encodings
from vosctl.video.colours import ColourRequest, ObjectColours
from vosctl.video.encoder import VideoWriter
from vosctl.video.frames import Frame
from vosctl.video.sinks import OutputRequest, open_sinks
from vosctl.video.sinks.videos import OverlaySink
from vosctl.video.sources import open_source

VARIABLE = [0, 512, 1100, 1101, 4000, 9000]
DURATIONS = [512, 588, 1, 2899, 5000, 777]


def test_variable_frame_rate_is_carried_through_tick_for_tick(clip_of, write, decode, tmp_path):
    clip = clip_of(VARIABLE, durations=DURATIONS)
    write(clip, overlay=tmp_path / "o.mp4", matte=tmp_path / "m.mov")
    for name in ("o.mp4", "m.mov"):
        video = decode(tmp_path / name)
        assert video.time_base == Fraction(1, 15360)
        assert video.pts == VARIABLE
        assert video.durations == DURATIONS


def test_a_late_start_stays_late(clip_of, write, decode, tmp_path):
    clip = clip_of([1001, 1513, 2025])
    write(clip, overlay=tmp_path / "o.mp4")
    assert decode(tmp_path / "o.mp4").pts == [1001, 1513, 2025]


@pytest.mark.parametrize("time_base", [Fraction(1001, 30000), Fraction(1, 30000), Fraction(1, 90000)])
def test_ntsc_rate_stays_exact(clip_of, write, decode, tmp_path, time_base):
    step = int(Fraction(1001, 30000) / time_base)
    clip = clip_of([step * k for k in range(12)], time_base, frame_rate=Fraction(30000, 1001))
    write(clip, overlay=tmp_path / "o.mp4")
    assert decode(tmp_path / "o.mp4").times == [k * Fraction(1001, 30000) for k in range(12)]
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert container.streams.video[0].average_rate == Fraction(30000, 1001)


def test_unknown_durations_are_the_time_to_the_next_frame(clip_of, write, decode, tmp_path):
    write(clip_of([0, 512, 1536]), overlay=tmp_path / "o.mp4")
    assert decode(tmp_path / "o.mp4").durations == [512, 1024, 1024]


def test_one_frame(clip_of, write, decode, tmp_path):
    write(clip_of([0]), overlay=tmp_path / "o.mp4")
    video = decode(tmp_path / "o.mp4")
    assert (video.pts, video.durations) == ([0], [512])


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_matroska_keeps_milliseconds(clip_of, write, decode, tmp_path, suffix):
    stamps = [0, 33, 71, 200]
    write(clip_of(stamps, Fraction(1, 1000)), overlay=tmp_path / f"o{suffix}")
    assert decode(tmp_path / f"o{suffix}").pts == stamps


def test_a_clock_that_starts_hours_in_is_moved_to_zero(clip_of, write, decode, tmp_path):
    hours = 9 * 3600 * 15360
    write(clip_of([hours, hours + 512]), overlay=tmp_path / "o.mp4")
    assert decode(tmp_path / "o.mp4").pts == [0, 512]


@pytest.mark.parametrize(("suffix", "size"), [(".mp4", (98, 130)), (".mkv", (98, 130)), (".webm", (97, 129))])
def test_odd_sizes_are_padded_where_the_codec_needs_it(clip_of, write, decode, tmp_path, suffix, size):
    clip = clip_of([0, 512], size=(97, 129))
    write(clip, matte=tmp_path / f"m{suffix}")
    assert decode(tmp_path / f"m{suffix}").images[1].shape[:2] == size


def test_padding_repeats_the_edge(clip_of, write, decode, tmp_path):
    clip = clip_of([0], size=(97, 129))
    write(clip, overlay=tmp_path / "o.mp4")
    seen = decode(tmp_path / "o.mp4").images[0].astype(int)
    assert np.abs(seen[97, :129] - clip.frames[0].image[96]).max() < 16
    assert np.abs(seen[:97, 129] - clip.frames[0].image[:, 128]).max() < 16


@pytest.mark.parametrize(("size", "matrix"), [((96, 128), 6), ((720, 1280), 1)])
@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_colours_survive_and_are_tagged(clip_of, write, decode, tmp_path, size, matrix, suffix):
    colours = np.array(
        [[220, 30, 40], [30, 200, 60], [40, 60, 230], [250, 250, 250], [128, 128, 128], [0, 0, 0]], np.uint8
    )
    clip = clip_of([0], size=size)
    blocks = cv2.resize(colours[None], (size[1], size[0]), interpolation=cv2.INTER_NEAREST)
    clip.frames[0] = Frame(0, np.ascontiguousarray(blocks), 0, clip.info.time_base)
    clip.results[0] = type(clip.results[0])(clip.results[0].labels * 0, clip.results[0].alpha * 0, ())
    path = tmp_path / f"o{suffix}"
    write(clip, overlay=path)
    seen = decode(path).images[0]
    columns = (np.arange(6) + 0.5) * size[1] / 6
    assert np.abs(seen[size[0] // 2, columns.astype(int)].astype(int) - colours).max() <= 4
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_range) == (matrix, 1)


@pytest.mark.parametrize("name", ["o.mp4", "o.mov", "o.webm", "c.mov", "c.webm"])
@pytest.mark.parametrize(("size", "matrix"), [((96, 128), 6), ((64, 1280), 1)])
def test_the_pictures_themselves_say_what_their_colours_are(clip_of, write, tmp_path, name, size, matrix):
    write(clip_of([0, 512], size=size), **{"cutout" if name[0] == "c" else "overlay": tmp_path / name})
    with av.open(str(tmp_path / name)) as container:
        for seen in container.decode(video=0):
            assert (seen.colorspace, seen.color_range) == (matrix, 1)
            assert (seen.color_primaries, seen.color_trc) == (1, 1)


@pytest.mark.parametrize("name", ["o.mp4", "o.mkv", "c.mov"])
@pytest.mark.parametrize("colours", [(5, 1), (9, 1), (12, 13)])
def test_what_red_green_and_blue_stand_for_is_handed_on(clip_of, write, tmp_path, name, colours):
    """PAL, BT.2020 in standard range, and Display P3."""
    clip = clip_of([0, 512])
    clip.info = replace(clip.info, colours=colours)
    write(clip, **{"cutout" if name[0] == "c" else "overlay": tmp_path / name})
    with open_source(str(tmp_path / name)) as source:
        assert source.info.colours == (colours if name[0] == "o" else (colours[0], 1)), "ProRes has no other transfer"


@pytest.mark.parametrize("name", ["o.mp4", "o.mkv", "o.mov"])
def test_pixels_that_are_not_square_stay_so(clip_of, write, tmp_path, name):
    clip = clip_of([0, 512])
    clip.info = replace(clip.info, pixel_aspect=Fraction(16, 11))
    assert write(clip, overlay=tmp_path / name) == []
    with open_source(str(tmp_path / name)) as source:
        assert source.info.pixel_aspect == Fraction(16, 11)


@pytest.mark.parametrize(("name", "called"), [("o.webm", "VP9"), ("o.webp", "WebP"), ("o.gif", "GIF")])
def test_some_formats_cannot_say_that_pixels_are_not_square(clip_of, write, tmp_path, name, called):
    clip = clip_of([0])
    clip.info = replace(clip.info, pixel_aspect=Fraction(2))
    (warning,) = write(clip, overlay=tmp_path / name)
    assert f"not square (2), which {called} cannot say" in warning


def test_matte_is_the_alpha(clip_of, write, decode, tmp_path):
    clip = clip_of([0, 512])
    write(clip, matte=tmp_path / "m.mp4")
    seen = decode(tmp_path / "m.mp4").images[1].astype(int)
    error = np.abs(seen - clip.results[1].alpha[..., None].astype(int))
    assert error.max() <= 12
    assert np.ptp(seen, axis=2).max() <= 2
    assert (seen[48, 56, 0], seen[2, 2, 0]) == (255, 0)


def test_mp4_can_start_before_it_is_whole(clip_of, write, tmp_path):
    write(clip_of([0, 512]), overlay=tmp_path / "o.mp4")
    content = (tmp_path / "o.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_h264_is_what_browsers_play(clip_of, write, tmp_path):
    write(clip_of([0, 512]), overlay=tmp_path / "o.mp4")
    with av.open(str(tmp_path / "o.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert next(container.decode(stream)).rotation == 0


def test_frame_is_not_modified(clip_of, write, tmp_path):
    clip = clip_of([0])
    before = clip.frames[0].image.copy()
    write(clip, overlay=tmp_path / "o.mp4", cutout=tmp_path / "c.mov", matte=tmp_path / "m.mkv")
    np.testing.assert_array_equal(clip.frames[0].image, before)


def test_a_size_that_changes_is_an_error(clip_of, tmp_path):
    clip = clip_of([0])
    (sink,) = open_sinks(OutputRequest(overlay=tmp_path / "o.mp4"), clip.info, print)
    sink.write(clip.frames[0], clip.results[0])
    other = clip_of([0, 512], size=(64, 64))
    with pytest.raises(VosctlError, match="frame 1 is 64x64 but the video is 128x96"):
        sink.write(other.frames[1], other.results[1])
    sink.abort()


class RefusingContainer:
    """A container whose muxer takes no picture after the first; the rest is the real one's."""

    def __init__(self, container):
        self._container = container
        self._taken = 0

    def mux(self, packets):
        self._taken += len(packets)
        if self._taken > 1:
            raise av.ArgumentError(22, "Invalid argument")
        self._container.mux(packets)

    def __getattr__(self, name):
        return getattr(self._container, name)


@pytest.mark.parametrize(
    ("name", "cures"), [("o.mp4", ".mkv or .webm"), ("o.mkv", ".mp4 or .webm"), ("o.webm", ".mkv or .mp4")]
)
def test_a_picture_that_the_muxer_does_not_take_is_named_with_a_way_out(clip_of, tmp_path, name, cures):
    clip = clip_of([0, 512, 1024, 1536])
    encoding = encodings.VP9 if name == "o.webm" else encodings.H264
    writer = VideoWriter(tmp_path / name, clip.info, encoding, overwrite=False, audio=False, warn=print)
    refusing: Any = RefusingContainer(writer._container)
    writer._container = refusing
    sink = OverlaySink(writer)
    message = rf"{name}: the picture \({encoding.codec}\) cannot be written: Invalid argument; write {cures}$"
    with pytest.raises(VosctlError, match=message):
        write_all(sink, clip)
    sink.abort()
    assert not (tmp_path / name).exists()


def write_all(sink, clip):
    for frame, result in zip(clip.frames, clip.results, strict=True):
        sink.write(frame, result)


GUARDED = """
import ctypes, mmap, sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from vosctl.video import encoder, encodings
from vosctl.video.frames import Frame, SourceInfo

width, height, pixel_format, name, encoding = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
shape = (height, width, {"rgb24": 3, "rgba": 4, "gray": 1}[pixel_format])
size = int(np.prod(shape))
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
room = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
base = libc.mmap(None, room + mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS,
                 -1, 0)
assert libc.mprotect(base + room, mmap.PAGESIZE, 0) == 0
pixels = np.frombuffer((ctypes.c_uint8 * size).from_address(base + room - size), np.uint8).reshape(shape)
pixels[:] = 9
info = SourceInfo("clip", width, height, Fraction(25), Fraction(1, 25))
writer = encoder.VideoWriter(Path(name), info, getattr(encodings, encoding), overwrite=True, audio=False, warn=print)
writer.write(pixels[..., 0] if pixel_format == "gray" else pixels, pixel_format, Frame(0, None, 0, Fraction(1, 25)))
writer.finish()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs mprotect")
@pytest.mark.parametrize("size", [(101, 57), (640, 3), (17, 16)])
@pytest.mark.parametrize(
    ("pixel_format", "name", "encoding"),
    [
        ("rgb24", "o.mp4", "H264"),
        ("rgb24", "o.webm", "VP9"),
        ("gray", "o.webm", "VP9"),
        ("rgba", "o.webm", "VP9_ALPHA"),
        ("rgba", "o.mov", "PRORES_4444"),
    ],
)
def test_nothing_is_read_beyond_the_pictures_end(tmp_path, size, pixel_format, name, encoding):
    """The picture ends where the memory that may be read does: a conversion that reads on kills the process."""
    command = [sys.executable, "-c", GUARDED, *map(str, size), pixel_format, str(tmp_path / name), encoding]
    assert subprocess.run(command, check=False).returncode == 0
    assert (tmp_path / name).exists()


@pytest.mark.parametrize("size", [(96, 128), (720, 1280)])
def test_a_matte_has_no_tinge(clip_of, write, tmp_path, size):
    clip = clip_of([0], size=size)
    clip.results[0].alpha[:] = 255
    write(clip, matte=tmp_path / "m.mkv")
    with av.open(str(tmp_path / "m.mkv")) as container:
        luma, cb, cr = (np.frombuffer(memoryview(plane), np.uint8) for plane in next(container.decode(video=0)).planes)
    assert (luma[0], cb[0], cr[0]) == (235, 128, 128)


def test_the_overlay_chooses_its_colours_on_the_first_frame(clip_of, decode, tmp_path):
    """A red object gets no red overlay, and keeps the colour it got when it changes its own."""
    clip = clip_of([0, 512])
    for frame, colour in zip(clip.frames, ((230, 50, 60), (60, 90, 230)), strict=True):
        frame.picture[:] = (90, 90, 90)
        frame.picture[clip.results[0].labels == 3] = colour
    warnings = []
    request = OutputRequest(overlay=tmp_path / "o.mkv", colors=ColourRequest.parse("9=red"))
    (sink,) = open_sinks(request, clip.info, warnings.append)
    for frame, result in zip(clip.frames, clip.results, strict=True):
        sink.write(frame, result)
    sink.finish()
    chosen = ObjectColours()
    chosen.see(clip.frames[0].image, clip.results[0].labels, [3])
    for image, own in zip(decode(tmp_path / "o.mkv").images, ((230, 50, 60), (60, 90, 230)), strict=True):
        inside = image[44:52, 60:68].reshape(-1, 3).mean(axis=0)
        np.testing.assert_allclose(inside, 0.58 * np.array(own) + 0.42 * np.array(chosen[3]), atol=10)
    assert warnings == ["`colors`: there is no object 9; its colour was not used"]


def test_colours_without_an_overlay(clip_of, tmp_path):
    with pytest.raises(UsageError, match="`colors`: are the overlay's"):
        open_sinks(OutputRequest(rle=tmp_path / "r.jsonl", colors=ColourRequest.parse("red")), clip_of([0]).info, print)
