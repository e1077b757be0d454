"""Folders, globs and single images as sources."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from PIL import ExifTags, Image

from vosctl.errors import UsageError, VosctlError
from vosctl.time_line import Span
from vosctl.video.sources import RangedSource, open_source
from vosctl.video.sources.pictures import read_image

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
        quality: dict[str, Any] = {"quality": 95} if suffix in ("jpg", "webp") else {}
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


def ramp(high, dtype, size=(6, 8)):
    return np.linspace(0, high, size[0] * size[1]).reshape(size).astype(dtype)


@pytest.mark.parametrize("stack", [False, True])
def test_values_of_twelve_bits_in_sixteen_are_told(tmp_path, stack):
    dark, bright = ramp(4095, np.uint16), ramp(5000, np.uint16)
    warned = [f"{tmp_path / 'dark.tif'}: is nearly black, as no value of its 16 bits is above 4095; where the camera"]
    for name, image, expected in (("dark.tif", dark, warned), ("bright.tif", bright, []), ("black.tif", dark * 0, [])):
        pages = [Image.fromarray(image)] * (3 if stack else 1)
        pages[0].save(tmp_path / name, save_all=stack, append_images=pages[1:])
        with open_source(str(tmp_path / name)) as source:
            assert len(list(source)) == len(pages)
            said = source.warnings
        assert [line.partition(" has fewer bits")[0] for line in said] == expected


@pytest.mark.parametrize("pixels", ["gray16le", "rgb48le"])
def test_they_are_told_of_a_video_too(tmp_path, pixels):
    """Of a video as a whole: one that begins in the dark may be right."""
    values = {"dark": (0, 4095, 3000), "fade": (0, 4095, 5000), "black": (0, 0, 0)}
    for name, highest in values.items():
        path = tmp_path / f"{name}.mkv"
        with av.open(str(path), "w") as container:
            stream: Any = container.add_stream("ffv1", rate=24)
            stream.width, stream.height, stream.pix_fmt = 32, 24, pixels
            for high in highest:
                picture = ramp(high, np.uint16, (24, 32))
                picture = picture if pixels == "gray16le" else np.repeat(picture[..., None], 3, axis=2)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format=pixels)))
            container.mux(stream.encode(None))
        with open_source(str(path)) as source:
            assert len(list(source)) == 3
            said = source.warnings
        dark = f"{path}: is nearly black, as no value of its 16 bits is above 4095"
        assert [line.partition(";")[0] for line in said] == ([dark] if name == "dark" else [])


def test_images_of_several_sizes_are_told_before_they_are_read(tmp_path):
    for number in range(6):
        save(tmp_path / f"{number}.png", 9)
    Image.new("RGB", (30, 22)).save(tmp_path / "4.png")
    said = r"4\.png is 30x22 but 0\.png is 30x20; all images of one source must have the same size: scale it, or"
    with open_source(str(tmp_path)) as source:
        with pytest.raises(UsageError, match=said):
            source.check_sizes()
        source.check_sizes(4)
        with pytest.raises(UsageError, match=said):
            list(source)
    for span, wrong in ((Span.of("1", "4"), False), (Span.of("3", "6"), True), (Span.of("5"), False)):
        with RangedSource(open_source(str(tmp_path)), span) as source:
            if wrong:
                with pytest.raises(UsageError, match=said):
                    source.check_sizes()
                source.check_sizes(1)
            else:
                source.check_sizes()
                assert list(source)


def test_images_that_say_in_two_ways_how_they_lie_have_one_size(tmp_path):
    save(tmp_path / "1.png", 9)
    turned = Image.new("RGB", (20, 30))
    exif = turned.getexif()
    exif[ExifTags.Base.Orientation] = 6
    for name in ("2.png", "3.jpg", "4.tif", "5.webp"):
        turned.save(tmp_path / name, exif=exif)
    with open_source(str(tmp_path)) as source:
        source.check_sizes()
        assert len(list(source)) == 5
    Image.new("RGB", (20, 30)).save(tmp_path / "6.png")
    with open_source(str(tmp_path)) as source, pytest.raises(UsageError, match=r"6\.png is 20x30"):
        source.check_sizes()


def test_sixteen_bits_become_eight(tmp_path):
    grey = ramp(65535, np.uint16)
    (tmp_path / "grey.pgm").write_bytes(b"P5 8 6 65535\n" + grey.astype(">u2").tobytes())
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(grey).save(tmp_path / "grey.tif")
    for suffix in ("pgm", "png", "tif"):
        _, (frame,) = read(tmp_path / f"grey.{suffix}")
        assert np.abs(frame.image - grey[..., None] * (255 / 65535)).max() <= 0.5


def test_floats_from_0_to_1_are_grey(tmp_path):
    grey = ramp(1, np.float32)
    Image.fromarray(grey).save(tmp_path / "grey.tif")
    _, (frame,) = read(tmp_path / "grey.tif")
    assert np.abs(frame.image - grey[..., None] * 255).max() <= 0.5 + 1e-4


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (ramp(7, np.float32) - 2, "floating point values from -2 to 5"),
        (np.full((6, 8), np.nan, np.float32), "floating point values from nan"),
        (ramp(70000, np.int32), "32-bit values from 0 to 70000"),
    ],
)
def test_numbers_without_a_known_white_are_refused(tmp_path, values, said):
    Image.fromarray(values).save(tmp_path / "data.tif")
    with pytest.raises(VosctlError, match=said):
        open_source(str(tmp_path / "data.tif"))


def jpeg(random, size=(64, 96)):
    """A JPEG with something in it, and where its coded picture begins."""
    buffer = io.BytesIO()
    Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8)).save(buffer, "JPEG", quality=90)
    data = buffer.getvalue()
    return data, data.index(b"\xff\xda") + 14


def test_a_damaged_jpeg_is_said_by_name_and_not_by_libjpeg(tmp_path, capfd):
    data, start = jpeg(np.random.default_rng(0))
    (tmp_path / "1.jpg").write_bytes(data)
    damaged = bytearray(data)
    damaged[start + 500 : start + 560] = b"\xaa\x55\xff\xd3" * 15
    (tmp_path / "2.jpg").write_bytes(damaged)
    with open_source(str(tmp_path)) as source:
        assert len(list(source)) == 2
        assert source.warnings == [f"{tmp_path}: 2.jpg: is damaged, shown as far as it decodes"]
    assert capfd.readouterr() == ("", "")
    with pytest.raises(VosctlError, match=r"2\.jpg: cannot be read as an image: the file is damaged"):
        read_image(tmp_path / "2.jpg")


def test_a_jpeg_without_its_end_marker(tmp_path):
    data, _ = jpeg(np.random.default_rng(0))
    (tmp_path / "whole.jpg").write_bytes(data)
    path = tmp_path / "photo.jpg"
    path.write_bytes(data.removesuffix(b"\xff\xd9"))
    with open_source(str(path)) as source:
        (frame,) = source
        assert source.warnings == [f"{path}: has no end marker"]
    np.testing.assert_array_equal(frame.image, read_image(tmp_path / "whole.jpg"))


def test_many_damaged_images_are_one_line(tmp_path):
    data, _ = jpeg(np.random.default_rng(0))
    for number in range(8):
        (tmp_path / f"{number}.jpg").write_bytes(data.removesuffix(b"\xff\xd9"))
    with open_source(str(tmp_path)) as source:
        list(source)
        assert source.warnings == [
            f"{tmp_path}: 0.jpg, 1.jpg, 2.jpg, 3.jpg, 4.jpg and 3 more: has no end marker",
        ]


def pictures(count, size=(20, 30)):
    return [Image.fromarray(np.full((*size, 3), 20 + 30 * index, np.uint8)) for index in range(count)]


@pytest.mark.parametrize(("suffix", "options"), [("png", {}), ("webp", {"lossless": True})])
def test_an_animation_gives_all_its_frames_at_their_times(tmp_path, suffix, options):
    first, *others = pictures(4)
    path = tmp_path / f"moving.{suffix}"
    first.save(path, save_all=True, append_images=others, duration=[40, 40, 120, 40], **options)

    info, frames = read(path)

    assert [int(frame.image[0, 0, 0]) for frame in frames] == [20, 50, 80, 110]
    assert [round(frame.time * 1000) for frame in frames] == [0, 40, 80, 200]
    assert [frame.duration * frame.time_base * 1000 for frame in frames] == [40, 40, 120, 40]
    assert (info.frame_count, info.frame_rate) == (4, 25)
    assert [frame.name for frame in frames] == [None] * 4


def test_the_picture_for_viewers_without_animation_is_no_frame(tmp_path):
    still, *moving = pictures(3)
    still.save(tmp_path / "moving.png", save_all=True, append_images=moving, default_image=True, duration=40)
    _, frames = read(tmp_path / "moving.png")
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [50, 80]


def test_the_pages_of_a_tiff_are_frames(tmp_path):
    first, *others = pictures(3)
    first.save(tmp_path / "pages.tif", save_all=True, append_images=[*others, *pictures(1, (10, 15))])
    with open_source(str(tmp_path / "pages.tif")) as source:
        frames = list(source)
        assert [int(frame.image[0, 0, 0]) for frame in frames] == [20, 50, 80]
        assert [frame.pts for frame in frames] == [0, 1, 2]
        assert source.info.frame_rate == 24
        (warning,) = source.warnings
    assert "1 picture(s) of another size" in warning


def test_an_animation_among_frames_is_said(tmp_path):
    save(tmp_path / "1.png")
    first, *others = pictures(3)
    first.save(tmp_path / "2.png", save_all=True, append_images=others)
    with open_source(str(tmp_path)) as source:
        assert len(list(source)) == 2
        assert source.warnings == [f"{tmp_path}: 2.png: holds several pictures, the first was taken"]


def test_a_cut_off_animation_gives_what_it_has_and_says_so(tmp_path):
    random = np.random.default_rng(0)
    first, *others = (Image.fromarray(random.integers(0, 256, (20, 30, 3), dtype=np.uint8)) for _ in range(6))
    path = tmp_path / "moving.png"
    first.save(path, save_all=True, append_images=others, duration=40)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with open_source(str(path)) as source:
        assert 1 <= len(list(source)) < 6
        (warning,) = source.warnings
    assert "of 6 pictures" in warning


@pytest.mark.parametrize("tag", [256, 257])
def test_a_tiff_that_lacks_its_size(tmp_path, tag):
    path = tmp_path / "a.tif"
    Image.new("RGB", (40, 30)).save(path)
    content = path.read_bytes()
    entry = max(content.find(struct.pack("<HH", tag, kind)) for kind in (3, 4))
    path.write_bytes(content[:entry] + struct.pack("<H", 60_000) + content[entry + 2 :])
    with pytest.raises(VosctlError, match=r"a\.tif") as caught, open_source(str(path)) as source:
        list(source)
    assert "\n" not in str(caught.value)


def test_the_frame_rate_of_images(tmp_path):
    save(tmp_path / "shot" / "1.png")
    save(tmp_path / "shot" / "2.jfif", format="JPEG")
    first, *others = pictures(2)
    first.save(tmp_path / "moving.png", save_all=True, append_images=others, duration=500)
    for spec in (tmp_path / "shot", tmp_path / "shot" / "*", tmp_path / "moving.png"):
        with open_source(str(spec), frame_rate=Fraction(30000, 1001)) as source:
            assert source.info.frame_rate == Fraction(30000, 1001)
            assert [frame.pts * frame.time_base for frame in source] == [0, Fraction(1001, 30000)]


def test_a_link_that_leads_nowhere_is_said(tmp_path):
    for name in ("1", "3"):
        save(tmp_path / f"{name}.png")
    (tmp_path / "2.png").symlink_to(tmp_path / "gone.png")
    for spec in (tmp_path, tmp_path / "*.png"):
        with open_source(str(spec)) as source:
            assert [frame.name for frame in source] == ["1", "3"]
            assert source.warnings == [f"{spec}: 2.png: is a link that leads nowhere, left out"]
    (tmp_path / "1.png").unlink()
    (tmp_path / "3.png").unlink()
    with pytest.raises(UsageError, match="only links that lead nowhere"):
        open_source(str(tmp_path))


def test_a_pattern_in_a_folder_with_brackets_in_its_name(tmp_path):
    save(tmp_path / "shot [1]" / "a.png")
    assert len(read(tmp_path / "shot [1]" / "*.png")[1]) == 1


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("shot [1].mp4", "no such file, and as a pattern it matches nothing; write \\[\\[\\] for a bracket"),
        ("%05d.png", r"no such file; numbered images are named by a quoted pattern, '.*\*\.png'"),
        ("clip_%d.mp4", "numbered images are named by a quoted pattern"),
    ],
)
def test_a_missing_name_that_looks_like_a_pattern(tmp_path, pattern, said):
    with pytest.raises(UsageError, match=said):
        open_source(str(tmp_path / pattern))


def test_a_tiny_header_that_claims_a_huge_picture(tmp_path):
    data, _ = jpeg(np.random.default_rng(0))
    header = data.index(b"\xff\xc0")
    huge = bytearray(data)
    huge[header + 5 : header + 9] = b"\xff\x00\xff\x00"
    (tmp_path / "huge.jpg").write_bytes(huge)
    with pytest.raises(VosctlError, match=r"huge\.jpg: cannot be read as an image: .*pixels"):
        open_source(str(tmp_path / "huge.jpg"))
