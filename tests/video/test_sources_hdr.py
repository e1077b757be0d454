"""HDR video comes as standard pictures."""

from __future__ import annotations

import av
import numpy as np
import pytest

from vosctl.video.sources import open_source
from vosctl.video.sources.hdr import to_sdr

PQ, HLG, BT2020, BT709 = 16, 18, 9, 1
KINDS = {PQ: "PQ", HLG: "HLG"}


def video(path, signal, transfer, pixel_format="yuv420p10le"):
    """A lossless one-frame video of one grey, given as the coded signal 0..1."""
    frame = av.VideoFrame(64, 48, pixel_format)
    levels = (64 + 876 * signal, 512, 512)
    for plane, level in zip(frame.planes, levels, strict=True):
        plane.update(np.full(plane.buffer_size // 2, round(level), np.uint16).tobytes())
    frame.color_trc, frame.color_primaries, frame.colorspace, frame.color_range = transfer, BT2020, BT2020, 1
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixel_format
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace, context.color_range = (
            transfer,
            BT2020,
            BT2020,
            1,
        )
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def read(path):
    with open_source(str(path)) as source:
        (frame,) = list(source)
        return frame.image, source.warnings


# Levels of ITU-R BT.2408: 18 % grey (HLG 38 %, PQ 38 %: 26 cd/m2) and reference white (HLG 75 %, PQ 58 %: 203 cd/m2).
@pytest.mark.parametrize(("transfer", "grey", "white"), [(HLG, 0.38, 0.75), (PQ, 0.38, 0.58)])
def test_hdr_levels_come_out_as_a_standard_display_shows_them(tmp_path, transfer, grey, white):
    shown = {}
    for name, signal in (("black", 0.0), ("grey", grey), ("white", white)):
        image, warnings = read(video(tmp_path / f"{name}.mkv", signal, transfer))
        assert np.ptp(image) <= 1
        assert len(warnings) == 1
        assert f"HDR ({KINDS[transfer]})" in warnings[0]
        with open_source(str(tmp_path / f"{name}.mkv")) as source:
            assert source.info.colours == (BT709, BT709), "as they are given out"
        shown[name] = int(image[0, 0, 0])
    assert shown["black"] == 0
    assert shown["grey"] == pytest.approx(255 * (26 / 203) ** (1 / 2.4), abs=4)
    assert 220 <= shown["white"] <= 240  # highlights above it need the rest


@pytest.mark.parametrize(("transfer", "told"), [(1, 1), (6, 1), (14, 1), (15, 1), (4, 4), (13, 13), (2, 1)])
def test_colours_of_standard_range_are_told_as_they_are(tmp_path, transfer, told):
    with open_source(str(video(tmp_path / "wide.mkv", 0.5, transfer))) as source:
        assert source.info.colours == (BT2020, told)


def test_ten_bits_alone_are_not_hdr(tmp_path):
    image, warnings = read(video(tmp_path / "ten.mkv", 0.5, BT709))
    assert image[0, 0, 0] == pytest.approx(128, abs=2)
    assert warnings == []


@pytest.mark.parametrize("kind", ["HLG", "PQ"])
def test_brighter_stays_brighter_and_greys_stay_grey(kind):
    ramp = np.repeat(np.linspace(0, 1, 200)[:, None], 3, axis=1)
    shown = to_sdr(ramp, kind)
    assert (np.diff(shown[:, 0]) >= -1e-9).all()
    assert np.abs(shown - shown[:, :1]).max() < 1e-3
    assert shown[0, 0] < 0.01
    assert shown[-1, 0] > 0.99


@pytest.mark.parametrize("kind", ["HLG", "PQ"])
def test_wide_colours_keep_their_hue_and_what_is_compressed_is_not_bleached(kind):
    red, bright_red = to_sdr(np.array([[0.5, 0.2, 0.2], [0.8, 0.32, 0.32]]), kind)
    for shown in (red, bright_red):
        assert shown[0] > 2 * max(shown[1:])
