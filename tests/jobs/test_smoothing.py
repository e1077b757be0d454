"""Smoothing through time: how it is asked for, and that a run which goes on does as it began."""

from pathlib import Path

import numpy as np
import pytest

import vosctl
from tests.helpers.engines import BrightObjectEngine, register_engine
from tests.helpers.frames import square_frame, write_video
from tests.jobs.test_references import forget_setting
from tests.jobs.test_resuming import SoftEngine, assert_same_tracks, stopped
from vosctl.batching.lists import read_list
from vosctl.jobs.resuming import resume
from vosctl.tracks import Track
from vosctl.video.masks import write_indexed_png

COUNT = 36


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """clip.mp4 of a square that moves, m.png its first mask; the labels of that."""
    monkeypatch.chdir(tmp_path)
    made = [square_frame(64, 96, (1, (230, 40, 40), 10 + i, 8, 30)) for i in range(COUNT)]
    write_video(tmp_path / "clip.mp4", [image for image, _ in made])
    write_indexed_png(tmp_path / "m.png", made[0][1])
    return made[0][1]


def whole(clip, smoothing):
    name = f"{smoothing}.vostrack"
    settings = vosctl.TrackingSettings(temporal_smoothing=smoothing)
    vosctl.segment("clip.mp4", clip, track=name, engine=SoftEngine(), tracking=settings)
    return name


def alphas(path):
    with Track(Path(path)) as track:
        return np.stack([kept.alpha for kept in track])


@pytest.mark.parametrize("smoothing", [None, False])
def test_a_run_goes_on_as_it_began(clip, smoothing):
    wanted = whole(clip, smoothing)
    stopped(clip, SoftEngine(), 30, tracking=vosctl.TrackingSettings(temporal_smoothing=smoothing))
    resume("a.vostrack", engine=SoftEngine())
    assert_same_tracks(wanted, "a.vostrack")
    with Track(Path("a.vostrack")) as track:
        assert track.header.tracking["temporal_smoothing"] is (smoothing is None)


def test_the_masks_are_others_without(clip):
    assert (alphas(whole(clip, None)) != alphas(whole(clip, False))).any()


def test_a_run_of_an_earlier_release_goes_on_without(clip):
    wanted = whole(clip, False)
    stopped(clip, SoftEngine(), 30, tracking=vosctl.TrackingSettings(temporal_smoothing=False))
    forget_setting("a.vostrack", "temporal_smoothing")
    resume("a.vostrack", engine=SoftEngine())
    assert_same_tracks(wanted, "a.vostrack")


def test_it_is_turned_off_by_an_option(clip, invoke):
    ask = ["segment", "clip.mp4", "--first-mask", "m.png", "--overwrite", "--track", "a.vostrack"]
    with register_engine(BrightObjectEngine()):
        for options, smooths in (([], True), (["--temporal-smoothing", "off"], False)):
            result = invoke(*ask, *options)
            assert result.exit_code == 0, result.output
            with Track(Path("a.vostrack")) as track:
                assert track.header.tracking["temporal_smoothing"] is smooths


@pytest.mark.parametrize("beside", [["--on-device"], ["--window", "off"], ["--paper-protocol"]])
def test_where_it_cannot_be_done_it_is_refused(clip, invoke, beside):
    result = invoke("segment", "clip.mp4", "--first-mask", "m.png", "--temporal-smoothing", "on", *beside)
    assert result.exit_code == 2
    assert "--temporal-smoothing on: is done in crops on the CPU" in result.stderr
    assert f"or {' '.join(beside)} out" in result.stderr


def test_live_runs_take_the_option_too(clip, invoke):
    options = ["--no-window", "--first-mask", "m.png", "--temporal-smoothing", "on", "--on-device"]
    result = invoke("webcam", "clip.mp4", *options)
    assert result.exit_code == 2
    assert "--temporal-smoothing on: is done in crops on the CPU" in result.stderr


def test_a_list_may_say_it_of_a_job(clip, tmp_path):
    (tmp_path / "jobs.csv").write_text("source,first_mask,temporal_smoothing\nclip.mp4,m.png,false\nclip.mp4,m.png,\n")
    jobs = read_list(tmp_path / "jobs.csv", vosctl.JobOptions()).jobs
    assert [job.options.tracking.smooths for job in jobs] == [False, True]
