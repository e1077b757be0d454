"""Sound is copied bit for bit and stays in step."""

from __future__ import annotations

from fractions import Fraction

import pytest

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
