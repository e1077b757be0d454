from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vosctl.datasets import Sequence
from vosctl.errors import VosctlError
from vosctl.evaluation.scoring import SequenceScore, score_sequence, summarise


def test_perfect_predictions(make_sequence, predict, moving) -> None:
    score = score_sequence(make_sequence("bear", moving), predict("bear", moving), "multi")
    assert score.frames == ("00001", "00002", "00003", "00004")
    assert score.region.tolist() == score.boundary.tolist() == [[1.0] * 4]


def test_first_and_last_frames_do_not_count(make_sequence, predict, moving) -> None:
    predictions = predict("bear", moving)
    for stem in ("00000", "00005"):
        (predictions / "bear" / f"{stem}.png").unlink()
    assert summarise([score_sequence(make_sequence("bear", moving), predictions, "multi")]).region_and_boundary == 1.0


def test_each_object_counts_the_same_over_all_sequences(make_sequence, predict, moving, square) -> None:
    two = [square(0, y=0, value=7, base=mask) for mask in moving]
    pair, lone = make_sequence("pair", two), make_sequence("lone", moving)
    predict("pair", moving)  # object 7 is missing: it counts zero
    predictions = predict("lone", moving)
    scores = [score_sequence(sequence, predictions, "multi") for sequence in (pair, lone)]
    assert scores[0].object_ids == (1, 7)
    assert scores[0].region.mean(axis=1).tolist() == [1.0, 0.0]
    assert summarise(scores[:1]).region.mean == pytest.approx(1 / 2)
    assert summarise(scores).region.mean == pytest.approx(2 / 3)


def test_single_merges_the_ids(make_sequence, predict, moving, square) -> None:
    two = [square(0, y=0, value=7, base=mask) for mask in moving]
    merged = [(mask > 0).astype(np.uint8) for mask in two]
    score = score_sequence(make_sequence("pair", two), predict("pair", merged), "single")
    assert score.region.tolist() == [[1.0] * 4]


def test_objects_that_come_later_are_ignored(make_sequence, predict, moving, square) -> None:
    later = [moving[0]] + [square(0, y=0, value=2, base=mask) for mask in moving[1:]]
    score = score_sequence(make_sequence("bear", later), predict("bear", moving), "multi")
    assert score.object_ids == (1,)
    assert score.region.min() == 1.0


def test_progress_is_called_once_a_scored_frame(make_sequence, predict, moving) -> None:
    calls: list[None] = []
    score_sequence(make_sequence("bear", moving), predict("bear", moving), "multi", progress=lambda: calls.append(None))
    assert len(calls) == 4


def test_missing_frame_is_named(make_sequence, predict, moving) -> None:
    predictions = predict("bear", moving)
    (predictions / "bear" / "00003.png").unlink()
    with pytest.raises(VosctlError, match=r"prediction missing: .*bear/00003\.png"):
        score_sequence(make_sequence("bear", moving), predictions, "multi")


def test_missing_sequence_is_named(make_sequence, tmp_path, moving) -> None:
    with pytest.raises(VosctlError, match="no predictions of sequence 'bear'"):
        score_sequence(make_sequence("bear", moving), tmp_path, "multi")


def test_sizes_must_agree(make_sequence, predict, moving) -> None:
    predictions = predict("bear", moving)
    Image.fromarray(np.zeros((10, 20), np.uint8)).save(predictions / "bear" / "00002.png")
    with pytest.raises(VosctlError, match=r"00002\.png is 20x10, its annotation .*00002\.png is 80x60"):
        score_sequence(make_sequence("bear", moving), predictions, "multi")


def test_too_few_annotations(make_sequence, predict, moving) -> None:
    sequence: Sequence = make_sequence("bear", moving[:2])
    with pytest.raises(VosctlError, match=r"has 2 annotated frame\(s\), at least 3"):
        score_sequence(sequence, predict("bear", moving[:2]), "multi")


def test_same_means_as_vos_benchmark(make_sequence, predict, moving, square, root) -> None:
    benchmark = pytest.importorskip("vos_benchmark.benchmark").VideoEvaluator
    truth = [square(2, y=38, value=2, base=mask) for mask in moving]
    rng = np.random.default_rng(3)
    predicted = [np.roll(mask, rng.integers(-4, 5, 2), (0, 1)) for mask in truth]
    sequence = make_sequence("pair", truth)
    predictions = predict("pair", predicted)
    score: SequenceScore = score_sequence(sequence, predictions, "multi")
    _, region, boundary = benchmark(root / "Annotations", predictions)("pair")
    for index, value in enumerate(score.object_ids):
        assert 100 * score.region_statistics[index].mean == pytest.approx(region[value], abs=1e-4)
        assert 100 * score.boundary_statistics[index].mean == pytest.approx(boundary[value], abs=1e-4)
