"""What the pixels of an annotation mean, for training and evaluation alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosctl.datasets import Objects, Task, read_annotation
from vosctl.datasets.annotations import ids_of
from vosctl.errors import UsageError, VosctlError
from vosctl.video.masks import write_indexed_png


def labels(*values: int) -> np.ndarray:
    return np.array([values], np.uint8)


@pytest.mark.parametrize(
    ("first", "task", "ids"),
    [
        (labels(0, 1, 3), "multi", (1, 3)),
        (labels(0, 2, 3), "single", (2,)),
        (labels(0, 255), "multi", (255,)),
        (labels(0, 255), "single", (255,)),
        (labels(0, 1, 255), "multi", (1,)),
        (labels(0, 1, 255), "single", (1,)),
    ],
)
def test_objects_are_those_of_the_first_annotation(first: np.ndarray, task: Task, ids: tuple[int, ...]) -> None:
    assert Objects.of(first, task, "bear").ids == ids


def test_no_object() -> None:
    with pytest.raises(VosctlError, match="sequence 'bear' holds no object"):
        Objects.of(labels(0, 0), "multi", "bear")


def test_later_objects_and_void_are_background() -> None:
    assert Objects.of(labels(0, 1, 2), "multi", "bear").keep(labels(1, 2, 3, 255, 0)).tolist() == [[1, 2, 0, 0, 0]]
    assert Objects.of(labels(0, 2, 3), "single", "bear").keep(labels(2, 3, 4, 255, 0)).tolist() == [[2, 2, 2, 0, 0]]


@pytest.mark.parametrize(
    ("first", "task", "predicted", "expected"),
    [
        (labels(0, 255), "multi", labels(0, 1), [False, True]),
        (labels(0, 255), "multi", labels(0, 255), [False, True]),
        (labels(0, 1), "multi", labels(0, 255), [False, True]),
        (labels(0, 1), "multi", labels(2, 1), [False, True]),
        (labels(0, 1, 2), "single", labels(0, 2), [False, True]),
    ],
)
def test_a_lone_object_may_be_predicted_as_255(
    first: np.ndarray, task: Task, predicted: np.ndarray, expected: list[bool]
) -> None:
    (mask,) = Objects.of(first, task, "bear").predicted_masks(predicted)
    assert mask.tolist() == [expected]


@pytest.fixture
def ids() -> np.ndarray:
    values = np.zeros((6, 8), np.uint8)
    values[:4], values[4] = 7, 255
    return values


def test_indexed_and_grey_images_hold_ids(tmp_path: Path, ids: np.ndarray) -> None:
    write_indexed_png(tmp_path / "indexed.png", ids)
    Image.fromarray(ids).save(tmp_path / "grey.png")
    for name in ("indexed.png", "grey.png"):
        np.testing.assert_array_equal(read_annotation(tmp_path / name), ids)


def test_binary_masks_keep_255(tmp_path: Path, ids: np.ndarray) -> None:
    binary = np.where(ids == 7, np.uint8(255), np.uint8(0))
    Image.fromarray(binary).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_annotation(tmp_path / "grey.png"), binary)
    assert ids_of(binary) == (255,)
    assert ids_of(ids) == (7,)
    assert ids_of(binary * 0) == ()


def test_soft_edges_are_cut_at_one_half(tmp_path: Path) -> None:
    soft = np.tile(np.arange(0, 256, 32, dtype=np.uint8), (8, 1))
    Image.fromarray(soft).save(tmp_path / "soft.png")
    np.testing.assert_array_equal(read_annotation(tmp_path / "soft.png"), np.where(soft >= 128, 255, 0))
    write_indexed_png(tmp_path / "many.png", soft)  # indexed: as many objects
    np.testing.assert_array_equal(read_annotation(tmp_path / "many.png"), soft)


def test_one_bit_is_object_1(tmp_path: Path, ids: np.ndarray) -> None:
    Image.fromarray(ids == 7).save(tmp_path / "bit.png")
    np.testing.assert_array_equal(read_annotation(tmp_path / "bit.png"), ids == 7)


def test_annotations_are_upright(tmp_path: Path, ids: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    Image.fromarray(ids).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(read_annotation(tmp_path / "turned.png"), np.rot90(ids, -1))


def test_what_is_no_annotation(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "colour.png")
    with pytest.raises(UsageError, match=r"colour\.png: is a RGB image"):
        read_annotation(tmp_path / "colour.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    for name in ("broken.png", "absent.png"):
        with pytest.raises(VosctlError, match=f"{name}: cannot be read"):
            read_annotation(tmp_path / name)


def test_objects_that_come_later() -> None:
    objects = Objects.of(labels(0, 1, 2, 255), "multi", "bear")
    assert objects.later(labels(0, 1, 3, 9, 255)) == (3, 9)
    assert objects.later(labels(2, 1, 255)) == ()
    assert Objects.of(labels(0, 1), "single", "bear").later(labels(3)) == ()
    assert Objects.of(labels(0, 255), "multi", "bear").later(labels(255)) == ()
