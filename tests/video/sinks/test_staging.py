"""Files appear when they are whole, and what existed is never lost."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.disks import full_disk
from vosctl.errors import VosctlError
from vosctl.video.places import is_mount_point
from vosctl.video.sinks import OutputRequest, open_sinks
from vosctl.video.staging import StagedDirectory

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


@pytest.mark.parametrize("option", list(ALL))
def test_missing_folders_are_made_and_go_again_when_nothing_is_written(clip_of, tmp_path, option):
    clip = clip_of([0])
    path = tmp_path / "a" / "b" / ALL[option]
    (sink,) = open_sinks(OutputRequest(**{option: path}), clip.info, print)
    assert sink.abort() is None
    assert names(tmp_path) == []
    (sink,) = open_sinks(OutputRequest(**{option: path}), clip.info, print)
    sink.write(clip.frames[0], clip.results[0])
    assert sink.finish() == path
    assert names(path.parent) == [path.name]


def test_a_name_as_long_as_a_name_may_be(clip_of, tmp_path):
    clip = clip_of([0])
    path = tmp_path / ("é" * 125 + ".mp4")
    (sink,) = open_sinks(OutputRequest(overlay=path), clip.info, print)
    sink.write(clip.frames[0], clip.results[0])
    assert ".partial" in sink.partial.name
    assert sink.finish() == path
    assert names(tmp_path) == [path.name]


@pytest.mark.parametrize("option", ["overlay", "rle", "masks"])
def test_what_a_link_leads_to_is_replaced_and_the_link_stays(clip_of, tmp_path, option):
    clip = clip_of([0])
    target, link = tmp_path / "store" / ALL[option], tmp_path / ALL[option]
    target.parent.mkdir()
    if option == "masks":
        target.mkdir()
        (target / "old.png").touch()
    else:
        target.write_bytes(b"old")
    link.symlink_to(target)
    (sink,) = open_sinks(OutputRequest(**{option: link}, overwrite=True), clip.info, print)
    sink.write(clip.frames[0], clip.results[0])
    assert sink.finish() == link
    assert link.is_symlink()
    assert names(target) == ["00000.png"] if option == "masks" else target.read_bytes() not in (b"old", b"")
    assert names(tmp_path) == sorted([ALL[option], "store"])
    assert names(target.parent) == [ALL[option]]


def test_a_link_that_leads_nowhere_is_filled(clip_of, tmp_path):
    clip = clip_of([0])
    (tmp_path / "r.jsonl").symlink_to(tmp_path / "store" / "r.jsonl")
    (sink,) = open_sinks(OutputRequest(rle=tmp_path / "r.jsonl"), clip.info, print)
    sink.write(clip.frames[0], clip.results[0])
    sink.finish()
    assert (tmp_path / "store" / "r.jsonl").read_bytes()


def test_what_is_replaced_keeps_its_permissions(clip_of, tmp_path):
    clip = clip_of([0])
    path = tmp_path / "r.jsonl"
    path.touch(mode=0o600)
    (sink,) = open_sinks(OutputRequest(rle=path, overwrite=True), clip.info, print)
    sink.write(clip.frames[0], clip.results[0])
    sink.finish()
    assert path.stat().st_mode & 0o777 == 0o600


class TestFoldersThatCannotBeRenamed:
    """Mount points, which every container's volume is."""

    @pytest.fixture
    def staged(self, tmp_path):
        folder = tmp_path / "volume"
        folder.mkdir()
        (folder / "old.png").write_bytes(b"old")
        return StagedDirectory(folder, overwrite=True, is_fixed=lambda path: True)

    def test_are_filled_from_inside(self, staged, tmp_path):
        assert staged.partial == tmp_path / "volume" / "volume.partial"
        staged.add("00000.png").write_bytes(b"new")
        assert (tmp_path / "volume" / "old.png").read_bytes() == b"old"
        assert staged.commit() == tmp_path / "volume"
        assert names(tmp_path) == ["volume"]
        assert names(tmp_path / "volume") == ["00000.png"]

    def test_nothing_is_left_when_nothing_was_written(self, staged, tmp_path):
        staged.discard()
        assert names(tmp_path / "volume") == ["old.png"]

    def test_a_real_mount_point(self, clip_of, tmp_path):
        volume, store = tmp_path / "volume", tmp_path / "store"
        volume.mkdir()
        store.mkdir()
        if subprocess.run(["mount", "--bind", store, volume], check=False, capture_output=True).returncode:
            pytest.skip("mounting is not permitted")
        try:
            assert is_mount_point(volume)
            clip = clip_of([0])
            for overwrite in (False, True):
                (sink,) = open_sinks(OutputRequest(masks=volume, overwrite=overwrite), clip.info, print)
                sink.write(clip.frames[0], clip.results[0])
                assert sink.finish() == volume
                assert names(store) == ["00000.png"]
        finally:
            subprocess.run(["umount", volume], check=True)
        assert names(tmp_path) == ["store", "volume"]

    def test_a_file_that_is_mounted_by_itself(self, clip_of, tmp_path):
        target, store = tmp_path / "r.jsonl", tmp_path / "store.jsonl"
        target.touch()
        store.touch()
        if subprocess.run(["mount", "--bind", store, target], check=False, capture_output=True).returncode:
            pytest.skip("mounting is not permitted")
        try:
            clip = clip_of([0])
            (sink,) = open_sinks(OutputRequest(rle=target, overwrite=True), clip.info, print)
            sink.write(clip.frames[0], clip.results[0])
            sink.finish()
            assert json.loads(store.read_text().splitlines()[0])["frame"] == 0
        finally:
            subprocess.run(["umount", target], check=True)
        assert names(tmp_path) == ["r.jsonl", "store.jsonl"]


def test_an_ordinary_folder_is_no_mount_point(tmp_path):
    assert not is_mount_point(tmp_path)


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


def test_a_full_disk_leaves_annotations_of_the_frames_that_are_whole(clip_of, tmp_path):
    clip = clip_of([512 * k for k in range(60)])
    (sink,) = open_sinks(OutputRequest(annotations=tmp_path / "a.json"), clip.info, print)
    with full_disk(), pytest.raises(VosctlError, match="File too large"):
        write_all(sink, clip)
    kept = json.loads(sink.abort().read_text())
    assert kept["images"]
    assert {one["id"] for one in kept["images"]} == {one["image_id"] for one in kept["annotations"]}


def test_a_full_disk_leaves_a_matroska_file_that_plays(clip_of, decode, tmp_path):
    clip = clip_of([512 * k for k in range(200)])
    random = np.random.default_rng(0)
    noisy = [replace(f, picture=random.integers(0, 256, (96, 128, 3), np.uint8)) for f in clip.frames]
    (sink,) = open_sinks(OutputRequest(overlay=tmp_path / "o.mkv"), clip.info, print)
    with full_disk(400_000), pytest.raises(VosctlError, match=r"o\.mkv: cannot be written: File too large"):
        write_all(sink, replace(clip, frames=noisy))
    kept = sink.abort()
    assert kept == tmp_path / "o.partial.mkv"
    assert 5 < len(decode(kept).pts) < 200


def write_all(sink, clip):
    for frame, result in zip(clip.frames, clip.results, strict=True):
        sink.write(frame, result)
    sink.finish()


def request_of(option: str, path: Path) -> OutputRequest:
    outputs: dict[str, Any] = {option: path}
    return OutputRequest(**outputs)


@pytest.mark.parametrize("option", ["overlay", "masks", "rle"])
def test_a_folder_that_takes_no_files_is_one_line(clip_of, option):
    """Before the first frame: /proc refuses everybody, the superuser too."""
    folder = Path("/proc/self")
    if not folder.exists():
        pytest.skip("no /proc")
    with pytest.raises(VosctlError, match=rf"/proc/self/{ALL[option]}: cannot be written: ") as caught:
        open_sinks(request_of(option, folder / ALL[option]), clip_of([0]).info, print)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to the superuser")
@pytest.mark.parametrize("option", ["overlay", "masks", "rle"])
def test_a_folder_without_permission_is_one_line(clip_of, tmp_path, option):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with pytest.raises(VosctlError, match=f"{ALL[option]}: cannot be written: Permission denied"):
        open_sinks(OutputRequest(**{option: folder / ALL[option]}), clip_of([0]).info, print)
