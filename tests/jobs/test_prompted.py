"""Prompts at any frame of a run: new objects, corrections, and what cannot be served."""

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import vosctl
from tests.helpers.frames import in_matroska, lose_frame, square_frame, write_video
from tests.helpers.prompts import ColourPromptEngine
from vosctl.prompts.prompt_file import write_prompts
from vosctl.prompts.segmenter import registered_prompt_engine
from vosctl.video.masks import read_indexed_png, write_indexed_png

RED, BLUE = (230, 40, 40), (40, 40, 230)


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """clip.mp4 of 12 frames, 96x64, a red square (1) and a blue one (2); the labels of each frame."""
    monkeypatch.chdir(tmp_path)
    made = [square_frame(64, 96, (1, RED, 10 + i, 16, 20), (2, BLUE, 60 - i, 38, 20)) for i in range(12)]
    write_video(tmp_path / "clip.mp4", [image for image, _ in made])
    return [labels for _, labels in made]


def objects_of(folder):
    """The ids in each frame, by its name."""
    found = {}
    for path in sorted(folder.iterdir()):
        found[int(path.stem)] = set(np.unique(read_indexed_png(path))) - {0}
    return found


def run(engine, *prompts, **settings):
    return vosctl.segment(
        "clip.mp4", prompts=prompts, masks="masks", overwrite=True, direction="forward", engine=engine, **settings
    )


def test_an_object_is_followed_from_its_frame_on(clip, bright_engine, tmp_path):
    run(
        bright_engine,
        vosctl.TimedPrompt.of(2, mask=clip[2] == 1),
        vosctl.TimedPrompt.of("0.2s", 7, mask=clip[5] == 2),
    )
    found = objects_of(tmp_path / "masks")
    assert [found[i] for i in range(12)] == 2 * [set()] + 3 * [{1}] + 7 * [{1, 7}]
    labels = read_indexed_png(tmp_path / "masks/00011.png")
    assert ((labels == 7) == (clip[11] == 2)).mean() > 0.97


def test_first_objects_and_later_ones_together(clip, bright_engine, tmp_path):
    write_indexed_png(tmp_path / "m.png", np.where(clip[0] == 1, 3, 0).astype(np.uint8))
    run(bright_engine, vosctl.TimedPrompt.of(4, 5, box=(52, 34, 28, 28)), first_mask="m.png")
    found = objects_of(tmp_path / "masks")
    assert (found[0], found[3], found[4], found[11]) == ({3}, {3}, {3, 5}, {3, 5})


def test_a_mask_corrects_what_is_followed(clip, bright_engine, tmp_path):
    """Object 1 is the red square and from frame 6 on, as it is said there, the blue one."""
    run(bright_engine, vosctl.TimedPrompt.of(mask=clip[0] == 1), vosctl.TimedPrompt.of(6, 1, mask=clip[6] == 2))
    for number, true in ((5, 1), (6, 2), (11, 2)):
        labels = read_indexed_png(tmp_path / f"masks/{number:05d}.png")
        assert ((labels == 1) == (clip[number] == true)).mean() > 0.97


def test_clicks_alone_correct_the_mask_of_the_frame(clip, bright_engine, tmp_path):
    """A click on the blue square adds it to the red one, which is followed: it stays."""
    with registered_prompt_engine(ColourPromptEngine()):
        run(
            bright_engine,
            vosctl.TimedPrompt.of(mask=clip[0] == 1),
            vosctl.TimedPrompt.of(3, 1, points=[(67.0, 48.0, True)]),
            max_frames=4,
        )
    before, after = (read_indexed_png(tmp_path / f"masks/0000{number}.png") for number in (2, 3))
    assert ((before > 0) == (clip[2] == 1)).mean() > 0.97
    assert ((after > 0) == (clip[3] > 0)).mean() > 0.95


def test_a_click_beside_an_object_that_is_not_seen_is_left_out_and_said(clip, bright_engine, tmp_path, caplog):
    run(
        bright_engine,
        vosctl.TimedPrompt.of(mask=clip[0] > 0),  # of two colours, of which the engine finds none again
        vosctl.TimedPrompt.of(4, 1, points=[(67.0, 48.0, False)]),
        max_frames=6,
    )
    assert objects_of(tmp_path / "masks")[5] == set()
    said = "prompt at frame 4 for object 1: the object is not seen there, and no click is on it; left out"
    assert said in caplog.messages


def test_a_range_counts_frames_as_the_source_does(clip, bright_engine, tmp_path):
    run(
        bright_engine,
        vosctl.TimedPrompt.of(mask=clip[4] == 1),
        vosctl.TimedPrompt.of(8, mask=np.where(clip[8] == 2, 2, 0)),
        start=4,
        end=11,
        every=2,
    )
    assert objects_of(tmp_path / "masks") == {4: {1}, 6: {1}, 8: {1, 2}, 10: {1, 2}}


def test_a_file_of_prompts(clip, bright_engine, tmp_path):
    write_prompts(
        "p.json", [vosctl.TimedPrompt.of(1, mask=clip[1]), vosctl.TimedPrompt.of("0.4s", 9, box=(48, 26, 26, 30))]
    )
    heard = []

    class Hears(vosctl.Events):
        def started(self, start):
            heard.append(start.objects)

    vosctl.segment(
        "clip.mp4", prompts="p.json", direction="forward", masks="masks", engine=bright_engine, events=Hears()
    )
    found = objects_of(tmp_path / "masks")
    assert (found[0], found[1]) == (set(), {1, 2})
    assert heard == [3]


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        (
            [{"at": 12, "box": (5, 5, 20, 20)}],
            "prompt at frame 12 for object 1: lies beyond the end; the source has 12",
        ),
        ([{"at": "9s", "box": (5, 5, 20, 20)}], "prompt at 9s for object 1: lies beyond the end"),
        (
            [{"at": 3, "box": (5, 5, 20, 20)}, {"at": "0.12s", "box": (9, 9, 20, 20)}],
            "object 1 is said twice in frame 3: prompt at frame 3 for object 1 and prompt at 0.12s for object 1",
        ),
        ([{"at": 3, "box": (200, 5, 20, 20)}], "lies outside the 96x64 picture"),
        ([{"at": 3, "points": [(5, 5, False)]}], "`point`: none of them is on the object"),
        ([{"at": 0, "box": (5, 11, 30, 30)}, {"at": 9, "points": [(5, 70, True)]}], "`point=5,70`: lies outside the"),
        (
            [{"at": 9, "object_id": key, "mask": np.arange(96 * 64).reshape(64, 96) > 9000 // key} for key in (2, 3)],
            "prompt at frame 9 for object 2: is wholly covered by a later one",
        ),
        ([{"at": 3, "mask": "absent.png"}], "absent.png: no such mask"),
        ([{"at": 3, "mask": np.ones((5, 5), bool)}], "prompt at frame 3: is 5x5, the frames are 96x64"),
    ],
)
def test_what_cannot_be_served_is_said_before_any_work(clip, bright_engine, tmp_path, prompts, message):
    with pytest.raises(vosctl.UsageError, match=message):
        run(bright_engine, *(vosctl.TimedPrompt.of(**given) for given in prompts))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4"]
    assert bright_engine.batches == []


@pytest.mark.parametrize(
    ("at", "message"),
    [(2, "frame 2 is not in the range, which goes from 3 to 8"), (4, "leaves frame 4 out; the next ones are 3 and 5")],
)
def test_a_prompt_outside_the_range(clip, bright_engine, at, message):
    with pytest.raises(vosctl.UsageError, match=message):
        run(bright_engine, vosctl.TimedPrompt.of(at, box=(5, 5, 20, 20)), start=3, end=9, every=2)


def test_the_paper_knows_no_later_prompts(clip, bright_engine):
    with pytest.raises(vosctl.UsageError, match="`paper_protocol=True`"):
        run(bright_engine, vosctl.TimedPrompt.of(1, mask=clip[1]), tracking=vosctl.TrackingSettings.paper())


@pytest.mark.parametrize("later", [5, "0.2s"])
def test_a_pipe_takes_prompts_as_its_frames_come(clip, registered_bright_engine, invoke, tmp_path, later):
    with av.open("clip.mp4") as source, av.open("clip.y4m", "w", format="yuv4mpegpipe") as target:
        stream = target.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for frame in source.decode(video=0):
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    write_indexed_png(tmp_path / "m.png", np.where(clip[0] == 1, 1, 0).astype(np.uint8))
    result = invoke(
        "segment", "-", "--mask", "m.png", "--box", f"{later}@4=50,28,30,34", "--mask", "100@5=m.png",
        "--rle", "r.jsonl",
        input=Path("clip.y4m").read_bytes(),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert {line["frame"] for line in lines if line["object"] == 4} == set(range(5, 12))
    assert {line["frame"] for line in lines if line["object"] == 1} == set(range(12))
    assert "mask m.png at frame 100 for object 5: was not reached; the last frame is 11" in result.stderr


def test_of_a_pipe_a_time_within_a_long_frame_is_that_frame(clip, registered_bright_engine, invoke):
    """As in a file: how long it is shown is not what it says, but when the next frame comes."""
    source = in_matroska(Path("clip.mp4"), Path("clip.mkv"), {5: Fraction(2)})
    write_indexed_png(Path("m.png"), (clip[0] == 1).astype(np.uint8))
    said = ("--mask", "m.png", "--box", "1.5s@4=50,28,30,34", "--direction", "forward")
    for given, film, masks in ((str(source), None, "of_file"), ("-", source.read_bytes(), "of_pipe")):
        result = invoke("segment", given, *said, "--masks", masks, input=film)
        assert result.exit_code == 0, result.output
    assert objects_of(Path("of_file")) == objects_of(Path("of_pipe"))
    assert [number for number, seen in objects_of(Path("of_pipe")).items() if 4 in seen] == list(range(4, 12))


@pytest.fixture
def with_a_lost_frame(tmp_path, monkeypatch):
    """clip.mp4 of 12 frames, a red square and a blue one, of which frame 5 is damaged; the labels of each frame."""
    monkeypatch.chdir(tmp_path)
    made = [square_frame(64, 96, (1, RED, 10 + i, 16, 20), (2, BLUE, 60 - i, 38, 20)) for i in range(12)]
    write_video(tmp_path / "clip.mp4", [image for image, _ in made], gop=1)
    lose_frame(tmp_path / "clip.mp4", 5)
    return [labels for _, labels in made]


@pytest.mark.parametrize("direction", ["forward", "both"])
@pytest.mark.parametrize("said", [{"mask": None}, {"points": [(40.0, 48.0, True)]}])
def test_what_is_said_in_a_lost_frame_is_left_out_and_told(with_a_lost_frame, bright_engine, caplog, direction, said):
    labels = with_a_lost_frame
    lost = {"mask": labels[5] == 2} if "mask" in said else said
    prompts = [vosctl.TimedPrompt.of(0, 1, mask=labels[0] == 1), vosctl.TimedPrompt.of(5, 1, **lost)]
    vosctl.segment("clip.mp4", prompts=prompts, direction=direction, masks="masks", engine=bright_engine)
    told = "prompt at frame 5 for object 1: the frame is lost, too damaged to be decoded; left out"
    assert caplog.messages.count(told) == 1
    found = read_indexed_png(Path("masks/00011.png"))
    assert ((found == 1) == (labels[11] == 1)).mean() > 0.97
    assert not Path("masks/00005.png").exists()


@pytest.mark.parametrize("direction", ["forward", "both"])
def test_a_frame_that_is_lost_can_be_the_only_place(with_a_lost_frame, bright_engine, caplog, direction):
    labels = with_a_lost_frame
    prompts = [vosctl.TimedPrompt.of(5, 1, mask=labels[5] == 1), vosctl.TimedPrompt.of(8, 2, mask=labels[8] == 2)]
    vosctl.segment("clip.mp4", prompts=prompts, direction=direction, masks="masks", engine=bright_engine)
    assert [line for line in caplog.messages if "object 1: the frame is lost" in line]
    found = objects_of(Path("masks"))
    assert found[11] == {2}
    assert found[0] == ({2} if direction == "both" else set())


def test_a_run_of_which_all_is_lost_is_refused(with_a_lost_frame, bright_engine):
    prompts = [vosctl.TimedPrompt.of(5, 1, mask=with_a_lost_frame[5] == 1)]
    with pytest.raises(vosctl.UsageError, match="clip: nothing is left to follow; see the warnings"):
        vosctl.segment("clip.mp4", prompts=prompts, masks="masks", engine=bright_engine)
    assert not Path("masks").exists()


def test_a_box_in_a_lost_frame_is_refused_before_any_work(with_a_lost_frame, registered_bright_engine):
    prompts = [vosctl.TimedPrompt.of(5, 1, box=(40, 30, 30, 30))]
    with pytest.raises(vosctl.UsageError, match="frame 5 for object 1: the frame is lost, too damaged to be decoded"):
        vosctl.segment("clip.mp4", prompts=prompts, masks="masks", engine=registered_bright_engine)
    assert not Path("masks").exists()


def piped(*arguments, invoke, clip):
    film = in_matroska(Path("clip.mp4"), Path("clip.mkv"))
    write_indexed_png(Path("m.png"), (clip[2] == 1).astype(np.uint8))
    return invoke("segment", "-", *arguments, "--masks", "masks", input=film.read_bytes())


@pytest.mark.parametrize("at", ["2", "0.08s"])
def test_of_a_pipe_a_prompt_before_the_range_is_refused(clip, registered_bright_engine, invoke, at):
    result = piped("--start", "0.2s", "--mask", f"{at}@m.png", invoke=invoke, clip=clip)
    assert result.exit_code == 2, result.output
    assert "for object 1: the frame is not one of those that are read; say it of another frame" in result.stderr


def test_of_a_pipe_a_prompt_between_the_frames_that_are_read_is_told(clip, registered_bright_engine, invoke):
    result = piped(
        "--start", "0.08s", "--every", "3", "--mask", "m.png", "--mask", "4@2=m.png", invoke=invoke, clip=clip
    )
    assert result.exit_code == 0, result.output
    assert "at frame 4 for object 2: the frame is not one of those that are read; left out" in result.stderr
    assert objects_of(Path("masks")) == {2: {1}, 5: {1}, 8: {1}, 11: {1}}


@pytest.mark.parametrize("read", ["p.json", "m.json"])
def test_no_output_replaces_a_file_of_prompts_or_of_a_mask(clip, registered_bright_engine, invoke, read):
    """Not where a track is corrected either."""
    write_indexed_png(Path("m.png"), clip[0])
    first = ["segment", "clip.mp4", "--first-mask", "m.png", "--max-frames", "1"]
    assert invoke(*first, "--annotations", "m.json", "--track", "a.vostrack").exit_code == 0
    Path("p.json").write_text('{"vosctl_prompts": 1, "prompts": [{"at": 0, "mask": "m.json"}]}')
    before = Path(read).read_bytes()
    for said in (["segment", "clip.mp4"], ["segment", "--resume", "a.vostrack"]):
        result = invoke(*said, "--prompts", "p.json", "--annotations", read, "--overwrite")
        assert result.exit_code == 2, result.output
        assert f"--annotations: {read} would replace the input {read}; choose another name" in result.stderr
    assert Path(read).read_bytes() == before
