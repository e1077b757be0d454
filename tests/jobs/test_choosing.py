"""Somebody is asked in later frames: for a new run, and to correct a track."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vosctl
from tests.helpers.frames import in_matroska, lose_frame, square_frame, write_video
from tests.jobs.test_resuming import BLUE, RED, SoftEngine, StopsAfter, assert_same_tracks
from vosctl.jobs.resuming import ResumeJob, resume
from vosctl.jobs.segment import SegmentJob
from vosctl.prompts.choices import ChoiceAt
from vosctl.prompts.drawn import DrawnPrompts
from vosctl.prompts.first_objects import FirstObjects
from vosctl.time_line import Place
from vosctl.tracks import Track

COUNT = 14


class Asked:
    """Draws what it is told to, by frame, and remembers what it was shown."""

    def __init__(self, **drawn):
        self.drawn = {int(number[1:]): labels for number, labels in drawn.items()}
        self.shown = []

    def __call__(self, shown):
        self.shown.append(shown)
        return self.drawn[shown.number]

    def at(self, *places):
        return tuple(ChoiceAt(Place.of(place), self) for place in places)


def left(shown):
    raise vosctl.VosctlError("the window was left")


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """clip.mp4 of two squares, with a key frame in each frame; the labels."""
    monkeypatch.chdir(tmp_path)
    made = [square_frame(64, 96, (1, RED, 8 + i, 6, 22), (2, BLUE, 60 - i, 36, 20)) for i in range(COUNT)]
    write_video(tmp_path / "clip.mp4", [image for image, _ in made], gop=1)
    return [labels for _, labels in made]


@pytest.fixture
def track(clip):
    """a.vostrack of the red square, and b.vostrack like it; the labels."""
    for name in ("a.vostrack", "b.vostrack"):
        vosctl.segment("clip.mp4", clip[0] == 1, track=name, engine=SoftEngine())
    return clip


def new_run(choices, **settings):
    outputs = vosctl.OutputRequest(track=Path("c.vostrack"), overwrite=True)
    job = {"objects": FirstObjects(), "outputs": outputs, "engine": SoftEngine(), **settings}
    return SegmentJob("clip.mp4", choices=choices, **job).run()


def test_a_track_is_corrected_as_by_the_file_of_what_was_drawn(track):
    asked = Asked(f6=np.where(track[6] == 2, 3, 0).astype(np.uint8), f9=track[9])
    drawn = DrawnPrompts(Path("p.json"))
    choices = tuple(ChoiceAt(Place.of(place), drawn.of_later(asked)) for place in (9, "0.24s"))
    before = list(Track(Path("a.vostrack")))
    ResumeJob("a.vostrack", engine=SoftEngine(), choices=choices).run()
    assert [shown.number for shown in asked.shown] == [6, 9], "in their order"
    for shown in asked.shown:
        assert np.array_equal(shown.labels, before[shown.number].labels)
        red = shown.image[track[shown.number] == 1].mean(axis=0)
        assert np.abs(red - RED).max() < 30
    assert [shown.ids for shown in asked.shown] == [(1,), (1, 3)]
    resume("b.vostrack", prompts="p.json", engine=SoftEngine())
    assert_same_tracks("b.vostrack", "a.vostrack")
    with Track(Path("a.vostrack")) as after:
        assert np.array_equal(after[6].labels == 3, track[6] == 2)
        assert any(not np.array_equal(new.labels, old.labels) for new, old in zip(after, before, strict=True))


def test_leaving_the_window_leaves_the_track(track):
    before = Path("a.vostrack").read_bytes()
    with pytest.raises(vosctl.VosctlError, match="was left"):
        ResumeJob("a.vostrack", engine=SoftEngine(), choices=(ChoiceAt(Place(frame=5), left),)).run()
    assert Path("a.vostrack").read_bytes() == before


@pytest.mark.parametrize(
    ("places", "prompts", "message"),
    [
        ([COUNT], [], "`choose_at=14`: lies beyond the end; the source has 14 frames"),
        ([5, "0.2s"], [], "`choose_at=0.2s`: is frame 5, which `choose_at=5` shows already"),
        ([5], [5], "`choose_at=5`: something is said in frame 5 in another way too"),
    ],
)
def test_what_cannot_be_asked_is_said_before_any_window(track, places, prompts, message):
    asked = Asked()
    said = tuple(vosctl.TimedPrompt.of(place, 1, mask=track[place] == 2) for place in prompts)
    for run in (
        lambda: ResumeJob("a.vostrack", engine=SoftEngine(), choices=asked.at(*places), prompts=said).run(),
        lambda: new_run(asked.at(*places), prompts=said),
    ):
        with pytest.raises(vosctl.UsageError) as error:
            run()
        assert message in str(error.value)
    assert not asked.shown


def test_mask_files_are_read_once_before_somebody_draws(track):
    """They may be gone by then; and what is wrong with one is told before."""
    Image.fromarray(track[0] == 1).save("first.png")
    said = (vosctl.TimedPrompt.of(0, 1, mask="first.png"),)
    shown = []

    def draw(frame):
        Path("first.png").unlink()
        shown.append(frame)
        return np.where(track[6] == 2, 2, 0).astype(np.uint8)

    choices = (ChoiceAt(Place(frame=6), draw),)
    new_run(choices, prompts=said)
    with Track(Path("c.vostrack")) as made:
        assert np.array_equal(made[0].labels == 1, track[0] == 1)
        assert np.array_equal(made[6].labels == 2, track[6] == 2)
    Image.fromarray(track[0] == 1).resize((48, 32)).save("first.png")
    for run in (
        lambda: new_run(choices, prompts=said),
        lambda: ResumeJob("a.vostrack", engine=SoftEngine(), choices=choices, prompts=said).run(),
    ):
        with pytest.raises(vosctl.UsageError, match=r"first\.png.* 48x32"):
            run()
    assert [one.ids for one in shown] == [(1,)]


def test_a_frame_that_was_lost(track):
    lose_frame(Path("clip.mp4"), 4)
    vosctl.segment("clip.mp4", track[0] == 1, track="l.vostrack", engine=SoftEngine())
    asked = Asked()
    with pytest.raises(vosctl.UsageError, match="holds no frame 4, which was too damaged"):
        ResumeJob("l.vostrack", engine=SoftEngine(), choices=asked.at(4)).run()
    with pytest.raises(vosctl.UsageError, match="frame 4 is lost, too damaged to be decoded; give another"):
        new_run(asked.at(4))
    assert not asked.shown


def test_a_pipe_shows_no_later_frame(clip, invoke, registered_bright_engine):
    video = in_matroska(Path("clip.mp4"), Path("clip.mkv"))
    result = invoke("segment", "-", "--select-at", "3", "--masks", "masks", input=video.read_bytes())
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "--select-at 3: stdin comes through a pipe or a network" in result.stderr
    assert not Path("masks").exists()


def test_a_run_that_was_stopped_shows_what_it_has(clip):
    with pytest.raises(vosctl.VosctlError, match="enough"):
        vosctl.segment("clip.mp4", clip[0] == 1, track="a.vostrack", engine=SoftEngine(), events=StopsAfter(7))
    with Track(Path("a.vostrack")) as stopped:
        known, last = len(stopped), stopped[3].labels
    asked = Asked(f3=clip[3], f12=clip[12])
    ResumeJob("a.vostrack", engine=SoftEngine(), choices=asked.at(3, 12)).run()
    assert known < 12
    assert np.array_equal(asked.shown[0].labels, last)
    assert not asked.shown[1].labels.any(), "it is not tracked yet"
    assert asked.shown[1].ids == (1, 2)
    with Track(Path("a.vostrack")) as whole:
        assert whole.complete
        assert len(whole) == COUNT
        assert np.array_equal(whole[12].labels, clip[12])


def test_a_new_run_may_begin_with_a_later_frame(clip):
    asked = Asked(f8=clip[8])
    new_run(asked.at(8))
    said = [vosctl.TimedPrompt.of(8, mask=clip[8])]
    vosctl.segment("clip.mp4", prompts=said, track="d.vostrack", engine=SoftEngine())
    assert_same_tracks("d.vostrack", "c.vostrack")
    assert asked.shown[0].ids == ()
    assert not asked.shown[0].labels.any()


def test_a_new_run_asks_beside_its_first_objects(clip):
    asked = Asked(f6=np.where(clip[6] == 2, 2, 0).astype(np.uint8))
    new_run(asked.at(6), objects=FirstObjects(mask=clip[0] == 1))
    assert asked.shown[0].ids == (1,)
    said = [vosctl.TimedPrompt.of(6, 2, mask=clip[6] == 2)]
    vosctl.segment("clip.mp4", clip[0] == 1, prompts=said, track="d.vostrack", engine=SoftEngine())
    assert_same_tracks("d.vostrack", "c.vostrack")


def test_outputs_are_checked_before_anybody_draws(clip):
    Path("c.vostrack").write_bytes(b"precious")
    asked = Asked(f6=clip[6])
    with pytest.raises(vosctl.UsageError, match="exists"):
        new_run(asked.at(6), outputs=vosctl.OutputRequest(track=Path("c.vostrack")))
    with pytest.raises(vosctl.UsageError, match="takes its objects from the first frame only; leave `choose_at` out"):
        new_run(asked.at(6), tracking=vosctl.TrackingSettings.paper())
    assert not asked.shown
