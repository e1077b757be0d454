"""Sound is copied bit for bit and stays in step."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
import pytest

from vosctl.errors import VosctlError
from vosctl.video.copying import StreamCopy
from vosctl.video.encoder import VideoWriter
from vosctl.video.encodings import H264, VP9
from vosctl.video.sources import open_source

TENTHS = [k * 1536 for k in range(10)]


@pytest.mark.parametrize(
    ("source", "codec", "output"),
    [
        ("s.mp4", "aac", "o.mp4"),
        ("s.mp4", "aac", "o.mov"),
        ("s.mp4", "aac", "o.mkv"),
        ("s.mkv", "aac", "o.mp4"),
        ("s.ts", "aac", "o.mp4"),
        ("s.mkv", "libopus", "o.webm"),
        ("s.mkv", "libopus", "o.mp4"),
        ("s.mkv", "flac", "o.mp4"),
        ("s.mkv", "pcm_s16le", "o.mov"),
        ("s.mov", "pcm_s16le", "o.mkv"),
    ],
)
def test_packets_are_copied(clip_of, write, make_sound, packets, decode, tmp_path, source, codec, output):
    sound = make_sound(source, codec)
    source_video = decode(sound)
    clip = clip_of(source_video.pts, source_video.time_base)
    assert write(clip.with_sound_of(sound), overlay=tmp_path / output) == []
    assert decode(tmp_path / output).times[0] == source_video.times[0]
    expected, copied = packets(sound), packets(tmp_path / output)
    assert len(copied) > 5
    # MPEG-TS wraps every AAC frame in a header of 7 bytes, which no other container wants.
    header = 7 if source.endswith(".ts") else 0
    assert b"".join(content for _, content in copied) == b"".join(content[header:] for _, content in expected)
    assert abs(expected[0][0] - copied[0][0]) <= Fraction(1, 1000)
    if codec == "pcm_s16le":
        return  # QuickTime has no packets of PCM, readers cut it anew
    for (was, _), (now, _) in zip(expected, copied, strict=True):
        assert abs(was - now) <= Fraction(1, 1000)


@pytest.mark.parametrize("delay", [Fraction(1, 4), Fraction(3, 2)])
def test_sound_that_starts_later_stays_later(clip_of, write, make_sound, packets, tmp_path, delay):
    sound = make_sound("s.mkv", "pcm_s16le", delay=delay, pictures=30)
    write(clip_of([k * 1536 for k in range(30)]).with_sound_of(sound), overlay=tmp_path / "o.mov")
    assert packets(tmp_path / "o.mov")[0][0] == packets(sound)[0][0] == delay


def test_shift_of_a_far_clock_moves_sound_and_pictures_alike(clip_of, write, make_sound, packets, decode, tmp_path):
    sound = make_sound("s.mkv", "pcm_s16le", delay=Fraction(100))
    start = 100 * 15360
    write(clip_of([start + stamp for stamp in TENTHS]).with_sound_of(sound), overlay=tmp_path / "o.mov")
    assert decode(tmp_path / "o.mov").pts == TENTHS
    assert packets(tmp_path / "o.mov")[0][0] == 0


def test_sound_is_trimmed_where_the_video_was_cut_short(clip_of, write, make_sound, packets, tmp_path):
    sound = make_sound("s.mp4")
    write(clip_of(TENTHS).with_sound_of(sound).first(4), overlay=tmp_path / "o.mp4")
    copied = packets(tmp_path / "o.mp4")
    assert [content for _, content in copied] == [content for time, content in packets(sound) if time < Fraction(4, 10)]
    assert max(time for time, _ in copied) < Fraction(4, 10)


def test_sound_that_outlasts_the_pictures_is_kept(clip_of, write, make_sound, packets, tmp_path):
    sound = make_sound("s.mp4", pictures=10, seconds=2)
    write(clip_of(TENTHS).with_sound_of(sound), overlay=tmp_path / "o.mp4")
    assert [content for _, content in packets(tmp_path / "o.mp4")] == [content for _, content in packets(sound)]


def test_sound_that_outlasts_the_pictures_of_an_avi_with_b_frames_is_kept(make_sound, through, packets, tmp_path):
    sound = make_sound("s.avi", "libmp3lame", pictures=10, seconds=2)
    assert through(sound, tmp_path / "o.mp4") == []
    assert len(packets(tmp_path / "o.mp4")) == len(packets(sound))
    through(sound, tmp_path / "cut.mp4", most=9)
    assert packets(tmp_path / "cut.mp4")[-1][0] < Fraction(9, 10)


@pytest.mark.parametrize(("codec", "output"), [("aac", "o.webm"), ("libopus", "o.mov"), ("pcm_s16le", "o.webm")])
def test_one_line_says_when_a_container_cannot_hold_the_sound(
    clip_of, write, make_sound, packets, tmp_path, codec, output
):
    sound = make_sound("s.mkv", codec)
    (warning,) = write(clip_of(TENTHS).with_sound_of(sound), overlay=tmp_path / output)
    assert output in warning
    assert ".mkv" in warning
    assert packets(tmp_path / output) == []


def test_matte_and_cutout_get_the_sound_too(clip_of, write, make_sound, packets, tmp_path):
    sound = make_sound("s.mp4")
    write(clip_of(TENTHS).with_sound_of(sound), matte=tmp_path / "m.mp4", cutout=tmp_path / "c.mov")
    assert len(packets(tmp_path / "m.mp4")) == len(packets(tmp_path / "c.mov")) == len(packets(sound))


def test_no_sound_when_none_is_wanted(clip_of, write, make_sound, packets, tmp_path):
    sound = make_sound("s.mp4")
    assert write(clip_of(TENTHS).with_sound_of(sound), overlay=tmp_path / "o.mp4", audio=False) == []
    assert packets(tmp_path / "o.mp4") == []


def test_a_source_without_sound_is_no_reason_to_warn(clip_of, write, packets, tmp_path):
    silent = tmp_path / "silent.mp4"
    write(clip_of(TENTHS), overlay=silent)
    assert write(clip_of(TENTHS).with_sound_of(silent), overlay=tmp_path / "o.mp4") == []
    assert packets(tmp_path / "o.mp4") == []


@pytest.fixture
def through():
    """Returns a function that reads a file, writes its frames to another and returns all warnings."""

    def run(source, target, most=None):
        said = []
        with open_source(str(source)) as opened:
            encoding = VP9 if target.suffix == ".webm" else H264
            writer = VideoWriter(target, opened.info, encoding, overwrite=True, audio=True, warn=said.append)
            for frame in opened:
                writer.write(frame.image, "rgb24", frame)
                if frame.index + 1 == most:
                    break
            writer.finish()
            return said + opened.warnings

    return run


@pytest.fixture
def ends():
    """Returns a function from a file to the seconds at which each of its streams begins and ends."""

    def run(path):
        spans = {}
        with av.open(str(path)) as container:
            for packet in container.demux():
                if packet.pts is not None:
                    begin, end = packet.pts * packet.time_base, (packet.pts + (packet.duration or 0)) * packet.time_base
                    first, last = spans.get(packet.stream_index, (begin, end))
                    spans[packet.stream_index] = min(first, begin), max(last, end)
        return {index: (float(first), float(last)) for index, (first, last) in spans.items()}

    return run


def test_a_second_track_of_an_unknown_codec_is_left_out_and_said(make_sound, through, packets, tmp_path):
    """As phones record spatial sound beside the usual kind."""
    sound, other = make_sound("s.mp4"), make_sound("p.mov", "pcm_s16le")
    with (
        av.open(str(sound)) as source,
        av.open(str(other)) as second,
        av.open(str(tmp_path / "two.mov"), "w") as target,
    ):
        tracks: list[Any] = [target.add_stream_from_template(stream, opaque=True) for stream in source.streams]
        last: Any = target.add_stream_from_template(second.streams.audio[0])
        for packet in source.demux():
            if packet.size:
                packet.stream = tracks[packet.stream_index]
                target.mux(packet)
        for sample in second.demux(audio=0):
            if sample.size:
                sample.stream = last
                target.mux(sample)
    data = (tmp_path / "two.mov").read_bytes()
    assert data.count(b"sowt") == 1
    (tmp_path / "two.mov").write_bytes(data.replace(b"sowt", b"apac"))
    with av.open(str(tmp_path / "two.mov")) as container:
        assert [stream.codec_context is None for stream in container.streams.audio] == [False, True]

    warnings = through(tmp_path / "two.mov", tmp_path / "o.mp4")

    assert warnings == [f"{tmp_path / 'o.mp4'}: written without 1 sound track(s) of a codec that is not known here"]
    assert [content for _, content in packets(tmp_path / "o.mp4")] == [content for _, content in packets(sound)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.mp4", "p.mov", "s.mp4", "two.mov"]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_one_bad_timestamp_of_the_sound_is_mended(make_sound, through, packets, tmp_path, suffix):
    sound = make_sound("s.mp4")
    with av.open(str(sound)) as source, av.open(str(tmp_path / "bad.mkv"), "w") as target:
        tracks: list[Any] = [target.add_stream_from_template(stream, opaque=True) for stream in source.streams]
        heard = []
        for packet in source.demux():
            if packet.size:
                packet.stream = tracks[packet.stream_index]
                if packet.stream.type == "audio":
                    heard.append(packet.dts)
                    if len(heard) == 20:
                        packet.pts = packet.dts = heard[-2]
                target.mux(packet)
    output = tmp_path / f"o{suffix}"
    assert through(tmp_path / "bad.mkv", output) == [
        f"{output}: 1 damaged or wrongly timed packet(s) of sound were corrected or left out"
    ]
    assert [content for _, content in packets(output)] == [content for _, content in packets(sound)]
    assert np.diff([float(time) for time, _ in packets(output)]) == pytest.approx(1024 / 48000, abs=2e-3)


def joined(tmp_path, make_sound, seconds):
    """Two broadcasts, one after the other in one file; the second's clock begins `seconds` later than the first's."""
    parts = []
    for begin in (50, 50 + seconds):
        source = make_sound("part.mp4")
        path = tmp_path / f"part{begin}.ts"
        with (
            av.open(str(source)) as read,
            av.open(str(path), "w", options={"output_ts_offset": str(begin)}) as target,
        ):
            tracks: list[Any] = [target.add_stream_from_template(stream, opaque=True) for stream in read.streams]
            for packet in read.demux():
                if packet.size:
                    packet.stream = tracks[packet.stream_index]
                    target.mux(packet)
        parts.append(path.read_bytes())
    (tmp_path / "joined.ts").write_bytes(b"".join(parts))
    return tmp_path / "joined.ts"


@pytest.mark.parametrize("seconds", [0.6, -39, 1000])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_joined_broadcasts_keep_picture_and_sound_together(make_sound, through, ends, tmp_path, seconds, suffix):
    source = joined(tmp_path, make_sound, seconds)
    output = tmp_path / f"o{suffix}"

    (warning,) = through(source, output)

    assert "clock steps 1 time(s)" in warning
    spans = ends(output)
    with av.open(str(output)) as container:
        assert len(list(container.decode(video=0))) == 20
    for begin, end in spans.values():
        assert end - begin == pytest.approx(2.0, abs=0.15)
    assert spans[0][1] == pytest.approx(spans[1][1], abs=0.15)


def test_sound_is_as_long_as_the_picture_that_was_taken_of_two(make_sound, through, ends, tmp_path):
    """The shorter picture stream comes first in the file; the longer one is the one that is shown."""
    sound = make_sound("s.mp4", pictures=20, seconds=2)
    short = make_sound("short.mp4", pictures=3, seconds=1)
    with (
        av.open(str(sound)) as long,
        av.open(str(short)) as other,
        av.open(str(tmp_path / "two.mp4"), "w") as target,
    ):
        tracks: list[Any] = [
            target.add_stream_from_template(other.streams.video[0], opaque=True),
            *(target.add_stream_from_template(stream, opaque=True) for stream in long.streams),
        ]
        tracks[0].disposition, tracks[1].disposition = 0, 1
        for packet in other.demux(video=0):
            if packet.size:
                packet.stream = tracks[0]
                target.mux(packet)
        for each in long.demux():
            if each.size:
                each.stream = tracks[each.stream_index + 1]
                target.mux(each)

    (warning,) = through(tmp_path / "two.mp4", tmp_path / "o.mp4", most=8)
    assert warning.endswith("written without 1 further track(s) of pictures of the source's")

    spans = ends(tmp_path / "o.mp4")
    assert spans[0] == (0, pytest.approx(0.8))
    assert spans[1] == (pytest.approx(0, abs=0.03), pytest.approx(0.8, abs=0.03))


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_tags_chapters_and_subtitles_are_kept_where_the_container_holds_them(film, through, tmp_path, suffix):
    output = tmp_path / f"o{suffix}"
    warnings = through(film, output)
    with av.open(str(output)) as container:
        sounds = container.streams.audio
        assert [stream.metadata.get("language") for stream in sounds] == ["eng", "fra"]
        titles = [stream.metadata.get("title", stream.metadata.get("name")) for stream in sounds]  # as MP4 calls it
        assert titles == ["Main", "Commentaire"]
        assert [bool(stream.disposition & 1) for stream in sounds] == [False, True]
        assert container.metadata["title"] == "My film"
        chapters = container.chapters()
        assert [chapter["metadata"]["title"] for chapter in chapters] == ["One", "Two"]
        assert [float(chapter["start"] * chapter["time_base"]) for chapter in chapters] == [0, 0.5]
        subtitles = container.streams.subtitles
        if suffix == ".mkv":
            assert [stream.metadata["language"] for stream in subtitles] == ["deu"]
            (packet,) = (packet for packet in container.demux(subtitles[0]) if packet.size)
            assert (packet.pts, packet.duration, bytes(packet)) == (pytest.approx(200, abs=25), 400, b"Hello")
            assert warnings == []
        else:
            assert warnings == [
                f"{output}: written without 1 subtitle track(s), which {suffix} cannot hold as they are; .mkv can"
            ]


@pytest.mark.parametrize(("suffix", "kept"), [(".mov", ["ger", "fra"]), (".mp4", ["deu", "fre"])])
def test_a_language_by_either_of_its_codes_is_kept(make_sound, through, tmp_path, suffix, kept):
    with av.open(str(make_sound("s.mp4"))) as source, av.open(str(tmp_path / "two.mkv"), "w") as target:
        picture, first = (target.add_stream_from_template(stream, opaque=True) for stream in source.streams)
        second = target.add_stream_from_template(source.streams.audio[0])
        first.metadata["language"], second.metadata["language"] = "deu", "fre"
        for packet in source.demux():
            if packet.size:
                data = bytes(packet)
                packet.stream = picture if packet.stream_index == 0 else first
                target.mux(packet)
                if packet.stream is first:
                    copy = av.Packet(data)
                    copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
                    copy.stream = second
                    target.mux(copy)
    through(tmp_path / "two.mkv", tmp_path / f"o{suffix}")
    with av.open(str(tmp_path / f"o{suffix}")) as container:
        assert [stream.metadata.get("language") for stream in container.streams.audio] == kept


def test_one_line_says_that_a_container_cannot_hold_several_tracks(film, through, tmp_path):
    output = tmp_path / "o.webm"
    (line,) = (one for one in through(film, output) if "sound" in one)
    assert line == f"{output}: written without 2 sound tracks (aac), which .webm cannot hold; .mkv can"


def test_titles_of_tracks_survive_mp4(film, through, tmp_path):
    through(film, tmp_path / "o.mp4")
    through(tmp_path / "o.mp4", tmp_path / "back.mkv")
    with av.open(str(tmp_path / "back.mkv")) as container:
        assert [stream.metadata["title"] for stream in container.streams.audio] == ["Main", "Commentaire"]


def test_what_cannot_be_copied_is_said(tmp_path, through):
    path = tmp_path / "fonts.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10, width=32, height=32, pix_fmt="yuv420p")
        container.add_attachment("a.ttf", "application/x-truetype-font", b"not really a font")
        frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 90, np.uint8), format="rgb24")
        container.mux([*stream.encode(frame), *stream.encode(None)])
    output = tmp_path / "o.mkv"
    assert through(path, output) == [f"{output}: written without 1 attached file(s) (fonts) of the source's"]


def test_a_second_picture_that_is_not_read_is_said(tmp_path, through):
    path = tmp_path / "two.mp4"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("mpeg4", rate=10, width=32, height=32, pix_fmt="yuv420p") for _ in range(2)]
        for stream in streams:
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 90, np.uint8), format="rgb24")
            container.mux([*stream.encode(frame), *stream.encode(None)])
    output = tmp_path / "o.mp4"
    assert through(path, output) == [f"{output}: written without 1 further track(s) of pictures of the source's"]


def test_the_track_that_mp4_keeps_chapters_in_is_no_loss(film, through, tmp_path):
    through(film, tmp_path / "o.mp4")
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert [stream.name for stream in container.streams.data] == ["bin_data"]
    assert not any("data" in line for line in through(tmp_path / "o.mp4", tmp_path / "back.mkv"))


def test_chapters_end_where_the_video_was_cut_short(film, through, tmp_path):
    through(film, tmp_path / "o.mp4", most=3)
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["One"]
        assert container.duration == pytest.approx(300_000, abs=50_000)


def test_tags_in_another_alphabet_are_copied(make_video_with_title, through, tmp_path):
    through(make_video_with_title("caf\xe9".encode("cp1252")), tmp_path / "o.mkv")
    with av.open(str(tmp_path / "o.mkv")) as container:
        assert container.metadata["title"] == "caf\xe9"


@pytest.fixture
def make_video_with_title(tmp_path):
    def make(title):
        path = tmp_path / "titled.avi"
        with av.open(str(path), "w") as container:
            container.metadata["title"] = "#" * len(title)
            stream = container.add_stream("mpeg4", rate=10, width=32, height=32, pix_fmt="yuv420p")
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 90, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        path.write_bytes(path.read_bytes().replace(b"#" * len(title), title))
        return path

    return make


class Refusing:
    """An output that takes no sound."""

    def __init__(self, container):
        self._container = container

    def __getattr__(self, name):
        return getattr(self._container, name)

    def mux_one(self, packet):
        raise av.ArgumentError(22, "Invalid argument", "o.mp4")


def test_a_failure_names_the_part_and_a_way_out(make_sound, tmp_path):
    container = av.open(str(tmp_path / "o.mp4"), "w")
    copy = StreamCopy(str(make_sound("s.mp4")), cast(Any, Refusing(container)), tmp_path / "o.mp4", print, sound=True)
    container.start_encoding()
    with pytest.raises(VosctlError, match=r"o\.mp4: the sound \(aac\) cannot be written: Invalid argument; write .mkv"):
        copy.copy_until(Fraction(1))
    copy.close()
    with suppress(av.FFmpegError):
        container.close()  # it has a header and nothing else


def test_sound_of_an_avi_whose_channels_have_no_names(through, packets, tmp_path):
    path = tmp_path / "s.avi"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=10, width=32, height=32, pix_fmt="yuv420p")
        audio = container.add_stream("pcm_s16le", rate=48000, layout="stereo")
        container.start_encoding()
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 90, np.uint8), format="rgb24")
            container.mux(video.encode(frame))
            heard = av.AudioFrame.from_ndarray(np.ones((1, 9600), np.int16), format="s16", layout="stereo")
            heard.sample_rate = 48000
            container.mux(audio.encode(heard))
        container.mux(video.encode(None))
    for suffix in (".mp4", ".mov", ".mkv"):
        assert through(path, tmp_path / f"o{suffix}") == []
        assert b"".join(content for _, content in packets(tmp_path / f"o{suffix}")) == bytes([1, 0]) * 2 * 24000


def test_a_damaged_packet_of_sound_is_left_out(make_sound, through, packets, tmp_path):
    """MP4 wants AAC without the headers that it has in MPEG-TS, and they are damaged in one packet."""
    path = make_sound("s.ts", "aac")
    data = bytearray(path.read_bytes())
    places = [k for k in range(len(data) - 1) if data[k] == 0xFF and data[k + 1] == 0xF1]
    assert len(places) > 10
    data[places[8] + 1] = 0x00
    path.write_bytes(data)
    warnings = through(path, tmp_path / "o.mp4")
    assert len(packets(tmp_path / "o.mp4")) >= len(places) - 4
    assert warnings == [] or "damaged" in warnings[0]


def test_h264_has_a_largest_size(clip_of, tmp_path):
    clip = clip_of([0], size=(16, 16400))
    with pytest.raises(VosctlError, match=r"o\.mp4: H\.264 holds up to 16384 pixels a side .* write \.webm"):
        VideoWriter(tmp_path / "o.mp4", clip.info, H264, overwrite=False, audio=False, warn=print)
    assert list(tmp_path.iterdir()) == []
