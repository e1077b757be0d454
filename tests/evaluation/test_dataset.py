from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosctl.errors import UsageError, VosctlError
from vosctl.evaluation.dataset import Objects, check_trackable, find_sequences


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)


def build(root: Path, resolution: str, names: list[str], frames: int = 3) -> None:
    for name in names:
        for index in range(frames):
            touch(root / "JPEGImages" / resolution / name / f"{index:05d}.jpg")
            touch(root / "Annotations" / resolution / name / f"{index:05d}.png")


@pytest.mark.parametrize("resolution", ["480p", "."], ids=["DAVIS", "flat"])
def test_layouts(tmp_path: Path, resolution: str) -> None:
    build(tmp_path, resolution, ["swing", "bear"])
    sequences = find_sequences(tmp_path)
    assert [sequence.name for sequence in sequences] == ["bear", "swing"]
    assert list(sequences[0].images) == list(sequences[0].annotations) == ["00000", "00001", "00002"]
    for sequence in sequences:
        check_trackable(sequence)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("2017/val.txt", "swing\nbear\n\n"),
        ("480p/val.txt", "/JPEGImages/480p/swing/00000.jpg /Annotations/480p/swing/00000.png\n/x/bear/0.jpg /y\n"),
    ],
    ids=["2017", "2016 with paths"],
)
@pytest.mark.parametrize("suffix", [True, False])
def test_sets(tmp_path: Path, name: str, text: str, suffix: bool) -> None:
    build(tmp_path, "480p", ["swing", "bear", "boat"])
    path = tmp_path / "ImageSets" / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    subset = name if suffix else name.removesuffix(".txt")
    assert [sequence.name for sequence in find_sequences(tmp_path, subset)] == ["swing", "bear"]


def test_unknown_set_names_those_there_are(tmp_path: Path) -> None:
    build(tmp_path, "480p", ["bear"])
    with pytest.raises(UsageError, match=r"no set 'val' .*use `subset='all'`"):
        find_sequences(tmp_path, "val")
    for name in ("2016/train.txt", "2017/val.txt"):
        (tmp_path / "ImageSets" / name).parent.mkdir(parents=True)
        (tmp_path / "ImageSets" / name).write_text("bear\n")
    with pytest.raises(UsageError, match=r"no set 'val' .*2016/train\.txt, 2017/val\.txt"):
        find_sequences(tmp_path, "val")


def test_no_annotations(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no Annotations folder"):
        find_sequences(tmp_path)
    (tmp_path / "Annotations").mkdir()
    with pytest.raises(UsageError, match="no sequences"):
        find_sequences(tmp_path)
    (tmp_path / "Annotations" / "bear").mkdir()
    with pytest.raises(VosctlError, match="'bear' has no annotations"):
        find_sequences(tmp_path)


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("Annotations/480p/bear/00000.png", r"'bear' lacks its first annotation, 00000\.png"),
        ("JPEGImages/480p/bear/00001.jpg", r"annotation 00001\.png, but no image"),
    ],
)
def test_untrackable(tmp_path: Path, lost: str, message: str) -> None:
    build(tmp_path, "480p", ["bear"])
    (tmp_path / lost).unlink()
    with pytest.raises(VosctlError, match=message):
        check_trackable(find_sequences(tmp_path)[0])


def test_no_images(tmp_path: Path) -> None:
    touch(tmp_path / "Annotations" / "bear" / "0.png")
    with pytest.raises(VosctlError, match="'bear' has no images"):
        check_trackable(find_sequences(tmp_path)[0])


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
def test_objects_are_those_of_the_first_annotation(first: np.ndarray, task: str, ids: tuple[int, ...]) -> None:
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
    first: np.ndarray, task: str, predicted: np.ndarray, expected: list[bool]
) -> None:
    (mask,) = Objects.of(first, task, "bear").predicted_masks(predicted)
    assert mask.tolist() == [expected]
