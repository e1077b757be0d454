"""Cutouts: transparency survives the round trip."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from vosctl.video.frames import Frame


def visible(clip, index):
    return clip.results[index].alpha > 200


def test_prores_holds_colour_and_alpha(clip_of, write, decode, tmp_path):
    clip = clip_of([0, 700, 1536], durations=[700, 836, 512])
    write(clip, cutout=tmp_path / "c.mov")
    with av.open(str(tmp_path / "c.mov")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.codec_tag == "ap4h"
        frames = [frame.to_ndarray(format="rgba").astype(int) for frame in container.decode(stream)]
    assert decode(tmp_path / "c.mov").pts == [0, 700, 1536]
    assert np.abs(frames[2][..., 3] - clip.results[2].alpha).max() <= 2
    inside = visible(clip, 2)
    assert np.abs(frames[2][inside][:, :3] - clip.frames[2].image[inside]).mean() < 2


def test_vp9_holds_alpha(clip_of, write, tmp_path):
    clip = clip_of([0, 33, 71], Fraction(1, 1000))
    write(clip, cutout=tmp_path / "c.webm")
    decoder = av.CodecContext.create("libvpx-vp9", "r")  # FFmpeg's own VP9 decoder drops alpha
    with av.open(str(tmp_path / "c.webm")) as container:
        stream = container.streams.video[0]
        assert stream.metadata["ALPHA_MODE"] == "1"
        frames = [frame for packet in container.demux(stream) for frame in decoder.decode(packet)]
    assert len(frames) == 3
    assert frames[0].format.name == "yuva420p"
    seen = frames[2].to_ndarray(format="rgba").astype(int)
    assert np.abs(seen[..., 3] - clip.results[2].alpha).mean() < 2
    assert (seen[48, 56, 3], seen[2, 2, 3]) == (255, 0)
    inside = visible(clip, 2)
    assert np.abs(seen[inside][:, :3] - clip.frames[2].image[inside]).mean() < 4


@pytest.mark.parametrize("size", [(96, 128), (97, 129)])
def test_directory_of_rgba_png(clip_of, write, tmp_path, size):
    clip = clip_of([0, 512], size=size)
    write(clip, cutout=tmp_path / "cut")
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == ["00000.png", "00001.png"]
    seen = np.asarray(Image.open(tmp_path / "cut" / "00001.png"))
    np.testing.assert_array_equal(seen[..., 3], clip.results[1].alpha)
    shown = seen[..., 3] > 0
    np.testing.assert_array_equal(seen[shown][:, :3], clip.frames[1].image[shown])
    assert not seen[0, 0].any()


@pytest.mark.parametrize(("file", "size"), [("c.mov", (98, 130)), ("c.webm", (97, 129))])
def test_odd_sizes_are_padded_where_the_codec_needs_it(clip_of, write, decode, tmp_path, file, size):
    write(clip_of([0, 512], size=(97, 129)), cutout=tmp_path / file)
    assert decode(tmp_path / file).images[0].shape[:2] == size


def test_pictures_keep_the_stems_of_the_source(clip_of, write, tmp_path):
    clip = clip_of([0, 512])
    clip.frames = [
        Frame(f.index, f.image, f.pts, f.time_base, name=name) for f, name in zip(clip.frames, "ab", strict=True)
    ]
    write(clip, cutout=tmp_path / "cut", masks=tmp_path / "masks")
    for folder in ("cut", "masks"):
        assert sorted(path.name for path in (tmp_path / folder).iterdir()) == ["a.png", "b.png"]
