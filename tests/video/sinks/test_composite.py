"""The objects before another background."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.frames import write_video
from vosctl.errors import UsageError
from vosctl.video.backgrounds import covering, open_background
from vosctl.video.edges import Edges
from vosctl.video.frames import Frame
from vosctl.video.sinks import OutputRequest, open_sinks
from vosctl.video.sinks.composites import composed

STAMPS = [0, 512, 1024]


def composite(clip, write, decode, path, background, **more):
    write(clip, composite=path, background=background, **more)
    return decode(path)


def test_pictures_are_mixed_by_the_matte_exactly():
    random = np.random.default_rng(1)
    front, back = random.integers(0, 256, (2, 20, 30, 3)).astype(np.uint8)
    alpha = random.integers(0, 256, (20, 30)).astype(np.uint8)
    alpha[:5] = 0
    share = alpha[..., None] / 255
    np.testing.assert_allclose(composed(front, alpha, back), front * share + back * (1 - share), atol=0.51)


def test_a_colour_behind_the_object(clip_of, write, decode, tmp_path):
    clip = clip_of(STAMPS)
    decoded = composite(clip, write, decode, tmp_path / "c.mp4", "#00ff00")
    inside, outside = clip.results[0].alpha == 255, clip.results[0].alpha == 0
    for shown, frame in zip(decoded.images, clip.frames, strict=True):
        assert np.abs(shown[outside].astype(int) - (0, 255, 0)).mean() < 8
        assert np.abs(shown[inside].astype(int) - frame.image[inside]).mean() < 8
    assert decoded.times == [Fraction(stamp, 15360) for stamp in STAMPS]


def test_the_own_background_out_of_focus(clip_of, write, decode, tmp_path):
    clip = clip_of(STAMPS)
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3)).astype(np.uint8)
    clip.frames = [Frame(f.index, noise, f.pts, f.time_base) for f in clip.frames]
    shown = composite(clip, write, decode, tmp_path / "c.mp4", "blur").images[0]
    outside = clip.results[0].alpha == 0
    assert shown[outside].astype(float).std() < noise[outside].astype(float).std() / 3


def test_an_image_covers_the_frame(clip_of, write, decode, tmp_path):
    picture = np.zeros((40, 400, 3), np.uint8)
    picture[:, :170], picture[:, 170:230], picture[:, 230:] = (250, 0, 0), (0, 0, 250), (250, 0, 0)
    Image.fromarray(picture).save(tmp_path / "b.png")
    shown = composite(clip_of(STAMPS), write, decode, tmp_path / "c.mp4", str(tmp_path / "b.png")).images[2]
    assert shown[:10, 54:74, 2].mean() > 200, "its middle"
    assert covering(picture, 96, 128).shape == (96, 128, 3)


@pytest.mark.parametrize("source_aspect", [Fraction(1), Fraction(2)])
def test_a_background_keeps_its_shape_where_pixels_are_not_square(clip_of, write, decode, tmp_path, source_aspect):
    """A square of the background is half as wide in pixels that are twice as wide."""
    picture = np.zeros((96, 256, 3), np.uint8)
    picture[16:80, 96:160] = 250
    Image.fromarray(picture).save(tmp_path / "b.png")
    clip = clip_of(STAMPS)
    clip.info = replace(clip.info, pixel_aspect=source_aspect)
    clip.results = [replace(one, alpha=np.zeros_like(one.alpha)) for one in clip.results]
    shown = composite(clip, write, decode, tmp_path / "c.mp4", str(tmp_path / "b.png")).images[0][..., 0] > 128
    assert shown.any(axis=1).sum() == pytest.approx(64, abs=2)
    assert shown.any(axis=0).sum() == pytest.approx(64 / source_aspect, abs=2)


def test_a_video_goes_on_at_its_own_pace_and_begins_again(tmp_path):
    """Four pictures at 10 a second under frames at 25 a second, from any clock."""
    write_video(tmp_path / "b.mp4", [np.full((32, 32, 3), 60 * index, np.uint8) for index in range(4)], rate=10)
    background = open_background(str(tmp_path / "b.mp4"), 32, 32)
    seen = []
    for index in range(24):
        frame = Frame(index, np.zeros((32, 32, 3), np.uint8), 5000 + index * 40, Fraction(1, 1000))
        seen.append(round(background.behind(frame).mean() / 60))
    background.close()
    assert seen == [int(index * 0.04 / 0.1 + 1e-9) % 4 for index in range(24)]


def test_what_is_wrong_with_a_background_is_told_once(clip_of, tmp_path):
    """It is cut off, and begins again where it ends, several times."""
    pictures = [np.random.default_rng(index).integers(0, 256, (32, 32, 3), np.uint8) for index in range(8)]
    path = write_video(tmp_path / "b.ts", pictures, rate=50, gop=1)
    path.write_bytes(path.read_bytes()[: 2 * path.stat().st_size // 3 + 37])
    told: list[str] = []
    clip = clip_of(list(range(0, 12 * 512, 512)))
    (sink,) = open_sinks(OutputRequest(composite=tmp_path / "c.mp4", background=str(path)), clip.info, told.append)
    for frame, result in zip(clip.frames, clip.results, strict=True):
        sink.write(frame, result)
    sink.finish()
    about = [line for line in told if line.startswith(f"{path}: ")]
    assert any("cut off" in line for line in about), told
    assert len(set(about)) == len(about)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"composite": Path("c.mp4")}, "needs a `background`"),
        ({"masks": Path("m"), "background": "blur"}, "is the composite's"),
        ({"composite": Path("c.mp4"), "background": "bleu"}, "is no file, and no colour"),
        ({"composite": Path("c.avi"), "background": "blue"}, "not a video file's"),
        ({"masks": Path("m"), "edges": Edges(grow=1)}, "are for `matte`, `cutout` and `composite`"),
    ],
)
def test_what_cannot_be_composed(clip_of, tmp_path, monkeypatch, request_, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        open_sinks(OutputRequest(**request_), clip_of([0]).info, print)
    assert not list(tmp_path.iterdir())


def test_the_background_is_not_replaced(clip_of, tmp_path):
    path = write_video(tmp_path / "b.mp4", [np.zeros((32, 32, 3), np.uint8)] * 2)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="would replace the input"):
        open_sinks(OutputRequest(composite=path, background=str(path), overwrite=True), clip_of([0]).info, print)
    assert path.read_bytes() == before


def test_mattes_and_cut_outs_take_the_edges(clip_of, write, decode, tmp_path):
    clip = clip_of([0])
    write(clip, matte=tmp_path / "plain.mkv", cutout=tmp_path / "plain")
    write(clip, matte=tmp_path / "grown.mkv", cutout=tmp_path / "grown", edges=Edges(grow=5, clean=True))
    plain, grown = ((decode(tmp_path / f"{name}.mkv").images[0][..., 0] > 127).sum() for name in ("plain", "grown"))
    assert abs(np.sqrt(grown) - np.sqrt(plain) - 10) < 1.5
    alphas = [np.array(Image.open(tmp_path / name / "00000.png"))[..., 3] for name in ("plain", "grown")]
    np.testing.assert_array_equal(alphas[0], clip.results[0].alpha)
    np.testing.assert_array_equal(alphas[1], Edges(grow=5).apply(clip.results[0].alpha))
