"""Folders, globs and single images as sources."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from vosctl.errors import UsageError, VosctlError
from vosctl.video.sources import open_source

ORIENTATION = 0x0112


def save(path, level=0, size=(20, 30), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), level, np.uint8)).save(path, **options)
    return path


def read(spec):
    with open_source(str(spec)) as source:
        return source.info, list(source)


def test_a_folder_is_read_in_natural_order(tmp_path):
    for number in (10, 9, 100, 1, 2):
        save(tmp_path / "shot" / f"frame{number}.png", number)

    info, frames = read(tmp_path / "shot")

    assert [frame.name for frame in frames] == ["frame1", "frame2", "frame9", "frame10", "frame100"]
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [1, 2, 9, 10, 100]
    assert [(frame.index, frame.pts, frame.duration) for frame in frames] == [(i, i, 1) for i in range(5)]
    assert (info.name, info.width, info.height, info.frame_count) == ("shot", 30, 20, 5)
    assert (info.frame_rate, info.time_base) == (Fraction(24), Fraction(1, 24))
    assert frames[0].image.flags["C_CONTIGUOUS"]


def test_what_is_no_image_is_left_out(tmp_path):
    save(tmp_path / "1.png")
    save(tmp_path / "2.JPG", format="JPEG")
    (tmp_path / "._1.png").write_bytes(b"a Macintosh's own notes")
    (tmp_path / "Thumbs.db").touch()
    (tmp_path / "3.png").mkdir()
    assert [frame.name for frame in read(tmp_path)[1]] == ["1", "2"]


def test_a_glob(tmp_path):
    for name in ("a1.png", "a2.png", "b1.png"):
        save(tmp_path / "shot" / name)
    info, frames = read(tmp_path / "shot" / "a*.png")
    assert info.name == "shot"
    assert [frame.name for frame in frames] == ["a1", "a2"]


def test_a_folder_with_brackets_in_its_name_is_no_glob(tmp_path):
    save(tmp_path / "shot [1]" / "1.png")
    assert len(read(tmp_path / "shot [1]")[1]) == 1


def test_one_image_is_a_folder_of_one(tmp_path):
    info, frames = read(save(tmp_path / "photo.jpg", 77))
    assert (info.name, info.frame_count) == ("photo", 1)
    assert [frame.name for frame in frames] == ["photo"]
    assert np.abs(frames[0].image.astype(int) - 77).max() <= 1


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_the_exif_orientation_is_applied(tmp_path, suffix):
    stored = np.zeros((32, 64, 3), np.uint8)
    stored[:16, :32], stored[:16, 32:], stored[16:, :32] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    turns = {3: np.rot90(stored, 2), 6: np.rot90(stored, -1), 8: np.rot90(stored, 1), 2: stored[:, ::-1]}
    for orientation, expected in turns.items():
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        path = tmp_path / f"turned{orientation}.{suffix}"
        quality = {"quality": 95} if suffix in ("jpg", "webp") else {}
        Image.fromarray(stored).save(path, exif=exif, **quality)
        info, (frame,) = read(path)
        assert (info.height, info.width) == expected.shape[:2]
        assert np.abs(frame.image.astype(int) - expected).mean() < 8


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 90, (90, 90, 90)),
        ("RGBA", (200, 100, 50, 0), (200, 100, 50)),
        ("P", 0, None),
        ("I;16", 90 << 8 | 90, (90, 90, 90)),
        ("1", 1, (255, 255, 255)),
        ("CMYK", (0, 255, 255, 0), (255, 0, 0)),
    ],
)
def test_every_mode_comes_out_as_rgb(tmp_path, mode, colour, expected):
    path = tmp_path / ("image.tif" if mode == "CMYK" else "image.png")
    image = Image.new(mode, (8, 6), colour)
    if mode == "P":
        image.putpalette([10, 20, 30])
        expected = (10, 20, 30)
    image.save(path)
    _, (frame,) = read(path)
    assert frame.image.shape == (6, 8, 3)
    assert tuple(map(int, frame.image[0, 0])) == expected


def test_images_of_another_size(tmp_path):
    save(tmp_path / "1.png")
    save(tmp_path / "2.png", size=(20, 31))
    with pytest.raises(UsageError, match=r"2\.png is 31x20 but 1\.png is 30x20; all images"):
        read(tmp_path)


def test_two_images_of_one_stem(tmp_path):
    save(tmp_path / "1.png")
    save(tmp_path / "1.jpg")
    with pytest.raises(UsageError, match=r"would give outputs of the same name; pick one kind") as caught:
        open_source(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_folder_without_images(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match="holds no images"):
        open_source(str(tmp_path))


@pytest.mark.parametrize(("pattern", "said"), [("*.png", "matches nothing"), ("*.txt", "matches no images")])
def test_a_glob_without_images(tmp_path, pattern, said):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match=said):
        open_source(str(tmp_path / pattern))


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_cut_off_image_is_an_error_and_not_a_grey_picture(tmp_path, suffix):
    save(tmp_path / f"1.{suffix}")
    path = tmp_path / f"2.{suffix}"
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 256, (64, 64, 3), dtype=np.uint8)).resize((30, 20)).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(VosctlError, match=rf"2\.{suffix}: cannot be read as an image: .*; replace it"):
        read(tmp_path)


def test_what_only_has_an_images_name(tmp_path):
    (tmp_path / "1.png").write_text("no image")
    with pytest.raises(VosctlError, match=r"1\.png: cannot be read as an image") as caught:
        open_source(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_jpeg_with_something_after_its_end(tmp_path):
    """Phones append data of their own."""
    path = save(tmp_path / "phone.jpg", 77)
    path.write_bytes(path.read_bytes() + b"SEFT" * 10)
    _, (frame,) = read(path)
    assert np.abs(frame.image.astype(int) - 77).max() <= 1
