from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosctl.datasets import check_annotated, check_trackable, find_sequences
from vosctl.errors import UsageError, VosctlError


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)


def build(root: Path, resolution: str, names: list[str], frames: int = 3) -> None:
    for name in names:
        for index in range(frames):
            touch(root / "JPEGImages" / resolution / name / f"{index:05d}.jpg")
            touch(root / "Annotations" / resolution / name / f"{index:05d}.png")


@pytest.mark.parametrize("resolution", ["480p", "Full-Resolution", "."], ids=["480p", "Full-Resolution", "flat"])
def test_layouts(tmp_path: Path, resolution: str) -> None:
    build(tmp_path, resolution, ["swing", "bear"])
    sequences = find_sequences(tmp_path)
    assert [sequence.name for sequence in sequences] == ["bear", "swing"]
    assert list(sequences[0].images) == list(sequences[0].annotations) == ["00000", "00001", "00002"]
    for sequence in sequences:
        check_trackable(sequence)


def test_hidden_folders_are_no_sequences(tmp_path: Path) -> None:
    build(tmp_path, ".", ["bear"])
    for part in ("Annotations", "JPEGImages"):
        (tmp_path / part / ".ipynb_checkpoints").mkdir()
    for unannotated in (False, True):
        assert [one.name for one in find_sequences(tmp_path, unannotated=unannotated)] == ["bear"]


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
        check_annotated(find_sequences(tmp_path)[0])


def test_images_and_annotations_are_of_one_resolution(tmp_path: Path) -> None:
    build(tmp_path, "480p", ["bear"])
    build(tmp_path, "Full-Resolution", ["bear"])
    (sequence,) = find_sequences(tmp_path)
    assert {path.parent.parent.name for path in (*sequence.images.values(), *sequence.annotations.values())} == {"480p"}
    for name in ("00000", "00001", "00002"):
        (tmp_path / "Annotations" / "480p" / "bear" / f"{name}.png").unlink()
    (tmp_path / "Annotations" / "480p" / "bear").rmdir()
    (tmp_path / "Annotations" / "480p").rmdir()
    (sequence,) = find_sequences(tmp_path)
    assert next(iter(sequence.images.values())).parent.parent.name == "Full-Resolution"


def test_folders_of_images_alone_are_listed_when_asked_for(tmp_path: Path) -> None:
    build(tmp_path, "480p", ["bear"])
    touch(tmp_path / "JPEGImages" / "480p" / "ant" / "0.jpg")
    assert [one.name for one in find_sequences(tmp_path)] == ["bear"]
    assert [(one.name, len(one.annotations)) for one in find_sequences(tmp_path, unannotated=True)] == [
        ("ant", 0),
        ("bear", 3),
    ]


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
