"""Animated WebP and GIF, for a chat or an issue."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vosctl.errors import UsageError
from vosctl.video.sinks import OutputRequest, open_sinks

STAMPS = [0, 1536, 3072, 6144]  # of 15360 a second: 100 ms, and a gap of 200


def read(path):
    """The pictures as RGB and how long each is shown, in ms; how often it runs."""
    image: Any
    with Image.open(path) as image:
        pictures, durations = [], []
        for index in range(image.n_frames):
            image.seek(index)
            pictures.append(np.array(image.convert("RGB")))
            durations.append(image.info["duration"])
        return pictures, durations, image.info.get("loop")


@pytest.mark.parametrize(("name", "error"), [("o.webp", 6), ("o.gif", 8)])
def test_an_overlay_is_shown_at_its_times_in_a_loop(clip_of, write, tmp_path, name, error):
    clip = clip_of(STAMPS)
    warnings = write(clip, overlay=tmp_path / name)
    pictures, durations, loop = read(tmp_path / name)
    assert loop == 0
    assert durations[:3] == [100, 100, 200]
    for shown, frame, result in zip(pictures, clip.frames, clip.results, strict=True):
        outside = result.alpha == 0
        assert np.abs(shown[outside].astype(int) - frame.image[outside]).mean() < error
        assert np.abs(shown[result.alpha == 255].astype(int) - frame.image[result.alpha == 255]).mean() > 2 * error
    assert not warnings


def test_a_source_with_sound_is_no_trouble(clip_of, write, make_sound, tmp_path):
    clip = clip_of(STAMPS).with_sound_of(make_sound("sound.mp4"))
    assert not write(clip, overlay=tmp_path / "o.gif", composite=tmp_path / "c.webp", background="white")
    assert len(read(tmp_path / "o.gif")[0]) == 4


@pytest.mark.parametrize("output", ["overlay", "cutout"])
def test_webp_has_the_colours_of_the_source_at_every_size(clip_of, write, tmp_path, output):
    """It knows no other matrix than BT.601, which is not that of HD video."""
    clip = clip_of([0, 1536], size=(64, 1280))
    red = np.full((64, 1280, 3), (220, 30, 40), np.uint8)
    clip.frames = [replace(frame, picture=red) for frame in clip.frames]
    write(clip, **{output: tmp_path / "o.webp"})
    inside = clip.results[0].alpha == (255 if output == "cutout" else 0)
    for shown in read(tmp_path / "o.webp")[0]:
        assert np.abs(shown[inside].astype(int) - red[inside]).mean() < 3


@pytest.mark.parametrize(("name", "least", "most"), [("o.gif", 20, 30), ("o.webp", 11, 17)])
@pytest.mark.parametrize("rate", [60, 240])
def test_no_picture_is_so_short_that_browsers_slow_it_down(clip_of, write, tmp_path, name, least, most, rate):
    """They show one of 10 ms or less for 100 ms."""
    clip = clip_of([index * 15360 // rate for index in range(24)], durations=[15360 // rate] * 24)
    warnings = write(clip, overlay=tmp_path / name)
    _, durations, _ = read(tmp_path / name)
    assert least <= min(durations)
    assert max(durations) <= most
    assert abs(sum(durations) - 24 * 1000 / rate) <= most, "it is as fast as the source"
    left_out = 24 - len(durations)
    if left_out:
        (warning,) = warnings
        assert f"o{name[1:]}: {left_out} picture(s) were left out" in warning
    else:
        assert (name, rate) == ("o.webp", 60)
        assert not warnings


@pytest.mark.parametrize("name", ["m.webp", "m.gif"])
def test_a_matte_stays_grey(clip_of, write, tmp_path, name):
    clip = clip_of(STAMPS)
    alphas = [np.roll(result.alpha, 9 * index, axis=1) for index, result in enumerate(clip.results)]
    clip.results = [replace(one, alpha=alpha) for one, alpha in zip(clip.results, alphas, strict=True)]
    write(clip, matte=tmp_path / name)
    for shown, alpha in zip(read(tmp_path / name)[0], alphas, strict=True):
        assert np.abs(shown.astype(int) - alpha[..., None]).mean() < 4


def test_a_cut_out_is_transparent(clip_of, write, tmp_path):
    clip = clip_of(STAMPS)
    write(clip, cutout=tmp_path / "c.webp")
    image: Any
    with Image.open(tmp_path / "c.webp") as image:
        assert image.n_frames == 4
        alpha = np.array(image.convert("RGBA"))[..., 3]
    assert np.abs(alpha.astype(int) - clip.results[0].alpha).mean() < 2
    with pytest.raises(UsageError, match="cannot hold transparency"):
        open_sinks(OutputRequest(cutout=tmp_path / "c.gif"), clip.info, print)


@pytest.mark.parametrize("name", ["o.webp", "o.gif"])
def test_what_is_whole_of_an_interrupted_one_can_be_seen(clip_of, tmp_path, name):
    clip = clip_of(STAMPS)
    (sink,) = open_sinks(OutputRequest(overlay=tmp_path / name), clip.info, print)
    for frame, result in zip(clip.frames[:3], clip.results[:3], strict=True):
        sink.write(frame, result)
    assert len(read(sink.abort())[0]) == 3
