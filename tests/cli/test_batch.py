"""`vosctl batch`: what it says and refuses, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from tests.batching.conftest import clips  # noqa: F401 - a fixture
from vosctl.batching import InProcess
from vosctl.batching.finding import JobsRequest
from vosctl.batching.layouts import LAYOUTS, parse_outputs
from vosctl.batching.result import JobsFailedError
from vosctl.batching.results import read_results
from vosctl.batching.run import BatchRun
from vosctl.cli.batch import LAYOUTS as SAID
from vosctl.cli.batch import OUTPUTS as SAID_OUTPUTS
from vosctl.cli.batch_reporting import BatchReporter
from vosctl.cli.options import ReportingRequest
from vosctl.engine.providers import has_nvidia_gpu
from vosctl.video.sinks.checks import OUTPUTS

SMALL = ("--window-size", "96", "--device", "cpu")


def test_the_layouts_and_outputs_of_the_command_are_those_that_there_are():
    assert SAID == LAYOUTS
    assert SAID_OUTPUTS == OUTPUTS


def batch(*arguments, **settings):
    command = [sys.executable, "-m", "vosctl", "batch", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **settings)


def test_from_end_to_end(clips):  # noqa: F811
    """With the shipped network, in processes: one clip, one without a mask."""
    clips("a", "b", frames=4)
    Path("v/b.png").unlink()
    run = batch("v", "-o", "out", "--outputs", "masks,overlay", *SMALL)
    assert run.returncode == 3, run.stderr
    assert "1 done, 1 failed; 4 frames in" in run.stderr
    assert "Failed: b: v/b.mp4: no mask or prompts beside it" in run.stderr
    assert run.stderr.count("no mask or prompts beside it") == 1
    assert run.stderr.endswith("Error: 1 of 2 jobs failed (b); --resume tries them again\n")
    assert len(list(Path("out/a/masks").iterdir())) == 4
    assert Path("out/a/overlay.mp4").is_file()
    assert {one.state for one in read_results(Path("out/results.jsonl")).values()} == {"done", "failed"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none", "-o", "out"), "none: no such file or folder"),
        (("v",), "Missing option '-o'"),
        (("v", "-o", "out", "--outputs", "masks,none"), "--outputs: 'none' is none; give some of overlay"),
        (("v", "-o", "out", "--layout", "none"), "--layout"),
        (("v", "-o", "out", "--shard", "3/2"), "--shard 3/2"),
        (("v", "-o", "out", "--watch", "--dry-run"), "--watch: does not go with"),
        (("v", "-o", "out", "--ray=local", "--jobs", "2"), "--ray: does not go with --jobs, --timeout and --dry-run"),
        (("v", "-o", "out", "--ray="), "--ray: its address is empty; give HOST:PORT, or --ray alone, put last"),
        (("v", "-o", "out", "--ray-cpus", "2"), "--ray-cpus: is of a cluster; add --ray=HOST:PORT, or leave it out"),
        (("v", "-o", "out", "--threads", "9999"), "--threads 9999: "),
        (("v", "-o", ""), "'--output': is empty; give a name"),
        (("v", "-o", "out", "--timeout", "0"), "--timeout 0: give seconds, more than 0"),
        (("-o", "out", "v", "--ray", "v"), "--ray v: is a file or folder, not an address; put --ray last"),
        (("v", "-o", "s3://bucket/out"), "-o s3://bucket/out: is an address; name a file of this machine"),
        (("nonsense://v", "-o", "out"), "nonsense://: Protocol not known: nonsense; give a path"),
        (("v", "-o", "out", "--set", "all"), "--set all: is of a data set"),
        (("v", "-o", "out", "--jobs", "-1"), "--jobs"),
        (("none", "-o", "out", "--watch"), "none: no such folder to watch"),
        (
            ("memory://far/*.mp4", "-o", "out", "--watch"),
            "memory://far/*.mp4: is an address; run it again with --resume",
        ),
        (("v", "-o", "out", "--colors", "nonesuch"), "--colors"),
        (("v", "-o", "out", "--label", "mouse"), "--label: mouse: give the object's number and its name"),
        (("v", "-o", "out", "--label", "1=mouse"), "--label: is for --outputs annotations"),
        (
            ("v", "-o", "v", "--layout", "flat", "--outputs", "overlay.mp4"),
            "v/a_overlay.mp4: there already; pass --resume",
        ),
        (("jobs.csv", "-o", "out"), "a and a-again: out/a/overlay.mp4 and"),
        (("bad.csv", "-o", "out", "--strict"), "bad.csv: line 3: has 1 columns"),
    ],
)
def test_what_is_refused_before_anything_runs(invoke, clips, arguments, message):  # noqa: F811
    clips("a")
    Path("v/a_overlay.mp4").write_bytes(b"")
    Path("jobs.csv").write_text("source,name\nv/a.mp4,a\nv/a.mp4,a-again\n")
    Path("bad.csv").write_text("source,name\nv/a.mp4,a\nv\n")
    if arguments[0] == "jobs.csv":
        Path("out/a").mkdir(parents=True)
        Path("out/a-again").symlink_to(Path("out/a").absolute())
    result = invoke("batch", *arguments)
    assert result.exit_code == 2, result.stderr
    assert message in result.stderr
    assert sorted(Path("out").rglob("*")) == [Path("out/a"), Path("out/a-again")] * (arguments[0] == "jobs.csv")
    assert Path("out").exists() == (arguments[0] == "jobs.csv")


def test_a_dry_run_tells_what_is_missing(invoke, clips):  # noqa: F811
    clips("a")
    Path("jobs.csv").write_text("source,first_mask\nv/none.mp4,v/a.png\nv/a.mp4,v/none.png\n")
    result = invoke("batch", "jobs.csv", "-o", "out", "--dry-run")
    assert "none: would fail: v/none.mp4: no such file or directory; check the path" in result.stderr
    assert "a: would fail: v/none.png: no such file or directory; check the path" in result.stderr


def test_objects_are_called_as_the_command_says(clips):  # noqa: F811
    clips("a", frames=2)
    run = batch("v", "-o", "out", "--outputs", "annotations", "--label", "1=mouse", *SMALL)
    assert run.returncode == 0, run.stderr
    assert json.loads(Path("out/a/annotations.json").read_text())["categories"][0]["name"] == "mouse"


@pytest.mark.skipif(has_nvidia_gpu(), reason="there is an NVIDIA GPU")
def test_a_decoder_that_is_missing_is_told_once(invoke, clips):  # noqa: F811
    clips("a", "b")
    result = invoke("batch", "v", "-o", "out", "--decoder", "nvdec")
    assert result.exit_code == 1
    assert result.stderr.count("--decoder nvdec: ") == 1
    assert not Path("out").exists()


def report(engine, capsys, *, quiet=False, verbose=False, as_json=False):
    """Run the clips of `v`; returns standard output and standard error, which ends with the error."""
    jobs = JobsRequest("v", "out", parse_outputs("masks")).find()
    try:
        with BatchReporter(ReportingRequest(quiet, verbose, as_json)) as reporter:
            BatchRun(jobs, InProcess(engine), Path("out/results.jsonl"), resume=True, events=reporter).run()
        reporter.end_with_failures()
    except JobsFailedError as error:
        click.echo(str(error), err=True)
    return capsys.readouterr()


def test_what_is_said(clips, bright_engine, capsys):  # noqa: F811
    clips("a", "b")
    Path("v/b.mp4").write_bytes(b"no video")
    said = report(bright_engine, capsys).err.splitlines()
    assert said[0].startswith("Done: a: 8 frames, ")
    assert said[1].startswith("Failed: b: v/b.mp4: cannot be read as a video")
    assert said[2].startswith("1 done, 1 failed; 8 frames in 0:00:0")
    assert said[2].endswith("results in out/results.jsonl")
    assert said[3:] == ["1 of 2 jobs failed (b); `resume=True` tries them again"], "the failure is told once"
    said = report(bright_engine, capsys).err.splitlines()
    assert said[0] == "1 of 2 jobs is whole already"
    assert said[2].startswith("0 done, 1 failed, 1 whole already")


def test_on_a_terminal_what_failed_is_told_at_the_end(clips, bright_engine, capsys, monkeypatch):  # noqa: F811
    monkeypatch.setenv("FORCE_COLOR", "1")  # by which rich takes standard error for a terminal
    clips("a", "b")
    Path("v/b.mp4").write_bytes(b"no video")
    *_, summary, failed, error = report(bright_engine, capsys).err.splitlines()
    assert "1 done, 1 failed; 8 frames in" in summary
    assert failed.startswith("Failed: b: v/b.mp4: cannot be read as a video")
    assert error == "1 of 2 jobs failed; `resume=True` tries them again"


def test_quiet_says_what_failed(clips, bright_engine, capsys):  # noqa: F811
    clips("a", "b")
    Path("v/b.mp4").write_bytes(b"no video")
    assert all("b" in line for line in report(bright_engine, capsys, quiet=True).err.splitlines())


def test_events_are_json(clips, bright_engine, capsys):  # noqa: F811
    clips("a", "b")
    Path("v/b.mp4").write_bytes(b"no video")
    out = report(bright_engine, capsys, as_json=True).out
    events = [json.loads(line) for line in out.splitlines()]
    assert [one["event"] for one in events] == ["start", "job", "job", "summary"]
    assert events[0] == {"event": "start", "jobs": 2, "whole": 0, "begun": 0}
    assert (events[1]["name"], events[1]["state"], events[1]["frames"]) == ("a", "done", 8)
    assert (events[3]["done"], events[3]["failed"], events[3]["results"]) == (1, ["b"], "out/results.jsonl")


def test_the_table_of_a_terminal(clips, bright_engine):  # noqa: F811
    """Drawn as for a terminal, without one."""
    from rich.console import Console

    clips("a")
    reporter = BatchReporter(ReportingRequest(False, False, False))
    (job,) = JobsRequest("v", "out").find()
    from vosctl.batching.plan import Plan

    reporter.planned(Plan([job, job], []))
    reporter.started(job)
    reporter.frames(job, 3, 8)
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    console.print(reporter.table())
    text = console.export_text()
    assert "0 done, 0 failed of 2, " in text
    assert " left" in text
    assert "  a: 3/8 frames, " in text


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(("number", "whole_group"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_a_signal_ends_it_within_seconds_with_nothing_half_written(clips, number, whole_group):  # noqa: F811
    clips("a", "b", "c", frames=4)
    clips("long", frames=3000)
    command = [sys.executable, "-m", "vosctl", "batch", "v", "-o", "out", "--outputs", "masks,overlay", "--jobs", "1"]
    process = subprocess.Popen([*command, *SMALL], stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 60
    while len(list(Path("out").glob("long/masks.partial/*"))) < 40 and time.monotonic() < deadline:
        time.sleep(0.05)
    if whole_group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    begun = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert time.monotonic() - begun < 30
    assert "Traceback" not in errors
    assert "3 done, 0 failed, 1 interrupted" in errors
    states = {name: one.state for name, one in read_results(Path("out/results.jsonl")).items()}
    assert states == {"a": "done", "b": "done", "c": "done", "long": "interrupted"}
    assert not list(Path("out").rglob("*partial*"))
    assert list(Path("out/.vosctl").glob("long.*.vostrack")), "it can be gone on with"
