"""What is drawn from a track is what the run itself would have written."""

import io
import json
import sqlite3
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import vosctl
from tests.helpers.frames import square_frame, write_video
from vosctl.tracking.results import TrackedFrame, TrackedObject
from vosctl.tracks import Track, TrackHeader, TrackWriter
from vosctl.video.frames import Frame, SourceInfo
from vosctl.video.masks import read_indexed_png, write_indexed_png

RED, BLUE = (230, 40, 40), (40, 40, 230)


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """clip.mp4 of 8 frames, 96x64, two squares, the first away in frames 4 and 5; m.png."""
    monkeypatch.chdir(tmp_path)
    made = [
        square_frame(64, 96, (1, RED, 10 + i if i not in (4, 5) else 300, 16, 24), (2, BLUE, 60 - i, 30, 20))
        for i in range(8)
    ]
    write_video(tmp_path / "clip.mp4", [image for image, _ in made])
    write_indexed_png(tmp_path / "m.png", made[0][1])


@pytest.fixture
def tracked(clip, registered_bright_engine):
    """The clip with its track and every output of one pass in `once`."""
    return vosctl.segment("clip.mp4", "m.png", track="clip.vostrack", **outputs("once"))


def outputs(folder):
    names = {"overlay": "o.mp4", "masks": "masks", "matte": "m.mkv", "cutout": "cut", "rle": "r.jsonl"}
    return {name: f"{folder}/{file}" for name, file in names.items()}


def files(folder):
    return {path.relative_to(folder).as_posix(): path for path in sorted(Path(folder).rglob("*")) if path.is_file()}


def pictures(file):
    with av.open(file) as container:
        frames = container.decode(video=0)
        return [(frame.pts * frame.time_base, frame.to_ndarray(format="rgb24")) for frame in frames]


def assert_same_outputs(one, other):
    first, second = files(one), files(other)
    assert first.keys() == second.keys()
    for name, path in first.items():
        if path.suffix in (".mp4", ".mkv"):
            for (pts, image), (other_pts, drawn) in zip(pictures(path), pictures(second[name]), strict=True):
                assert pts == other_pts
                np.testing.assert_array_equal(image, drawn)
        else:
            assert path.read_bytes() == second[name].read_bytes(), name


def test_all_outputs_are_those_of_one_pass(tracked):
    summary = vosctl.render("clip.vostrack", **outputs("again"))
    assert_same_outputs("once", "again")
    assert summary.frames == 8
    assert summary.engine is None
    assert summary.losses == tracked.losses


def test_soft_edges_too(tmp_path, monkeypatch, tiny_engine, demo_frames):
    """A network whose masks are soft all over, followed in crops: the cut-out is the same pixel for pixel."""
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "clip.mp4", [image for image, _ in demo_frames[:4]])
    vosctl.segment("clip.mp4", demo_frames[0][1], track="c.vostrack", engine=tiny_engine, **outputs("once"))
    with Track(Path("c.vostrack")) as track:
        assert len(np.unique(track[2].alpha)) > 20, "or nothing soft was tested"
    vosctl.render("c.vostrack", **outputs("again"))
    assert_same_outputs("once", "again")


def test_objects_that_come_later_are_counted(clip, bright_engine):
    later = vosctl.TimedPrompt.of(3, 7, mask=read_indexed_png(Path("m.png")) == 2)
    vosctl.segment("clip.mp4", prompts=[later], direction="forward", track="clip.vostrack", engine=bright_engine)
    heard = []

    class Hears(vosctl.Events):
        def started(self, start):
            heard.append(start.objects)

    vosctl.render("clip.vostrack", masks="masks", events=Hears())
    assert heard == [1]


def test_no_network_is_loaded(tracked):
    code = (
        "import sys, vosctl; vosctl.render('clip.vostrack', masks='again'); "
        "print([name for name in ('torch', 'onnxruntime', 'openvino') if name in sys.modules])"
    )
    root = str(Path(vosctl.__file__).parents[1])
    ended = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": root}, capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"


def test_the_source_is_found_where_it_lay_or_named(tracked, tmp_path):
    (tmp_path / "moved").mkdir()
    for name in ("clip.mp4", "clip.vostrack"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    vosctl.render("moved/clip.vostrack", masks="a", max_frames=1)
    (tmp_path / "moved" / "clip.mp4").rename(tmp_path / "other.mp4")
    with pytest.raises(vosctl.UsageError, match=r"no longer at .*clip\.mp4; give it as `source`"):
        vosctl.render("moved/clip.vostrack", masks="b")
    assert vosctl.render("moved/clip.vostrack", "other.mp4", masks="b", max_frames=1).frames == 1


def streamed(tmp_path, frames=(0, 3, 7)):
    """A track of a stream: frames with these numbers, one object that moves."""
    header = TrackHeader.of(SourceInfo("camera", 96, 64, None, Fraction(1, 90_000), live=True))
    writer = TrackWriter(tmp_path / "s.vostrack", header)
    for index in frames:
        labels = square_frame(64, 96, (1, RED, 10 + index, 16, 24))[1]
        found = TrackedObject(1, "tracked", 0.9, 576, (10 + index, 16, 24, 24))
        frame = Frame(index, np.zeros((64, 96, 3), np.uint8), 3000 * index, Fraction(1, 90_000))
        writer.append(frame, TrackedFrame(labels, labels * 255, (found,)))
    writer.finish()
    writer.close()


def test_a_stream_that_is_over_is_drawn_where_no_picture_is_needed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    streamed(tmp_path)
    vosctl.render("s.vostrack", masks="m", matte="m.mkv", rle="r.jsonl", annotations="a.json")
    assert sorted(path.name for path in Path("m").iterdir()) == ["00000.png", "00003.png", "00007.png"]
    assert (read_indexed_png(Path("m/00007.png")) == square_frame(64, 96, (1, RED, 17, 16, 24))[1]).all()
    assert [time for time, _ in pictures("m.mkv")] == [0, Fraction(1, 10), Fraction(233, 1000)]
    with pytest.raises(vosctl.UsageError, match="from a stream, camera; give `source` to draw `cutout` on"):
        vosctl.render("s.vostrack", cutout="c", masks="n")
    with pytest.raises(
        vosctl.UsageError, match=r"^`decoder='nvdec'`: s\.vostrack is of a stream that is over; leave it out"
    ):
        vosctl.render("s.vostrack", masks="n", decoder="nvdec")
    assert not Path("n").exists()


def test_a_frame_that_the_source_does_not_have(tracked, tmp_path):
    """Results never come on another picture than their own."""
    with sqlite3.connect(tmp_path / "clip.vostrack") as database:
        database.execute("UPDATE frames SET source_index = source_index + 1 WHERE number < 2")
        database.execute("UPDATE frames SET source_index = -1 WHERE number = 2")
    database.close()
    with pytest.raises(vosctl.VosctlError, match=r"clip\.vostrack: is of a frame -1, which clip does not have"):
        vosctl.render("clip.vostrack", masks="masks")


def test_a_track_of_another_video(tracked, tmp_path):
    write_video(tmp_path / "other.mp4", [square_frame(64, 96)[0]] * 8)
    with pytest.raises(vosctl.VosctlError, match=r"clip\.vostrack: is of another video than other"):
        vosctl.render("clip.vostrack", "other.mp4", masks="masks")
    write_video(tmp_path / "larger.mp4", [square_frame(128, 96)[0]] * 8)
    with pytest.raises(vosctl.VosctlError, match="of a video of 96x64, and larger is 96x128"):
        vosctl.render("clip.vostrack", "larger.mp4", masks="masks")
    assert not (tmp_path / "masks").exists()


def test_a_track_that_was_stopped_is_drawn_as_far_as_it_goes(clip, bright_engine, tmp_path):
    class Stops(vosctl.Events):
        def frame(self, frame, result):
            if frame.index == 5:
                raise vosctl.VosctlError("enough")

    with pytest.raises(vosctl.VosctlError, match="enough"):
        vosctl.segment("clip.mp4", "m.png", track="clip.vostrack", engine=bright_engine, events=Stops())
    with Track(tmp_path / "clip.vostrack") as track:
        count = len(track)
    heard = []

    class Hears(vosctl.Events):
        def warning(self, line):
            heard.append(line)

    summary = vosctl.render("clip.vostrack", masks="masks", events=Hears())
    assert summary.frames == count == len(list((tmp_path / "masks").iterdir()))
    assert ["is not complete, its" in line for line in heard] == [True]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "nothing is to be written"),
        ({"masks": "masks", "max_frames": 0}, "must be 1 or more"),
        ({"rle": "clip.vostrack", "overwrite": True}, "would replace the input"),
        ({"overlay": "clip.mp4", "overwrite": True}, "would replace the input"),
    ],
)
def test_what_cannot_be_served(tracked, given, message):
    with pytest.raises(vosctl.UsageError, match=message):
        vosctl.render("clip.vostrack", **given)


def test_the_command(invoke, tracked, tmp_path):
    result = invoke("render", "clip.vostrack", "--overlay", "again.mp4", "--colors", "red")
    assert result.exit_code == 0, result.output
    assert "Wrote again.mp4" in result.stderr
    assert "fps end to end\n" in result.stderr, "nothing is said of an engine"
    result = invoke("render", "clip.vostrack", "--json", "--masks", "masks")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert events[-1]["event"] == "summary"
    assert len(read_indexed_png(tmp_path / "masks" / "00007.png")) == 64
    assert invoke("render", "clip.vostrack").exit_code == 0
    assert (tmp_path / "clip_overlay.mp4").exists()


@pytest.mark.parametrize("pipe_format", ["matroska", "y4m"])
def test_videos_on_standard_output(invoke, tracked, pipe_format):
    """The same by both commands, with every frame at its time; what is said goes to standard error."""
    form = ("--overlay", "-", "--pipe-format", pipe_format)
    once, again = (
        invoke(*command, *form)
        for command in (("segment", "clip.mp4", "--first-mask", "m.png"), ("render", "clip.vostrack"))
    )
    assert (once.exit_code, again.exit_code) == (0, 0), once.stderr + again.stderr
    assert "Wrote to standard output" in once.stderr
    first, second = (pictures(io.BytesIO(result.stdout_bytes)) for result in (once, again))
    assert [time for time, _ in first] == [time for time, _ in second] == [Fraction(index, 25) for index in range(8)]
    for (_, image), (_, drawn) in zip(first, second, strict=True):
        np.testing.assert_array_equal(image, drawn)


def test_events_are_not_mixed_with_a_video(invoke, tracked):
    result = invoke("render", "clip.vostrack", "--json", "--matte", "-")
    assert result.exit_code == 2
    assert "--json and --matte -: both write to standard output; give --matte a file" in result.stderr


def test_bad_tracks_are_told_in_one_line(invoke, tracked, tmp_path):
    (tmp_path / "clip.mp4").rename(tmp_path / "gone.mp4")
    for arguments, message in (
        (["clip.vostrack"], "give it as SOURCE"),
        (["none.vostrack"], "no such track; --track FILE of segment"),
        (["m.png"], "is no track of vosctl"),
    ):
        result = invoke("render", *arguments, "--masks", "masks")
        assert result.exit_code == 2
        assert message in result.stderr
        assert "Traceback" not in result.stderr


def test_the_track_of_a_part_is_drawn_on_that_part(clip, bright_engine, tmp_path):
    """The same videos as those of one pass, and the prompts are in the track."""
    said = [vosctl.TimedPrompt.of("0.2s", mask="m.png")]
    vosctl.segment(
        "clip.mp4", prompts=said, start=3, end="0.3s", every=2, track="t.vostrack", masks="one", engine=bright_engine
    )
    vosctl.render("t.vostrack", masks="two")
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["00003.png", "00005.png"]
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == names
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    with vosctl.Track(tmp_path / "t.vostrack") as track:
        assert track.header.span == {"start": "3", "end": "0.3s", "every": 2}
        assert track.header.prompts["timed"] == [{"at": "0.2s", "mask": "m.png"}]


def test_images_of_several_sizes_are_told_before_any_work(registered_bright_engine, tmp_path, monkeypatch):
    """One that was turned since has as many bytes as before."""
    monkeypatch.chdir(tmp_path)
    Path("pictures").mkdir()
    image, labels = square_frame(64, 96, (1, RED, 10, 16, 24))
    for number in range(3):
        Image.fromarray(image).save(f"pictures/{number}.bmp")
    vosctl.segment("pictures", labels, track="a.vostrack")
    Image.fromarray(np.rot90(image)).save("pictures/1.bmp")

    class NothingBegins(vosctl.Events):
        def started(self, run):
            raise AssertionError(run)

    with pytest.raises(vosctl.UsageError, match=r"1\.bmp is 64x96 but 0\.bmp is 96x64"):
        vosctl.render("a.vostrack", overlay="o.mp4", events=NothingBegins())
    assert not Path("o.mp4").exists()
    vosctl.render("a.vostrack", overlay="o.mp4", max_frames=1)
