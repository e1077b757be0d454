import pytest

from tests.helpers.frames import square_frame, write_video
from vosctl.video.masks import write_indexed_png

RED = (230, 40, 40)
FRAMES = 8


@pytest.fixture
def clips(tmp_path, monkeypatch):
    """Makes clips of a red square, each with its mask beside it, in a folder `v` of the working directory."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "v"
    folder.mkdir()

    def make(*names, frames=FRAMES):
        for number, name in enumerate(names):
            made = [square_frame(64, 96, (1, RED, 8 + (2 * i + 3 * number) % 60, 16, 24)) for i in range(frames)]
            write_video(folder / f"{name}.mp4", [image for image, _ in made])
            write_indexed_png(folder / f"{name}.png", made[0][1])
        return folder

    return make
