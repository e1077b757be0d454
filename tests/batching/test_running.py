"""One job of many, run to whatever end it has."""

import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import vosctl
from tests.helpers.engines import BrightObjectEngine
from tests.helpers.prompts import ColourPromptEngine
from vosctl.batching import BatchJob, JobOptions, JobResult, run_job
from vosctl.prompts.segmenter import registered_prompt_engine
from vosctl.time_line import Span
from vosctl.tracks import Track
from vosctl.video.masks import read_indexed_png, write_indexed_png

from .conftest import FRAMES


def job(name="a", **changes):
    given = {"outputs": {"masks": f"out/{name}/masks"}, "first_mask": (f"v/{name}.png",)} | changes
    return BatchJob(name, f"v/{name}.mp4", **given)


def test_a_job_that_is_done(clips, bright_engine):
    clips("a")
    told = []
    result = run_job(job(), bright_engine, lambda count, expected: told.append((count, expected)))
    assert (result.state, result.frames, result.error) == ("done", FRAMES, None)
    assert result.outputs == (str(Path("out/a/masks")),)
    assert len(list(Path("out/a/masks").iterdir())) == FRAMES
    assert told == [(count, FRAMES) for count in range(1, FRAMES + 1)]
    assert result.seconds > 0
    assert JobResult.from_line(result.to_line()) == replace(result, seconds=round(result.seconds, 3))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"first_mask": ("v/none.png",)}, "v/none.png: no such mask"),
        ({"first_mask": ()}, "what to follow is not said"),
        ({"source": "v/none.mp4"}, "v/none.mp4: no such file"),
        ({"prompts": "v/none.json"}, "v/none.json: no such file"),
        ({"outputs": {"overlay": "out/a.xyz"}}, "a.xyz"),
        ({"problem": "nothing beside it"}, "nothing beside it"),
        ({"options": JobOptions(max_frames=0)}, "max_frames=0"),
    ],
)
def test_a_job_that_fails_says_why_and_leaves_nothing(clips, bright_engine, changes, message):
    clips("a")
    result = run_job(replace(job(), **changes), bright_engine)
    assert result.state == "failed"
    assert message in result.error
    assert "\n" not in result.error
    assert not list(Path().glob("out/**/*.*"))


def test_an_error_of_a_program_is_a_result_too(clips):
    clips("a")

    class Broken(BrightObjectEngine):
        def propagate(self, images, masks, states):
            raise ZeroDivisionError("no\nway")

    result = run_job(job(), Broken())
    assert result.error == "unexpected ZeroDivisionError: no; this is a bug in vosctl"
    assert not list(Path().glob("out/**/*.png"))


def test_what_is_half_written_is_removed(clips):
    clips("a")

    class Fails(BrightObjectEngine):
        def propagate(self, images, masks, states):
            if len(self.batches) == 4:
                raise vosctl.VosctlError("enough")
            return super().propagate(images, masks, states)

    result = run_job(job(outputs={"masks": "out/masks", "overlay": "out/o.mp4"}), Fails())
    assert (result.error, result.frames) == ("enough", 5)
    assert not Path("out").exists()
    Path("out").mkdir()
    run_job(job(outputs={"masks": "out/a/masks", "overlay": "out/a/o.mp4"}), Fails())
    assert list(Path("out").iterdir()) == [], "a folder that was there stays"


def test_jobs_can_be_sent_to_other_processes(clips):
    array = np.zeros((64, 96), np.uint8)
    sent = replace(job(first_mask=array), prompts=(vosctl.TimedPrompt.of(3, 2, box=(1, 2, 30, 40)),))
    got = pickle.loads(pickle.dumps(sent))
    assert got.digest == sent.digest
    assert got.prompts[0].at == sent.prompts[0].at


def test_jobs_that_ask_for_something_else_are_told_apart(clips):
    first = job()
    assert first.digest == replace(first, options=JobOptions(overwrite=True), resume=True).digest
    on_gpu = replace(first, options=JobOptions(decoder="nvdec"))
    assert on_gpu.digest == first.digest
    assert on_gpu.segment_job(vosctl.EngineSettings(), vosctl.Events()).decoder == "nvdec"
    assert first.digest == replace(first, options=JobOptions(object_names={})).digest
    others = [
        job("b"),
        replace(first, options=JobOptions(object_names={1: "mouse"})),
        replace(first, options=JobOptions(object_names={1: "fish"})),
        replace(first, options=JobOptions(max_frames=3)),
        replace(first, first_mask=("v/b.png",)),
        replace(first, objects={1: vosctl.Prompt.of((1, 2, 30, 40))}),
        replace(first, objects={1: vosctl.Prompt.of((1, 2, 30, 41))}),
        replace(first, prompts=(vosctl.TimedPrompt.of(3, 1, box=(1, 2, 30, 40)),)),
        replace(first, prompts=(vosctl.TimedPrompt.of(3, 1, box=(1, 2, 30, 41)),)),
        replace(first, first_mask=np.zeros((64, 96), np.uint8)),
        replace(first, first_mask=np.ones((64, 96), np.uint8)),
    ]
    assert len({first.digest, *(one.digest for one in others)}) == len(others) + 1


class FailsAt(BrightObjectEngine):
    """An engine that fails once, at a step."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def propagate(self, images, masks, states):
        if len(self.batches) == self.step:
            self.step = None
            raise vosctl.VosctlError("enough")
        return super().propagate(images, masks, states)


LONG = 40  # frames; the tracker's state is kept every 25


def masks_in(folder):
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def test_a_long_video_is_gone_on_with(clips, bright_engine):
    clips("a", frames=LONG)
    run_job(job("a", outputs={"masks": "whole"}), bright_engine)
    wanted = job(outputs={"masks": "out/a"}, progress="out/.progress/a.vostrack", long=LONG)
    engine = FailsAt(34)
    assert run_job(wanted, engine).error == "enough"
    assert not Path("out/a").exists()
    with Track(Path("out/.progress/a.vostrack")) as track:
        assert len(track) > 25
    before = len(engine.batches)
    result = run_job(replace(wanted, resume=True), engine)
    assert (result.state, result.frames, result.outputs) == ("done", LONG, (str(Path("out/a")),))
    assert len(engine.batches) - before == LONG - 1 - 25, "frames before the state that was kept are not tracked again"
    assert masks_in("out/a") == masks_in("whole")
    assert not Path("out/.progress/a.vostrack").exists()


@pytest.mark.parametrize("direction", ["both", "forward"])
def test_a_long_video_with_prompts_in_later_frames_is_gone_on_with(clips, direction):
    clips("a", "b", frames=LONG)
    prompts = tuple(vosctl.TimedPrompt.of(at, 1, box=(6 + 2 * at, 14, 28, 28)) for at in (3, 20))
    wanted = job(
        outputs={"masks": "out/a"},
        first_mask=(),
        prompts=prompts,
        options=JobOptions(direction=direction),
        progress="out/.progress/a.vostrack",
        long=LONG,
    )
    with registered_prompt_engine(ColourPromptEngine()):
        whole = FailsAt(None)
        assert run_job(replace(wanted, outputs={"masks": "whole"}, progress=None), whole).error is None
        engine = FailsAt(len(whole.batches) - 5)
        assert run_job(wanted, engine).error == "enough"
        with Track(Path("out/.progress/a.vostrack")) as track:
            assert len(track) > 25
        before = len(engine.batches)
        result = run_job(replace(wanted, resume=True), engine)
    assert (result.state, result.frames) == ("done", LONG), result.error
    assert not result.warnings
    assert len(engine.batches) - before < len(whole.batches) - 20, "not from the first frame on"
    assert masks_in("out/a") == masks_in("whole")


def test_a_track_followed_in_other_directions_is_not_gone_on_with(clips):
    clips("a", frames=LONG)
    mask = vosctl.TimedPrompt.of(3, 1, mask="v/a.png")
    forward = job(
        outputs={"masks": "out/a"},
        first_mask=(),
        prompts=(mask,),
        options=JobOptions(direction="forward"),
        progress="out/a.vostrack",
        long=LONG,
    )
    run_job(forward, FailsAt(34))
    assert Path("out/a.vostrack").exists()
    whole, engine = BrightObjectEngine(), BrightObjectEngine()
    both = replace(forward, options=JobOptions(direction="both"))
    assert run_job(replace(both, outputs={"masks": "whole"}, progress=None), whole).error is None
    assert run_job(replace(both, resume=True), engine).error is None
    assert len(engine.batches) == len(whole.batches)
    assert masks_in("out/a") == masks_in("whole")


def test_no_progress_is_kept_of_a_short_video(clips):
    clips("a", frames=LONG)
    wanted = job(outputs={"masks": "out/a"}, progress="out/a.vostrack", long=LONG + 1)
    assert run_job(wanted, FailsAt(34)).error == "enough"
    assert not Path("out/a.vostrack").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"options": JobOptions(tracking=vosctl.TrackingSettings(window_size=64))},
        {"options": JobOptions(max_frames=30, span=Span.of(2))},
        {"first_mask": ("v/b.png",)},
        {"source": "v/b.mp4"},
    ],
)
def test_another_job_does_not_go_on_with_it(clips, bright_engine, changes):
    clips("a", "b", frames=LONG)
    wanted = job(outputs={"masks": "out/a"}, progress="out/a.vostrack", long=LONG)
    run_job(wanted, FailsAt(34))
    assert Path("out/a.vostrack").exists()
    other = replace(wanted, resume=True, **changes)
    frames = other.options.max_frames or LONG
    result = run_job(other, bright_engine)
    assert (result.state, result.frames) == ("done", frames), result.error
    assert len(bright_engine.batches) == frames - 1


def test_a_long_video_whose_mask_has_changed_is_begun_again(clips, bright_engine):
    clips("a", frames=LONG)
    wanted = job(outputs={"masks": "out/a"}, progress="out/a.vostrack", long=LONG)
    run_job(wanted, FailsAt(34))
    mask = read_indexed_png(Path("v/a.png"))
    mask[:20] = 0
    write_indexed_png(Path("v/a.png"), mask)
    assert run_job(replace(wanted, resume=True), bright_engine).error is None
    np.testing.assert_array_equal(read_indexed_png(Path("out/a/00000.png")), mask)
    assert len(bright_engine.batches) == LONG - 1


def test_a_track_that_was_asked_for_is_gone_on_with_and_stays(clips, bright_engine):
    clips("a", frames=LONG)
    wanted = job(outputs={"masks": "out/a", "track": "a.vostrack"}, progress="out/a.vostrack", long=1)
    assert run_job(wanted, FailsAt(34)).state == "failed"
    result = run_job(replace(wanted, resume=True), bright_engine)
    assert (result.frames, set(result.outputs)) == (LONG, {str(Path("out/a")), "a.vostrack"})
    with Track(Path("a.vostrack")) as track:
        assert track.complete


def test_a_track_that_is_complete_is_drawn_from(clips, bright_engine):
    """The run was killed after its track was complete and before its masks were."""
    clips("a", frames=LONG)
    wanted = job(outputs={"masks": "out/a", "track": "a.vostrack"})
    run_job(wanted, bright_engine)
    before = masks_in("out/a")
    shutil.rmtree("out/a")
    bright_engine.batches.clear()
    result = run_job(replace(wanted, resume=True), bright_engine)
    assert (result.state, result.frames, set(result.outputs)) == ("done", LONG, {str(Path("out/a")), "a.vostrack"})
    assert bright_engine.batches == []
    assert masks_in("out/a") == before


@pytest.mark.parametrize(("before", "after"), [(None, 5), (5, None)])
def test_a_track_of_so_many_frames_is_not_that_of_another_number(clips, bright_engine, before, after):
    clips("a")
    wanted = job(outputs={"masks": "out/a", "track": "a.vostrack"}, options=JobOptions(max_frames=before))
    run_job(wanted, bright_engine)
    result = run_job(replace(wanted, resume=True, options=JobOptions(max_frames=after)), bright_engine)
    assert (result.state, result.frames) == ("done", after or FRAMES), result.error
    assert len(masks_in("out/a")) == (after or FRAMES)


def test_a_track_that_its_user_has_corrected_is_drawn_from(clips, bright_engine):
    clips("a")
    wanted = job(outputs={"masks": "out/a", "track": "a.vostrack"})
    run_job(wanted, bright_engine)
    better = read_indexed_png(Path("v/a.png"))
    better[:20] = 0
    vosctl.resume("a.vostrack", prompts=[vosctl.TimedPrompt.of(0, 1, mask=better)], engine=bright_engine)
    shutil.rmtree("out/a")
    bright_engine.batches.clear()
    assert run_job(replace(wanted, resume=True), bright_engine).error is None
    assert bright_engine.batches == []
    np.testing.assert_array_equal(read_indexed_png(Path("out/a/00000.png")), better)


def test_a_damaged_track_is_said_and_the_video_begun_again(clips, bright_engine):
    clips("a", frames=LONG)
    Path("a.vostrack").write_bytes(b"nonsense" * 1000)
    result = run_job(job(progress="a.vostrack", resume=True), bright_engine)
    assert (result.state, result.frames) == ("done", LONG)
    assert "begun again from the first frame: a.vostrack: is no track" in result.warnings[0]
