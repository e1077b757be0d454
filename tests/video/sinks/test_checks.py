"""What is wrong with an output is said before anything is opened."""

from __future__ import annotations

import os
from pathlib import Path

import PIL.Image
import pytest

from vosctl.errors import UsageError, VosctlError
from vosctl.video.sinks import OutputRequest, open_sinks


@pytest.fixture
def refusal(clip_of, tmp_path):
    """Returns a function from outputs to the one-line refusal; nothing may have been created."""

    def refuse(**outputs) -> str:
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(UsageError) as caught:
            open_sinks(OutputRequest(**outputs), clip_of([0]).info, print)
        assert sorted(tmp_path.rglob("*")) == before
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return refuse


@pytest.mark.parametrize(
    ("name", "file"), [("overlay", "o.mp4"), ("matte", "m.mkv"), ("cutout", "c.mov"), ("rle", "r.json")]
)
def test_existing_files_need_overwrite(refusal, tmp_path, name, file):
    (tmp_path / file).write_bytes(b"precious")
    message = refusal(**{name: tmp_path / file, "masks": tmp_path / "masks"})
    assert message.startswith(f"`{name}`: ")
    assert "`overwrite=True`" in message
    assert (tmp_path / file).read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["masks", "cutout"])
def test_existing_folders_need_overwrite(refusal, tmp_path, name):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "00000.png").touch()
    assert "`overwrite=True`" in refusal(**{name: tmp_path / "d"})


def test_folders_with_other_things_are_never_replaced(refusal, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "thesis.tex").touch()
    assert "thesis.tex" in refusal(masks=tmp_path / "d", overwrite=True)


@pytest.mark.parametrize(("name", "other"), [("masks", "cutout"), ("cutout", "masks")])
def test_folders_of_other_pictures_are_never_replaced(refusal, write, clip_of, tmp_path, name, other):
    """Photographs, source frames, or another output: all of them are PNG files too."""
    folder = tmp_path / "d"
    write(clip_of([0]), **{other: folder})
    assert "holds other pictures than" in refusal(**{name: folder, "overwrite": True})
    PIL.Image.new("RGB", (4, 4)).save(folder / "00000.png")
    assert "(00000.png) and is not replaced" in refusal(**{name: folder, "overwrite": True})
    (folder / "00000.png").write_bytes(b"\x89PNG")  # what a killed run left
    write(clip_of([0]), **{name: folder, "overwrite": True})
    assert (folder / "00000.png").stat().st_size > 40


@pytest.mark.parametrize("name", ["overlay", "masks", "matte", "cutout", "rle"])
def test_a_file_where_a_folder_must_be(refusal, tmp_path, name):
    (tmp_path / "file").touch()
    file = {"cutout": "c.mov", "masks": "masks"}.get(name, "x.mp4")
    message = refusal(**{name: tmp_path / "file" / "deeper" / file})
    assert message.startswith(f"`{name}`: ")
    assert "Not a directory" in message or "is a file, not a folder" in message


@pytest.mark.parametrize("file", ["masks.png", "masks.mp4", "masks.JSON", "masks.zip"])
def test_a_folder_with_the_name_of_a_file(refusal, tmp_path, file):
    assert "has the name of a file; name a folder" in refusal(masks=tmp_path / file)


def test_a_folder_that_is_there_may_have_any_name(write, clip_of, tmp_path):
    (tmp_path / "frames.png").mkdir()
    write(clip_of([0]), masks=tmp_path / "frames.png")
    assert [path.name for path in (tmp_path / "frames.png").iterdir()] == ["00000.png"]


@pytest.mark.parametrize("name", ["overlay", "masks", "rle"])
def test_names_that_no_file_can_have(refusal, tmp_path, name):
    ending = "" if name == "masks" else ".mp4"
    assert "File name too long; choose another name" in refusal(**{name: tmp_path / ("a" * 300 + ending)})
    assert refusal(**{name: Path(f"{tmp_path}/a\0b{ending}")}).startswith(f"`{name}`: ")


@pytest.mark.parametrize("name", ["masks", "track", "annotations"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_what_goes_through_no_pipe(refusal, tmp_path, name, overwrite):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert refusal(**{name: pipe}, overwrite=overwrite).startswith(f"`{name}`: is not written to {pipe}; `overlay`, ")
    assert pipe.is_fifo()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_link_that_leads_to_itself(refusal, tmp_path, overwrite):
    (tmp_path / "o.mp4").symlink_to(tmp_path / "o.mp4")
    assert refusal(overlay=tmp_path / "o.mp4", overwrite=overwrite).startswith("`overlay`: ")


@pytest.mark.parametrize("name", ["overlay", "matte"])
@pytest.mark.parametrize("file", ["o.avi", "o"])
def test_unknown_extensions_name_the_known(refusal, tmp_path, name, file):
    message = refusal(**{name: tmp_path / file})
    assert ".mp4" in message
    assert ".mkv" in message


@pytest.mark.parametrize("file", ["c.mp4", "c.mkv", "c.avi"])
def test_alpha_in_the_wrong_container_names_the_right_ones(refusal, tmp_path, file):
    message = refusal(cutout=tmp_path / file)
    assert ".mov" in message
    assert ".webm" in message
    assert "folder" in message


def test_same_path_twice(refusal, tmp_path):
    assert "`overlay` and `matte`" in refusal(overlay=tmp_path / "o.mp4", matte=tmp_path / "o.mp4")


def test_a_file_inside_a_folder_that_will_be_swapped(refusal, tmp_path):
    (tmp_path / "d").mkdir()
    assert "`overlay` and `masks`" in refusal(overlay=tmp_path / "d" / "o.mp4", masks=tmp_path / "d")


def test_the_input_is_never_replaced(refusal, tmp_path):
    source = tmp_path / "in.mp4"
    source.touch()
    (tmp_path / "link.mp4").symlink_to(source)
    for name in ("in.mp4", "link.mp4"):
        assert "input" in refusal(overlay=tmp_path / name, overwrite=True, inputs=(source,))


@pytest.mark.parametrize("given", ["frames", "frames/*.png", "frames/00000.png"])
def test_the_input_folder_is_never_replaced(refusal, tmp_path, given):
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "00000.png").touch()
    assert "input" in refusal(masks=tmp_path / "frames", overwrite=True, inputs=(tmp_path / given,))


def test_kind_of_path(refusal, tmp_path):
    (tmp_path / "d.mp4").mkdir()
    (tmp_path / "f").touch()
    assert "is a folder" in refusal(overlay=tmp_path / "d.mp4")
    assert "is a folder" in refusal(rle=tmp_path / "d.mp4")
    assert "is a file" in refusal(masks=tmp_path / "f")


def test_one_that_cannot_be_opened_removes_the_others(clip_of, tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(VosctlError, match=r"masks: cannot be written: No space left on device"):
        open_sinks(OutputRequest(overlay=tmp_path / "o.mp4", masks=tmp_path / "masks"), clip_of([0]).info, print)
    assert list(tmp_path.iterdir()) == []
