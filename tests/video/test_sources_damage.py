"""Files that are damaged, cut off, joined: all is read that can be, and what is wrong said."""

from __future__ import annotations

import os
import threading
from fractions import Fraction
from typing import Any, cast

import av
import cv2
import numpy as np
import pytest
from av.container import InputContainer

from vosctl.time_line import Span
from vosctl.video.backwards import frames_backwards
from vosctl.video.sources import RangedSource, open_source
from vosctl.video.sources.containers import ContinuousPackets


@pytest.fixture(scope="module")
def moving():
    """36 pictures of a texture that moves: they compress to P and B frames that refer to each other."""
    random = np.random.default_rng(0)
    texture = cv2.resize(random.integers(0, 256, (24, 40, 3), dtype=np.uint8), (640, 384))
    return [np.ascontiguousarray(texture[2 * k : 2 * k + 96, 3 * k : 3 * k + 160]) for k in range(36)]


@pytest.fixture
def record(tmp_path, moving):
    """Returns a function that writes the pictures, with or without sound beside them, and returns the file."""

    def write(name, *, codec="libx264", sound=True, options=None, settings=None, container_format=None, delay=0):
        path = tmp_path / name
        with av.open(str(path), "w", format=container_format, options=options or {}) as container:
            stream = container.add_stream(codec, rate=24, options={"g": "6", **(settings or {})})
            stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
            audio = None
            if sound:
                audio = container.add_stream("pcm_s16le" if name.endswith("avi") else "mp2", rate=48000, layout="mono")
            container.start_encoding()
            for index, picture in enumerate(moving):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = index + delay * 24, Fraction(1, 24)
                container.mux(stream.encode(frame))
                if audio is not None:
                    tone = (8000 * np.sin(np.arange(2000) / 15)).astype(np.int16)[None]
                    heard = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
                    heard.sample_rate, heard.pts = 48000, index * 2000 + delay * 48000
                    container.mux(audio.encode(heard))
            container.mux(stream.encode(None))
            if audio is not None:
                container.mux(audio.encode(None))
        return path

    return write


def read(path):
    with open_source(str(path)) as source:
        frames = list(source)
        return frames, source.warnings


def steps_of(frames):
    return np.diff([frame.time for frame in frames])


def cut(path, share=0.55):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def punch(path, place=0.5, size=6000):
    """Overwrite a stretch of a file."""
    data = bytearray(path.read_bytes())
    start = int(len(data) * place)
    data[start : start + size] = b"\x5a" * size
    path.write_bytes(data)
    return path


KINDS: dict[str, dict[str, Any]] = {
    "mkv": {"name": "clip.mkv"},
    "webm": {"name": "clip.webm", "codec": "libvpx", "sound": False},
    "avi": {"name": "clip.avi", "codec": "mpeg4"},
    "mp4": {"name": "clip.mp4", "options": {"movflags": "faststart"}},
    "fragmented mp4": {
        "name": "clip.mp4",
        "options": {"movflags": "frag_keyframe+empty_moov"},
    },
    "flv": {"name": "clip.flv", "sound": False},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sound", [True, False])
def test_whole_files_are_not_complained_of(record, kind, sound):
    frames, warnings = read(record(**{"sound": sound, **KINDS[kind]}))
    assert len(frames) == 36
    assert warnings == []
    assert steps_of(frames) == pytest.approx(1 / 24, abs=0.0011)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sound", [True, False])
def test_a_cut_off_file_is_said_to_be(record, kind, sound):
    frames, warnings = read(cut(record(**{"sound": sound, **KINDS[kind]})))
    assert 1 < len(frames) < 30
    assert warnings
    if kind != "fragmented mp4":  # whose header claims nothing of what is not there
        assert f"ends after {len(frames)} frames and " in warnings[0]
        assert "s its header claims" in warnings[0]


@pytest.mark.parametrize("kind", ["mkv", "avi", "mp4", "flv"])
@pytest.mark.parametrize("sound", [True, False])
def test_damage_in_the_middle_is_said(record, kind, sound):
    frames, warnings = read(punch(record(**{**KINDS[kind], "sound": sound and kind != "flv"})))
    assert 5 < len(frames) <= 36
    assert warnings


def test_a_hole_in_a_broadcast_is_said(record):
    path = record("clip.ts")
    data = path.read_bytes()
    packets = len(data) // 188
    path.write_bytes(data[: packets // 3 * 188] + data[packets // 2 * 188 :])
    frames, warnings = read(path)
    assert 15 < len(frames) < 36
    assert warnings


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_damaged_frames_are_given_out_and_counted(record, codec):
    """Most frames refer to damaged ones: a decoder left to itself drops them."""
    quiet = {"x265-params": "log-level=none:keyint=20"} if codec == "libx265" else {"g": "20"}
    path = record("clip.mp4", codec=codec, sound=False, settings={"preset": "ultrafast", **quiet})
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat")
    size = int.from_bytes(data[start - 4 : start], "big")
    random = np.random.default_rng(1)
    for place in random.integers(start + size // 3, start + size - 4, size // 200):
        data[place] ^= 1 << int(random.integers(8))
    path.write_bytes(data)

    frames, warnings = read(path)

    assert len(frames) >= 28
    assert any("damaged frame(s) shown as far as they decode" in line for line in warnings)
    times = [frame.pts for frame in frames]
    assert times == sorted(set(times))


def test_the_last_frames_before_a_cut_are_not_lost(record):
    """A decoder with several threads still holds frames when it comes to the packet that is cut off."""
    path = cut(record("clip.mp4", sound=False, options={"movflags": "faststart"}))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        alone = 0
        for packet in container.demux(stream):
            try:
                alone += len(stream.decode(packet))
            except av.FFmpegError:
                continue
    frames, _ = read(path)
    assert len(frames) >= alone > 5
    assert steps_of(frames) == pytest.approx(1 / 24, abs=1e-3)


@pytest.mark.parametrize("second", [0, 1, 100, 1001])
@pytest.mark.parametrize("sound", [True, False])
def test_joined_broadcasts_have_one_continuous_time(record, second, sound):
    """The clock starts at 100 s and then anew at another time."""
    first = record("1.ts", delay=100, sound=sound)
    other = record("2.ts", delay=second, sound=sound)
    joined = first.with_name("joined.ts")
    joined.write_bytes(first.read_bytes() + other.read_bytes())

    frames, warnings = read(joined)

    assert len(frames) == 72
    gaps = steps_of(frames)
    assert np.delete(gaps, 35) == pytest.approx(1 / 24, abs=1e-3)
    assert 1 / 25 < gaps[35] < 0.15  # the sound of the first part is a little longer than its pictures
    assert frames[-1].time - frames[0].time == pytest.approx(71 / 24, abs=0.12)
    assert warnings == [
        f"{joined}: its clock steps 1 time(s), as in joined recordings; picture and sound go on without a gap"
    ]


@pytest.mark.parametrize(
    ("codec", "settings"), [("libx264", {"bf": "2"}), ("mpeg4", {"bf": "2"}), ("libx264", {"bf": "0"})]
)
def test_avi_with_b_frames_has_even_steps(record, moving, codec, settings):
    frames, warnings = read(record("clip.avi", codec=codec, settings=settings, sound=False))
    assert len(frames) == 36
    assert frames[0].time == 0
    assert steps_of(frames) == pytest.approx(1 / 24, abs=1e-6)
    assert warnings == []
    for frame, picture in zip(frames, moving, strict=True):
        assert np.abs(frame.image.astype(int) - picture).mean() < 12


class Growing:
    """A container in which PyAV stumbles, at the end, over a stream that appeared on the way."""

    def __init__(self, container):
        self._container = container

    def __getattr__(self, name):
        return getattr(self._container, name)

    def demux(self, *streams):
        yield from (packet for packet in self._container.demux(*streams) if packet.size)
        raise IndexError("list index out of range")


def test_a_stream_that_appears_on_the_way_is_no_error(record):
    with av.open(str(record("clip.ts", sound=False))) as container:
        assert len(list(ContinuousPackets(cast(InputContainer, Growing(container))))) == 36


def through_fifo(path, target):
    os.mkfifo(target)

    def feed():
        with target.open("wb") as pipe:
            pipe.write(path.read_bytes())

    thread = threading.Thread(target=feed, daemon=True)
    thread.start()
    return thread


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
@pytest.mark.parametrize("sound", [True, False])
def test_what_can_be_opened_once_is_opened_once(record, tmp_path, sound):
    thread = through_fifo(record("clip.mkv", sound=sound), tmp_path / "fifo")
    with open_source(str(tmp_path / "fifo")) as source:
        assert source.info.audio_path is None
        assert len(list(source)) == 36
        assert source.warnings == (
            [f"{tmp_path / 'fifo'}: its sound cannot be copied; only a file's can"] if sound else []
        )
    thread.join(timeout=10)
    assert not thread.is_alive()


def test_tags_that_are_no_utf8(record):
    path = record("clip.avi", codec="mpeg4", sound=False, options={"metadata": "x"})
    with av.open(str(path)) as source, av.open(str(path.with_name("tagged.avi")), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0], opaque=True)
        target.metadata["title"] = "coffee ##"
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    tagged = path.with_name("tagged.avi")
    tagged.write_bytes(tagged.read_bytes().replace(b"coffee ##", b"caf\xe9 \xfc##"))
    assert len(read(tagged)[0]) == 36


def test_an_interlaced_source_is_said_to_be(record):
    path = record("clip.mkv", codec="mpeg2video", sound=False, settings={"flags": "+ildct+ilme", "top": "1"})
    _, warnings = read(path)
    assert [line for line in warnings if "is interlaced" in line]


@pytest.mark.parametrize(("options", "length"), [({}, 188), ({"mpegts_m2ts_mode": "1"}, 192)])
def test_a_transport_stream_that_is_cut_off_within_a_packet(record, options, length):
    """It has no header that could tell its length, but it is made of packets of one."""
    path = record("t.ts", options=options, container_format="mpegts")
    whole = path.read_bytes()
    assert len(whole) % length == 0
    frames, warnings = read(path)
    assert (len(frames), warnings) == (36, [])
    path.write_bytes(whole[: len(whole) * 2 // 3 // length * length + 77])
    frames, warnings = read(path)
    assert 18 <= len(frames) < 36
    assert f"{path}: ends in the middle of a packet; it is cut off" in warnings


@pytest.fixture(params=["clip.mp4", "clip.mkv", "clip.avi", "clip.webm"])
def with_a_lost_frame(record, request):
    """A file of which two frames cannot be decoded at all, in the middle."""
    webm = {"codec": "libvpx-vp9", "settings": {"deadline": "realtime", "cpu-used": "8"}}
    mpeg4 = {"codec": "mpeg4", "settings": {"g": "6"}}
    path = record(request.param, sound=False, **{"clip.webm": webm, "clip.avi": mpeg4}.get(request.param, {}))
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    random = np.random.default_rng(2)
    for place, size in (packets[14], packets[15]):
        data[place + 8 : place + size] = random.integers(0, 256, size - 8, np.uint8).tobytes()
    path.write_bytes(data)
    return path


def test_a_frame_that_is_lost_keeps_its_number_from_wherever_the_file_is_read(with_a_lost_frame):
    """Prompts, ranges and tracks name frames by their numbers; some are read from the start, and some are sought."""
    with open_source(str(with_a_lost_frame)) as source:
        whole = {frame.index: frame for frame in source}
        assert len(whole) <= 36
        assert list(whole) == sorted(whole)
        for begin in (30, 24, 13, 0):
            source.seek(begin)
            again = list(source)
            assert [frame.index for frame in again] == [index for index in whole if index >= begin]
            for frame in again:
                assert frame.pts == whole[frame.index].pts
    numbers = range(0, 36, 3)
    with RangedSource(open_source(str(with_a_lost_frame)), Span.of(None, None, 3)) as part:
        assert [frame.index for frame in part] == [index for index in whole if index % 3 == 0]
        back = list(frames_backwards(part, numbers, memory=160 * 96 * 3 * 5))
    assert [frame.index for frame in back] == [index for index in reversed(numbers) if index in whole]


def test_the_frames_after_a_lost_one_are_the_ones_they_are_called(record):
    path = record("clip.mp4", sound=False, settings={"bf": "0"})
    with open_source(str(path)) as source:
        whole = {frame.index: frame.pts for frame in source}
    with av.open(str(path)) as container:
        place, size = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size][14]
    data = bytearray(path.read_bytes())
    data[place : place + size] = bytes(size)
    path.write_bytes(data)
    with open_source(str(path)) as source:
        left = {frame.index: frame.pts for frame in source}
        assert source.warnings == [f"{path}: 1 frame(s) are missing, too damaged to be decoded"]
    assert left == {index: pts for index, pts in whole.items() if index != 14}
