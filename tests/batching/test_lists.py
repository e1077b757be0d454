"""Lists of jobs, and what can be wrong with them."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

import vosctl
from vosctl.batching import JobOptions
from vosctl.batching.finding import JobsRequest
from vosctl.batching.lists import read_list
from vosctl.batching.values import READERS
from vosctl.time_line import Span


@pytest.fixture
def listed(tmp_path):
    """Writes a list and reads it."""

    def read(text, name="jobs.csv", options=None):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_list(path, options or JobOptions())

    return read


def lines(*entries):
    return "".join(json.dumps(entry) + "\n" for entry in entries)


def test_paths_are_taken_from_the_folder_of_the_list(listed, tmp_path):
    found = listed(
        "source,first_mask,prompts,background\na.mp4,m/a.png;m/b.png,,blur\n/x/b.mp4,,p.json,beach.jpg\n"
        "http://host/c.mp4,/m/c.png,,#00ff00\n"
    )
    a, b, c = found.jobs
    assert a.source == str(tmp_path / "a.mp4")
    assert a.first_mask == (str(tmp_path / "m/a.png"), str(tmp_path / "m/b.png"))
    assert a.options.background == "blur"
    assert (b.source, b.prompts) == ("/x/b.mp4", str(tmp_path / "p.json"))
    assert b.options.background == str(tmp_path / "beach.jpg")
    assert (c.source, c.first_mask, c.options.background) == ("http://host/c.mp4", ("/m/c.png",), "#00ff00")
    assert [job.name for job in found.jobs] == ["a", "b", "c"]


def test_options_of_each_line_go_before_those_of_all(listed):
    options = JobOptions(max_frames=9, tracking=vosctl.TrackingSettings(window_size=192))
    text = "source;start;every;max_frames;window_size;frame_rate;fix_mask;audio;outputs\n"
    text += "a.mp4;0:10;2;;;30000/1001;yes;no;masks,rle\nb.mp4;;;5;96;;;;\n"
    found = listed(text, options=options)
    a, b = (job.options for job in found.jobs)
    assert (a.span, a.max_frames, a.frame_rate) == (Span.of("10s", None, 2), 9, Fraction(30000, 1001))
    assert (a.fix_mask, a.audio, a.tracking.window_size) == (True, False, 192)
    assert (b.max_frames, b.tracking.window_size, b.audio) == (5, 96, True)
    assert {name: [one.name for one in outputs] for name, outputs in found.outputs.items()} == {"a": ["masks", "rle"]}


def test_a_line_changes_only_what_it_says_of_the_part(listed):
    options = JobOptions(span=Span.of(10, 100, 5))
    found = listed("source,start,end\na.mp4,,50\nb.mp4,20,\nc.mp4,,\nd.mp4,200,\n", options=options)
    assert [job.options.span for job in found.jobs] == [Span.of(10, 50, 5), Span.of(20, 100, 5), Span.of(10, 100, 5)]
    assert ["line 5: `end=100`: is before `start=200`" in line for line in found.problems] == [True]


def test_boxes_and_points(listed):
    cells = listed('source,box,point\na.mp4,"1,2,30,40",\nb.mp4,"{""2"": [1,2,30,40]}","[[5,6],[7,8,false]]"\n')
    a, b = cells.jobs
    assert {key: one.box for key, one in a.objects.items()} == {1: (1, 2, 30, 40)}
    assert {key: (one.box, one.points) for key, one in b.objects.items()} == {
        2: ((1, 2, 30, 40), ()),
        1: (None, ((5, 6, True), (7, 8, False))),
    }
    entry = {"source": "a.mp4", "box": [1, 2, 30, 40], "point": {"1": [[5, 6]], "3": [7, 8]}}
    (c,) = listed(lines(entry), "jobs.jsonl").jobs
    assert c.objects[1].box == (1, 2, 30, 40)
    assert c.objects[1].points == ((5, 6, True),)
    assert c.objects[3].points == ((7, 8, True),)


def test_a_line_that_does_not_say_what_to_follow_is_a_job_that_would_fail(listed):
    lacking, saying = listed('source,point\na.mp4,\nb.mp4,"5,6"\n').jobs
    assert lacking.problem.endswith(
        "a.mp4: its line does not say what to follow; give it a first_mask, box, point or prompts"
    )
    assert saying.problem is None


BAD = {
    "no json": "{",
    "no object": "[1]",
    "nested": "[" * 100_000,
    "no source": '{"first_mask": "a.png"}',
    "unknown": '{"source": "a.mp4", "mask": "a.png"}',
    "source": '{"source": 3}',
    "nul": '{"source": "a\\u0000.mp4"}',
    "surrogate": '{"source": "a\\ud800.mp4"}',
    "name": '{"source": "a.mp4", "name": "../a"}',
    "box": '{"source": "a.mp4", "box": [1, 2, 3]}',
    "no area": '{"source": "a.mp4", "box": [1, 2, 0, 4]}',
    "infinite": '{"source": "a.mp4", "box": [1, 2, 3, 1e999]}',
    "id": '{"source": "a.mp4", "box": {"0": [1, 2, 3, 4]}}',
    "point": '{"source": "a.mp4", "point": [[1, 2, 3]]}',
    "start": '{"source": "a.mp4", "start": "soon"}',
    "reversed": '{"source": "a.mp4", "start": 5, "end": 3}',
    "every": '{"source": "a.mp4", "every": 0}',
    "number": '{"source": "a.mp4", "max_frames": 1.5}',
    "rate": '{"source": "a.mp4", "frame_rate": "fast"}',
    "flag": '{"source": "a.mp4", "audio": "perhaps"}',
    "direction": '{"source": "a.mp4", "direction": "up"}',
    "window": '{"source": "a.mp4", "window_size": 33}',
    "scales": '{"source": "a.mp4", "scales": "a"}',
    "outputs": '{"source": "a.mp4", "outputs": "none"}',
    "names": '{"source": "a.mp4", "object_names": ["mouse"]}',
    "name of nobody": '{"source": "a.mp4", "object_names": {"0": "mouse"}}',
    "name without a number": '{"source": "a.mp4", "object_names": "mouse"}',
}


@pytest.mark.parametrize("line", BAD.values(), ids=BAD)
def test_a_line_that_cannot_be_read_is_named_by_its_number(listed, line):
    found = listed(f'{{"source": "x.mp4"}}\n\n{line}\n{{"source": "y.mp4"}}\n', "jobs.jsonl")
    assert [job.name for job in found.jobs] == ["x", "y"]
    (problem,) = found.problems
    assert "jobs.jsonl: line 3: " in problem
    assert "\n" not in problem


@pytest.mark.parametrize(
    ("text", "value"), [("source,box\na.mp4,1,2,30,40\n", "comma"), ("source;name\na;b;c\n", "semicolon")]
)
def test_a_cell_that_fell_apart_is_told_how_to_be_quoted(listed, text, value):
    (problem,) = listed(text).problems
    assert problem.endswith(f"; put a value with a {value} in it into double quotes")


def test_names_of_objects(listed):
    cells = "source,object_names\na.mp4,1=mouse; 2=Käfig\nb.mp4,\n"
    cells += 'c.mp4,"{""3"": ""mouse""}"\n'
    for found in (
        listed(cells, options=JobOptions(object_names={1: "fish"})),
        listed(
            lines(
                {"source": "a.mp4", "object_names": {"1": "mouse", "2": "Käfig"}},
                {"source": "b.mp4"},
                {"source": "c.mp4", "object_names": {"3": "mouse"}},
            ),
            "jobs.jsonl",
            JobOptions(object_names={1: "fish"}),
        ),
    ):
        names = [job.options.object_names for job in found.jobs]
        assert names == [{1: "mouse", 2: "Käfig"}, {1: "fish"}, {3: "mouse"}]


def test_lines_of_a_table_that_cannot_be_read(listed):
    text = b'source,first_mask\na.mp4,a.png\nb.mp4\nc.mp4,c.png,d\n"e"f,e.png\n\xff.mp4,f.png\n,g.png\nh.mp4,h.png\n'
    found = listed(text)
    assert [job.name for job in found.jobs] == ["a", "h"]
    assert [int(problem.partition("line ")[2].partition(":")[0]) for problem in found.problems] == [3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column source"),
        ("a.mp4,a.png\n", "no column source"),
        ("source,colour\na.mp4,red\n", "no column 'colour'"),
        ("source,source\na.mp4,b.mp4\n", "twice"),
        ("source\n", "holds no job"),
    ],
)
def test_what_is_no_list(listed, text, message):
    with pytest.raises(vosctl.UsageError, match=message):
        listed(text)


def test_a_list_that_is_not_there(tmp_path):
    with pytest.raises(vosctl.VosctlError, match="cannot be read"):
        read_list(tmp_path, JobOptions())


def test_strict_refuses_what_is_left_out_otherwise(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("jobs.jsonl").write_text(lines({"source": "a.mp4"}) + "{\n[\n")
    said = []
    jobs = JobsRequest("jobs.jsonl", "out").find(said.append)
    assert [job.name for job in jobs] == ["a"]
    assert [line.endswith("; left out") for line in said] == [True, True]
    with pytest.raises(vosctl.UsageError, match=r"line 2: is no JSON: .* \(and 1 more\)"):
        JobsRequest("jobs.jsonl", "out", strict=True).find()
    Path("jobs.jsonl").write_text("{\n")
    with pytest.raises(vosctl.UsageError, match="no line of it can be read"):
        JobsRequest("jobs.jsonl", "out").find()


def test_everything_that_a_list_may_say_is_what_segment_is_called_with():
    import inspect

    known = set(inspect.signature(vosctl.segment).parameters)
    fields = set(vosctl.TrackingSettings.__dataclass_fields__)
    assert set(READERS) - known - fields == {"name", "outputs"}
