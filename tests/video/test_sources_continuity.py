"""Steps of a container's clock and single bad timestamps, on bare numbers."""

from __future__ import annotations

from fractions import Fraction

import pytest

from vosctl.video.sources.continuity import Continuity, Stamped

PICTURE, SOUND = 0, 1
STEP, BEAT = Fraction(1, 25), Fraction(1, 50)


def recording(start, seconds):
    """Packets of a picture and a sound stream, by their time: (stream, time, duration)."""
    pictures = [(PICTURE, start + k * STEP, STEP) for k in range(int(seconds / STEP))]
    sounds = [(SOUND, start + k * BEAT, BEAT) for k in range(int(seconds / BEAT))]
    return sorted(pictures + sounds, key=lambda packet: packet[1])


def run(packets, jumps=True):
    """The packets' times as they come out, by stream."""
    continuity = Continuity(frozenset({SOUND}), frozenset({PICTURE, SOUND}), jumps)
    stamped = [Stamped((stream, time), stream, time, duration) for stream, time, duration in packets]
    out = [pair for packet in stamped for pair in continuity.push(packet)]
    out += continuity.finish()
    times = {PICTURE: [], SOUND: []}
    for (stream, time), shift in out:
        times[stream].append(time + shift)
    return times, continuity


def even(seconds, step, start=0):
    return [start + k * step for k in range(int(seconds / step))]


@pytest.mark.parametrize("start", ["0", "6/10", "-4", "-40", "-100", "1000", "95443"])
def test_joined_recordings_have_one_continuous_time(start):
    times, continuity = run(recording(0, 1) + recording(Fraction(start), 1))
    assert times == {PICTURE: even(2, STEP), SOUND: even(2, BEAT)}
    assert (continuity.steps, continuity.corrected) == (1, {})


def test_several_recordings():
    times, continuity = run(recording(50, 1) + recording(0, 1) + recording(2000, 1) + recording(3, 1))
    assert times == {PICTURE: even(4, STEP, 50), SOUND: even(4, BEAT, 50)}
    assert continuity.steps == 3


def test_picture_and_sound_stay_together_where_one_of_them_is_longer():
    first = [packet for packet in recording(0, 2) if packet[0] == SOUND or packet[1] < 1]
    times, continuity = run(first + recording(0, 1))
    assert times[SOUND] == even(3, BEAT)
    assert times[PICTURE] == even(1, STEP) + even(1, STEP, 2)
    assert continuity.steps == 1


def test_streams_that_come_to_the_step_one_after_the_other():
    """What belongs to the first recording may still come after the second has begun in another stream."""
    first, second = recording(0, 1), recording(0, 1)
    late = first.pop()
    assert late == (SOUND, Fraction(98, 100), BEAT)
    assert second[0][0] == PICTURE
    packets = [*first, second.pop(0), late, *second]
    times, continuity = run(packets)
    assert times == {PICTURE: even(2, STEP), SOUND: even(2, BEAT)}
    assert continuity.steps == 1


def test_a_step_of_pictures_alone():
    pictures = [packet for packet in recording(0, 1) + recording(0, 1) if packet[0] == PICTURE]
    assert run(pictures)[0][PICTURE] == even(2, STEP)


def test_a_pause_in_the_picture_is_no_step():
    still = [packet for packet in recording(0, 40) if packet[0] == SOUND or not 10 < packet[1] < 30]
    times, continuity = run(still)
    assert times[PICTURE] == [time for stream, time, _ in still if stream == PICTURE]
    assert continuity.steps == 0


def test_a_long_gap_is_kept_where_the_container_says_that_it_is_one():
    pictures = [(PICTURE, time, STEP) for time in (*even(1, STEP), *even(1, STEP, 1000))]
    times, continuity = run(pictures, jumps=False)
    assert times[PICTURE] == [time for _, time, _ in pictures]
    assert continuity.steps == 0


@pytest.mark.parametrize("wrong", ["0", "28/100", "-50", "5000"])
def test_one_bad_time_of_the_sound_is_mended(wrong):
    packets = recording(0, 1)
    place = packets.index((SOUND, Fraction(30, 100), BEAT))
    packets[place] = (SOUND, Fraction(wrong), BEAT)
    times, continuity = run(packets)
    assert times == {PICTURE: even(1, STEP), SOUND: even(1, BEAT)}
    assert (continuity.steps, continuity.corrected) == (0, {SOUND: 1})


def test_sound_that_is_there_twice_is_left_out_once():
    packets = recording(0, 1)
    packets.insert(packets.index((SOUND, Fraction(30, 100), BEAT)), (SOUND, Fraction(30, 100), BEAT))
    times, continuity = run(packets)
    assert times == {PICTURE: even(1, STEP), SOUND: even(1, BEAT)}
    assert continuity.corrected == {SOUND: 1}


def test_one_bad_time_of_a_picture_is_mended():
    packets = recording(0, 1)
    packets[packets.index((PICTURE, Fraction(40, 100), STEP))] = (PICTURE, Fraction(0), STEP)
    times, continuity = run(packets)
    assert times == {PICTURE: even(1, STEP), SOUND: even(1, BEAT)}
    assert continuity.corrected == {PICTURE: 1}


def test_a_time_that_is_not_known_is_passed_on():
    times = run([(PICTURE, Fraction(0), STEP), (SOUND, Fraction(0), BEAT), (PICTURE, Fraction(4, 100), STEP)])[0]
    assert times[PICTURE] == [0, Fraction(4, 100)]
    continuity = Continuity(frozenset(), frozenset({PICTURE}), True)
    assert list(continuity.push(Stamped("a", PICTURE, None))) == [("a", 0)]
