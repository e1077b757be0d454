"""A run's track says how it came about, and holds what the other outputs show."""

import numpy as np
import pytest
from PIL import Image

import vosctl
from tests.helpers.frames import square_frame, write_video
from vosctl.tracks import SourceIdentity, Track
from vosctl.video.masks import read_indexed_png, write_indexed_png

RED, BLUE = (230, 40, 40), (40, 40, 230)


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """clip.mp4 of 8 frames, 96x64, two squares, the first away in frames 4 and 5; m.png."""
    monkeypatch.chdir(tmp_path)
    made = [
        square_frame(64, 96, (1, RED, 10 if i not in (4, 5) else 300, 16, 24), (2, BLUE, 60 - i, 30, 20))
        for i in range(8)
    ]
    write_video(tmp_path / "clip.mp4", [image for image, _ in made])
    write_indexed_png(tmp_path / "m.png", made[0][1])


def test_the_track_holds_what_the_masks_show(clip, registered_bright_engine, tmp_path):
    summary = vosctl.segment("clip.mp4", "m.png", masks="masks", track="kept/a.vostrack")
    assert [path.name for path in summary.outputs] == ["masks", "a.vostrack"]
    with Track(tmp_path / "kept" / "a.vostrack") as track:
        assert track.complete
        assert len(track) == 8
        for index, kept in enumerate(track):
            labels = read_indexed_png(tmp_path / "masks" / f"{index:05d}.png")
            np.testing.assert_array_equal(kept.labels, labels)
            assert [one.status for one in kept.objects] == ["lost" if index in (4, 5) else "tracked", "tracked"]


def test_the_header_says_how_it_came_about(clip, registered_bright_engine, tmp_path):
    vosctl.segment(
        "clip.mp4", box={7: (7, 13, 30, 30)}, point={7: [(22, 28, True)]}, track="kept/a.vostrack",
        tracking=vosctl.TrackingSettings(window_size=128),
    )  # fmt: skip
    with Track(tmp_path / "kept" / "a.vostrack") as track:
        header = track.header
    assert (header.source, header.path, header.width, header.height) == ("clip", "../clip.mp4", 96, 64)
    assert header.identity == SourceIdentity.of([tmp_path / "clip.mp4"])
    assert header.prompts == {"7": {"box": [7, 13, 30, 30], "points": [[22, 28, True]]}}
    assert header.tracking["window_size"] == 128
    asked, used = header.engine["asked"], header.engine["used"]
    assert isinstance(asked, dict)
    assert asked["weights"] == "lite"
    assert isinstance(used, dict)
    assert used["engine"] == "fake"


def test_images_are_a_source_too(clip, bright_engine, tmp_path):
    (tmp_path / "frames").mkdir()
    for index in range(3):
        image, labels = square_frame(64, 96, (1, RED, 10 + index, 16, 24))
        if index == 0:
            write_indexed_png(tmp_path / "first.png", labels)
        Image.fromarray(image).save(tmp_path / "frames" / f"{index}.png")
    vosctl.segment("frames", "first.png", track="a.vostrack", engine=bright_engine)
    with Track(tmp_path / "a.vostrack") as track:
        assert track.header.path == "frames"
        assert track.header.identity.files == 3
        assert track.header.engine["asked"] is None, "the engine was given, not asked for"


def test_a_run_that_fails_keeps_its_track(clip, bright_engine, tmp_path):
    class Fails(vosctl.Events):
        left: list[str] = []  # noqa: RUF012

        def frame(self, frame, result):
            if frame.index == 3:
                raise vosctl.VosctlError("enough")

        def kept(self, path):
            self.left.append(path.name)

    heard = Fails()
    with pytest.raises(vosctl.VosctlError, match="enough"):
        vosctl.segment("clip.mp4", "m.png", track="a.vostrack", engine=bright_engine, events=heard)
    assert heard.left == ["a.vostrack"]
    with Track(tmp_path / "a.vostrack") as track:
        assert 1 <= len(track) <= 4
        assert not track.complete


def test_the_track_replaces_nothing_that_the_run_reads(clip, bright_engine, tmp_path):
    with pytest.raises(vosctl.UsageError, match=r"\.vostrack"):
        vosctl.segment("clip.mp4", "m.png", track="clip.mp4", engine=bright_engine, overwrite=True)
