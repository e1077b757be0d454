"""Snapshots: a picture and its mask, under a number that neither has."""

import numpy as np
import pytest

from vosctl.errors import VosctlError
from vosctl.live.snapshots import write_snapshot
from vosctl.video.masks import read_indexed_png

IMAGE, LABELS = np.full((8, 8, 3), 90, np.uint8), np.eye(8, dtype=np.uint8)


def test_a_mask_whose_picture_was_deleted_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "door_snapshot_004_mask.png").write_bytes(b"precious")
    picture, mask = write_snapshot("door", IMAGE, LABELS)
    assert (picture.name, mask.name) == ("door_snapshot_005.png", "door_snapshot_005_mask.png")
    assert np.array_equal(read_indexed_png(mask), LABELS)
    assert (tmp_path / "door_snapshot_004_mask.png").read_bytes() == b"precious"


def test_nothing_is_left_of_one_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "n" * 237  # the picture's name just fits into a file system, the mask's does not
    with pytest.raises(VosctlError, match="cannot be written: File name too long"):
        write_snapshot(name, IMAGE, LABELS)
    assert list(tmp_path.iterdir()) == []


def test_numbers_are_those_that_are_numbers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a{}b_snapshot_007.png", "a{}b_snapshot_².png", "a{}b_snapshot_x.png"):
        (tmp_path / name).write_bytes(b"")
    assert write_snapshot("a{}b", IMAGE, LABELS)[0].name == "a{}b_snapshot_008.png"


def test_a_folder_that_is_gone_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(VosctlError, match=r"door_snapshot_001\.png: cannot be written: No such file or directory"):
        write_snapshot("door", IMAGE, LABELS)
