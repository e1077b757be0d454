"""Objects are followed forwards and backwards from what is said of them."""

import av
import numpy as np
import pytest

import vosctl
from tests.helpers.frames import in_matroska, square_frame, write_video
from tests.helpers.prompts import ColourPromptEngine
from vosctl.prompts.segmenter import registered_prompt_engine
from vosctl.tracking import TrackedFrame, TrackedObject
from vosctl.tracks.packed import PackedResult
from vosctl.video.masks import read_indexed_png, write_indexed_png

RED, BLUE = (230, 40, 40), (40, 40, 230)
COUNT = 12


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """clip.mp4 of 12 frames, 96x64, a red square and a blue one, which is away in frames 7 and 8; the labels."""
    monkeypatch.chdir(tmp_path)
    made = [
        square_frame(64, 96, (1, RED, 10 + i, 8, 20), (2, BLUE, 60 - i if i not in (7, 8) else 300, 38, 20))
        for i in range(COUNT)
    ]
    write_video(tmp_path / "clip.mp4", [image for image, _ in made])
    return [labels for _, labels in made]


def run(engine, *prompts, **settings):
    vosctl.segment("clip.mp4", prompts=prompts, masks="masks", overwrite=True, engine=engine, **settings)


def frames_of(tmp_path):
    return {int(path.stem): read_indexed_png(path) for path in sorted((tmp_path / "masks").iterdir())}


def agrees(labels, true):
    return (labels == true).mean() > 0.97


def test_an_object_is_followed_back_from_where_it_is_said(clip, bright_engine, tmp_path):
    run(bright_engine, vosctl.TimedPrompt.of(9, 5, mask=clip[9] == 1))
    found = frames_of(tmp_path)
    assert all(agrees(found[i] == 5, clip[i] == 1) for i in range(COUNT))
    run(bright_engine, vosctl.TimedPrompt.of(9, 5, mask=clip[9] == 1), direction="forward")
    found = frames_of(tmp_path)
    assert [found[i].any() for i in range(COUNT)] == 9 * [False] + 3 * [True]


def test_between_two_places_the_nearer_one_counts_more(clip, bright_engine, tmp_path):
    """Object 1 is the red square in frame 0 and the blue one in frame 11; one that is lost gives way to the other."""
    run(bright_engine, vosctl.TimedPrompt.of(mask=clip[0] == 1), vosctl.TimedPrompt.of(11, 1, mask=clip[11] == 2))
    found = frames_of(tmp_path)
    for number in range(COUNT):
        true = 2 if number in (6, 9, 10, 11) else 1
        assert agrees(found[number] == 1, clip[number] == true), number


def test_objects_of_both_runs_in_one_frame(clip, bright_engine, tmp_path):
    run(
        bright_engine,
        vosctl.TimedPrompt.of(mask=clip[0] == 1),
        vosctl.TimedPrompt.of(10, 7, box=(46, 34, 28, 28)),
        rle="r.jsonl",
        cutout="cut",
        matte="m.mkv",
    )
    found = frames_of(tmp_path)
    for number in range(COUNT):
        assert agrees(found[number] == 1, clip[number] == 1), number
        assert agrees(found[number] == 7, clip[number] == 2), number
    with av.open("m.mkv") as container:
        matte = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert all(((one > 128) == (clip[number] > 0)).mean() > 0.95 for number, one in enumerate(matte))


@pytest.mark.parametrize("later", [(), (11,)])
def test_clicks_count_backwards_too(clip, bright_engine, tmp_path, later):
    """Object 1 is the red square; in frame 6 clicks make it the blue one: so it is from half the way on."""
    points = [(*np.argwhere(clip[6] == key).mean(axis=0)[::-1], key == 2) for key in (1, 2)]
    with registered_prompt_engine(ColourPromptEngine()):
        run(
            bright_engine,
            vosctl.TimedPrompt.of(mask=clip[0] == 1),
            vosctl.TimedPrompt.of(6, 1, points=points),
            *(vosctl.TimedPrompt.of(number, 1, mask=clip[number] == 2) for number in later),
        )
    found = frames_of(tmp_path)
    for number in (0, 1, 2, 3, 4, 5, 6, 9, 10, 11):
        assert agrees(found[number] == 1, clip[number] == (1 if number <= 3 else 2)), number


@pytest.mark.parametrize("first", [{"box": (10, 8, 20, 20)}, {"point": [(20, 18, True)]}])
def test_clicks_correct_what_a_box_or_a_click_of_the_first_frame_began(clip, bright_engine, tmp_path, first):
    """A box or a click is looked at in the first frame, which is read for it; later clicks alone correct its object."""
    points = [(*np.argwhere(clip[6] == key).mean(axis=0)[::-1], key == 2) for key in (1, 2)]
    with registered_prompt_engine(ColourPromptEngine()):
        run(bright_engine, vosctl.TimedPrompt.of(6, 1, points=points), **first)
    found = frames_of(tmp_path)
    for number in (0, 3, 6, 11):
        assert agrees(found[number] == 1, clip[number] == (1 if number <= 3 else 2)), number


def test_clicks_correct_what_both_ways_come_to(clip, bright_engine, tmp_path):
    """In frame 9, nearer to frame 11, object 1 is the blue square: a click on the red one makes it red."""
    points = [(*np.argwhere(clip[9] == key).mean(axis=0)[::-1], key == 1) for key in (1, 2)]
    engine = ColourPromptEngine()
    with registered_prompt_engine(engine):
        run(
            bright_engine,
            vosctl.TimedPrompt.of(mask=clip[0] == 1),
            vosctl.TimedPrompt.of(9, 1, points=points),
            vosctl.TimedPrompt.of(11, 1, mask=clip[11] == 2),
        )
    assert (engine.maps[0][3] > 0.5).any(), "or no mask was given to be corrected"
    found = frames_of(tmp_path)
    assert agrees(found[9] == 1, clip[9] == 1)
    assert agrees(found[11] == 1, clip[11] == 2)


def test_a_part_of_a_video_both_ways(clip, bright_engine, tmp_path):
    run(bright_engine, vosctl.TimedPrompt.of("0.2s", 3, mask=clip[5] == 1), start=1, end=10, every=2)
    found = frames_of(tmp_path)
    assert sorted(found) == [1, 3, 5, 7, 9]
    assert all(agrees(labels == 3, clip[number] == 1) for number, labels in found.items())


def test_what_is_said_in_the_first_frame_alone_is_one_pass(clip, bright_engine, tmp_path, caplog):
    caplog.set_level("INFO")
    run(bright_engine, vosctl.TimedPrompt.of(mask=clip[0]))
    once = len(bright_engine.batches)
    assert not [line for line in caplog.messages if "backwards" in line]
    write_indexed_png(tmp_path / "m.png", clip[0])
    vosctl.segment("clip.mp4", "m.png", masks="plain", engine=bright_engine)
    assert len(bright_engine.batches) == 2 * once == 2 * (COUNT - 1)
    for path in (tmp_path / "plain").iterdir():
        assert path.read_bytes() == (tmp_path / "masks" / path.name).read_bytes()


def test_a_pipe_is_followed_forwards_and_says_so(clip, registered_bright_engine, invoke, tmp_path):
    film = in_matroska(tmp_path / "clip.mp4", tmp_path / "clip.mkv")
    write_indexed_png(tmp_path / "m.png", (clip[4] == 1).astype(np.uint8))
    result = invoke("segment", "-", "--mask", "4@m.png", "--masks", "masks", input=film.read_bytes())
    assert result.exit_code == 0, result.output
    assert "stdin: cannot be read backwards; its objects are followed forwards only" in result.stderr
    assert [labels.any() for labels in frames_of(tmp_path).values()] == 4 * [False] + 8 * [True]


def test_a_direction_that_is_none(clip, bright_engine):
    with pytest.raises(vosctl.UsageError, match="`direction='back'`: is not known; give 'both' or 'forward'"):
        run(bright_engine, vosctl.TimedPrompt.of(mask=clip[0]), direction="back")


def test_a_packed_result_comes_back_whole_and_is_small():
    rng = np.random.default_rng(0)
    labels = np.zeros((480, 640), np.uint8)
    labels[100:300, 50:200], labels[250:400, 180:420] = 3, 200
    alpha = np.where(labels > 0, 255, 0).astype(np.uint8)
    alpha[99, 50:200] = rng.integers(0, 255, 150)
    objects = (
        TrackedObject(3, "tracked", 0.9, 1, (1, 2, 3, 4)),
        TrackedObject(9, "lost", 0.0, 0, None),
        TrackedObject(200, "tracked", 0.8, 1, (1, 2, 3, 4)),
    )
    packed = PackedResult.of(TrackedFrame(labels, alpha, objects))
    back = packed.unpack()
    assert (back.labels == labels).all()
    assert (back.alpha == alpha).all()
    assert back.objects == objects
    assert packed.nbytes < labels.size / 50


def test_clicks_on_two_objects_of_one_frame_correct_what_both_ways_come_to(clip, bright_engine, tmp_path, caplog):
    """In frame 9, nearer to frame 11, the squares have changed places: both clicks are of what is shown there."""
    x, y = np.argwhere(clip[9] == 2).mean(axis=0)[::-1]
    with registered_prompt_engine(ColourPromptEngine()):
        run(
            bright_engine,
            vosctl.TimedPrompt.of(0, 1, mask=clip[0] == 1),
            vosctl.TimedPrompt.of(0, 2, mask=clip[0] == 2),
            vosctl.TimedPrompt.of(9, 1, points=[(x, y, True)]),
            vosctl.TimedPrompt.of(9, 2, points=[(x, y, False)]),
            vosctl.TimedPrompt.of(11, 1, mask=clip[11] == 2),
            vosctl.TimedPrompt.of(11, 2, mask=clip[11] == 1),
        )
    assert not [line for line in caplog.messages if "left out" in line]
    found = frames_of(tmp_path)
    assert agrees(found[9] == 1, clip[9] == 2)
    assert agrees(found[9] == 2, clip[9] == 1)


def test_what_lies_after_the_last_frame_is_used_backwards(clip, bright_engine, tmp_path, caplog):
    caplog.set_level("INFO")
    run(bright_engine, vosctl.TimedPrompt.of(9, 5, mask=clip[9] == 1), max_frames=4)
    assert all(agrees(labels == 5, clip[number] == 1) for number, labels in frames_of(tmp_path).items())
    assert not [line for line in caplog.messages if "not reached" in line]
    run(bright_engine, vosctl.TimedPrompt.of(9, 5, mask=clip[9] == 1), max_frames=4, direction="forward")
    assert "prompt at frame 9 for object 5: was not reached; the last frame is 3" in caplog.messages


def test_clicks_that_are_left_out_lead_nowhere_back(clip, bright_engine, caplog):
    caplog.set_level("INFO")
    run(
        bright_engine,
        vosctl.TimedPrompt.of(mask=clip[0] > 0),  # of two colours, of which the engine finds none again
        vosctl.TimedPrompt.of(4, 1, points=[(67.0, 48.0, False)]),
    )
    assert [line for line in caplog.messages if "left out" in line]
    assert not [line for line in caplog.messages if "backwards" in line]
