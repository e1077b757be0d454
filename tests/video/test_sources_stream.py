"""Video files, pipes and addresses as sources."""

from __future__ import annotations

import errno
import functools
import gc
import http.server
import io
import os
import socket
import threading
from fractions import Fraction

import av
import numpy as np
import pytest

from vosctl.errors import UsageError, VosctlError
from vosctl.video.sources import open_source


def flat(value, size=(32, 48)):
    return np.full((*size, 3), value, np.uint8)


def steps(count, size=(32, 48)):
    """Pictures whose grey level tells their number."""
    return [flat(20 + 8 * index, size) for index in range(count)]


def read(spec, **kwargs):
    with open_source(str(spec), **kwargs) as source:
        return source.info, list(source), source.warnings


def levels(frames):
    return [round((float(frame.image.mean()) - 20) / 8) for frame in frames]


def test_every_frame_arrives_in_order_with_the_files_timestamps(make_video):
    info, frames, warnings = read(make_video("clip.mp4", steps(12), rate=Fraction(30000, 1001)))

    assert levels(frames) == list(range(12))
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.pts * frame.time_base for frame in frames] == [i * Fraction(1001, 30000) for i in range(12)]
    assert (info.name, info.width, info.height, info.frame_rate) == ("clip", 48, 32, Fraction(30000, 1001))
    assert (info.frame_count, info.audio_path, info.live, warnings) == (12, None, False, [])
    for frame in frames:
        assert frame.image.shape == (32, 48, 3)
        assert frame.image.dtype == np.uint8
        assert frame.image.flags["C_CONTIGUOUS"]
        assert frame.name is None


def test_a_variable_frame_rate_stays_variable(make_video):
    times = [0, 33, 66, 400, 433, 1000]
    _, frames, warnings = read(make_video("vfr.mkv", steps(6), pts=times))

    assert [round(frame.time * 1000) for frame in frames] == times
    assert levels(frames) == list(range(6))
    assert warnings == []


@pytest.mark.parametrize("size", [(31, 47), (1, 1), (33, 48)])
def test_odd_sizes(make_video, size):
    info, frames, _ = read(make_video("odd.mkv", steps(3, size), codec="ffv1", pix_fmt="yuv444p"))
    assert (info.height, info.width) == size
    assert [frame.image.shape for frame in frames] == [(*size, 3)] * 3


def test_one_frame(make_video):
    info, frames, warnings = read(make_video("one.mp4", steps(1)))
    assert (len(frames), info.frame_count, warnings) == (1, 1, [])


def test_a_source_is_read_once(make_video):
    with open_source(str(make_video("clip.mp4", steps(2)))) as source:
        list(source)
        with pytest.raises(VosctlError, match="can be read once"):
            iter(source)


def test_sound_is_announced(make_video):
    path = make_video("loud.mp4", steps(3), sound=True)
    info, frames, _ = read(path)
    assert info.audio_path == str(path)
    assert len(frames) == 3


def test_names_with_colons_and_percent_signs_are_names(make_video):
    path = make_video("12:30 100%d [a].mkv", steps(2))
    assert len(read(path)[1]) == 2


def cut(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def noise(count):
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (32, 48, 3), dtype=np.uint8) for _ in range(count)]


@pytest.mark.parametrize(("name", "options"), [("clip.mp4", {"movflags": "faststart"}), ("clip.mkv", {})])
def test_a_truncated_file_gives_what_it_has_and_says_so(make_video, name, options):
    info, frames, warnings = read(cut(make_video(name, noise(50), options=options), 0.5))

    assert info.frame_count == 50
    assert 10 < len(frames) < 40
    assert len(warnings) == 1
    assert "header claims" in warnings[0] or "stopped before its end" in warnings[0]


def test_damage_in_the_middle_is_passed_over_and_said(make_video):
    path = make_video("clip.mkv", noise(30))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)

    _, frames, warnings = read(path)

    assert 20 < len(frames) <= 30
    assert frames[-1].pts == 29 * 40
    assert warnings


def test_sound_longer_than_the_picture_is_not_truncation(make_video):
    _, frames, warnings = read(make_video("loud.mkv", steps(2), sound=True))
    assert (len(frames), warnings) == (2, [])


def test_a_file_without_one_whole_frame(make_video):
    path = cut(make_video("clip.mkv", noise(1), codec="ffv1"), 0.3)
    with pytest.raises(VosctlError, match=r"clip\.mkv: ") as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1


def test_what_is_no_video(tmp_path):
    path = tmp_path / "notes.mp4"
    path.write_text("These are notes, not a video.\n")
    with pytest.raises(VosctlError, match=r"notes\.mp4: cannot be read as a video; check that it plays"):
        open_source(str(path))


@pytest.mark.parametrize("name", ["notes.txt", "film.nfo"])
def test_text_that_ffmpeg_would_draw(tmp_path, name):
    (tmp_path / name).write_text("These are notes, not a video.\n" * 20)
    with pytest.raises(UsageError, match="has no video in it"):
        open_source(str(tmp_path / name))


@pytest.mark.parametrize("size", ["W100000 H100000", "W-5 H10", "W0 H0"])
def test_a_header_of_an_absurd_size(tmp_path, size):
    path = tmp_path / "clip.y4m"
    path.write_bytes(f"YUV4MPEG2 {size} F25:1 C420\nFRAME\n".encode() + bytes(1000))
    with pytest.raises(VosctlError, match=r"clip\.y4m: cannot be read as a video"):
        open_source(str(path))


def test_what_an_edit_list_leaves_out_is_not_missing(make_video):
    """Pictures before time 0 are in an MP4, and not to be shown."""
    _, frames, warnings = read(make_video("clip.mp4", steps(8), pts=[-120, -80, -40, 0, 40, 80, 120, 160]))
    assert levels(frames) == [3, 4, 5, 6, 7]
    assert warnings == []


def test_an_empty_file(tmp_path):
    path = tmp_path / "empty.mp4"
    path.touch()
    with pytest.raises(VosctlError, match=r"empty\.mp4: cannot be read as a video"):
        open_source(str(path))


def test_a_file_of_sound_only(tmp_path):
    path = tmp_path / "song.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(UsageError, match=r"song\.mkv: has no video in it"):
        open_source(str(path))


def test_a_missing_file():
    with pytest.raises(UsageError, match=r"nowhere\.mp4: no such file or directory"):
        open_source("nowhere.mp4")


@pytest.mark.parametrize("name", ["x" * 300 + ".mp4", "x" * 300, "/".join(["x" * 200] * 30)])
def test_a_name_that_no_file_can_have(name):
    with pytest.raises(VosctlError, match="file name too long; check the path"):
        open_source(name)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(make_video):
    path = make_video("private.mp4", steps(1))
    path.chmod(0)
    with pytest.raises(VosctlError, match=r"private\.mp4: cannot be read: permission denied"):
        open_source(str(path))


def test_a_picture_that_changes_size_is_scaled_to_the_first(tmp_path):
    """Joined recordings: raw H.264 carries a new header where the size changes."""
    data = b""
    for size in [(32, 48), (64, 96)]:
        part = tmp_path / "part.h264"
        with av.open(str(part), "w", format="h264") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.height, stream.width = size
            for _ in range(3):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(flat(90, size), format="rgb24")))
            container.mux(stream.encode())
        data += part.read_bytes()
    path = tmp_path / "joined.h264"
    path.write_bytes(data)

    info, frames, warnings = read(path)

    assert (info.height, info.width) == (32, 48)
    assert [frame.image.shape for frame in frames] == [(32, 48, 3)] * 6
    assert [line for line in warnings if "changes to 96x64 at frame 3" in line]
    pts = [frame.pts for frame in frames]
    assert pts == sorted(set(pts))


@pytest.fixture
def pipe():
    """Returns a function that gives a pipe's reading end, with a file's bytes coming out of it."""
    threads = []

    def connect(path):
        reading, writing = os.pipe()

        def write():
            with os.fdopen(writing, "wb") as end:
                end.write(path.read_bytes())

        threads.append(threading.Thread(target=write))
        threads[-1].start()
        return os.fdopen(reading, "rb")

    yield connect
    for thread in threads:
        thread.join(timeout=10)


@pytest.mark.parametrize(
    ("container_format", "codec"),
    [("yuv4mpegpipe", "wrapped_avframe"), ("matroska", "libx264"), ("mpegts", "libx264")],
)
def test_standard_input(make_video, pipe, container_format, codec):
    path = make_video("piped", steps(10), container_format=container_format, codec=codec)
    with pipe(path) as stdin:
        info, frames, warnings = read("-", stdin=stdin)

    assert levels(frames) == list(range(10))
    assert (info.name, info.frame_rate, info.audio_path, warnings) == ("stdin", 25, None, [])
    assert np.diff([frame.time for frame in frames]) == pytest.approx(0.04, abs=1e-3)


def test_sound_on_standard_input_is_said_to_be_lost(make_video, pipe):
    with pipe(make_video("loud.mkv", steps(2), sound=True)) as stdin:
        _, _, warnings = read("-", stdin=stdin)
    assert warnings == ["standard input: its sound cannot be copied; only a file's can"]


@pytest.mark.parametrize("content", [b"", b"not a video at all\n" * 10])
def test_standard_input_without_a_video(tmp_path, pipe, content):
    path = tmp_path / "content"
    path.write_bytes(content)
    with pipe(path) as stdin, pytest.raises(VosctlError, match="standard input: cannot be read as a video; pipe y4m"):
        open_source("-", stdin=stdin)


class Failing(io.BytesIO):
    """A device that gives so many bytes and then an error, each time that it is asked."""

    def __init__(self, data, count):
        super().__init__(data[:count])

    def read1(self, size=-1):
        if data := super().read1(min(size, 4096)):
            return data
        raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize(("share", "message"), [(0.6, "reading stopped before its end"), (0.0, "cannot be read")])
def test_an_error_of_standard_input_ends_the_video(make_video, share, message):
    data = make_video("piped.mkv", steps(8, (96, 128)), codec="rawvideo").read_bytes()
    stdin = Failing(data, round(share * len(data)))
    if not share:
        with pytest.raises(VosctlError, match=f"standard input: {message}: input/output error"):
            open_source("-", stdin=stdin)
        return
    _, frames, warnings = read("-", stdin=stdin)
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert warnings[0] == f"standard input: {message}: input/output error"


@pytest.fixture
def server(tmp_path):
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=tmp_path)) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()
        thread.join()


def test_http(make_video, server):
    make_video("clip.mp4", steps(5), options={"movflags": "faststart"})
    info, frames, _ = read(f"{server}/clip.mp4?token=secret")
    assert levels(frames) == list(range(5))
    assert (info.name, info.live, info.frame_count) == ("clip", False, 5)


def test_http_without_such_a_file(server):
    with pytest.raises(VosctlError, match=r"/gone\.mp4: cannot be read: .*404"):
        open_source(f"{server}/gone.mp4")


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_an_address_that_refuses(scheme):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(VosctlError, match="connection refused; check the address") as caught:
        open_source(f"{scheme}://someone:secret@127.0.0.1:{port}/camera?key=secret")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_an_address_that_does_not_answer(scheme):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(VosctlError, match="no answer within"):
            open_source(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/camera", timeout=0.3)


def test_an_unknown_kind_of_address():
    with pytest.raises(UsageError, match="ftp://: not a kind of address"):
        open_source("ftp://example.invalid/clip.mp4")


def test_pictures_do_not_wait_for_the_garbage_collector(make_video):
    """A frame that refers to itself would be kept until a collection: gigabytes of high-definition video."""
    path = str(make_video("clip.mp4", steps(20)))
    gc.collect()
    gc.disable()
    try:
        with open_source(path) as source:
            frames = iter(source)
            next(frames)
            first_round = sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects())
            for _ in frames:
                pass
            assert sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects()) <= first_round + 1
    finally:
        gc.enable()
