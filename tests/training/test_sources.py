from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosctl.errors import UsageError
from vosctl.training.scenes import one_object
from vosctl.training.sources import Reader, find_sequences, find_stills
from vosctl.video.masks import write_indexed_png


def test_void_and_masks_of_one_object_are_told_apart_by_the_sequence(videos: Path):
    """In a frame whose objects have gone, void alone is no object; in 0/255 masks 255 is one in every frame."""
    gone = np.zeros((96, 128), np.uint8)
    gone[:20, :20] = 255
    write_indexed_png(videos / "Annotations" / "two" / "00004.png", gone)
    found = {sequence.name: sequence for sequence in find_sequences([videos])[0]}
    assert found["two"].frames[4].ids == ()
    assert found["two"].ids == (1, 2)
    reader = Reader(1 << 20)
    np.testing.assert_array_equal(reader.read(found["two"].frames[4])[1], gone)
    assert set(np.unique(reader.read(found["binary"].frames[0])[1])) == {0, 1}


def test_photos_are_upright(stills: Path):
    """As a phone writes them: the pixels lie on their side and a tag says so; masks are drawn on what is seen."""
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(stills / "images" / "0.jpg") as image:
        upright = np.array(image)
    Image.fromarray(np.ascontiguousarray(np.rot90(upright))).save(stills / "images" / "0.jpg", exif=exif, quality=95)
    found, problems = find_stills([stills])
    assert not problems
    seen = Reader(1 << 20).read(found[0])[0]
    assert seen.shape == upright.shape
    assert np.abs(seen.astype(int) - upright).mean() < 5


def test_full_resolution_and_folders_without_masks(videos: Path, tmp_path: Path):
    for kind in ("JPEGImages", "Annotations"):
        folder = tmp_path / "full" / kind / "Full-Resolution"
        folder.parent.mkdir(parents=True)
        (videos / kind).rename(folder)
    (tmp_path / "full" / "Annotations" / "Full-Resolution" / "two").rename(tmp_path / "elsewhere")
    sequences, problems = find_sequences([tmp_path / "full"])
    assert [sequence.name for sequence in sequences] == ["binary"]
    assert [problem.reason for problem in problems] == [
        "5 of 5 frames have no mask",
        "its masks show no object in two frames",
    ]


def test_bad_stills_are_told(stills: Path):
    Image.new("L", (20, 20)).save(stills / "masks" / "0.png")
    write_indexed_png(stills / "masks" / "1.png", np.zeros((96, 128), np.uint8))
    (stills / "images" / "2.jpg").write_bytes(b"no image")
    Image.new("RGB", (20, 20)).save(stills / "images" / "3.png")
    found, problems = find_stills([stills])
    assert found == []
    told = {problem.path.name: problem.reason for problem in problems}
    assert "20x20, its image 128x96" in told["0.png"]
    assert "no object" in told["1.png"]
    assert "cannot be read" in told["2.jpg"]
    assert "has no mask" in told["3.png"]


def test_sequences_keep_the_ids_seen_twice(videos: Path):
    (videos / "Annotations" / "binary" / "00002.png").unlink()
    sequences, problems = find_sequences([videos])
    assert {s.name: (s.ids, len(s.frames)) for s in sequences} == {"binary": ((1,), 5), "two": ((1, 2), 5)}
    assert [str(p) for p in problems] == [f"{videos}/JPEGImages/binary: 1 of 6 frames have no mask"]
    with pytest.raises(UsageError, match="no Annotations folder"):
        find_sequences([videos / "Annotations"])


def test_the_reader_keeps_to_its_budget(stills: Path):
    found, _ = find_stills([stills])
    size = 96 * 128 * 4
    reader = Reader(2 * size)
    first = reader.read(found[0])
    assert reader.read(found[0])[0] is first[0]
    reader.read(found[1])
    reader.read(found[2])
    assert reader.read(found[0])[0] is not first[0]


def test_one_object_keeps_void_and_takes_ids_or_pieces():
    labels = np.zeros((40, 40), np.uint8)
    labels[2:12, 2:12], labels[2:12, 20:30], labels[20:30, 2:12], labels[35] = 4, 4, 9, 255
    areas = set()
    for seed in range(40):
        label = one_object(labels, np.random.default_rng(seed), (4, 9))
        assert (label[35] == 255).all()
        areas.add(int((label == 1).sum()))
    assert areas == {100, 200, 300}  # a piece or id 9, id 4, everything


def test_an_object_that_is_gone_once_its_picture_was_shrunk_is_none():
    labels = np.full((40, 40), 255, np.uint8)
    labels[:20] = 0
    for seed in range(20):
        assert np.unique(one_object(labels, np.random.default_rng(seed), (4,))).tolist() == [0, 255]
