import pytest

from vosctl.video.masks import read_indexed_png


@pytest.mark.slow
def test_demo_needs_no_argument_and_can_be_repeated(invoke, tmp_path, registered_bright_engine):
    for _ in range(2):
        result = invoke("demo", "-q")
        assert result.exit_code == 0, result.output
    folder = tmp_path / "vosctl-demo"
    assert {path.name for path in folder.iterdir()} == {"clip.mp4", "first-mask.png", "overlay.mp4", "masks"}
    assert read_indexed_png(folder / "first-mask.png").max() == 1
    assert [path.name for path in tmp_path.iterdir()] == ["vosctl-demo"]


def test_a_demo_that_stops_early_has_its_clip_and_mask_in_place(invoke, tmp_path):
    """The fast twin: the files to try `vosctl segment` on are there before anything heavy is loaded."""
    result = invoke("demo", "--device", "warp9")
    assert result.exit_code == 2
    folder = tmp_path / "vosctl-demo"
    assert {path.name for path in folder.iterdir()} == {"clip.mp4", "first-mask.png"}
    assert read_indexed_png(folder / "first-mask.png").shape == (540, 960)


def test_a_folder_that_cannot_be_made(invoke, tmp_path):
    (tmp_path / "file").write_text("")
    result = invoke("demo", "-o", "file/sub")
    assert result.exit_code == 1
    assert "choose another folder with -o" in result.stderr
