"""What is copied into the video of a part of a source begins and ends with its frames, and stays in step."""

from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

from vosctl.time_line import Span
from vosctl.video.encoder import VideoWriter
from vosctl.video.encodings import H264
from vosctl.video.sources import RangedSource, open_source


@pytest.fixture
def part_of(tmp_path):
    """Returns a function that writes a part of a file to another and returns all warnings."""

    def run(source, target, *span):
        said = []
        with RangedSource(open_source(str(source)), Span.of(*span)) as part:
            writer = VideoWriter(target, part.info, H264, overwrite=True, audio=True, warn=said.append)
            for frame in part:
                writer.write(frame.image, "rgb24", frame)
            writer.finish()
            return said + part.warnings

    return run


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("start", [4, "0.43s"])
def test_sound_is_cut_to_the_range(make_sound, part_of, packets, decode, tmp_path, suffix, start):
    source, output = make_sound("s.mp4"), tmp_path / f"o{suffix}"
    assert part_of(source, output, start, 8) == []
    assert decode(output).times == [Fraction(k, 10) for k in range(4)]
    expected = [(time - Fraction(4, 10), data) for time, data in packets(source) if time >= Fraction(4, 10)]
    copied = packets(output)
    assert 15 < len(copied) < 22, "0.4 s"
    for (was, data), (now, same) in zip(expected, copied, strict=False):
        assert data == same
        assert abs(was - now) <= Fraction(1, 1000)
    assert copied[-1][0] < Fraction(4, 10)


def test_sound_goes_to_the_end_where_the_range_does(make_sound, part_of, packets, tmp_path):
    source = make_sound("s.mp4", seconds=1.5)
    part_of(source, tmp_path / "o.mp4", 5)
    assert packets(tmp_path / "o.mp4")[-1][0] == pytest.approx(packets(source)[-1][0] - Fraction(1, 2), abs=0.002)


def test_one_frame_in_so_many_is_shown_so_much_longer(make_sound, part_of, packets, decode, tmp_path):
    assert part_of(make_sound("s.mp4"), tmp_path / "o.mp4", 1, 9, 3) == []
    video = decode(tmp_path / "o.mp4")
    assert video.times == [0, Fraction(3, 10), Fraction(6, 10)]
    assert [duration * video.time_base for duration in video.durations] == [Fraction(k, 10) for k in (3, 3, 2)], (
        "to the end of the range"
    )
    assert packets(tmp_path / "o.mp4")[-1][0] == pytest.approx(0.8, abs=0.03)


def test_subtitles_and_chapters_are_cut_to_the_range(film, part_of, tmp_path):
    assert part_of(film, tmp_path / "o.mkv", 4, 9) == []
    with av.open(str(tmp_path / "o.mkv")) as container:
        spans = [
            (chapter["start"] * chapter["time_base"], chapter["end"] * chapter["time_base"])
            for chapter in container.chapters()
        ]
        assert spans == [(0, pytest.approx(0.1, abs=0.03)), (pytest.approx(0.1, abs=0.03), pytest.approx(0.5))]
        (packet,) = (packet for packet in container.demux(subtitles=0) if packet.size)
        assert packet.pts == pytest.approx(0, abs=1)
        assert packet.duration == pytest.approx(200, abs=30), "it is said from 0.2 s to 0.6 s"
    part_of(film, tmp_path / "o.mkv", 7)
    with av.open(str(tmp_path / "o.mkv")) as container:
        assert not [packet for packet in container.demux(subtitles=0) if packet.size]
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["Two"]


TOGETHER = """1
00:00:00,200 --> 00:00:00,800
Said

2
00:00:00,200 --> 00:00:00,700
and shown

3
00:00:00,300 --> 00:00:00,700
at once
"""


@pytest.mark.parametrize(
    ("start", "spans"), [(0, [(200, 600), (200, 500), (300, 400)]), (4, [(0, 400), (0, 300), (0, 300)])]
)
def test_lines_that_are_shown_together_are_all_kept(make_sound, part_of, tmp_path, start, spans):
    (tmp_path / "s.srt").write_text(TOGETHER)
    with (
        av.open(str(make_sound("s.mp4"))) as source,
        av.open(str(tmp_path / "s.srt")) as titles,
        av.open(str(tmp_path / "film.mkv"), "w") as film,
    ):
        tracks = [(one, film.add_stream_from_template(one.streams[0], opaque=True)) for one in (source, titles)]
        for container, track in tracks:
            for packet in container.demux(container.streams[0]):
                if packet.size:
                    packet.stream = track
                    film.mux(packet)
    assert part_of(tmp_path / "film.mkv", tmp_path / "o.mkv", start) == []
    with av.open(str(tmp_path / "o.mkv")) as container:
        copied = [packet for packet in container.demux(subtitles=0) if packet.size]
    assert [bytes(packet) for packet in copied] == [b"Said", b"and shown", b"at once"]
    for packet, (begin, duration) in zip(copied, spans, strict=True):
        assert packet.pts == pytest.approx(begin, abs=1)
        assert packet.duration == pytest.approx(duration, abs=30)


@pytest.mark.parametrize("every", [1, 2, 5])
def test_sound_that_outlasts_the_pictures_is_kept_with_one_frame_in_so_many(
    make_sound, part_of, packets, tmp_path, every
):
    source = make_sound("s.mp4", pictures=10, seconds=1.5)
    part_of(source, tmp_path / "o.mp4", None, None, every)
    assert len(packets(tmp_path / "o.mp4")) == len(packets(source))
    part_of(source, tmp_path / "p.mp4", None, 10 - every, every)
    assert packets(tmp_path / "p.mp4")[-1][0] < 1 - Fraction(every, 10), "the pictures go on"


def test_a_range_far_into_a_long_file(tmp_path, part_of, packets, decode):
    """What lies long before a range is not read, and nothing is lost or moved by it."""
    with av.open(str(tmp_path / "long.mkv"), "w") as container:
        video = container.add_stream("libx264", rate=2, options={"g": "10", "bf": "2"})
        video.width = video.height = 32
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        for second in range(150):
            for half in range(2):
                level = (2 * second + half) % 200 + 20
                image = av.VideoFrame.from_ndarray(np.full((32, 32, 3), level, np.uint8), format="rgb24")
                image.pts, image.time_base = 2 * second + half, Fraction(1, 2)
                container.mux(video.encode(image))
            tone = av.AudioFrame.from_ndarray(np.full((1, 8000), second, np.int16), format="s16", layout="mono")
            tone.sample_rate, tone.time_base, tone.pts = 8000, Fraction(1, 8000), 8000 * second
            container.mux(audio.encode(tone))
        container.mux(video.encode())
        container.mux(audio.encode())
    assert part_of(tmp_path / "long.mkv", tmp_path / "o.mkv", "2:05", "2:10") == []
    pictures = decode(tmp_path / "o.mkv")
    assert len(pictures.times) == 10
    assert pictures.times[0] == 0
    assert all(after - before == Fraction(1, 2) for before, after in pairwise(pictures.times))
    for index, image in enumerate(pictures.images):
        assert image.mean() == pytest.approx((250 + index) % 200 + 20, abs=2)
    samples = np.frombuffer(b"".join(data for _, data in packets(tmp_path / "o.mkv")), np.int16)
    assert set(samples) == {125, 126, 127, 128, 129}
    assert packets(tmp_path / "o.mkv")[0][0] == 0
