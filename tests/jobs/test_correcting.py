"""More is said of the objects of a track: only what it changes is followed anew."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vosctl
from tests.helpers.frames import lose_frame, square_frame, write_video
from tests.helpers.prompts import ColourPromptEngine
from tests.jobs.test_resuming import BLUE, RED, PairEngine, SoftEngine, StopsAfter, assert_same_tracks, said
from tests.tracking.test_states import MemoryEngine
from vosctl.jobs.resuming import resume
from vosctl.prompts.segmenter import registered_prompt_engine
from vosctl.tracking.keeping import STATE_INTERVAL
from vosctl.tracks import Track
from vosctl.video.masks import read_indexed_png, write_indexed_png

COUNT = STATE_INTERVAL + 15


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """clip.mp4 of a red square and a blue one, which goes away for some frames; gives the labels."""
    monkeypatch.chdir(tmp_path)
    made = [
        square_frame(64, 96, (1, RED, 8 + i, 6, 22), (2, BLUE, 60 - i if not 17 <= i < 20 else 300, 36, 20))
        for i in range(COUNT)
    ]
    write_video(tmp_path / "clip.mp4", [image for image, _ in made])
    return [labels for _, labels in made]


def tracked(name, prompts, **settings):
    given: dict[str, Any] = {"engine": SoftEngine(), **settings}
    return vosctl.segment("clip.mp4", prompts=prompts, track=name, overwrite=True, **given)


PLACES = [
    ([0], [20]),
    ([0, 30], [20]),
    ([0], [12, 35]),
    ([30], [10]),
    ([0, 10, 20, 30], [15]),
    ([0, 20], [20, 25]),
    ([30, 35], [8]),
    ([0, 20, 33], [0]),
]


@pytest.mark.parametrize("direction", ["both", "forward"])
@pytest.mark.parametrize(("earlier", "new"), PLACES)
@pytest.mark.parametrize("engine", [SoftEngine, PairEngine])
def test_one_object_is_as_if_all_had_been_said_at_once(clip, earlier, new, direction, engine):
    """The first of the places is that of the other square, so that every frame changes with what is followed."""
    first = [vosctl.TimedPrompt.of(place, 1, mask=clip[place] == 1) for place in earlier]
    later = [vosctl.TimedPrompt.of(place, 1, mask=clip[place] == 2) for place in new]
    kept = [prompt for prompt, place in zip(first, earlier, strict=True) if place not in new]
    tracked("whole.vostrack", [*kept, *later], direction=direction, engine=engine())
    tracked("a.vostrack", first, direction=direction, engine=engine())
    before = Path("a.vostrack").read_bytes()
    summary = resume("a.vostrack", prompts=later, engine=engine())
    assert_same_tracks("whole.vostrack", "a.vostrack")
    assert Path("a.vostrack").read_bytes() != before
    assert summary.outputs == (Path("a.vostrack"),)
    assert summary.engine.engine == "fake"


def test_only_what_changes_is_followed(clip, bright_engine):
    tracked("a.vostrack", said(clip, (0, 1), (0, 2), (20, 1)), engine=bright_engine)
    with Track(Path("a.vostrack")) as track:
        before = list(track)
    bright_engine.batches.clear()
    heard = StopsAfter(None)
    resume("a.vostrack", prompts=said(clip, (30, 1)), engine=bright_engine, events=heard)
    assert len(bright_engine.batches) == (COUNT - 1 - 30) + (30 - 21)
    assert f"a.vostrack: corrected, {COUNT - 21} of its {COUNT} frames are tracked anew" in heard.said
    with Track(Path("a.vostrack")) as track:
        for number in range(21):
            np.testing.assert_array_equal(track[number].alpha, before[number].alpha)
        for number in range(COUNT):
            np.testing.assert_array_equal(track[number].labels == 2, before[number].labels == 2)


class Ends(vosctl.Events):
    """Hears the ends of runs."""

    def __init__(self):
        self.summaries = []
        self.said = []

    def note(self, line):
        self.said.append(line)

    def finished(self, summary):
        self.summaries.append(summary)


@pytest.mark.parametrize("place", [0, 20])
def test_the_summary_counts_each_frame_once_and_is_told_as_it_is_returned(clip, place):
    """The frame in which something is said, and those between two places, are followed both ways."""
    tracked("a.vostrack", said(clip, (0, 1), (30, 1)))
    new = [vosctl.TimedPrompt.of(place, 1, mask=clip[place] == 2)]
    heard = Ends()
    summary = resume("a.vostrack", prompts=new, engine=SoftEngine(), events=heard)
    assert f"a.vostrack: corrected, {summary.frames} of its {COUNT} frames are tracked anew" in heard.said
    masks = vosctl.OutputRequest(masks=Path("masks"))
    drawn = resume("a.vostrack", prompts=new, engine=SoftEngine(), events=heard, outputs=masks)
    assert (drawn.frames, drawn.drawn, drawn.outputs) == (COUNT, COUNT, (Path("masks"), Path("a.vostrack")))
    assert drawn.engine is not None
    assert heard.summaries == [summary, drawn]


def test_another_object_stays_as_it_is_and_gives_way(clip, bright_engine):
    tracked("a.vostrack", said(clip, (0, 1)), engine=bright_engine)
    resume("a.vostrack", prompts=said(clip, (30, 2)), engine=bright_engine)
    with Track(Path("a.vostrack")) as track:
        for number, result in enumerate(track):
            assert (result.labels == clip[number]).mean() > 0.97, number
            seen = {one.id: one.status for one in result.objects}
            assert seen == {1: "tracked", 2: "tracked" if 2 in clip[number] else "lost"}


def test_clicks_correct_what_the_track_shows(clip):
    tracked("a.vostrack", said(clip, (0, 1)))
    y, x = np.argwhere(clip[20] == 2).mean(axis=0)
    with registered_prompt_engine(ColourPromptEngine()):
        resume("a.vostrack", prompts=[vosctl.TimedPrompt.of(20, 1, points=[(x, y, True)])], engine=SoftEngine())
    with Track(Path("a.vostrack")) as track:
        assert ((track[20].labels == 1) == (clip[20] > 0)).mean() > 0.95
        entries: Any = track.header.said["prompts"]
    assert [(entry["at"], "rle" in entry) for entry in entries] == [(0, True), (20, True)]


@pytest.mark.parametrize("engine", [SoftEngine, PairEngine])
@pytest.mark.parametrize("places", [[10], [STATE_INTERVAL + 3], [STATE_INTERVAL + 12], [COUNT - 4]])
def test_a_run_that_was_stopped_goes_on_with_what_is_said_now(clip, places, engine):
    """The state that it goes on from is corrected too, whether the new place is before or after it."""
    later = [vosctl.TimedPrompt.of(place, 1, mask=clip[place] == 2) for place in places]
    tracked("whole.vostrack", [*said(clip, (0, 1)), *later], engine=engine())
    with pytest.raises(vosctl.VosctlError, match="enough"):
        tracked("a.vostrack", said(clip, (0, 1)), engine=engine(), events=StopsAfter(STATE_INTERVAL + 8))
    resume("a.vostrack", prompts=later, engine=engine(), outputs=vosctl.OutputRequest(masks=Path("masks")))
    assert_same_tracks("whole.vostrack", "a.vostrack")
    assert len(list(Path("masks").iterdir())) == COUNT


def test_a_part_of_a_video(clip):
    part: dict[str, Any] = {"start": 5, "every": 2}
    new = [vosctl.TimedPrompt.of(21, 1, mask=clip[21] == 2)]
    tracked("whole.vostrack", [*said(clip, (5, 1), (31, 1)), *new], **part)
    tracked("a.vostrack", said(clip, (5, 1), (31, 1)), **part)
    resume("a.vostrack", prompts=new, engine=SoftEngine())
    assert_same_tracks("whole.vostrack", "a.vostrack")
    with pytest.raises(vosctl.UsageError, match="leaves frame 20 out; the next ones are 19 and 21"):
        resume("a.vostrack", prompts=said(clip, (20, 1)), engine=SoftEngine())


def test_a_network_with_a_memory(clip):
    """It keeps no state: a run that was stopped is gone on with from the first frame, with all that is said."""
    new = [vosctl.TimedPrompt.of(10, 1, mask=clip[10] == 2)]
    tracked("whole.vostrack", [*said(clip, (0, 1)), *new], engine=MemoryEngine())
    with pytest.raises(vosctl.VosctlError, match="enough"):
        tracked("a.vostrack", said(clip, (0, 1)), engine=MemoryEngine(), events=StopsAfter(STATE_INTERVAL + 8))
    resume("a.vostrack", prompts=new, engine=MemoryEngine())
    assert_same_tracks("whole.vostrack", "a.vostrack")


def test_fewer_frames_than_are_tracked_are_refused_before_the_track_is_changed(clip, bright_engine):
    with pytest.raises(vosctl.VosctlError, match="enough"):
        tracked("a.vostrack", said(clip, (0, 1)), engine=bright_engine, events=StopsAfter(8))
    before = Path("a.vostrack").read_bytes()
    with pytest.raises(vosctl.UsageError, match=r"`max_frames=3`: \d frames are tracked already"):
        resume("a.vostrack", prompts=said(clip, (2, 1)), engine=bright_engine, max_frames=3)
    assert Path("a.vostrack").read_bytes() == before


def test_a_state_that_is_damaged(clip):
    new = [vosctl.TimedPrompt.of(10, 1, mask=clip[10] == 2)]
    tracked("whole.vostrack", [*said(clip, (0, 1)), *new])
    with pytest.raises(vosctl.VosctlError, match="enough"):
        tracked("a.vostrack", said(clip, (0, 1)), events=StopsAfter(STATE_INTERVAL + 8))
    database = sqlite3.connect("a.vostrack", isolation_level=None)
    database.execute("UPDATE resuming SET state = replace(state, 'Framing', 'Nonesuch')")
    database.close()
    heard = StopsAfter(None)
    resume("a.vostrack", prompts=new, engine=SoftEngine(), events=heard)
    assert any("tracked again from the first on" in line for line in heard.said)
    assert_same_tracks("whole.vostrack", "a.vostrack")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ('"said": []', "header is damaged"),
        ('"said": {"prompts": 3}', "prompts is not a list"),
        ('"said": {"prompts": [{"at": 0, "object": 1}]}', "give one of mask, rle, or box and points"),
        ('"said": {"prompts": [{"at": 900, "object": 1, "box": [1, 2, 3, 4]}]}', "frame 900 for object 1: lies beyond"),
    ],
)
def test_a_track_that_says_nonsense(clip, bright_engine, wrong, message):
    tracked("a.vostrack", said(clip, (0, 1)), engine=bright_engine)
    database = sqlite3.connect("a.vostrack", isolation_level=None)
    (header,) = database.execute("SELECT value FROM header WHERE key = 'header'").fetchone()
    start = header.index('"said"')
    database.execute("UPDATE header SET value = ? WHERE key = 'header'", (header[:start] + wrong + "}",))
    database.close()
    with pytest.raises(vosctl.VosctlError, match=message):
        resume("a.vostrack", prompts=said(clip, (3, 1)), engine=bright_engine)


def test_what_was_said_anew_is_said(clip, bright_engine):
    tracked("a.vostrack", said(clip, (0, 1)), engine=bright_engine)
    heard = StopsAfter(None)
    resume("a.vostrack", prompts=[vosctl.TimedPrompt.of(0, 1, mask=clip[0] == 2)], engine=bright_engine, events=heard)
    assert "object 1 was said in frame 0 already; what is said now takes its place" in heard.said
    with Track(Path("a.vostrack")) as track:
        assert ((track[5].labels == 1) == (clip[5] == 2)).mean() > 0.97


def test_boxes_without_a_time_are_of_the_first_frame(clip, registered_bright_engine, invoke, tmp_path):
    write_indexed_png(tmp_path / "m.png", (clip[0] == 1).astype(np.uint8))
    assert invoke("segment", "clip.mp4", "--first-mask", "m.png", "--track", "a.vostrack").exit_code == 0
    result = invoke("segment", "--resume", "a.vostrack", "--box", "2=56,32,28,28")
    assert result.exit_code == 0, result.output
    with Track(Path("a.vostrack")) as track:
        assert (track[5].labels == clip[5]).mean() > 0.97
    refused = invoke("segment", "--resume", "a.vostrack", "--first-mask", "m.png")
    assert "--first-mask: is the track's own with --resume; leave it out" in refused.stderr
    nothing = invoke("segment", "--resume", "a.vostrack")
    assert "a --mask, --box or --point corrects it" in nothing.stderr


def test_outputs_are_drawn_of_the_corrected_track(clip, registered_bright_engine, invoke, tmp_path):
    write_indexed_png(tmp_path / "m.png", (clip[0] == 1).astype(np.uint8))
    write_indexed_png(tmp_path / "better.png", (clip[20] == 2).astype(np.uint8))
    assert invoke("segment", "clip.mp4", "--first-mask", "m.png", "--track", "a.vostrack").exit_code == 0
    result = invoke("segment", "--resume", "a.vostrack", "--mask", "20@1=better.png", "--masks", "masks")
    assert result.exit_code == 0, result.output
    assert f"a.vostrack: corrected, {COUNT - 1} of its {COUNT} frames are tracked anew" in result.stderr
    found = [read_indexed_png(path) for path in sorted(Path("masks").iterdir())]
    for number, true in ((0, 1), (3, 1), (18, 1), (20, 2), (COUNT - 1, 2)):
        expected = 2 if true == 2 else 1
        assert ((found[number] == 1) == (clip[number] == expected)).mean() > 0.97, number


KILLED = """
import os, signal
import numpy as np
import vosctl
from tests.helpers.engines import BrightObjectEngine
from vosctl.jobs.resuming import resume

class Kills(vosctl.Events):
    def frame(self, frame, result):
        if frame.index == 30:
            os.kill(os.getpid(), signal.SIGKILL)

resume("a.vostrack", prompts=[vosctl.TimedPrompt.of(20, 1, mask=np.load("m.npy"))], engine=BrightObjectEngine(),
       events=Kills())
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no such signal")
def test_a_kill_leaves_the_track_as_it_was(clip, bright_engine):
    tracked("a.vostrack", said(clip, (0, 1)), engine=bright_engine)
    before = Path("a.vostrack").read_bytes()
    np.save("m.npy", clip[20] == 2)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    assert subprocess.run([sys.executable, "-c", KILLED], env=environment, check=False).returncode == -signal.SIGKILL
    assert Path("a.vostrack").read_bytes() == before


def test_a_track_that_grows_meanwhile_is_left_alone(clip, bright_engine):
    tracked("a.vostrack", said(clip, (0, 1)), engine=bright_engine)

    class Grows(vosctl.Events):
        def frame(self, frame, result):
            if frame.index == 30:
                database = sqlite3.connect("a.vostrack", isolation_level=None)
                database.execute("INSERT INTO frames SELECT 1000, 1000, 0, 0, NULL, 0, 0, x'' FROM frames LIMIT 1")
                database.close()

    with pytest.raises(vosctl.VosctlError, match="is being written by another run; end that first"):
        resume("a.vostrack", prompts=said(clip, (20, 1)), engine=bright_engine, events=Grows())
    with Track(Path("a.vostrack")) as track:
        entries: Any = track.header.said["prompts"]
    assert [entry["at"] for entry in entries] == [0]


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ([{"at": COUNT, "box": (5, 5, 20, 20)}], f"frame {COUNT} for object 1: lies beyond the end; the source has"),
        ([{"at": COUNT - 1, "box": (5, 5, 20, 20)}], "lies beyond the track, whose last frame is 29"),
        (
            [{"at": 3, "box": (5, 5, 20, 20)}, {"at": "0.12s", "box": (9, 9, 20, 20)}],
            "object 1 is said twice in frame 3",
        ),
        ([{"at": 3, "mask": "absent.png"}], "absent.png: no such mask"),
        ([{"at": 3, "mask": np.ones((5, 5), bool)}], "prompt at frame 3: is 5x5, the frames are 96x64"),
        ([{"at": 3, "object_id": 7, "points": [(5, 5, False)]}], "`point`: none of them is on the object"),
        (
            [
                {"at": 3, "mask": np.ones((64, 96), bool), "object_id": 1},
                {"at": 3, "mask": np.ones((64, 96), np.uint8) * 2},
            ],
            "is wholly covered by a later one",
        ),
    ],
)
def test_what_cannot_be_served_changes_nothing(clip, bright_engine, prompts, message):
    tracked("a.vostrack", said(clip, (0, 1)), engine=bright_engine, max_frames=30)
    before = Path("a.vostrack").read_bytes()
    bright_engine.batches.clear()
    with pytest.raises(vosctl.UsageError, match=message):
        resume("a.vostrack", prompts=[vosctl.TimedPrompt.of(**given) for given in prompts], engine=bright_engine)
    assert Path("a.vostrack").read_bytes() == before
    assert bright_engine.batches == []


@contextmanager
def as_nobody():
    """Act as a user for whom permissions hold, where root runs the tests."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="permissions are other ones there")
@pytest.mark.parametrize("shut", ["folder", "track"])
def test_a_track_that_may_not_be_changed_is_told_before_the_work(clip, bright_engine, shut):
    tracked("whole.vostrack", said(clip, (0, 1)), engine=bright_engine)
    with pytest.raises(vosctl.VosctlError, match="enough"):
        tracked("a.vostrack", said(clip, (0, 1)), engine=bright_engine, events=StopsAfter(30))
    more = said(clip, (20, 1))
    with tempfile.TemporaryDirectory() as made:  # where anybody may look, as not in `tmp_path`
        folder = Path(made)
        for name in ("whole.vostrack", "a.vostrack", "clip.mp4"):
            shutil.copyfile(name, folder / name)
            (folder / name).chmod(0o444 if shut == "track" else 0o666)
        folder.chmod(0o555 if shut == "folder" else 0o777)
        for name, prompts in (("whole", more), ("a", more), ("a", ())):
            path = folder / f"{name}.vostrack"
            before = path.read_bytes()
            bright_engine.batches.clear()
            message = f"{path}: cannot be changed: .*; make it and its folder writable, or take a copy of it"
            with as_nobody(), pytest.raises(vosctl.VosctlError, match=message):
                resume(path, prompts=prompts, engine=bright_engine)
            assert path.read_bytes() == before
            assert bright_engine.batches == []
        folder.chmod(0o777)


def test_a_track_that_another_run_writes_is_told_before_the_work(clip, bright_engine):
    tracked("a.vostrack", said(clip, (0, 1)), engine=bright_engine)
    bright_engine.batches.clear()
    with closing(sqlite3.connect("a.vostrack", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        with pytest.raises(vosctl.VosctlError, match="is being written by another run; end that first"):
            resume("a.vostrack", prompts=said(clip, (20, 1)), engine=bright_engine)
    assert bright_engine.batches == []


def test_points_beyond_what_is_tracked(clip, bright_engine):
    with pytest.raises(vosctl.VosctlError, match="enough"):
        tracked("a.vostrack", said(clip, (0, 1)), engine=bright_engine, events=StopsAfter(10))
    with pytest.raises(
        vosctl.UsageError, match="frame 20 for object 1: lies beyond what is tracked, whose last frame is"
    ):
        resume("a.vostrack", prompts=[vosctl.TimedPrompt.of(20, 1, points=[(5, 5, True)])], engine=bright_engine)


def test_another_video_and_a_newer_track(clip, bright_engine, tmp_path):
    tracked("a.vostrack", said(clip, (0, 1)), engine=bright_engine)
    write_video(tmp_path / "other.mp4", [square_frame(64, 96)[0]] * 8)
    with pytest.raises(vosctl.VosctlError, match="is of another video"):
        resume("a.vostrack", "other.mp4", prompts=said(clip, (3, 1)), engine=bright_engine)
    database = sqlite3.connect("a.vostrack", isolation_level=None)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(vosctl.UsageError, match="was written by a newer vosctl"):
        resume("a.vostrack", prompts=said(clip, (3, 1)), engine=bright_engine)


def test_frames_that_are_lost_in_a_damaged_video_are_not_counted(tmp_path, monkeypatch, bright_engine):
    """The track has a frame less than the video: a correction is of the frame that it names, and reaches the last."""
    monkeypatch.chdir(tmp_path)
    made = [square_frame(64, 96, (1, RED, 8 + i, 6, 22), (2, BLUE, 60 - i, 36, 20)) for i in range(12)]
    write_video(tmp_path / "clip.mp4", [image for image, _ in made], gop=1)
    lose_frame(tmp_path / "clip.mp4", 5)
    labels = [one for _, one in made]
    vosctl.segment("clip.mp4", labels[0] == 1, track="a.vostrack", engine=bright_engine)
    resume("a.vostrack", prompts=[vosctl.TimedPrompt.of(9, 1, mask=labels[9] == 2)], engine=bright_engine)
    with Track(Path("a.vostrack")) as track:
        found = {kept.index: result.labels == 1 for kept, result in zip(track.frames(), track, strict=True)}
    assert sorted(found) == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    for number, one in ((0, 1), (8, 2), (9, 2), (10, 2), (11, 2)):
        assert (found[number] == (labels[number] == one)).mean() > 0.97, number
    with pytest.raises(vosctl.UsageError, match=r"a\.vostrack: holds no frame 5, which was too damaged"):
        resume("a.vostrack", prompts=[vosctl.TimedPrompt.of(5, 1, mask=labels[5] == 2)], engine=bright_engine)


def test_a_run_that_goes_forwards_only_is_corrected_forwards_only(clip, bright_engine):
    """Though all that it was told is said in the first frame."""
    vosctl.segment("clip.mp4", clip[0] == 1, track="a.vostrack", direction="forward", engine=bright_engine)
    resume("a.vostrack", prompts=[vosctl.TimedPrompt.of(30, 2, mask=clip[30] == 2)], engine=bright_engine)
    with Track(Path("a.vostrack")) as track:
        assert [len(result.objects) for result in track] == 30 * [1] + (COUNT - 30) * [2]
        assert track.header.said["direction"] == "forward"
