import json
from pathlib import Path

import numpy as np
import pytest

from vosctl.errors import UsageError
from vosctl.prompts.prompt_file import read_prompts, write_prompts
from vosctl.prompts.timed import TimedPrompt
from vosctl.time_line import Place


def labels():
    mask = np.zeros((6, 8), np.uint8)
    mask[1:3, 1:4], mask[4:, 5:] = 2, 7
    return mask


def test_what_is_written_is_read(tmp_path):
    prompts = [
        TimedPrompt.of(box=(1.5, 2, 30, 40), points=[(3, 4, True), (5.5, 6, False)]),
        TimedPrompt.of("1:02.5", 9, points=[(3, 4, True)]),
        TimedPrompt.of(7, mask=labels()),
        TimedPrompt.of(8, 4, mask=labels() > 0),
    ]
    write_prompts(tmp_path / "p.json", prompts)
    back = read_prompts(tmp_path / "p.json")
    assert [(one.at, one.object_id) for one in back] == [
        (None, 1),
        (Place.parse("62.5s"), 9),
        (Place(frame=7), 2),
        (Place(frame=7), 7),
        (Place(frame=8), 4),
    ]
    assert back[0].prompt is not None
    assert (back[0].prompt.box, back[0].prompt.points) == ((1.5, 2, 30, 40), ((3, 4, True), (5.5, 6, False)))
    for prompt, expected in zip(back[2:], (labels() == 2, labels() == 7, labels() > 0), strict=True):
        assert isinstance(prompt.mask, np.ndarray)
        assert (prompt.mask == expected).all()


@pytest.mark.parametrize("odd", [256, -1])
def test_ids_that_there_are_not_are_refused(tmp_path, odd):
    with pytest.raises(UsageError, match=r"prompt at frame 7: `mask`: its ids must be 0\.\.255"):
        write_prompts(tmp_path / "p.json", [TimedPrompt.of(7, mask=np.full((6, 8), odd))])
    assert list(tmp_path.iterdir()) == []


def test_files_of_masks_lie_beside_it(tmp_path):
    (tmp_path / "p.json").write_text(json.dumps({"vosctl_prompts": 1, "prompts": [{"mask": "sub/m.png"}]}))
    (prompt,) = read_prompts(tmp_path / "p.json")
    assert prompt.mask == tmp_path / "sub/m.png"
    assert (prompt.at, prompt.object_id) == (None, None)


def test_files_of_masks_are_named_as_seen_from_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "said").mkdir()
    write_prompts("said/p.json", [TimedPrompt.of(3, mask="m.png"), TimedPrompt.of(4, mask=tmp_path / "n.png")])
    first, second = read_prompts("said/p.json")
    assert isinstance(first.mask, Path)
    assert first.mask.resolve() == (tmp_path / "m.png").resolve()
    assert second.mask == tmp_path / "n.png"


def test_a_point_of_two_numbers_is_on_the_object(tmp_path):
    (tmp_path / "p.json").write_text('{"vosctl_prompts": 1, "prompts": [{"at": "0:01", "points": [[3, 4]]}]}')
    (prompt,) = read_prompts(tmp_path / "p.json")
    assert prompt.prompt is not None
    assert prompt.prompt.points == ((3, 4, True),)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1", "is not JSON"),
        ("[]", "is no file of prompts"),
        ({"shapes": []}, "is no file of prompts"),
        ({"vosctl_prompts": 2, "prompts": [{}]}, "is of version 2, and this vosctl reads up to 1; update it"),
        ({"vosctl_prompts": 1, "prompts": []}, "has no prompts"),
        ({"vosctl_prompts": 1}, "prompts is not a list"),
        ({"vosctl_prompts": 1, "prompts": [{}], "x": 1}, "x is not known"),
        ([{"bbox": [1, 2, 3, 4]}], "prompt 1: bbox is not known; there are at, box, mask, object, points, rle"),
        ([{}], "prompt 1: give one of"),
        ([{"points": []}], "prompt 1: give one of"),
        ([{"mask": "a.png", "box": [1, 2, 3, 4]}], "prompt 1: give one of"),
        ([{"mask": 3}], "prompt 1: mask is not a file's name"),
        ([{"at": -1, "box": [1, 2, 3, 4]}], "prompt 1: at is not a whole number"),
        ([{"at": "soon", "box": [1, 2, 3, 4]}], "prompt 1: 'soon': is no place on the time line"),
        ([{"object": 0, "box": [1, 2, 3, 4]}], "prompt 1: object is not a whole number from 1 to 255"),
        ([{"box": [1, 2, 3]}], "prompt 1: box does not have 4 numbers"),
        ([{"box": [1, 2, 0, 4]}], "prompt 1: `box="),
        ([{"points": [[1]]}], "prompt 1: a point is not"),
        ([{"points": [[1, 2, 3]]}], "prompt 1: a point is not"),
        ([{"rle": {"size": [2, 2], "counts": [3]}}], "do not add up"),
        ([{"rle": {"size": [2], "counts": [4]}}], "size does not have two numbers"),
        ([{"box": [1, 2, 3, 4]}, "x"], "prompt 2 is not an object"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line_with_its_name(tmp_path, content, message):
    if isinstance(content, list):
        content = {"vosctl_prompts": 1, "prompts": content}
    path = tmp_path / "p.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(UsageError) as raised:
        read_prompts(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "prompt at the first frame: give a `mask`, or a `box` and clicks"),
        ({"mask": "a.png", "box": (1, 2, 3, 4)}, "give a `mask`, or"),
        ({"at": "later", "mask": "a.png"}, "'later': is no place"),
        ({"at": 3, "object_id": 256, "mask": "a.png"}, "object id 256"),
    ],
)
def test_a_prompt_that_says_nothing_clear(given, message):
    with pytest.raises(UsageError, match=message):
        TimedPrompt.of(given.pop("at", None), given.pop("object_id", None), **given)
