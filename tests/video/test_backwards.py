import numpy as np
import pytest
from PIL import Image

from vosctl.errors import UsageError
from vosctl.time_line import Span
from vosctl.video.backwards import frames_backwards
from vosctl.video.sources import RangedSource, open_source
from vosctl.video.sources.images import ImageSource


def pictures(count):
    return [np.full((32, 48, 3), 20 + 8 * index, np.uint8) for index in range(count)]


@pytest.mark.parametrize("frames_held", [1, 5, 7, 100])
def test_the_frames_of_a_video_from_the_last_to_the_first(make_video, frames_held):
    """Its one group of pictures does not fit into the memory."""
    path = make_video("clip.mp4", pictures(23))
    with open_source(str(path)) as source:
        whole = list(source)
        back = list(frames_backwards(source, range(23), memory=frames_held * 32 * 48 * 3))
    assert [frame.index for frame in back] == list(range(22, -1, -1))
    for frame, expected in zip(reversed(back), whole, strict=True):
        assert frame.pts == expected.pts
        assert (frame.image == expected.image).all()


class Counting(ImageSource):
    """Counts the frames that it gives for each seek."""

    given: list[int]

    def seek(self, index):
        super().seek(index)
        self.given.append(0)

    def _frames(self, begin):
        for frame in super()._frames(begin):
            self.given[-1] += 1
            yield frame


def test_no_more_frames_are_held_than_the_memory_takes(tmp_path):
    for number, picture in enumerate(pictures(20)):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    source = Counting(sorted(tmp_path.iterdir()), name="images", label="images")
    source.given = []
    with source:
        back = frames_backwards(source, range(20), memory=6 * 32 * 48 * 3)
        assert [frame.index for frame in back] == list(range(19, -1, -1))
        assert source.given == [6, 6, 6, 2]


def test_a_part_of_a_source(make_video):
    path = make_video("clip.mp4", pictures(23))
    with RangedSource(open_source(str(path)), Span.of(2, 20, 3)) as part:
        back = list(frames_backwards(part, range(2, 15, 3), memory=4 * 32 * 48 * 3))
        assert [frame.index for frame in back] == [14, 11, 8, 5, 2]


def test_a_pipe_has_no_way_back(make_video):
    path = make_video("clip.mkv", pictures(3))
    with (
        path.open("rb") as pipe,
        open_source("-", stdin=pipe) as source,
        pytest.raises(UsageError, match="can be read once"),
    ):
        next(frames_backwards(source, range(3)))
