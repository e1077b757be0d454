import numpy as np
import pytest

from vosctl.errors import UsageError
from vosctl.prompts.choices import ShownFrame
from vosctl.prompts.drawn import DrawnPrompts
from vosctl.prompts.prompt_file import read_prompts, write_prompts
from vosctl.prompts.timed import TimedPrompt
from vosctl.time_line import Place

IMAGE = np.zeros((6, 8, 3), np.uint8)


def drawing(object_id):
    labels = np.zeros((6, 8), np.uint8)
    labels[1:3, object_id : object_id + 2] = object_id
    return labels


def test_every_window_is_kept_as_soon_as_it_is_left(tmp_path):
    drawn = DrawnPrompts(tmp_path / "new" / "p.json")
    assert not (tmp_path / "new").exists()
    assert np.array_equal(drawn.of_first(lambda image: drawing(1))(IMAGE), drawing(1))
    assert [one.at for one in read_prompts(drawn.path)] == [None]
    shown = ShownFrame(7, IMAGE, drawing(1), (1,))
    assert np.array_equal(drawn.of_later(lambda shown: drawing(shown.ids[0] + 1))(shown), drawing(2))
    said = read_prompts(drawn.path)
    assert [(one.at, one.object_id) for one in said] == [(None, 1), (Place(frame=7), 2)]
    for one, expected in zip(said, (drawing(1), drawing(2)), strict=True):
        assert isinstance(one.mask, np.ndarray)
        assert np.array_equal(one.mask, expected > 0)


def test_what_it_may_not_replace(tmp_path):
    kept, other = tmp_path / "p.json", tmp_path / "labels.json"
    write_prompts(kept, [TimedPrompt.of(3, mask=drawing(1))])
    other.write_text('{"shapes": []}')
    with pytest.raises(UsageError, match="exists"):
        DrawnPrompts(kept)
    with pytest.raises(UsageError, match=r"no file of prompts, and is not replaced"):
        DrawnPrompts(other, overwrite=True)
    with pytest.raises(UsageError, match="in another way"):
        DrawnPrompts(kept, overwrite=True, others=[tmp_path / "x" / ".." / "p.json"])
    with pytest.raises(UsageError, match=r"ends in \.json"):
        DrawnPrompts(tmp_path / "clip.mp4", overwrite=True)
    before = kept.read_bytes()
    drawn = DrawnPrompts(kept, overwrite=True)
    assert kept.read_bytes() == before
    drawn.of_first(lambda image: drawing(4))(IMAGE)
    assert [one.object_id for one in read_prompts(kept)] == [4]


def test_a_folder_that_cannot_be_made_is_told_before_anybody_draws(tmp_path):
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(UsageError, match="is a file, not a folder"):
        DrawnPrompts(tmp_path / "notes" / "drawn.json")
