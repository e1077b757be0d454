from __future__ import annotations

import cv2
import numpy as np
import pytest

from vosctl.evaluation.metrics import Statistics, boundary_map, mean_statistics, region_and_boundary, statistics


def rectangle(left: int, top: int, right: int, bottom: int, shape: tuple[int, int] = (100, 120)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[top:bottom, left:right] = True
    return mask


def blobs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two ragged label maps of ids 0..2 that touch the borders, the second a shifted copy with holes."""
    rng = np.random.default_rng(seed)
    labels = cv2.resize(rng.integers(0, 3, (6, 8)).astype(np.uint8), (160, 120), interpolation=cv2.INTER_NEAREST)
    moved = np.roll(labels, rng.integers(-9, 10, 2), (0, 1))
    moved[rng.random(moved.shape) < 0.02] = 0
    return moved, labels


def test_equal_masks_score_one() -> None:
    mask = rectangle(10, 10, 50, 60)
    assert region_and_boundary(mask, mask) == (1.0, 1.0)


def test_region_is_intersection_over_union() -> None:
    region, _ = region_and_boundary(rectangle(10, 10, 30, 30), rectangle(20, 10, 40, 30))
    assert region == pytest.approx(200 / 600)


@pytest.mark.parametrize(
    ("predicted", "truth", "expected"),
    [
        (rectangle(0, 0, 0, 0), rectangle(0, 0, 0, 0), (1.0, 1.0)),
        (rectangle(5, 5, 20, 20), rectangle(0, 0, 0, 0), (0.0, 0.0)),
        (rectangle(0, 0, 0, 0), rectangle(5, 5, 20, 20), (0.0, 0.0)),
        (rectangle(0, 0, 10, 10), rectangle(60, 60, 90, 90), (0.0, 0.0)),
        # A mask over the whole image has no boundary.
        (rectangle(0, 0, 120, 100), rectangle(0, 0, 120, 100), (1.0, 1.0)),
    ],
    ids=["both empty", "invented", "missed", "elsewhere", "whole image"],
)
def test_edge_cases(predicted: np.ndarray, truth: np.ndarray, expected: tuple[float, float]) -> None:
    assert region_and_boundary(predicted, truth) == expected


@pytest.mark.parametrize(("shift", "found"), [(8, True), (9, False)])
def test_boundary_tolerance_at_480p(shift: int, found: bool) -> None:
    # 0.008 of the diagonal of 854x480 is 7.84 pixels, rounded up to 8. A column has two long sides, 60 pixels apart.
    shape = (480, 854)
    _, boundary = region_and_boundary(
        rectangle(300 + shift, 0, 360 + shift, 480, shape), rectangle(300, 0, 360, 480, shape)
    )
    assert boundary == (1.0 if found else 0.0)


def test_boundary_map_lies_towards_the_origin() -> None:
    mask = np.zeros((5, 6), np.uint8)
    mask[2:4, 2:4] = 1
    expected = [
        [0, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 1, 0, 1, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]
    assert boundary_map(mask).tolist() == expected


def test_statistics() -> None:
    values = np.array([1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])
    # Eight frames: borders at 1, 2.75, 4.5, 6.25, 8, rounded 1, 3, 5, 6, 8; bins of frames 1-3 and 6-8.
    result = statistics(values)
    assert result.mean == pytest.approx(0.65)
    assert result.recall == pytest.approx(5 / 8)
    assert result.decay == pytest.approx(0.9 - 0.4)


def test_statistics_of_a_long_clip() -> None:
    # The toolkit's own bins wrap at 256 frames.
    assert statistics(np.linspace(1, 0, 1000)).decay == pytest.approx(0.75, abs=1e-3)


def test_statistics_of_one_frame() -> None:
    assert statistics(np.array([0.4])) == Statistics(0.4, 0.0, 0.0)


def test_mean_statistics() -> None:
    means = mean_statistics([Statistics(0.2, 0.0, 0.1), Statistics(0.6, 1.0, 0.3)])
    assert (means.mean, means.recall, means.decay) == pytest.approx((0.4, 0.5, 0.2))


@pytest.mark.parametrize("seed", range(8))
def test_same_as_vos_benchmark(seed: int) -> None:
    evaluator = pytest.importorskip("vos_benchmark.evaluator").Evaluator()
    predicted, truth = blobs(seed)
    evaluator.feed_frame(predicted, truth)
    for value in (1, 2):
        region, boundary = region_and_boundary(predicted == value, truth == value)
        assert region == pytest.approx(evaluator.object_iou[value][0], abs=1e-9)
        assert boundary == pytest.approx(evaluator.boundary_f[value][0], abs=1e-9)
