"""A run that was stopped and gone on with comes to what one without a stop does."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

import vosctl
from tests.helpers.engines import BrightObjectEngine
from tests.helpers.frames import square_frame, write_video
from tests.helpers.prompts import ColourPromptEngine
from tests.jobs.test_rendering import assert_same_outputs, outputs
from vosctl.engine import Step
from vosctl.jobs.resuming import resume
from vosctl.prompts.prompt_file import write_prompts
from vosctl.prompts.segmenter import registered_prompt_engine
from vosctl.tracking.keeping import STATE_INTERVAL
from vosctl.tracks import Track

RED, BLUE = (230, 40, 40), (40, 40, 230)
COUNT = 2 * STATE_INTERVAL + 14


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """clip.mp4 of two squares, one of which goes away for some frames; gives the labels."""
    monkeypatch.chdir(tmp_path)
    made = [
        square_frame(
            64, 96, (1, RED, (3 * i) % 70 if not 20 <= i < 28 else 300, 16, 24), (2, BLUE, 60 - i % 50, 30, 20)
        )
        for i in range(COUNT)
    ]
    write_video(tmp_path / "clip.mp4", [image for image, _ in made])
    return [labels for _, labels in made]


class StopsAfter(vosctl.Events):
    """Ends a run with an error, when what it tracked so far is in a.vostrack."""

    def __init__(self, count):
        self.count = count
        self.seen = 0
        self.said = []

    def frame(self, frame, result):
        self.seen += 1
        if frame.index + 1 == self.count:
            wait_for_frames(self.seen)
            raise vosctl.VosctlError("enough")

    def note(self, line):
        self.said.append(line)

    warning = note


def wait_for_frames(count):
    """Wait until a.vostrack holds so many: it is written on a thread of its own."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with Track(Path("a.vostrack")) as track:
            if len(track) >= count:
                return
        time.sleep(0.01)
    raise AssertionError(f"the track never held {count} frames")


def stopped(clip, engine, count, **settings):
    first = clip[0] if isinstance(clip, list) else clip
    with pytest.raises(vosctl.VosctlError, match="enough"):
        vosctl.segment("clip.mp4", first, track="a.vostrack", engine=engine, events=StopsAfter(count), **settings)


def request(folder):
    wanted: dict[str, Any] = {name: Path(path) for name, path in outputs(folder).items()}
    return vosctl.OutputRequest(**wanted)


def assert_same_tracks(one, other):
    with Track(Path(one)) as first, Track(Path(other)) as second:
        assert first.complete
        assert second.complete
        for index, (a, b) in enumerate(zip(first, second, strict=True)):
            np.testing.assert_array_equal(a.labels, b.labels, err_msg=str(index))
            np.testing.assert_array_equal(a.alpha, b.alpha, err_msg=str(index))
            assert a.objects == b.objects, index


SETTINGS = {"crops": vosctl.TrackingSettings(), "full frame": vosctl.TrackingSettings(window=False, scales=(0.5, 1.0))}


@pytest.mark.parametrize("count", [3, STATE_INTERVAL + 7, 2 * STATE_INTERVAL + 12])
def test_the_result_is_that_of_one_run(clip, bright_engine, count):
    whole = vosctl.segment("clip.mp4", clip[0], track="whole.vostrack", engine=bright_engine, **outputs("once"))
    stopped(clip, bright_engine, count)
    heard = StopsAfter(None)
    summary = resume(
        "a.vostrack",
        outputs=request("again"),
        engine=bright_engine,
        events=heard,
    )
    assert_same_tracks("whole.vostrack", "a.vostrack")
    assert_same_outputs("once", "again")
    assert summary.losses == whole.losses
    where = (
        "from the first one" if count < STATE_INTERVAL else f"after frame {count // STATE_INTERVAL * STATE_INTERVAL}"
    )
    assert f"frames are tracked; goes on {where}" in heard.said[0]


class SoftEngine(BrightObjectEngine):
    """Masks that are soft all over and grow out of those before, so that any difference in the state shows."""

    def propagate(self, images, masks, states):
        distances = [np.abs(image - colour).max(axis=-1) for image, colour in zip(images, states, strict=True)]
        near = np.clip(1.2 - np.stack(distances) / 100, 0, 1)
        before = np.stack([cv2.GaussianBlur(mask, (0, 0), 3) for mask in masks])
        return Step((0.75 * near + 0.25 * before).astype(np.float32), tuple(states))


class PairEngine(SoftEngine):
    """Reads two references of an object, of which each adds to the mask; half of all pairs agree, by their images."""

    one_reference = ""

    def __init__(self):
        super().__init__()
        self.joined = 0
        self._encoded = []

    def encode_reference(self, image, mask):
        self._encoded.append((image, mask))
        return super().encode_reference(image, mask)[None]

    def agree(self, first):
        """Whether what was first shown, in this image, agrees with what comes later."""
        return first.sum() % 2 == 1

    def join_references(self, first, second):
        self.joined += 1
        return np.concatenate((first, second))

    def propagate(self, images, masks, states):
        if len(images) == 1 and not masks.any():
            for image, mask in self._encoded:
                if np.array_equal(image, images[0]):
                    return Step((mask if self.agree(image) else 1 - mask)[None], tuple(states))
        found = []
        for image, mask, state in zip(images, masks, states, strict=True):
            pictures, guides = (np.repeat(one[None], len(state), axis=0) for one in (image, mask))
            found.append(super().propagate(pictures, guides, list(state)).probabilities.mean(axis=0))
        return Step(np.stack(found), tuple(states))


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_soft_masks_that_grow_out_of_those_before(clip, settings):
    given: dict[str, Any] = {"engine": SoftEngine(), "tracking": settings}
    vosctl.segment("clip.mp4", clip[0], track="whole.vostrack", **given)
    stopped(clip, count=STATE_INTERVAL + 12, **given)
    with Track(Path("a.vostrack")) as track:
        assert track.state() is not None
        assert len(np.unique(track[20].alpha)) > 20, "or nothing soft was tested"
    resume("a.vostrack", engine=SoftEngine())
    assert_same_tracks("whole.vostrack", "a.vostrack")


class PresenceEngine(SoftEngine):
    """Tells presence too, by how the reference looked: a reference that was made later gives another one."""

    def encode_reference(self, image, mask):
        return np.append(super().encode_reference(image, mask), image.mean() % 1)

    def propagate(self, images, masks, states):
        step = super().propagate(images, masks, [state[:3] for state in states])
        seen = (step.probabilities > 0.5).any(axis=(1, 2))
        presence = np.where(seen, 0.85 + 0.1 * np.array([state[3] for state in states]), 0.02)
        return Step(step.probabilities, tuple(states), presence.astype(np.float32))


def test_an_object_that_is_lost_while_the_state_is_kept(clip):
    """Object 1 is away from frame 20 to 27, and a reference is made of how it last looked."""
    whole = vosctl.segment("clip.mp4", clip[0], track="whole.vostrack", engine=PresenceEngine())
    with Track(Path("whole.vostrack")) as track:
        assert track[10].objects[0].presence > 0.8
        assert track[STATE_INTERVAL].objects[0].presence < 0.1
    assert whole.losses[1].ranges[0][0] <= STATE_INTERVAL <= whole.losses[1].ranges[0][1]
    stopped(clip, PresenceEngine(), STATE_INTERVAL + 12)
    with Track(Path("a.vostrack")) as track:
        _, state = track.state()
    assert state.objects[1]["lost"]
    assert state.objects[1]["recent_reference"] is not None
    resume("a.vostrack", engine=PresenceEngine())
    assert_same_tracks("whole.vostrack", "a.vostrack")


def test_nothing_is_tracked_twice_but_what_follows_the_last_state(clip, bright_engine):
    stopped(clip, bright_engine, COUNT - 2)
    with Track(Path("a.vostrack")) as track:
        after, _ = track.state()
    assert after == 2 * STATE_INTERVAL
    bright_engine.batches.clear()
    resume("a.vostrack", engine=bright_engine)
    assert len(bright_engine.batches) == COUNT - 1 - after


def test_a_network_with_a_memory_starts_at_the_first_frame(clip):
    from tests.tracking.test_states import MemoryEngine

    vosctl.segment("clip.mp4", clip[0] == 1, track="whole.vostrack", engine=MemoryEngine())
    stopped(clip[0] == 1, MemoryEngine(), STATE_INTERVAL + 10)
    with Track(Path("a.vostrack")) as track:
        assert track.state() is None
    resume("a.vostrack", engine=MemoryEngine())
    assert_same_tracks("whole.vostrack", "a.vostrack")


KILLED = """
import os, signal, sys
import numpy as np
import vosctl
from tests.helpers.engines import BrightObjectEngine

class Kills(vosctl.Events):
    def frame(self, frame, result):
        if frame.index == {last}:
            os.kill(os.getpid(), signal.SIGKILL)

vosctl.segment("clip.mp4", {objects}, track="a.vostrack", engine=BrightObjectEngine(), events=Kills())
"""


def killed(objects, last):
    """Run in another process, which is killed when a frame was tracked."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    code = KILLED.format(objects=objects, last=last)
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == -signal.SIGKILL
    with Track(Path("a.vostrack")) as track:
        assert not track.complete
        assert STATE_INTERVAL < len(track) <= last + 1


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no such signal")
def test_after_a_kill(clip, bright_engine):
    vosctl.segment("clip.mp4", clip[0], track="whole.vostrack", engine=bright_engine)
    np.save("m.npy", clip[0])
    killed('np.load("m.npy")', STATE_INTERVAL + 15)
    resume("a.vostrack", engine=bright_engine)
    assert_same_tracks("whole.vostrack", "a.vostrack")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no such signal")
def test_after_a_kill_of_a_run_both_ways(clip, bright_engine):
    """Object 1 is said at both ends and in the middle, object 2 from frame 12 on."""
    prompts = said(clip, (0, 1), (12, 2), (STATE_INTERVAL + 5, 1), (COUNT - 2, 1))
    write_prompts("p.json", prompts)
    whole = vosctl.segment(
        "clip.mp4", prompts="p.json", track="whole.vostrack", engine=bright_engine, **outputs("once")
    )
    killed('prompts="p.json"', STATE_INTERVAL + 15)
    Path("p.json").unlink()  # the track has it all
    summary = resume("a.vostrack", engine=bright_engine, outputs=request("again"))
    assert_same_tracks("whole.vostrack", "a.vostrack")
    assert_same_outputs("once", "again")
    assert summary.losses == whole.losses
    assert whole.losses, "or no object was ever lost and found"


def said(clip, *places):
    return [vosctl.TimedPrompt.of(frame, key, mask=clip[frame] == key) for frame, key in places]


@pytest.mark.parametrize("count", [3, 14, STATE_INTERVAL + 7, 2 * STATE_INTERVAL + 12])
@pytest.mark.parametrize("direction", ["forward", "both"])
@pytest.mark.parametrize("engine", [SoftEngine, PairEngine])
def test_prompts_in_later_frames(clip, count, direction, engine):
    """Before the stop and after it; with soft masks, so that any difference shows."""
    prompts = said(clip, (2, 1), (9, 2), (STATE_INTERVAL + 5, 1), (COUNT - 5, 2))
    given: dict[str, Any] = {"prompts": prompts, "direction": direction, "engine": engine()}
    vosctl.segment("clip.mp4", track="whole.vostrack", **given)
    with pytest.raises(vosctl.VosctlError, match="enough"):
        vosctl.segment("clip.mp4", track="a.vostrack", events=StopsAfter(count), **given)
    resume("a.vostrack", engine=engine())
    assert_same_tracks("whole.vostrack", "a.vostrack")
    with Track(Path("whole.vostrack")) as track:
        assert [one.id for one in track[0].objects] == ([] if direction == "forward" else [1, 2])
        assert [one.id for one in track[COUNT - 1].objects] == [1, 2]


@pytest.mark.parametrize("direction", ["forward", "both"])
@pytest.mark.parametrize("count", [STATE_INTERVAL + 7, STATE_INTERVAL + 17])
def test_clicks_in_later_frames(clip, count, direction):
    """A click on the blue square, in a frame after or before the stop, adds it to the red one."""
    at = STATE_INTERVAL + 12
    y, x = np.argwhere(clip[at] == 2).mean(axis=0)
    prompts = [*said(clip, (0, 1)), vosctl.TimedPrompt.of(at, 1, points=[(x, y, True)])]
    given: dict[str, Any] = {"prompts": prompts, "direction": direction, "engine": SoftEngine()}
    with registered_prompt_engine(ColourPromptEngine()):
        vosctl.segment("clip.mp4", track="whole.vostrack", **given)
        with pytest.raises(vosctl.VosctlError, match="enough"):
            vosctl.segment("clip.mp4", track="a.vostrack", events=StopsAfter(count), **given)
        resume("a.vostrack", engine=SoftEngine())
    assert_same_tracks("whole.vostrack", "a.vostrack")
    with Track(Path("a.vostrack")) as track:
        assert ((track[at].labels == 1) == (clip[at] > 0)).mean() > 0.95


def test_a_part_of_a_video_with_prompts(clip, bright_engine):
    given: dict[str, Any] = {
        "prompts": said(clip, (11, 1), (41, 1), (51, 2)),
        "start": 5,
        "every": 2,
        "engine": bright_engine,
    }
    vosctl.segment("clip.mp4", track="whole.vostrack", **given)
    with pytest.raises(vosctl.VosctlError, match="enough"):
        vosctl.segment("clip.mp4", track="a.vostrack", events=StopsAfter(36), **given)
    resume("a.vostrack", engine=bright_engine)
    assert_same_tracks("whole.vostrack", "a.vostrack")


def test_a_complete_track_has_nothing_to_go_on_with(clip, bright_engine):
    vosctl.segment("clip.mp4", clip[0], track="a.vostrack", engine=bright_engine, max_frames=3)
    with pytest.raises(vosctl.UsageError, match="is complete"):
        resume("a.vostrack", engine=bright_engine)


def test_a_complete_track_keeps_no_state(clip, bright_engine):
    vosctl.segment("clip.mp4", clip[0], track="a.vostrack", engine=bright_engine)
    with Track(Path("a.vostrack")) as track:
        assert track.state() is None
    assert Path("a.vostrack").stat().st_size < 120_000


def test_a_damaged_state_is_told_and_the_result_is_the_same(clip, bright_engine):
    import sqlite3

    vosctl.segment("clip.mp4", clip[0], track="whole.vostrack", engine=bright_engine)
    stopped(clip, bright_engine, STATE_INTERVAL + 10)
    database = sqlite3.connect("a.vostrack", isolation_level=None)
    database.execute("UPDATE resuming SET state = replace(state, 'Framing', 'Nonesuch')")
    database.close()
    heard = StopsAfter(None)
    resume("a.vostrack", engine=bright_engine, events=heard)
    assert "tracked again from the first on" in heard.said[0]
    assert_same_tracks("whole.vostrack", "a.vostrack")


@pytest.mark.slow
def test_a_track_of_a_shared_engine_needs_no_engine(clip):
    shared = vosctl.EngineSettings(engine="onnx", precision="fp32").create()
    stopped(clip, shared, 3)
    heard = StopsAfter(None)
    summary = resume("a.vostrack", events=heard, max_frames=5)
    assert (summary.frames, summary.engine) == (5, shared.info)
    assert not any("was made with" in line for line in heard.said)


def test_another_engine_is_said(clip, bright_engine):
    stopped(clip, bright_engine, 10)
    with pytest.raises(vosctl.UsageError, match="an engine of a program's own, bright; give it as `engine`"):
        resume("a.vostrack")
    heard = StopsAfter(None)
    other = SoftEngine()
    other.info = replace(other.info, precision="bf16")
    resume("a.vostrack", engine=other, events=heard, max_frames=12)
    assert "was made with bright on fake" in heard.said[0]


def test_another_video(clip, bright_engine, tmp_path):
    stopped(clip, bright_engine, 10)
    write_video(tmp_path / "other.mp4", [square_frame(64, 96)[0]] * 8)
    with pytest.raises(vosctl.VosctlError, match="is of another video"):
        resume("a.vostrack", "other.mp4", engine=bright_engine)


def test_a_run_of_so_many_frames_stays_one(clip, bright_engine):
    """What `max_frames` was is in the track; another one may be given."""
    stopped(clip, bright_engine, 5, max_frames=9)
    assert resume("a.vostrack", engine=bright_engine, max_frames=7).frames == 7
    Path("a.vostrack").unlink()
    stopped(clip, bright_engine, 5, max_frames=9)
    assert resume("a.vostrack", engine=bright_engine).frames == 9
    with Track(Path("a.vostrack")) as track:
        assert (len(track), track.complete) == (9, True)


def test_so_many_frames_are_kept_when_it_is_stopped_again(clip, bright_engine):
    stopped(clip, bright_engine, 5, max_frames=9)
    with pytest.raises(vosctl.VosctlError, match="enough"):
        resume("a.vostrack", engine=bright_engine, max_frames=14, events=StopsAfter(12))
    assert resume("a.vostrack", engine=bright_engine).frames == 14


def test_fewer_frames_than_are_tracked_leave_the_track_to_be_gone_on_with(clip, bright_engine):
    stopped(clip, bright_engine, 10)
    with Track(Path("a.vostrack")) as track:
        known = len(track)
    with pytest.raises(vosctl.UsageError, match=f"`max_frames=4`: {known} frames are tracked already"):
        resume("a.vostrack", engine=bright_engine, max_frames=4)
    assert resume("a.vostrack", engine=bright_engine).frames == COUNT


@pytest.mark.parametrize("prompts", [(), [vosctl.TimedPrompt.of(0, 1, points=[(3, 20, True)])]])
def test_images_of_several_sizes_are_told_before_any_work(clip, bright_engine, tmp_path, prompts):
    """A run of fewer frames did not look at those after them."""
    (tmp_path / "pictures").mkdir()
    for number in range(8):
        Image.new("RGB", (96, 64 if number < 7 else 65)).save(tmp_path / "pictures" / f"{number}.png")
    with pytest.raises(vosctl.VosctlError, match="enough"):
        vosctl.segment(
            "pictures", clip[0], track="a.vostrack", engine=bright_engine, events=StopsAfter(3), max_frames=5
        )
    before = Path("a.vostrack").read_bytes()
    heard = StopsAfter(None)
    with pytest.raises(vosctl.UsageError, match=r"7\.png is 96x65 but 0\.png is 96x64"):
        resume(
            "a.vostrack", engine=bright_engine, max_frames=9, prompts=prompts, outputs=request("again"), events=heard
        )
    assert not heard.said
    assert not Path("again").exists()
    assert Path("a.vostrack").read_bytes() == before
    assert resume("a.vostrack", engine=bright_engine).frames == 5


def test_times_are_those_of_the_frames_that_are_tracked(clip, bright_engine):
    """Of the others only what the track has is read, in no time."""
    stopped(clip, bright_engine, STATE_INTERVAL + 5)

    class Slow(BrightObjectEngine):
        def propagate(self, images, masks, states):
            time.sleep(0.1)
            return super().propagate(images, masks, states)

    with Track(Path("a.vostrack")) as track:
        known = len(track)
    summary = resume("a.vostrack", engine=Slow(), max_frames=STATE_INTERVAL + 10)
    assert (summary.frames, summary.drawn) == (STATE_INTERVAL + 10, known)
    assert 0.1 <= summary.p50 <= summary.p95


@pytest.mark.parametrize("complete", ["true", "false"])
def test_a_live_run_is_not_gone_on_with(clip, bright_engine, complete):
    stopped(clip, bright_engine, 5)
    with Track(Path("a.vostrack")) as track:
        header = replace(track.header, live=True)
    with sqlite3.connect("a.vostrack") as database:
        database.execute("UPDATE header SET value = ? WHERE key = 'header'", (json.dumps(header.to_json()),))
        database.execute("UPDATE header SET value = ? WHERE key = 'complete'", (complete,))
    database.close()
    with pytest.raises(vosctl.UsageError, match="is of a live run, which cannot be gone on with"):
        resume("a.vostrack", engine=bright_engine)


def test_where_it_goes_on_is_a_frame_of_the_video(clip, bright_engine):
    stopped(clip[5], bright_engine, 5 + STATE_INTERVAL + 4, start=5)
    heard = StopsAfter(None)
    resume("a.vostrack", engine=bright_engine, events=heard)
    assert f"frames are tracked; goes on after frame {5 + STATE_INTERVAL}" in heard.said[0]
