import sys
import threading
import time
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any, cast

import av
import click
import cv2
import numpy as np
import pytest

from tests.helpers.frames import write_video
from tests.helpers.live import frame, picture
from vosctl.errors import UsageError, VosctlError
from vosctl.live import camera
from vosctl.live.camera import CameraFeed, CameraSettings
from vosctl.live.feeds import CaptureClock, FileFeed
from vosctl.live.opening import open_feed
from vosctl.live.stream import StreamFeed
from vosctl.tracking.edits import nothing_tracked
from vosctl.video.frames import SourceInfo
from vosctl.video.sinks import OutputRequest, open_sinks
from vosctl.video.sources import open_source
from vosctl.video.sources.base import Source


def test_a_file_is_played_by_its_own_clock(tmp_path):
    path = write_video(tmp_path / "clip.mp4", [picture(index)[0] for index in range(8)], rate=50)
    begun = time.perf_counter()
    played = list(FileFeed(open_source(str(path))))
    assert [one.frame.index for one in played] == list(range(8))
    for one in played:
        assert one.at - played[0].at >= one.frame.time - 0.001, "never before its time"
    assert time.perf_counter() - begun >= 0.139


def test_a_file_can_be_stopped_while_it_waits(tmp_path):
    path = write_video(tmp_path / "clip.mp4", [picture(index)[0] for index in range(3)], rate=1)
    feed = FileFeed(open_source(str(path)))
    begun = time.monotonic()
    for _ in feed:
        feed.stop()
    assert time.monotonic() - begun < 1


def test_a_file_that_is_held_goes_on_where_it_stood(tmp_path):
    path = write_video(tmp_path / "clip.mp4", [picture(index)[0] for index in range(10)], rate=50)
    feed = FileFeed(open_source(str(path)))
    played = []
    for one in feed:
        played.append(one)
        if one.frame.index == 3:
            feed.hold(True)
            feed.hold(True)
            threading.Timer(0.4, feed.hold, [False]).start()
    assert [one.frame.index for one in played] == list(range(10))
    for one in played[4:]:
        assert one.at - played[3].at >= 0.4 + (one.frame.time - played[3].frame.time) - 0.03


def test_a_file_that_is_held_can_be_stopped(tmp_path):
    path = write_video(tmp_path / "clip.mp4", [picture(index)[0] for index in range(3)], rate=50)
    feed = FileFeed(open_source(str(path)))
    frames = iter(feed)
    next(frames)
    feed.hold(True)
    threading.Timer(0.1, feed.stop).start()
    assert list(frames) == []


def test_a_recording_of_a_file_takes_nothing_along_that_would_not_fit_it(tmp_path):
    """It may begin late, leave frames out and pause."""
    with av.open(str(tmp_path / "film.mkv"), "w") as container:
        video = container.add_stream("libx264", rate=10, width=96, height=64, pix_fmt="yuv420p")
        audio = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        container.set_chapters([{"id": 1, "start": 0, "end": 1000, "time_base": Fraction(1, 1000), "metadata": {}}])
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        tone.sample_rate, tone.pts = 8000, 0
        for packet in audio.encode(tone):
            container.mux(packet)
        for index in range(10):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture(index)[0], format="rgb24")))
        container.mux(video.encode(None))
    source = open_source(str(tmp_path / "film.mkv"))
    assert source.info.audio_path
    feed = FileFeed(source)
    (sink,) = open_sinks(OutputRequest(matte=tmp_path / "o.mkv", audio=False), feed.info, pytest.fail)
    for index in range(3):
        sink.write(frame(index), nothing_tracked(64, 96))
    sink.finish()
    feed.close()
    with av.open(str(tmp_path / "o.mkv")) as container:
        assert container.chapters() == []
        assert [stream.type for stream in container.streams] == ["video"]


def test_capture_times_always_rise():
    clock = CaptureClock()
    assert [clock.next(at) for at in (5.0, 5.04, 5.04, 5.1)] == [(0, 0), (1, 3600), (2, 3601), (3, 9000)]


class Drops(Source):
    """A stream of so many frames, then it drops."""

    def __init__(self, frames=2, size=1):
        super().__init__()
        self.frames, self.size, self.closed = frames, size, False
        self.info = SourceInfo("door", 96 * size, 64 * size, Fraction(25), Fraction(1, 1000), live=True)

    def _frames(self, begin):
        for index in range(self.frames):
            image = frame(index)
            if self.size > 1:
                large = np.repeat(np.repeat(image.image, self.size, axis=0), self.size, axis=1)
                image = type(image)(index, large, image.pts, image.time_base)
            yield image

    def close(self):
        self.closed = True


def test_a_stream_keeps_the_shape_of_its_pixels():
    source = Drops()
    source.info = replace(source.info, pixel_aspect=Fraction(16, 11))
    info = StreamFeed(source, Drops, 0, pytest.fail).info
    assert info == SourceInfo(
        "door", 96, 64, Fraction(25), Fraction(1, 90_000), live=True, pixel_aspect=Fraction(16, 11)
    )


HURRY = {"first_pause": 0.001, "longest_pause": 0.004}


def test_a_dropped_stream_is_opened_again_and_its_frames_go_on():
    notes, first = [], Drops()
    answers = [VosctlError("refused"), VosctlError("refused"), Drops(3, size=2)]

    def reopen():
        answer = answers.pop(0)
        if isinstance(answer, VosctlError):
            raise answer
        return answer

    feed = StreamFeed(first, reopen, 60.0, notes.append, **HURRY)
    seen = []
    for captured in feed:
        seen.append(captured.frame)
        if len(seen) == 5:
            assert feed.trouble is None
            feed.stop()
    assert [one.index for one in seen] == [0, 1, 2, 3, 4]
    assert all(one.image.shape == (64, 96, 3) for one in seen), "it comes back larger and is fitted"
    assert all(later.pts > earlier.pts for earlier, later in pairwise(seen))
    assert first.closed
    assert "door: the stream dropped; trying for 60 s" in notes[0]
    assert "at attempt 3" in notes[1]


def test_patience_ends():
    def reopen():
        raise VosctlError("refused")

    notes = []
    with pytest.raises(VosctlError, match=r"did not come back within 0.03 s \(\d+ attempts\); check it, or raise"):
        list(StreamFeed(Drops(), reopen, 0.03, notes.append, **HURRY))
    assert len(notes) == 1
    with pytest.raises(VosctlError, match=r"door: the stream dropped; check it, or raise `reconnect`"):
        list(StreamFeed(Drops(), reopen, 0, notes.append, **HURRY))
    assert len(notes) == 1


class FakeCapture:
    """OpenCV's camera, as far as it is used: three pictures, then it is pulled out."""

    opened, pictures, asked = True, 3, None

    def __init__(self, target, backend):
        type(self).asked = (target, backend)
        self.settings = {cv2.CAP_PROP_FPS: 30.0}
        self.left = self.pictures
        self.released = False

    def isOpened(self):  # noqa: N802
        return self.opened

    def set(self, name, value):
        if name != cv2.CAP_PROP_FPS:
            self.settings[name] = value
        return True

    def get(self, name):
        return self.settings.get(name, 0.0)

    def grab(self):
        self.left -= 1
        return self.left >= 0

    def retrieve(self):
        return True, picture(0)[0][..., ::-1].copy()

    def read(self):
        return self.retrieve() if self.grab() else (False, None)

    def release(self):
        self.released = True


@pytest.fixture
def fake_camera():
    return type("OneCapture", (FakeCapture,), {})


def test_a_camera_gives_rgb_with_capture_times_and_its_end_is_an_error(fake_camera):
    feed = CameraFeed("1", CameraSettings((640, 480), 60.0), fake_camera)
    assert fake_camera.asked == (1, cv2.CAP_ANY)
    assert (feed.info.name, feed.info.width, feed.info.height, feed.info.live) == ("camera1", 96, 64, True)
    assert feed.notes == [
        "camera 1: gives 96x64, not the 640x480 asked for",
        "camera 1: gives 30 fps, not the 60 asked for",
    ]
    frames = iter(feed)
    first, second = next(frames), next(frames)
    assert np.array_equal(first.frame.image, picture(0)[0])
    assert second.frame.pts > first.frame.pts
    assert second.at >= first.at
    with pytest.raises(VosctlError, match=r"camera 1: stopped giving pictures; check that it is still plugged in"):
        next(frames)
    assert getattr(feed._capture, "released")  # noqa: B009 - of the fake


def test_a_camera_that_opens_and_gives_nothing_is_busy(fake_camera):
    fake_camera.pictures = 0
    with pytest.raises(VosctlError, match="gives no picture; another program may be using it"):
        CameraFeed("0", CameraSettings(), fake_camera)


@pytest.mark.parametrize(
    ("platform", "message"), [("linux", "there is no /dev/video97"), ("darwin", "no other program is using it")]
)
def test_a_camera_that_is_not_there(fake_camera, monkeypatch, platform, message):
    fake_camera.opened = False
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(VosctlError, match=message):
        CameraFeed("97", CameraSettings(), fake_camera)


def test_a_device_file_that_is_not_there_is_not_tried(fake_camera):
    """OpenCV takes the name for that of a video, and FFmpeg says on standard error that there is none."""
    fake_camera.asked = None
    with pytest.raises(VosctlError, match="camera /dev/nonesuch: "):
        CameraFeed("/dev/nonesuch", CameraSettings(), fake_camera)
    assert fake_camera.asked is None


def test_a_backend_that_this_opencv_lacks(fake_camera, monkeypatch):
    monkeypatch.setattr(cv2.videoio_registry, "getCameraBackends", lambda: [cv2.CAP_V4L2])
    with pytest.raises(UsageError, match="`backend='msmf'`: is not in this OpenCV; use one of auto, v4l2"):
        CameraFeed("0", CameraSettings(backend="msmf"), fake_camera)


def test_a_backend_that_nobody_knows(fake_camera):
    with pytest.raises(UsageError, match="`backend='directshow'`: unknown; give auto, v4l2, "):
        CameraFeed("0", CameraSettings(backend=cast(Any, "directshow")), fake_camera)


@pytest.mark.parametrize("name", sorted(camera.BACKENDS))
def test_the_command_offers_every_backend(name):
    from vosctl.cli.webcam import webcam

    kind = next(one for one in webcam.params if one.name == "backend").type
    assert isinstance(kind, click.Choice)
    assert name in kind.choices


@pytest.mark.parametrize(
    ("spec", "settings", "message"),
    [
        ("clip.mp4", CameraSettings(size=(1, 1)), "`size`: is for cameras"),
        ("clip.mp4", CameraSettings(fps=5.0), "`fps`: is for cameras"),
        ("http://127.0.0.1:9/x", CameraSettings(backend="v4l2"), "`backend`: is for cameras"),
        ("-", CameraSettings(), "no clock to play it by"),
        ("absent.mp4", CameraSettings(), "absent.mp4: no such file"),
    ],
)
def test_what_is_no_feed(spec, settings, message):
    with pytest.raises(UsageError, match=message):
        open_feed(spec, settings, 1.0, lambda note: None)


def test_a_camera_is_not_decoded_by_a_gpu():
    with pytest.raises(
        UsageError, match="`decoder='nvdec'`: is for videos and streams, and 0 is a camera; leave it out"
    ):
        open_feed("0", CameraSettings(), 1.0, lambda note: None, "nvdec")
