"""What is told as JSON, and the page that says so."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

import vosctl
from tests.helpers.frames import square_frame, write_video
from vosctl.batching import InProcess
from vosctl.batching.finding import JobsRequest
from vosctl.batching.plan import Plan
from vosctl.batching.run import BatchRun
from vosctl.cli.batch_reporting import BatchReporter
from vosctl.cli.options import ReportingRequest
from vosctl.cli.reporting import Reporter
from vosctl.video.masks import write_indexed_png

PAGE = Path(__file__).parents[2] / "docs" / "json.md"
RED = (230, 40, 40)


def documented(heading, until):
    """Return by event the words in code of its row, in a part of the page."""
    part = PAGE.read_text("utf-8").split(heading)[1].split(until)[0]
    rows = [line for line in part.splitlines() if line.startswith("| `") and not line.startswith("| `event`")]
    words = {}
    for row in rows:
        for event in re.findall(r"`(\w+)`", row.split("|")[1]):
            words[event] = set(re.findall(r"`(\w+)`", row))
    return words


def keys_of(value):
    """Return the keys of a JSON object and of those in its lists."""
    if isinstance(value, dict):
        return set(value).union(*(keys_of(one) for one in value.values() if isinstance(one, list)))
    return set().union(*map(keys_of, value)) if isinstance(value, list) else set()


def events_of(text):
    return [json.loads(line) for line in text.splitlines()]


def check(events, words):
    for event in events:
        assert keys_of(event) - {"event"} <= words[event["event"]], event


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """clip.mp4 of a square that is away in frames 4 to 6, and m.png."""
    monkeypatch.chdir(tmp_path)
    made = [square_frame(64, 96, (1, RED, 10 if not 4 <= i <= 6 else 300, 16, 24)) for i in range(10)]
    write_video(tmp_path / "clip.mp4", [image for image, _ in made])
    write_indexed_png(tmp_path / "m.png", made[0][1])


def test_the_page_names_every_key_of_a_run(clip, bright_engine, capsys):
    words = documented("## Events", "`vosctl batch")
    with Reporter(quiet=False, verbose=False, as_json=True) as reporter:
        vosctl.segment("clip.mp4", "m.png", rle="a.jsonl", track="a.vostrack", engine=bright_engine, events=reporter)
        vosctl.render("a.vostrack", masks="m", events=reporter)
        reporter.latency(0.1, 0.2, 3, 1, "display")
        reporter.warning("w")
        reporter.note("n")
        reporter.kept(Path("k"))
    with pytest.raises(vosctl.VosctlError), Reporter(quiet=False, verbose=False, as_json=True):
        raise vosctl.VosctlError("no")
    events = events_of(capsys.readouterr().out)
    assert {event["event"] for event in events} == set(words)
    check(events, words)


def test_the_page_names_every_key_of_the_masks(clip, bright_engine):
    part = PAGE.read_text("utf-8").split("## Masks")[1]
    named = set(re.findall(r"`(\w+)`", part))
    vosctl.segment("clip.mp4", "m.png", rle="a.jsonl", engine=bright_engine)
    lines = events_of(Path("a.jsonl").read_text())
    assert {line["status"] for line in lines} == {"tracked", "lost"}
    assert set().union(*map(keys_of, lines)) <= named
    assert np.all(np.diff([line["frame"] for line in lines]) == 1)


def test_the_page_makes_a_table_of_the_masks(clip, bright_engine):
    vosctl.segment("clip.mp4", "m.png", rle="out.jsonl", engine=bright_engine)
    code = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL).group(1)
    exec(compile(code, "json.md", "exec"), {})
    with Path("out.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert [row["frame"] for row in rows] == [str(i) for i in range(10)]
    assert {(row["status"], row["x"], row["width"]) for row in rows} == {("tracked", "10", "24"), ("lost", "", "")}


def test_the_page_names_every_key_of_a_batch(clip, bright_engine, invoke, capsys):
    """The lines of results.jsonl are described on their own page."""
    words = documented("`vosctl batch --json` has", "`eval`, `bench`")
    Path("v").mkdir()
    Path("clip.mp4").rename("v/a.mp4")  # without a mask
    would_be = events_of(invoke("batch", "v", "-o", "out", "--json", "--dry-run").stdout)
    assert [event["event"] for event in would_be] == ["job", "plan"]
    check(would_be, words)
    assert set(would_be[1]) - {"event"} == words["plan"] - {"plan"}
    assert [would_be[1][name] for name in ("seconds", "fps", "basis")] == [None, None, None]
    with BatchReporter(ReportingRequest(quiet=False, verbose=False, as_json=True)) as reporter:
        reporter.would_be(Plan([], []), None)
        (nothing,) = events_of(capsys.readouterr().out)
        assert nothing.keys() == would_be[1].keys()
        jobs = JobsRequest("v", "out").find()
        BatchRun(jobs, InProcess(bright_engine), Path("r.jsonl"), events=reporter).run()
    start, job, summary = events_of(capsys.readouterr().out)
    check([start, summary], words)
    assert job == {"event": "job", **json.loads(Path("r.jsonl").read_text())}
