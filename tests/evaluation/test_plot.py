from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosctl.errors import UsageError, VosctlError
from vosctl.evaluation.plot import MOST_IN_PNG, check_plot, worst_frames, write_plot
from vosctl.evaluation.report import Evaluation
from vosctl.evaluation.scoring import score_sequence

pytest.importorskip("matplotlib")


@pytest.fixture
def case(make_sequence, predict, square):
    """A clip of 20 frames whose prediction is wrong at frames 5, 6 (most) and 15 (less)."""
    truth = [square(20) for _ in range(20)]
    predicted = [mask.copy() for mask in truth]
    predicted[5], predicted[6], predicted[15] = square(32), square(34), square(28)
    sequence, predictions = make_sequence("cat & dog", truth), predict("cat & dog", predicted)
    return sequence, predictions, score_sequence(sequence, predictions, "multi")


def test_worst_frames_lie_apart(case) -> None:
    sequence, predictions, score = case
    worst = worst_frames(score, sequence, predictions, "multi")
    assert [frame.stem for frame in worst] == ["00006", "00015"]
    assert worst[0].region == pytest.approx(6 / 34)
    assert worst[0].predicted.shape == worst[0].truth.shape == (300, 400, 3)
    # Five times as large: the prediction is red at x = 34..53, the truth at 20..39.
    assert [int(worst[0].predicted[150, x, 0]) > 80 for x in (125, 225)] == [False, True]
    assert [int(worst[0].truth[150, x, 0]) > 80 for x in (125, 225)] == [True, False]


def test_png(case, tmp_path: Path) -> None:
    sequence, predictions, score = case
    path = tmp_path / "plot.png"
    write_plot(Evaluation(Path("data"), "all", "multi", predictions, [score]), [sequence], predictions, path)
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert np.array(image.convert("L")).std() > 10


def test_html_needs_no_other_file(case, tmp_path: Path) -> None:
    sequence, predictions, score = case
    path = tmp_path / "plot.html"
    write_plot(Evaluation(Path("data"), "all", "multi", predictions, [score]), [sequence], predictions, path)
    page = path.read_text(encoding="utf-8")
    sources = re.findall(r'src="([^"]{0,30})', page)
    assert len(sources) == 5
    assert all(source.startswith("data:image/") for source in sources)
    assert "href" not in page
    assert "cat &amp; dog" in page


def test_frames_without_images_are_masks_on_grey(case) -> None:
    sequence, predictions, score = case
    bare = type(sequence)(sequence.name, {}, sequence.annotations)
    assert worst_frames(score, bare, predictions, "multi")[0].truth[5, 5].tolist() == [70, 70, 70]


def test_images_of_another_size_are_shown_in_that_of_the_masks(case) -> None:
    sequence, predictions, score = case
    for path in sequence.images.values():
        Image.new("RGB", (160, 120), (90, 90, 90)).save(path)
    worst = worst_frames(score, sequence, predictions, "multi")[0]
    assert worst.truth.shape == (300, 400, 3)
    assert worst.truth[5, 5].tolist() == [90, 90, 90]


def test_other_suffix() -> None:
    with pytest.raises(UsageError, match=r"must end in \.png or \.html"):
        check_plot(Path("plot.pdf"), 1)


def test_a_picture_has_room_for_so_many_sequences() -> None:
    check_plot(Path("plot.png"), MOST_IN_PNG)
    check_plot(Path("plot.html"), MOST_IN_PNG + 1)
    with pytest.raises(UsageError, match=f"room for {MOST_IN_PNG} sequences, not for {MOST_IN_PNG + 1}; name an .html"):
        check_plot(Path("plot.png"), MOST_IN_PNG + 1)


def test_without_matplotlib(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(VosctlError, match=r"`plot`: needs matplotlib.*\[plot\]"):
        check_plot(Path("plot.png"), 1)
