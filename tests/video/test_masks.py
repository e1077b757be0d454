"""Indexed PNG with the DAVIS palette."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vosctl.errors import UsageError, VosctlError
from vosctl.video.masks import davis_palette, read_indexed_png, write_indexed_png


def test_the_palette_is_the_one_davis_uses():
    palette = davis_palette()
    assert palette.shape == (256, 3)
    assert palette.dtype == np.uint8
    assert palette[:9].tolist() == [
        [0, 0, 0],
        [128, 0, 0],
        [0, 128, 0],
        [128, 128, 0],
        [0, 0, 128],
        [128, 0, 128],
        [0, 128, 128],
        [128, 128, 128],
        [64, 0, 0],
    ]
    assert palette[255].tolist() == [224, 224, 192]
    assert len(np.unique(palette, axis=0)) == 256


def test_labels_survive_writing_and_reading(tmp_path):
    labels = np.arange(256, dtype=np.uint8).reshape(8, 32)
    write_indexed_png(tmp_path / "labels.png", labels)

    np.testing.assert_array_equal(read_indexed_png(tmp_path / "labels.png"), labels)
    with Image.open(tmp_path / "labels.png") as image:
        assert (image.mode, image.format) == ("P", "PNG")
        assert image.getpalette() == davis_palette().ravel().tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["labels.png"]


def test_an_array_that_is_not_contiguous_is_written_as_it_looks(tmp_path):
    labels = np.arange(60, dtype=np.uint8).reshape(6, 10)[::-1, ::2]
    write_indexed_png(tmp_path / "labels.png", labels)
    np.testing.assert_array_equal(read_indexed_png(tmp_path / "labels.png"), labels)


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "labels.png"
    write_indexed_png(path, np.ones((4, 4), np.uint8))
    before = path.read_bytes()

    def fail(self, file, **options):
        file.write_bytes(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(VosctlError, match=r"labels\.png: cannot be written: No space left on device"):
        write_indexed_png(path, np.zeros((4, 4), np.uint8))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_directory(tmp_path):
    with pytest.raises(VosctlError, match="cannot be written: No such file or directory"):
        write_indexed_png(tmp_path / "gone" / "labels.png", np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize(("mode", "value", "expected"), [("L", 7, 7), ("1", 1, 1)])
def test_grey_and_black_and_white_images_are_read_too(tmp_path, mode, value, expected):
    Image.new(mode, (5, 4), value).save(tmp_path / "labels.png")
    np.testing.assert_array_equal(read_indexed_png(tmp_path / "labels.png"), np.full((4, 5), expected))


def test_colours_are_not_labels(tmp_path):
    Image.new("RGB", (5, 4)).save(tmp_path / "labels.png")
    with pytest.raises(UsageError, match="is a RGB image, not an indexed or grey one"):
        read_indexed_png(tmp_path / "labels.png")


def test_what_cannot_be_read(tmp_path):
    (tmp_path / "labels.png").write_text("no image")
    with pytest.raises(VosctlError, match="cannot be read as a label image"):
        read_indexed_png(tmp_path / "labels.png")


def test_a_name_may_be_as_long_as_the_file_system_takes(tmp_path):
    """The mask of an image of such a name has the same one."""
    labels = np.eye(8, dtype=np.uint8)
    for name in (f"{'n' * 251}.png", f"{'ü' * 125}.png"):
        write_indexed_png(tmp_path / name, labels)
        assert np.array_equal(read_indexed_png(tmp_path / name), labels)
    with pytest.raises(VosctlError, match=r"cannot be written: File name too long"):
        write_indexed_png(tmp_path / f"{'n' * 252}.png", labels)
    assert len(list(tmp_path.iterdir())) == 2
