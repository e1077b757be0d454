"""A whole batch in this process."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import vosctl
from tests.batching.test_running import LONG, FailsAt, masks_in
from vosctl.batching import BatchEvents, InProcess, JobResult
from vosctl.batching.estimate import estimate
from vosctl.batching.finding import JobsRequest
from vosctl.batching.layouts import parse_outputs
from vosctl.batching.result import BatchSummary
from vosctl.batching.results import ResultsFile, read_results
from vosctl.batching.run import BatchRun
from vosctl.batching.watching import watch
from vosctl.engine.providers import has_nvidia_gpu
from vosctl.prompts.prompt_file import write_prompts
from vosctl.time_line import Span

RESULTS = Path("out/results.jsonl")


def run(engine, **changes):
    return vosctl.batch("v", "out", outputs="masks", engine=engine, **changes)


class Ends(BatchEvents):
    """Hears the ends of runs."""

    def __init__(self):
        self.summaries = []

    def ended(self, summary):
        self.summaries.append(summary)


def states():
    return {name: one.state for name, one in read_results(RESULTS).items()}


def test_one_line_for_each_job_whatever_becomes_of_it(clips, bright_engine):
    clips("a", "b", "c")
    Path("v/b.png").unlink()
    summary = run(bright_engine)
    assert (summary.done, [one.name for one in summary.failed]) == (2, ["b"])
    assert (summary.frames, summary.results) == (16, RESULTS)
    entries = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    assert [(one["name"], one["state"], one["frames"]) for one in entries] == [
        ("a", "done", 8),
        ("b", "failed", 0),
        ("c", "done", 8),
    ]
    assert {"name", "source", "state", "seconds", "frames", "lost", "outputs", "error"} <= set(entries[0])
    assert "no mask" in entries[1]["error"]
    assert not Path("out/.vosctl").exists()


def test_resume_does_what_is_left(clips, bright_engine):
    clips("a", "b", "c")
    mask = Path("v/b.png").read_bytes()
    Path("v/b.png").unlink()
    run(bright_engine)
    Path("v/b.png").write_bytes(mask)
    with pytest.raises(vosctl.UsageError, match="there already"):
        run(bright_engine)
    assert states() == {"a": "done", "b": "failed", "c": "done"}, "a run that was refused changes nothing"
    heard = Ends()
    with pytest.raises(vosctl.UsageError, match="there already"):
        run(bright_engine, events=heard)
    assert heard.summaries == [], "and has no summary"
    bright_engine.batches.clear()
    summary = run(bright_engine, resume=True)
    assert (summary.done, summary.skipped, summary.failed) == (1, 2, [])
    assert len(bright_engine.batches) == 7
    assert states() == {"a": "done", "b": "done", "c": "done"}
    assert len(RESULTS.read_text().splitlines()) == 3


def test_what_was_whole_when_its_line_was_not_written_gets_one(clips, bright_engine):
    clips("a", "b")
    run(bright_engine)
    first = RESULTS.read_text().splitlines()[0]
    RESULTS.write_text(first + '\n{"name": "b", "sta')
    run(bright_engine, resume=True)
    assert states() == {"a": "done", "b": "skipped"}
    assert len(RESULTS.read_text().splitlines()) == 2


def test_resume_goes_on_within_a_long_video(clips, bright_engine):
    clips("a", frames=LONG)
    whole = vosctl.batch("v", "whole", outputs="masks", engine=bright_engine)
    assert whole.done == 1

    def jobs():
        request = JobsRequest("v", "out", parse_outputs("masks"))
        return [replace(job, long=LONG) for job in request.find()]

    engine = FailsAt(34)
    BatchRun(jobs(), InProcess(engine), RESULTS).run()
    assert states() == {"a": "failed"}
    assert list(Path("out/.vosctl").glob("a.*.vostrack"))
    engine.batches.clear()
    BatchRun(jobs(), InProcess(engine), RESULTS, resume=True).run()
    assert states() == {"a": "done"}
    assert 25 < read_results(RESULTS)["a"].drawn < LONG
    assert len(engine.batches) == LONG - 1 - 25
    assert masks_in("out/a/masks") == masks_in("whole/a/masks")
    assert not Path("out/.vosctl").exists()


@pytest.mark.parametrize("letter", ["x", "é"])
def test_a_long_video_of_a_long_name(clips, bright_engine, letter):
    name = letter * (240 // len(letter.encode()))
    clips("a", frames=LONG)
    for ending in ("mp4", "png"):
        Path(f"v/a.{ending}").rename(f"v/{name}.{ending}")
    for engine, state in ((FailsAt(34), "failed"), (bright_engine, "done")):
        jobs = [replace(job, long=LONG) for job in JobsRequest("v", "out", parse_outputs("masks")).find()]
        BatchRun(jobs, InProcess(engine), RESULTS, resume=True).run()
        assert states() == {name: state}
        assert len(list(Path("out/.vosctl").glob("*.vostrack"))) == (state == "failed")
    assert len(bright_engine.batches) == LONG - 1 - 25


def test_what_is_there_of_another_request_is_made_anew_even_if_that_is_stopped(clips, bright_engine):
    clips("a", "b")
    run(bright_engine)
    fewer = vosctl.JobOptions(max_frames=3)
    with pytest.raises(vosctl.VosctlError, match="no memory"):
        run(None, options=fewer, resume=True, executor=Unable())
    assert {name: one.frames for name, one in read_results(RESULTS).items()} == {"a": 8, "b": 8}
    assert run(bright_engine, options=fewer, resume=True).done == 2
    assert [json.loads(line)["frames"] for line in RESULTS.read_text().splitlines()] == [3, 3]
    assert len(masks_in("out/a/masks")) == 3


def test_what_is_there_of_another_request_is_made_anew_also_after_that_has_failed(clips, bright_engine):
    clips("a")
    run(bright_engine)
    fewer = vosctl.JobOptions(max_frames=3)
    assert [one.error for one in run(FailsAt(1), options=fewer, resume=True).failed] == ["enough"]
    assert len(masks_in("out/a/masks")) == 8, "what was there stays until there is something to replace it"
    assert run(bright_engine, options=fewer, resume=True).done == 1
    assert len(masks_in("out/a/masks")) == 3


class Unable(InProcess):
    """Cannot run anything."""

    def __init__(self):
        super().__init__(vosctl.EngineSettings())

    def run(self, jobs, events):
        raise vosctl.VosctlError("no memory")


def test_a_second_folder_adds_its_results(clips, bright_engine):
    clips("a")
    run(bright_engine)
    Path("v").rename("w")
    Path("v").mkdir()
    clips("b")
    run(bright_engine)
    assert states() == {"a": "done", "b": "done"}


def test_two_runs_at_once_are_refused(clips, bright_engine):
    clips("a")
    with ResultsFile(RESULTS), pytest.raises(vosctl.UsageError, match="another run writes to it"):
        run(bright_engine)
    assert run(bright_engine).done == 1


@pytest.mark.parametrize("results", ["r.jsonl", "elsewhere/r.jsonl", None])
def test_results_elsewhere_leave_nothing_hidden_beside_the_outputs(clips, bright_engine, results):
    """Of a run that is done nothing is left; of one that failed its track is, until it is gone on with."""
    clips("a", frames=LONG)
    results = None if results is None else Path(results)
    for engine, left in ((FailsAt(34), 1), (bright_engine, 0)):
        jobs = [replace(job, long=LONG) for job in JobsRequest("v", "out", parse_outputs("masks")).find()]
        assert BatchRun(jobs, InProcess(engine), results, resume=True).run().done == 1 - left
        assert len(list(Path("out").rglob("*.vostrack"))) == left
    assert not list(Path().rglob(".vosctl"))


def test_results_elsewhere_and_a_job_that_cannot_begin_leave_no_folder(clips, bright_engine):
    clips("a", frames=LONG)
    Path("v/a.mp4").write_bytes(b"no video")
    jobs = [replace(job, long=LONG) for job in JobsRequest("v", "new/out", parse_outputs("masks")).find()]
    assert BatchRun(jobs, InProcess(bright_engine), Path("r.jsonl")).run().failed
    assert sorted(map(str, Path().iterdir())) == ["r.jsonl", "v"]


@pytest.mark.skipif(has_nvidia_gpu(), reason="there is an NVIDIA GPU")
@pytest.mark.parametrize("of_jobs", [False, True])
def test_a_decoder_that_is_missing_ends_it_at_once(clips, of_jobs):
    clips("a", "b")
    options = vosctl.JobOptions(decoder="nvdec")
    before = sorted(Path().rglob("*"))
    job = vosctl.BatchJob("a", "v/a.mp4", {"rle": "a.jsonl"}, options=options)
    given = {"jobs": [job], "results": "r.jsonl"} if of_jobs else {"jobs": "v", "output": "out", "options": options}
    with pytest.raises(vosctl.VosctlError, match=r"^`decoder='nvdec'`: .*; use `decoder='cpu'`$"):
        vosctl.batch(**given)
    assert sorted(Path().rglob("*")) == before


class Interrupts(vosctl.BatchEvents):
    """Asks the run to end, as a signal does, once a job is done."""

    def __init__(self):
        self.summary = None

    def finished(self, job, result):
        import signal

        signal.raise_signal(signal.SIGINT)

    def ended(self, summary: BatchSummary):
        self.summary = summary


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"engine": True, "workers": 2}, "`workers`: an engine that was made runs one job after the other"),
        ({"engine": True, "executor": True}, "`executor`: has engines and processes of its own"),
        ({"engine": None, "workers": 2, "executor": True}, "leave `engine` and `workers` out"),
    ],
)
def test_what_would_not_count_is_refused(clips, bright_engine, changes, message):
    clips("a")
    made = {"engine": bright_engine, "executor": InProcess(bright_engine)}
    with pytest.raises(vosctl.UsageError, match=message):
        run(**{name: made[name] if value is True else value for name, value in changes.items()})
    assert not Path("out").exists()


def test_an_interrupt_ends_it_with_its_results(clips, bright_engine):
    clips("a", "b")
    heard = Interrupts()
    with pytest.raises(KeyboardInterrupt):
        run(bright_engine, events=heard)
    assert states() == {"a": "done"}
    assert heard.summary.done == 1
    assert run(bright_engine, resume=True).skipped == 1


def test_jobs_of_a_program(clips, bright_engine):
    clips("a")
    jobs = [vosctl.BatchJob("a", "v/a.mp4", {"rle": "a.jsonl"}, first_mask=("v/a.png",))]
    assert vosctl.batch(jobs, engine=bright_engine).done == 1
    assert not RESULTS.exists()
    assert vosctl.batch(jobs, engine=bright_engine, results="r.jsonl", resume=True).skipped == 1
    assert JobResult.from_line(Path("r.jsonl").read_text()).state == "skipped"
    with pytest.raises(vosctl.UsageError, match="say themselves"):
        vosctl.batch(jobs, "out", engine=bright_engine)
    with pytest.raises(vosctl.UsageError, match="`output`"):
        vosctl.batch("v", engine=bright_engine)
    with pytest.raises(vosctl.UsageError, match="`timeout`: is of processes"):
        vosctl.batch(jobs, engine=bright_engine, timeout=3)


@pytest.mark.parametrize("line", ["", "{", "[]", '{"name": "a"}', '{"state": "done"}', '{"state": "done", "name": 3}'])
def test_lines_that_are_no_results_are_left_out(tmp_path, line):
    good = JobResult("a", "a.mp4", "done").to_line()
    path = tmp_path / "r.jsonl"
    path.write_text(f"{line}\n{good}\n{line}")
    assert list(read_results(path)) == ["a"]


class NoEngine(InProcess):
    """Cannot make its engine, as with weights that do not load."""

    def __init__(self):
        super().__init__(None)

    def run(self, jobs, events):
        next(iter(jobs))
        raise vosctl.VosctlError("weights.safetensors: damaged")
        yield


@pytest.mark.parametrize("results", [None, "deep/er/r.jsonl"])
def test_a_run_that_cannot_begin_leaves_nothing(clips, results):
    clips("a")
    before = sorted(Path().rglob("*"))
    heard = Ends()
    with pytest.raises(vosctl.VosctlError, match="damaged"):
        run(None, executor=NoEngine(), results=results, events=heard)
    assert sorted(Path().rglob("*")) == before
    assert heard.summaries[0].results is None


def test_a_run_that_is_refused_leaves_nothing(clips, bright_engine):
    clips("a")
    Path("v/a_masks").mkdir()
    Path("v/a_masks/00000.png").write_bytes(b"")
    before = sorted(Path().rglob("*"))
    with pytest.raises(vosctl.UsageError, match="there already"):
        vosctl.batch("v", "v", outputs="masks", layout="flat", engine=bright_engine, results="new/er/r.jsonl")
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("v/a.mp4", "is there and holds no results; choose another name"),
        ("v/a.png", "is there and holds no results; choose another name"),
        ("jobs.jsonl", "is there and holds no results; choose another name"),
        ("out/a/masks", "would be written to the same place"),
        ("out/a/masks/r.jsonl", "would be written to the same place"),
        ("out/a", "would be written to the same place"),
    ],
)
def test_results_take_the_place_of_nothing_else(clips, bright_engine, name, says):
    clips("a")
    Path("jobs.jsonl").write_text('{"name": "a", "source": "v/a.mp4", "first_mask": "v/a.png"}\n')
    before = {path: path.is_dir() or path.read_bytes() for path in Path().rglob("*")}
    with pytest.raises(vosctl.UsageError, match=says):
        run(bright_engine, results=name)
    assert {path: path.is_dir() or path.read_bytes() for path in Path().rglob("*")} == before


@pytest.mark.parametrize("left", [b"", b'{"name": "a", "sour', bytes(64)])
def test_results_that_a_loss_of_power_left_are_written_anew(clips, bright_engine, left):
    clips("a")
    RESULTS.parent.mkdir()
    RESULTS.write_bytes(left)
    run(bright_engine, resume=True)
    assert states() == {"a": "done"}


def test_a_run_that_cannot_begin_keeps_what_is_known(clips, bright_engine):
    clips("a", "b")
    Path("v/b.png").unlink()
    run(bright_engine)
    before = RESULTS.read_bytes()
    with pytest.raises(vosctl.VosctlError, match="damaged"):
        run(None, executor=NoEngine(), resume=True)
    assert RESULTS.read_bytes() == before


def test_a_job_that_is_done_twice_has_one_line(clips, bright_engine):
    clips("a")
    (job,) = JobsRequest("v", "out", parse_outputs("masks")).find()
    BatchRun(
        iter([job, replace(job, options=vosctl.JobOptions(max_frames=3))]), InProcess(bright_engine), RESULTS
    ).run()
    assert [json.loads(line)["frames"] for line in RESULTS.read_text().splitlines()] == [3]


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_watching_gives_what_is_complete(clips):
    clips("a")
    clock = Clock()
    coming = watch(JobsRequest("v", "out").find, settled=3.0, clock=clock)

    def after(seconds):
        clock.now += seconds
        return next(coming)

    assert after(0) is None
    assert after(2) is None
    assert after(1.5).name == "a"
    assert after(10) is None
    Path("v/b.mp4").write_bytes(b"begun")
    assert after(10) is None
    Path("v/b.png").write_bytes(Path("v/a.png").read_bytes())
    assert after(10) is None, "its mask has only just come"
    Path("v/b.mp4").write_bytes(b"begun and gone on with")
    assert after(10) is None, "it has grown"
    assert after(2) is None
    assert after(2).name == "b"
    assert after(10) is None
    Path("v/b.mp4").write_bytes(b"another one of this name")
    assert [after(10), after(10).name] == [None, "b"]


def test_watching_an_empty_folder_waits(tmp_path):
    coming = watch(JobsRequest(str(tmp_path), "out").find)
    assert [next(coming), next(coming)] == [None, None]


def test_watching_tells_videos_of_one_name_apart(clips):
    clips("a")
    Path("v/a.mkv").write_bytes(b"another one")
    clock = Clock()
    coming = watch(JobsRequest("v", "out").find, settled=3.0, clock=clock)
    assert next(coming) is None
    clock.now += 4
    assert [next(coming).source, next(coming).source] == ["v/a.mkv", "v/a.mp4"]
    for _ in range(3):
        clock.now += 4
        assert next(coming) is None


def test_watching_a_list_of_what_is_no_file(clips):
    clips("a")
    Path("v/1.jpg").write_bytes(b"")
    lines = ("source,name,first_mask", "http://host/a,a,v/a.png", "v/*.jpg,b,v/a.png", "v/*.tif,c,v/a.png")
    Path("jobs.csv").write_text("\n".join(lines))
    clock = Clock()
    coming = watch(JobsRequest("jobs.csv", "out").find, settled=3.0, clock=clock)
    assert next(coming) is None
    clock.now += 4
    assert [next(coming).name, next(coming).name, next(coming)] == ["a", "b", None]


def test_a_job_whose_files_change_is_not_run_twice_at_a_time(clips):
    clips("a")
    (job,) = JobsRequest("v", "out", parse_outputs("masks")).find()
    seen = []

    class Greedy(InProcess):
        def run(self, jobs, events):
            for one in jobs:
                if one is None:
                    yield JobResult.of(seen[-1], "done")
                else:
                    seen.append(one)

    summary = BatchRun(iter([job, job, job]), Greedy(vosctl.EngineSettings()), RESULTS).run()
    assert ([one.name for one in seen], summary.done) == (["a", "a"], 1)


def test_another_video_of_the_same_name_fails_alone(clips, bright_engine):
    clips("a", "b")
    a, b = JobsRequest("v", "out", parse_outputs("masks")).find()
    other = replace(b, name="a", outputs=a.outputs)
    summary = BatchRun(iter([a, other, None, other]), InProcess(bright_engine), RESULTS).run()
    assert (summary.done, [one.source for one in summary.failed]) == (1, ["v/b.mp4"] * 2)
    assert "two jobs are called a" in summary.failed[0].error
    assert [(one.state, one.source) for one in read_results(RESULTS).values()] == [("done", "v/a.mp4")]


def test_a_name_that_is_no_unicode(clips, bright_engine):
    name = os.fsdecode(b"caf\xe9")
    clips("a")
    for ending in ("mp4", "png"):
        Path(f"v/a.{ending}").rename(f"v/{name}.{ending}")
    assert run(bright_engine).done == 1
    RESULTS.read_text("utf-8")
    assert states() == {name: "done"}
    assert run(bright_engine, resume=True).skipped == 1


def test_jobs_that_come_over_time(clips, bright_engine):
    clips("a", "b")
    a, b = JobsRequest("v", "out", parse_outputs("masks")).find()
    run_first = BatchRun([a], InProcess(bright_engine), RESULTS).run()
    assert run_first.done == 1
    clash = replace(b, name="c")
    summary = BatchRun(iter([None, a, b, None, clash, b]), InProcess(bright_engine), RESULTS).run()
    assert (summary.skipped, summary.done, [one.name for one in summary.failed]) == (1, 2, ["c"])
    assert "the same place" in summary.failed[0].error
    assert states() == {"a": "done", "b": "done", "c": "failed"}


def test_an_estimate_is_measured(clips, bright_engine):
    clips("a", "b", "c", frames=40)
    Path("v/bad.mp4").write_bytes(b"no video")
    Path("v/bad.png").write_bytes(Path("v/a.png").read_bytes())
    jobs = JobsRequest("v", "out", parse_outputs("masks,rle")).find()
    events = vosctl.BatchEvents()
    found = estimate(jobs, InProcess(bright_engine), {}, events)
    assert (found.frames, found.basis) == (120, "measured on 30 frames of 1 job")
    assert found.seconds == pytest.approx(120 / found.speed)
    assert not Path("out").exists()
    earlier = {"x": JobResult("x", "x.mp4", "done", seconds=2.0, frames=100)}
    found = estimate(jobs, InProcess(bright_engine), earlier, events)
    assert (found.speed, found.seconds) == (50.0, 2.4)
    assert found.basis == "measured by an earlier run on 1 job"
    earlier["y"] = JobResult("y", "y.mp4", "done", seconds=1.0, frames=1000, drawn=990)
    assert estimate(jobs, InProcess(bright_engine), earlier, events).speed == 50.0, "it tracked 10 frames only"


@pytest.mark.parametrize("layout", ["folders", "flat", "kinds", "davis"])
def test_an_estimate_is_measured_in_every_layout(clips, bright_engine, layout):
    clips("a")
    jobs = JobsRequest("v", "out", parse_outputs("masks,cutout.png,rle,annotations"), layout).find()
    found = estimate(jobs, InProcess(bright_engine), {}, vosctl.BatchEvents())
    assert found.basis == "measured on 8 frames of 1 job"


@pytest.mark.parametrize("mask", [True, False])
def test_an_estimate_follows_nothing_backwards(clips, bright_engine, mask):
    clips("a", frames=80)
    other = np.zeros((64, 96), bool)
    other[20:40, 30:50] = True
    said = [vosctl.TimedPrompt.of(40, 2, mask=other), vosctl.TimedPrompt.of(70, 2, mask=other)]
    write_prompts(Path("v/a.prompts.json"), said)
    if not mask:
        Path("v/a.png").unlink()
    (job,) = JobsRequest("v", "out", parse_outputs("masks")).find()
    assert job.problem is None
    found = estimate([job], InProcess(bright_engine), {}, vosctl.BatchEvents())
    assert found.basis == "measured on 30 frames of 1 job"
    assert len(bright_engine.batches) == 29


def test_what_is_said_beyond_the_part_is_that_jobs_failure_alone(clips, bright_engine):
    clips("a", "b", frames=40)
    Path("v/a.png").unlink()
    write_prompts(Path("v/a.prompts.json"), [vosctl.TimedPrompt.of(30, 1, mask=np.ones((64, 96), bool))])
    options = vosctl.JobOptions(span=Span.of(end=20))
    jobs = JobsRequest("v", "out", parse_outputs("masks"), options=options).find()
    found = estimate(jobs, InProcess(bright_engine), {}, vosctl.BatchEvents())
    assert found.basis == "measured on 20 frames of 1 job"


def test_a_speed_is_measured_on_a_job_that_runs(clips, bright_engine):
    clips("c", "d", frames=40)
    Path("v/a.mp4").write_bytes(b"no video")
    Path("v/a.png").write_bytes(Path("v/c.png").read_bytes())
    Path("v/b.mp4").write_bytes(Path("v/c.mp4").read_bytes())
    Path("v/b.png").write_bytes(b"no mask")
    jobs = JobsRequest("v", "out").find()
    assert [job.name for job in jobs] == ["a", "b", "c", "d"]
    found = estimate(jobs, InProcess(bright_engine), {}, vosctl.BatchEvents())
    assert found.basis == "measured on 30 frames of 1 job"
    assert found.seconds == pytest.approx(found.frames / found.speed)


def test_nothing_can_be_estimated_of_what_cannot_be_opened(clips, bright_engine):
    clips("a")
    Path("v/a.mp4").write_bytes(b"no video")
    jobs = JobsRequest("v", "out").find()
    assert estimate(jobs, InProcess(bright_engine), {}, vosctl.BatchEvents()).seconds is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"events": vosctl.Events()},
            r"`events`: give an object .* extends vosctl.BatchEvents, not Events",
        ),
        ({"options": {"start": 3}}, r"`options`: give JobOptions.* not dict"),
        ({"engine": "onnx"}, r"`engine`: give EngineSettings\(engine='onnx'\).* not str"),
    ],
)
def test_what_is_no_setting_is_told_by_its_name(changed, message, clips, bright_engine):
    clips("a")
    with pytest.raises(vosctl.UsageError, match=message):
        vosctl.batch("v", "out", outputs="masks", **{"engine": bright_engine, **changed})
    assert not Path("out").exists()
