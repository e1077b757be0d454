"""What is refused before anything runs, and what is left out."""

from dataclasses import replace
from pathlib import Path

import pytest

import vosctl
from tests.batching.test_running import job
from vosctl.batching import JobOptions
from vosctl.batching.plan import is_whole, make_plan, shard_of, with_what_is_missing
from vosctl.batching.running import run_job


def writes(name, **outputs):
    return job(name, outputs=outputs)


@pytest.mark.parametrize(
    ("jobs", "message"),
    [
        ([writes("a", masks="o/x"), writes("b", masks="o/y/../x")], "a and b: o/x and o/y/../x would be written"),
        ([writes("a", masks="o"), writes("b", overlay="o/b.mp4")], "the same place"),
        ([writes("a", overlay="o/b.mp4"), writes("b", masks="o")], "the same place"),
        (
            [writes("a", masks="o/a"), writes("a", masks="o/b")],
            "two jobs are called a, both of v/a.mp4: say its objects in one",
        ),
        (
            [writes("a", masks="o/a"), replace(writes("b", masks="o/b"), name="a")],
            "two jobs are called a, of v/a.mp4 and of v/b.mp4: .* rename one",
        ),
        ([writes("a", overlay="v/b.mp4"), writes("b", masks="o/b")], "b: v/b.mp4, which it reads, would be replaced"),
        ([writes("a", masks="o/a"), writes("b", overlay="v/a.png")], "b: v/a.png would replace v/a.png"),
        ([writes("a", masks="v")], "would replace"),
        ([writes("a", overlay="v/a.mp4")], "would replace v/a.mp4"),
    ],
)
def test_jobs_in_each_others_way(clips, jobs, message):
    clips("a", "b")
    with pytest.raises(vosctl.UsageError, match=message):
        make_plan(jobs)
    with pytest.raises(vosctl.UsageError, match=message):
        make_plan(jobs, resume=True)


def test_names_that_only_begin_alike_are_not_in_the_way(clips):
    clips("a", "b")
    assert len(make_plan([writes("a", masks="o/a"), writes("b", masks="o/ab")]).jobs) == 2


def test_links_to_one_place(clips, tmp_path):
    clips("a", "b")
    Path("o").mkdir()
    Path("link").symlink_to(tmp_path / "o")
    with pytest.raises(vosctl.UsageError, match="the same place"):
        make_plan([writes("a", masks="o/x"), writes("b", masks="link/x")])


def test_outputs_that_are_there(clips, bright_engine):
    clips("a", "b", "c")
    jobs = [job(name) for name in "abc"]
    run_job(jobs[0], bright_engine)
    with pytest.raises(vosctl.UsageError, match="out/a/masks: there already"):
        make_plan(jobs)
    overwriting = replace(jobs[0], options=JobOptions(overwrite=True))
    assert len(make_plan([overwriting, *jobs[1:]]).jobs) == 3
    plan = make_plan(jobs, resume=True)
    assert [one.name for one in plan.whole] == ["a"]
    assert [(one.name, one.resume) for one in plan.jobs] == [("b", True), ("c", True)]


def test_what_was_made_of_another_request_is_not_whole(clips, bright_engine):
    clips("a")
    result = run_job(job(), bright_engine)
    assert is_whole(job(), result)
    assert not is_whole(job(options=JobOptions(max_frames=3)), result)
    assert is_whole(job(options=JobOptions(max_frames=3))), "nobody knows otherwise"


def test_a_job_lacks_one_output(clips, bright_engine):
    clips("a")
    run_job(job(), bright_engine)
    assert not is_whole(job(outputs={"masks": "out/a/masks", "rle": "out/a/r.jsonl"}))


def test_a_track_is_whole_when_it_says_so(clips, bright_engine):
    clips("a")
    wanted = job(outputs={"track": "a.vostrack"})
    run_job(wanted, bright_engine)
    assert is_whole(wanted)
    Path("a.vostrack").write_bytes(b"")
    assert not is_whole(wanted)
    assert make_plan([wanted], resume=True).begun == 1


def test_shards_are_all_jobs_once(clips):
    jobs = [job(f"c{number}") for number in range(7)]
    parts = [shard_of(jobs, number, 3) for number in (1, 2, 3)]
    assert sorted(one.name for part in parts for one in part) == [one.name for one in jobs]
    assert [len(part) for part in parts] == [3, 2, 2]
    for number, count in ((0, 3), (4, 3), (1, 0)):
        with pytest.raises(vosctl.UsageError, match="`shard="):
            shard_of(jobs, number, count)


def test_jobs_of_other_shards_in_the_way(clips):
    jobs = [writes("a", masks="o/a"), writes("b", masks="o/b"), writes("c", masks="o/a")]
    for number in (1, 2):
        with pytest.raises(vosctl.UsageError, match="the same place"):
            shard_of(jobs, number, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outputs": {"overlay": "out/a.xyz"}}, "`overlay`: out/a.xyz"),
        ({"outputs": {"composite": "out/a.mp4"}}, "`composite`: needs a `background`"),
        (
            {"outputs": {"composite": "out/a.mp4"}, "options": JobOptions(background="gone.jpg")},
            "`background=gone.jpg`: is no file, and no colour",
        ),
        ({"options": JobOptions(colors="red")}, "`colors`"),
        ({"options": JobOptions(feather=-1)}, "`feather=-1`"),
    ],
)
def test_outputs_that_no_job_can_have_are_refused_those_of_one_job_are_its_failure(clips, changes, message):
    clips("a", "b")
    wrong = replace(job(), **changes)
    with pytest.raises(vosctl.UsageError, match=message):
        make_plan([wrong])
    assert len(make_plan([wrong, job("b")]).jobs) == 2


def test_outputs_that_go_elsewhere_are_checked_for_what_they_are(clips):
    clips("a")
    with pytest.raises(vosctl.UsageError, match=r"\.xyz is not a video file's"):
        make_plan([replace(job(), outputs={"overlay": "memory://far/a.xyz"})])
    with pytest.raises(vosctl.UsageError, match="http://host/a is an address"):
        make_plan([replace(job(), outputs={"masks": "http://host/a"})], resume=True)


def test_a_background_that_is_elsewhere_is_looked_for_by_its_job(clips):
    clips("a")
    options = JobOptions(background="memory://far/beach.jpg")
    assert make_plan([replace(job(), outputs={"composite": "out/a.mp4"}, options=options)]).jobs


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({}, None),
        ({"source": "v/none.mp4"}, "v/none.mp4"),
        ({"first_mask": ("v/a.png", "v/none.png")}, "v/none.png"),
        ({"prompts": "v/none.json"}, "v/none.json"),
        ({"source": "http://host/none.mp4"}, None),
        ({"source": "v/*.png"}, None),
    ],
)
def test_a_file_that_is_missing_is_a_problem_of_its_job(clips, changes, missing):
    clips("a")
    looked = with_what_is_missing(replace(job(), **changes))
    assert looked.problem == (missing and f"{missing}: no such file or directory; check the path")
    if missing:
        assert with_what_is_missing(replace(looked, problem="known")).problem == "known"
