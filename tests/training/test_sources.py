from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosctl.errors import UsageError
from vosctl.training.scenes import one_object
from vosctl.training.sources import Reader, find_sequences, find_stills, read_labels
from vosctl.video.masks import write_indexed_png


def test_ids_void_and_soft_edges_are_told_apart(tmp_path: Path):
    indexed = np.zeros((8, 8), np.uint8)
    indexed[:4], indexed[4] = 7, 255
    write_indexed_png(tmp_path / "indexed.png", indexed)
    assert np.array_equal(read_labels(tmp_path / "indexed.png"), indexed)
    binary = np.where(indexed == 7, np.uint8(255), np.uint8(0))
    write_indexed_png(tmp_path / "binary.png", binary)
    assert np.array_equal(read_labels(tmp_path / "binary.png"), binary // 255)
    soft = np.tile(np.arange(0, 256, 32, dtype=np.uint8), (8, 1))
    Image.fromarray(soft).save(tmp_path / "soft.png")
    assert np.array_equal(read_labels(tmp_path / "soft.png"), soft >= 128)
    Image.fromarray(indexed % 255).save(tmp_path / "grey.png")
    assert np.array_equal(read_labels(tmp_path / "grey.png"), indexed % 255)


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
    with pytest.raises(UsageError, match="JPEGImages"):
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
