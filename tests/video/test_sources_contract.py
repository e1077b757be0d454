"""What every kind of source keeps, seekable or not."""

import gc
import io
import itertools
import os
import weakref
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from vosctl.errors import UsageError, VosctlError
from vosctl.time_line import Span
from vosctl.video.sources import RangedSource, open_source

COUNT = 23
B_FRAMES = {"bf": "3", "g": "8", "qp": "0", "b-adapt": "0", "preset": "medium"}
OPEN_GOP = {"x264-params": "open-gop=1:keyint=8:min-keyint=8:bframes=3:b-adapt=0:scenecut=0:qp=0"}
REFRESH = {"x264-params": "intra-refresh=1:keyint=6:min-keyint=6:bframes=0:scenecut=0:qp=0"}


def pictures():
    """Pictures that tell their number by their level, with texture that makes encoders work."""
    texture = np.random.default_rng(0).integers(0, 40, (32, 48, 3))
    return [(np.roll(texture, i, axis=1) + 10 + 8 * i).astype(np.uint8) for i in range(COUNT)]


def smooth_pictures(count):
    """Pictures of which a program stream packs several together."""
    rows, columns = np.mgrid[:64, :96]
    slope = np.stack([columns * 2, rows * 3, columns + rows], axis=-1) % 256
    return [(np.roll(slope, i, axis=1) // 2 + 3 * i).astype(np.uint8) for i in range(count)]


def encode(path, options=None, codec="libx264", pix_fmt="yuv420p", times=None, sound=False, container=None, shown=None):
    """Write a video; `times` are its frames' milliseconds, 25 a second without them."""
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=25, options=options or {})
        shown = pictures() if shown is None else shown
        stream.height, stream.width = shown[0].shape[:2]
        stream.pix_fmt = pix_fmt
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        audio = output.add_stream("aac", rate=8000, layout="mono") if sound else None
        for number, picture in enumerate(shown):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pix_fmt)
            frame.pts = number if times is None else times[number]
            frame.time_base = Fraction(1, 25) if times is None else Fraction(1, 1000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
        if audio is not None:
            tone = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
            tone.sample_rate, tone.pts = 8000, 0
            output.mux(audio.encode(tone))
            output.mux(audio.encode())
    return path


def variable():
    return [40 * i + (i % 3) * 7 + 150 * (i // 4) for i in range(COUNT)]


def animated(path, **settings):
    images = [Image.fromarray(picture) for picture in pictures()]
    images[0].save(path, save_all=True, append_images=images[1:], duration=[40 + i for i in range(COUNT)], **settings)
    return path


def folder(path):
    path.mkdir()
    for number, picture in enumerate(pictures()):
        Image.fromarray(picture).save(path / f"{number}.png")
    return path


def pipe(path):
    return io.BytesIO(encode(path, codec="rawvideo", container="yuv4mpegpipe").read_bytes())


SEEKABLE = {
    "mp4 with B frames": lambda at: encode(at / "b.mp4", B_FRAMES),
    "mp4 with open groups of pictures": lambda at: encode(at / "open.mp4", OPEN_GOP),
    "mp4 with sound": lambda at: encode(at / "s.mp4", B_FRAMES, sound=True),
    "mkv of a variable frame rate": lambda at: encode(at / "v.mkv", B_FRAMES, times=variable()),
    "broadcast": lambda at: encode(at / "b.ts", B_FRAMES, sound=True),
    "pictures refreshed bit by bit": lambda at: encode(at / "r.mkv", REFRESH),
    "webm, VP9": lambda at: encode(at / "v.webm", {"g": "8", "lossless": "1"}, codec="libvpx-vp9"),
    "webm, VP8 with hidden frames": lambda at: encode(
        at / "8.webm", {"g": "8", "auto-alt-ref": "1", "lag-in-frames": "8"}, codec="libvpx"
    ),
    "avi with B frames": lambda at: encode(at / "b.avi", B_FRAMES),
    "avi, motion JPEG": lambda at: encode(at / "m.avi", codec="mjpeg", pix_fmt="yuvj420p"),
    "MPEG-4 without a container": lambda at: encode(
        at / "4.m4v", {"bf": "2", "g": "6"}, codec="mpeg4", container="m4v"
    ),
    "one group of pictures": lambda at: encode(at / "one.mp4", {"g": "1000", "qp": "0"}),
    "y4m file": lambda at: encode(at / "y.y4m", codec="rawvideo", container="yuv4mpegpipe"),
    "images": lambda at: folder(at / "images"),
    "one image": lambda at: next(folder(at / "images").iterdir()),
    "animated PNG": lambda at: animated(at / "a.png"),
    "animated WebP": lambda at: animated(at / "a.webp", lossless=True),
    "pages of a TIFF": lambda at: animated(at / "a.tiff"),
}


@pytest.fixture(params=SEEKABLE)
def spec(request, tmp_path):
    return str(SEEKABLE[request.param](tmp_path))


def same(one, other):
    return (
        (one.index, one.pts, one.time_base, one.duration, one.name)
        == (other.index, other.pts, other.time_base, other.duration, other.name)
        and (one.image == other.image).all()
    )  # fmt: skip


def test_a_seekable_source_gives_the_same_frames_from_everywhere(spec):
    with open_source(spec) as source:
        whole = list(source)
        assert len(whole) in (1, COUNT)
        assert [frame.index for frame in whole] == list(range(len(whole)))
        assert source.is_seekable
        times = source.times()
        assert times.pts.tolist() == [frame.pts for frame in whole]
        assert times.time_base == source.info.time_base == whole[0].time_base
        with pytest.raises(VosctlError, match="read once"):
            iter(source)
        for begin in sorted({len(whole) - 1, len(whole) // 2, min(9, len(whole) - 1), 0}, reverse=True):
            source.seek(begin)
            again = list(source)
            assert len(again) == len(whole) - begin
            assert all(map(same, again, whole[begin:])), begin
        assert source.warnings == []


def test_a_seek_may_come_before_the_first_frame_or_in_the_middle(spec):
    with open_source(spec) as source:
        last = len(source.times()) - 1
        source.seek(last)
        assert next(iter(source)).index == last
        source.seek(0)
        frames = iter(source)
        assert next(frames).index == 0
        source.seek(last)
        assert [frame.index for frame in source] == [last]
        assert next(frames, None) is None, "the iteration before has ended"


def test_after_a_seek_no_frame_has_the_number_of_another(tmp_path):
    """In a program stream only the first of the pictures in a pack has a time; FFmpeg counts on, and errs."""
    path = encode(tmp_path / "p.mpg", {"bf": "2", "g": "6"}, codec="mpeg1video", shown=smooth_pictures(40))
    with open_source(str(path)) as source:
        whole = list(source)
        for begin in range(len(whole)):
            source.seek(begin)
            again = list(itertools.islice(source, 4))
            assert len(again) == min(4, len(whole) - begin)
            assert all(map(same, again, whole[begin:])), begin


@pytest.mark.parametrize("wrong", [-1, COUNT, 10**9])
def test_a_frame_that_is_not_there(tmp_path, wrong):
    with open_source(str(encode(tmp_path / "b.mp4", B_FRAMES))) as source:
        with pytest.raises(UsageError, match=f"b: there is no frame {wrong}; the source has 23 frames, 0 to 22"):
            source.seek(wrong)
        assert len(list(source)) == COUNT


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux tells which files a process has open")
@pytest.mark.parametrize("begin", [0, 9])
@pytest.mark.parametrize("span", [None, (3, 17, 2)])
def test_nothing_is_left_open_of_one_that_is_closed_in_the_middle(tmp_path, begin, span):
    """Not even until Python looks for what refers to itself: that may take as long as the program."""
    path = encode(tmp_path / "b.mp4", B_FRAMES)

    def is_open():
        return any(os.path.realpath(one) == str(path.resolve()) for one in Path("/proc/self/fd").iterdir())

    gc.disable()
    try:
        source = open_source(str(path))
        part = RangedSource(source, Span.of(*span)) if span else source
        with part:
            if begin:
                part.seek(begin)
            frames = iter(part)
            assert next(frames).index >= begin
            assert is_open()
        assert not is_open()
        assert next(frames, None) is None
        alive = weakref.ref(source)
        del frames, part, source
        assert alive() is None, "its decoder's threads end with it"
    finally:
        gc.enable()


def test_a_pipe_is_not_seekable_and_says_so(tmp_path):
    with open_source("-", stdin=pipe(tmp_path / "p.y4m")) as source:
        assert not source.is_seekable
        for asked in (source.times, lambda: source.seek(0)):
            with pytest.raises(UsageError, match="stdin: comes through a pipe or a network and can be read once"):
                asked()
        assert [frame.index for frame in source] == list(range(COUNT))


SPANS = [
    (3, 17, 1),
    (9, None, 1),
    (None, 7, 1),
    (5, 20, 4),
    (None, None, 5),
    (22, None, 1),
    ("0.2s", "0.5s", 1),
    (2, "0.5s", 2),
]


@pytest.mark.parametrize("span", SPANS)
def test_a_range_is_a_part_of_the_whole(spec, span):
    with open_source(spec) as source:
        whole, times = list(source), source.times()
    if len(whole) == 1:
        return
    chosen = Span.of(*span)
    first = times.bound_of(chosen.start) if chosen.start else 0
    end = times.bound_of(chosen.end) if chosen.end else len(whole)
    with RangedSource(open_source(spec), chosen) as part:
        got = list(part)
        if chosen.start or chosen.end:
            assert part.info.frame_count == len(got)
        assert part.warnings == []
    expected = whole[first : end : chosen.every]
    assert [frame.index for frame in got] == [frame.index for frame in expected]
    assert all(
        (one.image == other.image).all() and one.pts == other.pts for one, other in zip(got, expected, strict=True)
    )
    if chosen.every > 1:
        for one, following in itertools.pairwise(got):
            assert one.pts + one.duration == following.pts


@pytest.mark.parametrize("span", SPANS)
def test_a_range_can_be_read_again_from_every_frame(tmp_path, span):
    with RangedSource(open_source(str(encode(tmp_path / "f.mp4"))), Span.of(*span)) as part:
        whole = [frame.index for frame in part]
        for number in (0, *whole[::-2], whole[0]):
            part.seek(number)
            assert [frame.index for frame in part] == [index for index in whole if index >= number]


@pytest.mark.parametrize("span", [("0.5s", None), (None, "0.5s"), ("0.3s", "0.55s", 2)])
def test_a_range_of_a_pipe_with_long_frames_is_that_of_a_file(tmp_path, span):
    path = encode(tmp_path / "v.mkv", {"bf": "0", "preset": "ultrafast"}, times=variable())
    with RangedSource(open_source(str(path)), Span.of(*span)) as part:
        expected = [(frame.index, frame.pts) for frame in part]
    with RangedSource(open_source("-", stdin=io.BytesIO(path.read_bytes())), Span.of(*span)) as part:
        assert [(frame.index, frame.pts) for frame in part] == expected


@pytest.mark.parametrize("span", SPANS)
def test_a_range_of_a_pipe(tmp_path, span):
    chosen = Span.of(*span)
    with RangedSource(open_source(str(encode(tmp_path / "f.mp4"))), chosen) as part:
        expected = [frame.index for frame in part]
    with RangedSource(open_source("-", stdin=pipe(tmp_path / "p.y4m")), chosen) as part:
        assert [frame.index for frame in part] == expected
        assert part.warnings == []


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ((23, None), "`start=23`: lies beyond the end; the source has 23 frames, 0 to 22, and lasts 0.920 s"),
        (("5s", None), "`start=5s`: lies beyond the end"),
        ((10, "0.1s"), "`end=0.1s`: is before `start=10`"),
        (("0.4s", 10), "`end=10`: leaves no frame after `start=0.4s`"),
    ],
)
def test_a_range_without_frames(tmp_path, span, message):
    with open_source(str(encode(tmp_path / "b.mp4", B_FRAMES))) as source, pytest.raises(UsageError, match=message):
        RangedSource(source, Span.of(*span))
    part = RangedSource(open_source("-", stdin=pipe(tmp_path / "p.y4m")), Span.of(*span))
    with part, pytest.raises(UsageError, match=r"lies beyond the end|leaves no frame|is before"):
        list(part)


@pytest.mark.parametrize("end", [24, "1.5s"])
def test_an_end_beyond_the_end_is_said(tmp_path, end):
    spec = str(encode(tmp_path / "b.mp4", B_FRAMES))
    for source in (open_source(spec), open_source("-", stdin=pipe(tmp_path / "p.y4m"))):
        with RangedSource(source, Span.of(20, end)) as part:
            assert [frame.index for frame in part] == [20, 21, 22]
            (warning,) = [line for line in part.warnings if "sound" not in line]
            assert f"`end={end}`: lies beyond the end; the source has 23 frames" in warning


def test_readings_that_end_in_the_middle_leave_no_decoder_at_work(tmp_path):
    """Each begins with the decoder's threads at work on later frames; none may be left to be waited for."""
    with open_source(str(encode(tmp_path / "b.mp4", B_FRAMES))) as source:
        for begin in [5, 1, 17, 9] * 10:
            source.seek(begin)
            assert next(iter(source)).index == begin


def test_a_damaged_file_is_read_from_the_middle_in_order(tmp_path):
    """A frame that decodes too late, after later ones, is left out."""
    path = encode(tmp_path / "b.ts", {"bf": "2", "g": "8"}, codec="mpeg2video")
    whole = path.read_bytes()
    for offset in range(len(whole) // 5, len(whole) - 200, len(whole) // 60):
        path.write_bytes(whole[:offset] + bytes([255] * 120) + whole[offset + 120 :])
        with open_source(str(path)) as source:
            begin = len(source.times()) // 2
            source.seek(begin)
            numbers = [frame.index for frame in source]
            assert numbers == sorted(set(numbers))
            assert all(begin <= number < len(source.times()) for number in numbers)
