"""Directories of indexed PNG."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vosctl.errors import VosctlError
from vosctl.video.frames import Frame
from vosctl.video.masks import davis_palette
from vosctl.video.sinks import OutputRequest, open_sinks


def test_labels_are_the_users_ids_in_the_davis_palette(clip_of, write, tmp_path):
    clip = clip_of([0, 512])
    write(clip, masks=tmp_path / "masks")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["masks"]
    image = Image.open(tmp_path / "masks" / "00001.png")
    assert image.mode == "P"
    np.testing.assert_array_equal(np.asarray(image), clip.results[1].labels)
    assert image.getpalette()[9:12] == davis_palette()[3].tolist()


def test_nothing_has_the_final_name_before_the_end(clip_of, tmp_path):
    clip = clip_of([0, 512])
    (sink,) = open_sinks(OutputRequest(masks=tmp_path / "masks"), clip.info, print)
    sink.write(clip.frames[0], clip.results[0])
    assert not (tmp_path / "masks").exists()
    kept = sink.abort()
    assert kept == tmp_path / "masks.partial"
    assert [path.name for path in kept.iterdir()] == ["00000.png"]


def test_overwrite_swaps_the_directory_and_abort_leaves_it(clip_of, write, tmp_path):
    folder = tmp_path / "masks"
    folder.mkdir()
    (folder / "old.png").write_bytes(b"old")
    clip = clip_of([0])
    (sink,) = open_sinks(OutputRequest(masks=folder, overwrite=True), clip.info, print)
    sink.write(clip.frames[0], clip.results[0])
    sink.abort()
    assert [path.name for path in folder.iterdir()] == ["old.png"]

    write(clip, masks=folder, overwrite=True)
    assert [path.name for path in folder.iterdir()] == ["00000.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["masks", "masks.partial"]


def test_an_empty_directory_is_filled(clip_of, write, tmp_path):
    (tmp_path / "masks").mkdir()
    write(clip_of([0]), masks=tmp_path / "masks")
    assert [path.name for path in (tmp_path / "masks").iterdir()] == ["00000.png"]


def test_two_frames_of_one_stem_are_an_error(clip_of, tmp_path):
    clip = clip_of([0])
    (sink,) = open_sinks(OutputRequest(masks=tmp_path / "masks"), clip.info, print)
    frame = clip.frames[0]
    named = Frame(0, frame.image, 0, frame.time_base, name="cat")
    sink.write(named, clip.results[0])
    with pytest.raises(VosctlError, match=r"cat\.png"):
        sink.write(named, clip.results[0])
    sink.abort()
