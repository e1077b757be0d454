"""Annotations are read back by those who read such files: the masks are the tracked ones."""

import json
import os
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from vosctl.errors import UsageError
from vosctl.prompts.mask_file import read_first_mask
from vosctl.tracking.results import TrackedFrame, TrackedObject
from vosctl.video.names import ObjectNames
from vosctl.video.sinks import OutputRequest, open_sinks


@pytest.fixture
def clip(clip_of):
    """Three frames: object 3 in two parts, one with a hole; object 7 in the second frame only."""
    made = clip_of([0, 512, 1024])
    for index in range(3):
        labels = np.zeros((96, 128), np.uint8)
        cv2.circle(labels, (40 + index, 40), 22, 3, -1)
        cv2.circle(labels, (40 + index, 40), 8, 0, -1)
        labels[70:90, 90 + index : 110] = 3
        if index == 1:
            labels[2:12, 100:125] = 7
        objects = []
        for one in (3, 7):
            x, y, width, height = cv2.boundingRect((labels == one).astype(np.uint8))
            found = (x, y, width, height) if width else None
            objects.append(
                TrackedObject(
                    one, "tracked" if found else "lost", 0.9 if found else 0, int((labels == one).sum()), found
                )
            )
        made.results[index] = TrackedFrame(labels, np.where(labels > 0, 255, 0).astype(np.uint8), tuple(objects))
    return made


def test_coco_is_read_by_pycocotools(clip, write, tmp_path, capsys):
    write(clip, annotations=tmp_path / "a.json")
    read = COCO(str(tmp_path / "a.json"))
    assert [one["name"] for one in read.loadCats(read.getCatIds())] == ["object_3", "object_7"]
    assert [one["file_name"] for one in read.loadImgs(sorted(read.getImgIds()))] == [f"{i:05d}.png" for i in range(3)]
    for image_id, result in zip(sorted(read.getImgIds()), clip.results, strict=True):
        labels = np.zeros((96, 128), np.uint8)
        for annotation in read.loadAnns(read.getAnnIds([image_id])):
            mask = read.annToMask(annotation) > 0
            labels[mask] = annotation["category_id"]
            assert annotation["area"] == mask.sum()
            assert tuple(annotation["bbox"]) == cv2.boundingRect(mask.astype(np.uint8))
        np.testing.assert_array_equal(labels, result.labels)
    assert len(read.anns) == 4


def test_cvat_holds_the_masks_exactly(clip, write, tmp_path):
    write(clip, annotations=tmp_path / "a.xml", annotation_format="cvat")
    root = ElementTree.parse(tmp_path / "a.xml").getroot()
    assert root.tag == "annotations"
    assert root.findtext("version") == "1.1"
    images = root.findall("image")
    assert [(one.get("id"), one.get("name"), one.get("width"), one.get("height")) for one in images] == [
        (str(index), f"{index:05d}.png", "128", "96") for index in range(3)
    ]
    for image, result in zip(images, clip.results, strict=True):
        labels = np.zeros((96, 128), np.uint8)
        for mask in image.findall("mask"):
            left, top, width, height = (int(mask.get(name)) for name in ("left", "top", "width", "height"))
            runs = [int(run) for run in mask.get("rle").split(",")]
            drawn = np.repeat(np.arange(len(runs)) % 2, runs).reshape(height, width) > 0
            labels[top : top + height, left : left + width][drawn] = int(mask.get("label").removeprefix("object_"))
        np.testing.assert_array_equal(labels, result.labels)


def filled(labels):
    """The labels with their holes filled: what outer outlines can say."""
    result = np.zeros_like(labels)
    for one in np.unique(labels[labels > 0]):
        found, _ = cv2.findContours((labels == one).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(result, found, -1, int(one), -1)
    return result


NAMES = ObjectNames({3: 'a "red" <car>', 7: "Tänzer"})


@pytest.mark.parametrize(("name", "form"), [("a.json", "coco"), ("a.xml", "cvat")])
def test_a_file_name_that_is_no_text_can_be_read(clip, write, tmp_path, name, form):
    """Such as one of an old archive, in Latin-1, or with a control character in it."""
    odd = os.fsdecode(b"caf\xe9 & <\x01>")
    clip.info = replace(clip.info, name=odd)
    clip.frames = [replace(frame, name=f"{odd}{frame.index}") for frame in clip.frames]
    write(clip, annotations=tmp_path / name, annotation_format=form)
    text = (tmp_path / name).read_text("utf-8")
    if form == "coco":
        assert [one["file_name"] for one in json.loads(text)["images"]] == [f"{odd}{index}.png" for index in range(3)]
    else:
        images = ElementTree.fromstring(text).findall("image")
        assert [one.get("name") for one in images] == [f"caf\ufffd & <\ufffd>{index}.png" for index in range(3)]


@pytest.mark.parametrize(("name", "form"), [("a.json", "coco"), ("a.xml", "cvat"), ("a", "labelme"), ("a", "yolo")])
def test_objects_have_the_names_that_they_are_given(clip, write, tmp_path, name, form):
    path = tmp_path / name
    write(clip, annotations=path, annotation_format=form, object_names=NAMES)
    match form:
        case "coco":
            names = [one["name"] for one in json.loads(path.read_text())["categories"]]
        case "cvat":
            root = ElementTree.parse(path).getroot()
            names = list({mask.get("label") for mask in root.iter("mask")})
        case "labelme":
            names = list({shape["label"] for shape in json.loads((path / "00001.json").read_text("utf-8"))["shapes"]})
        case "yolo":
            text = (path / "data.yaml").read_text("utf-8").partition("names:\n")[2]
            listed = {int(key): json.loads(value) for key, value in (line.split(": ", 1) for line in text.splitlines())}
            assert list(listed) == list(range(7)), "no number is left out"
            assert listed[0] == "object_1"
            names = [listed[2], listed[6]]
    assert sorted(names) == sorted(NAMES.by_id.values())


def test_objects_of_one_name_are_of_one_category(clip, write, tmp_path):
    names = ObjectNames({3: "dancer", 7: "dancer"})
    write(clip, annotations=tmp_path / "a.json", object_names=names)
    read = json.loads((tmp_path / "a.json").read_text())
    assert read["categories"] == [{"id": 3, "name": "dancer", "supercategory": "object"}]
    assert {(one["track_id"], one["category_id"]) for one in read["annotations"]} == {(3, 3), (7, 3)}
    write(clip, annotations=tmp_path / "a", annotation_format="yolo", object_names=names)
    lines = (tmp_path / "a" / "00001.txt").read_text().splitlines()
    assert {line.split()[0] for line in lines} == {"2"}


def test_yolo_names_are_replaced_with_the_rest(clip, write, tmp_path):
    for _ in range(2):
        write(clip, annotations=tmp_path / "a", annotation_format="yolo", overwrite=True)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        *(f"{index:05d}.txt" for index in range(3)), "data.yaml",
    ]  # fmt: skip
    (tmp_path / "a" / "notes.yaml").touch()
    with pytest.raises(UsageError, match=r"holds more than TXT files \(notes.yaml\)"):
        write(clip, annotations=tmp_path / "a", annotation_format="yolo", overwrite=True)


def test_labelme_is_read_as_a_first_mask(clip, write, tmp_path):
    write(clip, annotations=tmp_path / "a", annotation_format="labelme")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [f"{index:05d}.json" for index in range(3)]
    text = json.loads((tmp_path / "a" / "00001.json").read_text())
    assert text["imagePath"] == "00001.png"
    assert {(shape["label"], shape["group_id"], shape["shape_type"]) for shape in text["shapes"]} == {
        ("object_3", 3, "polygon"),
        ("object_7", 7, "polygon"),
    }
    read = read_first_mask([tmp_path / "a" / "00001.json"], (96, 128), fix=False)
    expected = filled(clip.results[1].labels) > 0
    overlap = ((read.labels > 0) & expected).sum() / ((read.labels > 0) | expected).sum()
    assert overlap > 0.9


def test_yolo_segments_are_the_outlines(clip, write, tmp_path):
    write(clip, annotations=tmp_path / "a", annotation_format="yolo")
    for index, result in enumerate(clip.results):
        drawn = np.zeros((96, 128), np.uint8)
        for line in (tmp_path / "a" / f"{index:05d}.txt").read_text().splitlines():
            number, *values = line.split()
            corners = np.array(values, float).reshape(-1, 2)
            assert corners.min() >= 0
            assert corners.max() <= 1
            points = np.floor(corners * (128, 96)).astype(np.int32)
            cv2.fillPoly(drawn, [points], int(number) + 1)
        np.testing.assert_array_equal(drawn, filled(result.labels))


@pytest.mark.parametrize(("name", "form"), [("a.json", "coco"), ("a.xml", "cvat")])
def test_what_is_whole_of_an_interrupted_run_can_be_read(clip, tmp_path, name, form):
    (sink,) = open_sinks(OutputRequest(annotations=tmp_path / name, annotation_format=form), clip.info, print)
    for frame, result in zip(clip.frames[:2], clip.results[:2], strict=True):
        sink.write(frame, result)
    kept = sink.abort()
    assert kept != tmp_path / name
    if form == "coco":
        assert len(json.loads(kept.read_text())["images"]) == 2
    else:
        assert len(ElementTree.parse(kept).getroot().findall("image")) == 2


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"annotations": Path("a.xml")}, "coco is a .json file"),
        ({"annotations": Path("a.json"), "annotation_format": "cvat"}, "cvat is a .xml file"),
        ({"annotations": Path("a.json"), "annotation_format": "yolo"}, "name a folder, one TXT a frame"),
        ({"annotations": Path("a"), "annotation_format": "voc"}, "give one of coco, cvat, labelme, yolo"),
        ({"masks": Path("m"), "annotation_format": "yolo"}, "is of `annotations`"),
        ({"masks": Path("m"), "object_names": ObjectNames({1: "x"})}, "`object_names`: is for `annotations`"),
    ],
)
def test_what_cannot_be_annotated(clip, tmp_path, monkeypatch, wanted, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        open_sinks(OutputRequest(**wanted), clip.info, print)
    assert not list(tmp_path.iterdir())


def test_yolo_s_names_are_kept_with_the_frames_of_a_run_that_is_given_up(clip, tmp_path):
    request = OutputRequest(
        annotations=tmp_path / "y", annotation_format="yolo", object_names=ObjectNames({3: "dancer"})
    )
    (sink,) = open_sinks(request, clip.info, print)
    sink.write(clip.frames[0], clip.results[0])
    kept = sink.abort()
    assert sorted(path.name for path in kept.iterdir()) == ["00000.txt", "data.yaml"]
    assert '2: "dancer"' in (kept / "data.yaml").read_text()
