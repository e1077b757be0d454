"""The track as an output beside the others."""

import numpy as np
import pytest

from tests.helpers.disks import full_disk
from vosctl.errors import UsageError, VosctlError
from vosctl.tracks import Track
from vosctl.video.sinks import OutputRequest, open_sinks


def open_track(clip, path, **settings):
    (sink,) = open_sinks(OutputRequest(track=path, **settings), clip.info, print)
    return sink


def test_results_are_kept(clip_of, write, tmp_path):
    clip = clip_of([0, 512, 1024])
    write(clip, track=tmp_path / "new" / "a.vostrack")
    with Track(tmp_path / "new" / "a.vostrack") as track:
        assert track.complete
        for kept, given in zip(track, clip.results, strict=True):
            np.testing.assert_array_equal(kept.labels, given.labels)
            np.testing.assert_array_equal(kept.alpha, given.alpha)
            assert kept.objects == given.objects


def test_an_interrupted_track_keeps_its_name_and_can_be_read(clip_of, tmp_path):
    clip = clip_of([0, 512])
    sink = open_track(clip, tmp_path / "a.vostrack")
    sink.write(clip.frames[0], clip.results[0])
    assert sink.abort() == tmp_path / "a.vostrack"
    assert [path.name for path in tmp_path.iterdir()] == ["a.vostrack"]
    with Track(tmp_path / "a.vostrack") as track:
        assert len(track) == 1
        assert not track.complete


def test_without_a_frame_nothing_is_left(clip_of, tmp_path):
    assert open_track(clip_of([0]), tmp_path / "a.vostrack").abort() is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [0, 16 << 10])
def test_a_full_disk_leaves_nothing_of_a_track_without_a_frame(clip_of, tmp_path, size):
    clip = clip_of([0])
    with full_disk(size), pytest.raises(VosctlError, match=r"a\.vostrack: "):
        open_track(clip, tmp_path / "a.vostrack")
    assert not list(tmp_path.iterdir())


def test_a_first_frame_without_room_leaves_nothing(clip_of, tmp_path):
    clip = clip_of([0])
    sink = open_track(clip, tmp_path / "a.vostrack")
    with full_disk(16 << 10):
        with pytest.raises(VosctlError, match=r"a\.vostrack: .* the disk is full"):
            sink.write(clip.frames[0], clip.results[0])
        assert sink.abort() is None
    assert not list(tmp_path.iterdir())


def test_a_track_is_replaced_only_by_one_that_is_complete(clip_of, tmp_path):
    path, clip = tmp_path / "a.vostrack", clip_of([0, 512])
    first = open_track(clip, path)
    for frame, result in zip(clip.frames, clip.results, strict=True):
        first.write(frame, result)
    first.finish()
    with pytest.raises(UsageError, match=r"`resume`.*`overwrite=True`"):
        open_track(clip, path)
    second = open_track(clip, path, overwrite=True)
    second.write(clip.frames[0], clip.results[0])
    with Track(path) as track:
        assert len(track) == 2
    kept = second.abort()
    assert kept == tmp_path / "a.partial.vostrack"
    with Track(kept) as track:
        assert len(track) == 1
    third = open_track(clip, path, overwrite=True)
    assert kept.exists(), "what was kept is not taken for a killed run's"
    third.write(clip.frames[0], clip.results[0])
    third.finish()
    with Track(path) as track:
        assert len(track) == 1


def test_a_track_that_is_read_when_it_is_to_replace_another_loses_nothing(clip_of, write, tmp_path):
    clip, path = clip_of([0, 512, 1024, 1536]), tmp_path / "a.vostrack"
    write(clip, track=path)
    sink = open_track(clip, path, overwrite=True)
    frames = list(zip(clip.frames, clip.results, strict=True))
    for one in frames[:3]:
        sink.write(*one)
    with Track(sink.partial) as track:
        read = track.frames()
        next(read)
        sink.write(*frames[3])
        with pytest.raises(VosctlError, match=r"a.vostrack: not replaced, as another program reads .*partial"):
            sink.finish()
        kept = sink.abort()
    del read
    for whole in (path, kept):
        with Track(whole) as track:
            assert (len(track), track.complete) == (4, True)


def test_one_that_is_there_is_gone_on_with(clip_of, tmp_path):
    path, clip = tmp_path / "a.vostrack", clip_of([0, 512, 1024])
    first = open_track(clip, path)
    first.write(clip.frames[0], clip.results[0])
    first.abort()
    second = open_track(clip, path, append=True)
    for frame, result in zip(clip.frames, clip.results, strict=True):
        second.write(frame, result)
    assert second.finish() == path
    with Track(path) as track:
        assert len(track) == 3
        assert track.complete


def test_a_name_as_long_as_a_track_can_have_is_written_and_replaced(clip_of, write, tmp_path):
    clip = clip_of([0])
    path = tmp_path / ("é" * 119 + ".vostrack")
    for _ in range(2):
        write(clip, track=path, overwrite=True)
        with Track(path) as track:
            assert track.complete
    assert list(tmp_path.iterdir()) == [path]


def test_a_longer_name_is_refused_at_once(clip_of, tmp_path):
    with pytest.raises(UsageError, match="247 bytes at most"):
        open_track(clip_of([0]), tmp_path / ("é" * 120 + ".vostrack"))
    assert not list(tmp_path.iterdir())


def test_its_name_says_what_it_is(clip_of, tmp_path):
    with pytest.raises(UsageError, match=r"ends in \.vostrack"):
        open_track(clip_of([0]), tmp_path / "a.mp4")
