"""Files appear when they are whole, and what existed is never lost."""

from __future__ import annotations

import resource
import signal
from contextlib import contextmanager

import pytest

from vosctl.errors import VosctlError
from vosctl.video.sinks import OutputRequest, open_sinks

ALL = {"overlay": "o.mp4", "matte": "m.mkv", "cutout": "c.webm", "masks": "masks", "rle": "r.jsonl"}


def opened(clip, tmp_path, **options):
    return open_sinks(OutputRequest(**{k: tmp_path / v for k, v in ALL.items()}, **options), clip.info, print)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_sinks_say_who_they_are(clip_of, tmp_path):
    sinks = opened(clip_of([0]), tmp_path)
    assert [sink.name for sink in sinks] == ["overlay", "masks", "matte", "cutout", "rle"]
    assert [sink.abort() for sink in sinks] == [None] * 5
    assert names(tmp_path) == []


def test_abort_keeps_what_is_whole_under_unfinished_names(clip_of, decode, tmp_path):
    clip = clip_of([0, 512, 1024])
    sinks = opened(clip, tmp_path)
    for sink in sinks:
        for frame, result in zip(clip.frames[:2], clip.results, strict=False):
            sink.write(frame, result)
    kept = [sink.abort() for sink in sinks]
    assert [path.name for path in kept] == [
        "o.partial.mp4",
        "masks.partial",
        "m.partial.mkv",
        "c.partial.webm",
        "r.partial.jsonl",
    ]
    assert names(tmp_path) == sorted(path.name for path in kept)
    assert decode(kept[0]).pts == [0, 512]
    assert len(decode(kept[2]).pts) == len(decode(kept[3]).pts) == len(names(kept[1])) == 2


def test_earlier_partial_files_are_kept_too(clip_of, tmp_path):
    clip = clip_of([0])
    (tmp_path / "o.partial.mp4").write_bytes(b"earlier")
    (sink,) = open_sinks(OutputRequest(overlay=tmp_path / "o.mp4"), clip.info, print)
    sink.write(clip.frames[0], clip.results[0])
    assert sink.abort() == tmp_path / "o.partial-2.mp4"
    assert (tmp_path / "o.partial.mp4").read_bytes() == b"earlier"


def test_overwrite_replaces_only_at_the_end(clip_of, decode, tmp_path):
    clip = clip_of([0])
    path = tmp_path / "o.mp4"
    path.write_bytes(b"old")
    (sink,) = open_sinks(OutputRequest(overlay=path, overwrite=True), clip.info, print)
    sink.write(clip.frames[0], clip.results[0])
    assert path.read_bytes() == b"old"
    assert sink.finish() == path
    assert len(decode(path).pts) == 1
    assert names(tmp_path) == ["o.mp4"]


@pytest.mark.parametrize("option", ["overlay", "masks", "rle"])
def test_something_that_appeared_meanwhile_is_not_replaced(clip_of, tmp_path, option):
    clip = clip_of([0])
    path = tmp_path / ALL[option]
    (sink,) = open_sinks(OutputRequest(**{option: path}), clip.info, print)
    sink.write(clip.frames[0], clip.results[0])
    if option == "masks":
        path.mkdir()
    stranger = path / "stranger" if option == "masks" else path
    stranger.write_bytes(b"stranger")
    with pytest.raises(VosctlError, match="appeared during the run"):
        sink.finish()
    assert sink.abort().exists()
    assert stranger.read_bytes() == b"stranger"


@pytest.mark.parametrize("option", list(ALL))
def test_no_frame_no_file(clip_of, tmp_path, option):
    (sink,) = open_sinks(OutputRequest(**{option: tmp_path / ALL[option]}), clip_of([0]).info, print)
    with pytest.raises(VosctlError, match="there was no frame"):
        sink.finish()
    assert sink.abort() is None
    assert names(tmp_path) == []


@contextmanager
def full_disk():
    """Files cannot grow beyond 4000 bytes, the one pytest may be writing to included: over before a test ends."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize(
    ("option", "file"),
    [
        ("overlay", "o.mp4"),
        ("overlay", "o.mkv"),
        ("overlay", "o.webm"),
        ("cutout", "c.mov"),
        ("cutout", "cut"),
        ("rle", "r.jsonl"),
    ],
)
def test_a_full_disk_names_the_output(clip_of, tmp_path, option, file):
    clip = clip_of([512 * k for k in range(60)])
    (sink,) = open_sinks(OutputRequest(**{option: tmp_path / file}), clip.info, print)
    message = rf"{file}: cannot be written: File too large"
    with full_disk(), pytest.raises(VosctlError, match=message) as caught:
        write_all(sink, clip)
    assert "\n" not in str(caught.value)
    sink.abort()
    assert not (tmp_path / file).exists()


def write_all(sink, clip):
    for frame, result in zip(clip.frames, clip.results, strict=True):
        sink.write(frame, result)
    sink.finish()
