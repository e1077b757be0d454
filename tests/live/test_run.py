import signal
import time
from dataclasses import replace
from typing import Any, cast

import av
import numpy as np
import pytest
from PIL import Image

from tests.helpers.bright_network import bright_torch_engine
from tests.helpers.live import ScriptedFeed, ScriptedWindow, picture
from tests.helpers.mouse import mouse_at
from vosctl.errors import VosctlError
from vosctl.live.capture import Capture
from vosctl.live.feeds import Captured
from vosctl.live.parts import LiveParts
from vosctl.live.recorder import Recorder
from vosctl.live.run import LiveRun
from vosctl.live.session import Session
from vosctl.selection.events import Key
from vosctl.tracking import Tracker, TrackingSettings
from vosctl.video.masks import read_indexed_png
from vosctl.video.sinks import OutputRequest, open_sinks


class Collecting:
    """A sink that keeps what it is given, or fails at a frame."""

    name, path, partial = "masks", "collected", None

    def __init__(self, fails_at=None):
        self.frames, self.fails_at, self.ended = [], fails_at, None

    def write(self, frame, result):
        if len(self.frames) == self.fails_at:
            raise VosctlError("the disk is full")
        self.frames.append((frame, result))

    def finish(self):
        self.ended = "finished"
        return self.path

    def abort(self):
        self.ended = "aborted"
        return "collected.partial"

    def cancel(self):
        pass

    def abandon(self):
        return "collected.damaged"


@pytest.fixture
def start(tmp_path, monkeypatch, registered_bright_engine):
    """Run a scripted feed with a scripted window; gives the run, the window and the sink of the whole run."""
    monkeypatch.chdir(tmp_path)

    def run(
        feed,
        *script,
        window=True,
        first=None,
        sink=None,
        recording=None,
        max_frames=None,
        by_key=None,
        warn=pytest.fail,
        tracker=None,
    ):
        sink = sink or Collecting()
        shown = ScriptedWindow(feed, *script)
        feed.allowed.release()
        seen = []
        with Capture(feed) as capture:
            parts = LiveParts(
                info=feed.info,
                new_tracker=lambda objects: tracker or Tracker(registered_bright_engine),
                session=Session(),
                first_objects=first,
                outputs=Recorder([sink], from_zero=False),
                recording=recording,
                window=cast(Any, shown) if window else None,
                camera=None,
                on_frame=lambda frame, result: seen.append((frame, result)) or feed.allowed.release(),
                warn=warn,
            )
            live: Any = LiveRun(capture, parts)
            live._recording = by_key or recording  # as if the key had been pressed already
            live.sink, live.seen, live.window = sink, seen, shown
            try:
                live.run(max_frames)
            except BaseException as error:
                error.__dict__["live"] = live
                raise
        return live

    return run


BLANK = np.zeros((64, 96, 3), np.uint8)
BOX = [
    [mouse_at(BLANK, "press", 4, 6), mouse_at(BLANK, "move", 20, 20)],
    [mouse_at(BLANK, "move", 60, 42), mouse_at(BLANK, "release", 60, 42)],
    [Key("enter")],
]


def test_without_a_window_the_first_mask_is_followed_to_the_end(start):
    live = start(ScriptedFeed(8, live=False), window=False, first=lambda image: picture(0)[1])
    assert live.summary.frames == len(live.sink.frames) >= 2
    assert live.sink.ended == "finished"
    assert live.summary.outputs == ["collected"]
    for frame, result in live.seen:
        assert (result.labels == picture(frame.index)[1]).mean() > 0.97
    assert live.summary.latency.percentile(50) > 0
    assert live.summary.captured == 8


@pytest.fixture
def on_device():
    """A tracker that follows on its engine's device, here torch's CPU."""
    return Tracker(bright_torch_engine(tells_presence=True), TrackingSettings(on_device=True))


def test_on_the_device_the_masks_are_those_of_the_plain_path(start, on_device):
    """Each frame is waited for, and shown while it is the newest."""
    plain = Tracker(bright_torch_engine(tells_presence=True))
    runs = [
        start(ScriptedFeed(8, live=False), window=False, first=lambda image: picture(0)[1], tracker=tracker)
        for tracker in (plain, on_device)
    ]
    assert [frame.index for frame, _ in runs[0].seen] == list(range(8))
    for (frame, wanted), (other, found) in zip(*(run.seen for run in runs), strict=True):
        assert frame.index == other.index
        assert not found.arrives_later
        assert (found.labels == wanted.labels).mean() >= 0.995
        assert np.abs(found.alpha.astype(int) - wanted.alpha).mean() < 1
        assert [(one.id, one.status) for one in found.objects] == [(one.id, one.status) for one in wanted.objects]
        assert (found.labels == picture(frame.index)[1]).mean() > 0.97
    assert runs[1].notes == []


def test_on_the_device_objects_are_drawn_and_deleted_in_the_window(start, on_device):
    second = [[Key("a")], [mouse_at(BLANK, "press", 60, 30), mouse_at(BLANK, "release", 90, 60)], [Key("enter")]]
    live = start(
        ScriptedFeed(200), [], *BOX, [], *second, [], [], [Key("1"), Key("d")], [], [Key("q")], tracker=on_device
    )
    seen = [tuple(one.id for one in result.objects) for _, result in live.seen]
    assert list(dict.fromkeys(seen)) == [(), (1,), (1, 2), (2,)]
    frame, result = live.seen[-1]
    assert ((result.labels == 2) == (picture(frame.index)[1] == 2)).mean() > 0.97


def test_an_object_drawn_in_the_window_is_followed(start):
    live = start(ScriptedFeed(200), [], *BOX, [], [], [], [Key("q")])
    frame, result = live.seen[-1]
    assert [one.id for one in result.objects] == [1]
    assert ((result.labels == 1) == (picture(frame.index)[1] == 1)).mean() > 0.97
    assert live.seen[0][1].objects == ()
    assert live.sink.ended == "finished"


def test_a_second_object_a_deletion_and_a_snapshot_while_paused(start, tmp_path):
    (tmp_path / "scripted_snapshot_007.png").write_bytes(b"precious")
    second = [[Key("a")], [mouse_at(BLANK, "press", 60, 30), mouse_at(BLANK, "release", 90, 60)], [Key("enter")]]
    script = [[], [Key("space")], *BOX, *second, [Key("s")], [Key("1"), Key("d")], [Key("s")], [Key("q")]]
    live = start(ScriptedFeed(200), *script)
    assert len(live.seen) <= 3, "a paused picture stands"
    picture_file, mask_file = tmp_path / "scripted_snapshot_008.png", tmp_path / "scripted_snapshot_008_mask.png"
    index = live.seen[-1][0].index
    assert np.array_equal(np.array(Image.open(picture_file)), picture(index)[0])
    assert (read_indexed_png(mask_file) == picture(index)[1]).mean() > 0.97
    assert set(np.unique(read_indexed_png(tmp_path / "scripted_snapshot_009_mask.png"))) == {0, 2}
    assert (tmp_path / "scripted_snapshot_007.png").read_bytes() == b"precious"


def test_the_feed_is_held_while_the_picture_stands(start):
    feed = ScriptedFeed(200)
    start(feed, [], [Key("space")], [], [Key("space")], [], [Key("a")], [], [Key("escape")], [], [Key("q")])
    assert feed.held == [False, True, False, True, False]


def test_a_file_waits_while_its_first_objects_are_found(start):
    """The network for boxes and clicks may have to be loaded: the next frame would be seconds away."""
    feed = ScriptedFeed(8, live=False)
    held = []
    start(feed, window=False, first=lambda image: held.append(feed.held[-1]) or picture(0)[1])
    assert held == [True]
    assert feed.held == [False, True, False]


def test_recordings_are_numbered_and_begin_at_zero(start, tmp_path):
    (tmp_path / "scripted_record_001.mp4").write_bytes(b"precious")
    record = [[Key("r")], [], [], [], [], [Key("r")], [], []]
    live = start(ScriptedFeed(400), [], [], *record, *record, [Key("q")])
    assert (tmp_path / "scripted_record_001.mp4").read_bytes() == b"precious"
    assert [str(path) for path in live.summary.outputs] == [
        "scripted_record_002.mp4",
        "scripted_record_003.mp4",
        "collected",
    ]
    shown = [frame.time for frame, _ in live.seen]
    with av.open("scripted_record_003.mp4") as container:
        times = [float(one.time) for one in container.decode(video=0)]
    assert times[0] == 0
    gaps = np.diff(times)
    assert len(gaps) >= 1
    wanted = np.round(np.array(shown), 3)
    runs = [wanted[index : index + len(times)] for index in range(len(wanted) - len(times) + 1)]
    starts = [run for run in runs if np.allclose(run - run[0], times)]
    assert starts, "the times between frames are those of their capture"


def test_quitting_completes_a_recording_begun_with_the_run(start, tmp_path):
    feed = ScriptedFeed(100)
    sinks = open_sinks(OutputRequest(overlay=tmp_path / "o.mp4", audio=False), feed.info, print)
    live = start(feed, [], [], [Key("q")], recording=Recorder(sinks, from_zero=True))
    assert tmp_path / "o.mp4" in live.summary.outputs
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.mp4"]


def test_a_feed_that_breaks_off_leaves_whole_outputs(start):
    feed = ScriptedFeed(4, error=VosctlError("camera 0: stopped giving pictures"), live=False)
    with pytest.raises(VosctlError, match="stopped giving pictures") as caught:
        start(feed, window=False, first=lambda image: picture(0)[1])
    assert caught.value.__dict__["live"].sink.ended == "finished"


def test_an_output_that_fails_ends_the_run_and_says_what_is_kept(start):
    with pytest.raises(VosctlError, match="the disk is full") as caught:
        start(ScriptedFeed(500), window=False, first=lambda image: picture(0)[1], sink=Collecting(fails_at=2))
    live = caught.value.__dict__["live"]
    assert live.sink.ended == "aborted"
    assert live.kept == ["collected.partial"]


class Signalling(Collecting):
    """A sink that is there when Ctrl-C is pressed three times."""

    def write(self, frame, result):
        super().write(frame, result)
        if len(self.frames) == 3:
            for _ in range(3):
                signal.raise_signal(signal.SIGINT)


def test_interrupts_complete_the_outputs(start):
    with pytest.raises(KeyboardInterrupt) as caught:
        start(ScriptedFeed(500), window=False, first=lambda image: picture(0)[1], sink=Signalling())
    live = caught.value.__dict__["live"]
    assert live.sink.ended == "finished"
    assert live.summary.outputs == ["collected"]
    assert len(live.sink.frames) < 500


def test_max_frames(start):
    live = start(ScriptedFeed(500), window=False, first=lambda image: picture(0)[1], max_frames=3)
    assert live.summary.frames == 3


def test_the_end_of_a_file_waits_for_an_object_that_is_being_drawn(start):
    quiet = [[] for _ in range(6)]
    live = start(ScriptedFeed(3, live=False), [], [Key("a")], *quiet, [Key("escape")])
    assert live.window.polls == 9, "the last key of the script was waited for"
    assert live.sink.ended == "finished"


def test_what_a_key_begins_may_fail_and_the_run_goes_on(start, tmp_path):
    feed = ScriptedFeed(400)
    feed.info = replace(feed.info, name="n" * 250)  # with what is added to it no file system takes it
    told = []
    script = [[], [Key("s")], [], [Key("r")], [], [], [Key("r")], [], [], [Key("q")]]
    live = start(feed, *script, warn=told.append)
    assert live.summary.outputs == ["collected"]
    assert live.window.polls == len(script)
    assert len(told) == 3
    assert all("File name too long" in line for line in told)


def test_a_recording_that_a_key_began_is_given_up_alone(start):
    told = []
    begun = Collecting(fails_at=1)
    live = start(
        ScriptedFeed(400),
        [],
        [],
        [],
        [],
        [],
        [],
        [Key("q")],
        by_key=Recorder([cast(Any, begun)], from_zero=True),
        warn=told.append,
    )
    assert told == ["the disk is full"]
    assert begun.ended == "aborted"
    assert live.kept == ["collected.partial"]
    assert live.sink.ended == "finished"


class CannotFinish(Collecting):
    def finish(self):
        raise VosctlError("the disk is full")


def test_a_recording_that_was_asked_for_with_the_run_fails_it_at_its_end(start):
    told = []
    script = [[], [], [Key("r")], [], [], [Key("q")]]
    with pytest.raises(VosctlError, match="the disk is full") as caught:
        start(
            ScriptedFeed(400),
            *script,
            recording=Recorder([cast(Any, CannotFinish())], from_zero=True),
            warn=told.append,
        )
    live = caught.value.__dict__["live"]
    assert told == ["the disk is full"]
    assert live.window.polls == len(script)
    assert live.sink.ended == "finished"


class Late(ScriptedFeed):
    """Its frames were captured long ago."""

    def __iter__(self):
        for captured in super().__iter__():
            yield Captured(captured.frame, time.perf_counter() - 50)


def test_frames_that_come_while_an_object_is_drawn_are_as_late_as_they_are(start):
    """A camera goes on meanwhile; only a file waits."""
    live = start(Late(400), [Key("a")], [], [], [], [], [Key("escape")], [], [Key("q")])
    assert live.summary.latency.percentile(1) >= 40


def test_a_feed_that_ends_before_its_first_frame(start):
    with pytest.raises(VosctlError, match="scripted: gave no frame; check it"):
        start(ScriptedFeed(0))
