"""Objects that are said more than once: what is kept of the first place, and what is told of it."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import vosctl
from tests.helpers.engines import register_engine
from tests.helpers.frames import square_frame, write_video
from tests.jobs.test_resuming import PairEngine, StopsAfter
from vosctl.jobs.resuming import resume
from vosctl.tracks import Track
from vosctl.video.masks import write_indexed_png

COUNT = 16


class Agrees(PairEngine):
    """One whose references all agree, or none."""

    def __init__(self, agrees=True, one_reference=""):
        super().__init__()
        self.agrees, self.one_reference = agrees, one_reference

    def agree(self, first):
        return self.agrees


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """clip.mp4 of a square that moves; the labels."""
    monkeypatch.chdir(tmp_path)
    made = [square_frame(64, 96, (1, (230, 40, 40), 10 + 2 * i, 8 + i, 20)) for i in range(COUNT)]
    write_video(tmp_path / "clip.mp4", [image for image, _ in made])
    return [labels for _, labels in made]


def segmented(clip, engine, places=(0, 8), **settings):
    prompts = [vosctl.TimedPrompt.of(place, 1, mask=clip[place]) for place in places]
    heard = StopsAfter(None)
    given: dict[str, Any] = {"track": "a.vostrack", "overwrite": True, "events": heard, **settings}
    vosctl.segment("clip.mp4", prompts=prompts, engine=engine, **given)
    return heard.said


def forget_setting(path, name):
    """Have a track be one of a release that did not know a setting yet."""
    database = sqlite3.connect(path, isolation_level=None)
    (text,) = database.execute("SELECT value FROM header WHERE key = 'header'").fetchone()
    header = json.loads(text)
    del header["tracking"][name]
    database.execute("UPDATE header SET value = ? WHERE key = 'header'", (json.dumps(header),))
    database.close()


def words(lines, word):
    return [line for line in lines if word in line]


@pytest.mark.parametrize("direction", ["forward", "both"])
def test_two_that_agree_need_no_word(clip, direction):
    engine = Agrees()
    said = segmented(clip, engine, direction=direction)
    assert engine.joined == (1 if direction == "forward" else 2)
    assert not words(said, "object 1") + words(said, "reference")


@pytest.mark.parametrize("direction", ["forward", "both"])
def test_a_first_mask_that_is_left_aside_is_told(clip, direction):
    engine = Agrees(False)
    said = segmented(clip, engine, direction=direction)
    assert engine.joined == 0
    assert words(said, "object 1") == [
        "object 1: where it was first said something else is marked than in frame 8; left aside"
    ]
    heard = StopsAfter(None)
    resume("a.vostrack", prompts=[vosctl.TimedPrompt.of(12, 1, mask=clip[12])], engine=Agrees(False), events=heard)
    assert len(words(heard.said, "something else is marked than in frame 12")) == 1


def test_an_engine_that_reads_one_is_told(clip):
    engine = Agrees(one_reference="the made network reads one reference of an object")
    told = (
        "the made network reads one reference of an object; a correction takes the place of what was said of it before"
    )
    assert words(segmented(clip, engine), "reference") == [told]
    assert engine.joined == 0
    assert not words(segmented(clip, engine, places=(0,)), "reference")
    heard = StopsAfter(None)
    resume("a.vostrack", prompts=[vosctl.TimedPrompt.of(12, 1, mask=clip[12])], engine=engine, events=heard)
    assert words(heard.said, "reference") == [told]


def test_one_reference_can_be_asked_for(clip, invoke):
    write_indexed_png("m.png", clip[0])
    write_indexed_png("better.png", clip[8])
    engine = Agrees()
    asked = ["segment", "clip.mp4", "--first-mask", "m.png", "--mask", "8@better.png", "--track", "a.vostrack"]
    with register_engine(engine):
        result = invoke(*asked, "--references", "1")
        assert (result.exit_code, "takes the place" in result.stderr) == (0, False)
        assert engine.joined == 0
        with Track(Path("a.vostrack")) as track:
            assert track.header.tracking["references"] == 1
        assert invoke(*asked, "--overwrite").exit_code == 0
        assert engine.joined == 2


def test_a_track_of_an_earlier_release_goes_on_as_it_was_made(clip):
    segmented(clip, Agrees(), places=(0,))
    forget_setting("a.vostrack", "references")
    engine = Agrees()
    heard = StopsAfter(None)
    resume("a.vostrack", prompts=[vosctl.TimedPrompt.of(8, 1, mask=clip[8])], engine=engine, events=heard)
    assert engine.joined == 0
    assert len(words(heard.said, "is of a release that knew an object by one reference")) == 1
