"""Outputs whose thread hangs: they are left as they are, named for what they are."""

import pytest

from vosctl.video.sinks import OutputRequest, open_sinks


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(("file", "left"), [("o.mp4", "o.damaged.mp4"), ("o.mkv", "o.partial.mkv")])
def test_a_file_whose_thread_hangs_is_left_under_a_name_that_says_whether_it_plays(clip_of, tmp_path, file, left):
    clip = clip_of([0, 512, 1024])
    (sink,) = open_sinks(OutputRequest(overlay=tmp_path / file), clip.info, print)
    sink.write(clip.frames[0], clip.results[0])
    assert sink.abandon() == tmp_path / left
    assert names(tmp_path) == [left]


def test_a_folder_whose_thread_hangs_keeps_the_whole_pictures(clip_of, tmp_path):
    clip = clip_of([0, 512])
    (sink,) = open_sinks(OutputRequest(masks=tmp_path / "masks"), clip.info, print)
    assert sink.partial == tmp_path / "masks.partial"
    sink.write(clip.frames[0], clip.results[0])
    assert sink.abandon() == tmp_path / "masks.partial"
    assert names(sink.partial) == ["00000.png"]
