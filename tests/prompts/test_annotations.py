"""First masks as annotation tools write them in JSON."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image, ImageDraw
from pycocotools import mask as coco

from vosctl.errors import UsageError, VosctlError
from vosctl.prompts.mask_file import read_first_mask
from vosctl.video.sinks.annotations import outlines

SIZE = (60, 80)  # height, width


@pytest.fixture
def read(tmp_path):
    """Returns a function that saves JSON and reads it as a first mask."""

    def save_and_read(content, *, fix=False, size=SIZE, name="mask.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_first_mask(path, size, fix=fix)

    return save_and_read


@pytest.fixture
def refusal(read):
    """Returns a function from JSON to the one line that refuses it."""

    def refuse(content, **options):
        with pytest.raises(UsageError) as caught:
            read(content, **options)
        assert "\n" not in str(caught.value)
        assert "mask.json" in str(caught.value)
        return str(caught.value)

    return refuse


def block(y, x, height, width, value=1, size=SIZE):
    array = np.zeros(size, np.uint8)
    array[y : y + height, x : x + width] = value
    return array


def corners(y, x, height, width):
    return [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]


def labelme(*shapes, size=SIZE):
    return {"version": "5.4.1", "shapes": list(shapes), "imageHeight": size[0], "imageWidth": size[1]}


def shape(points, label="cat", kind="polygon", **more):
    return {"label": label, "points": points, "shape_type": kind, "group_id": None, **more}


def near(labels, expected):
    """Whether two label images differ in no more than a pixel along the outlines."""
    return np.unique(labels).tolist() == np.unique(expected).tolist() and (labels != expected).mean() < 0.03


class TestLabelMe:
    def test_each_shape_is_an_object(self, read):
        mask = read(labelme(shape(corners(10, 10, 20, 30)), shape(corners(40, 50, 10, 20), "dog")))
        assert near(mask.labels, block(10, 10, 20, 30) + block(40, 50, 10, 20, 2))
        assert mask.notes[0].endswith("mask.json: objects: 1 is cat, 2 is dog")

    def test_shapes_of_one_group_are_one_object(self, read):
        shapes = [shape(corners(5, 5, 20, 20), group_id=1), shape(corners(5, 50, 20, 20), group_id=1)]
        assert near(read(labelme(*shapes)).labels, block(5, 5, 20, 20) + block(5, 50, 20, 20))

    def test_what_is_to_be_ignored(self, read):
        mask = read(labelme(shape(corners(5, 5, 20, 20), "__ignore__"), shape(corners(5, 50, 20, 20))))
        assert near(mask.labels, block(5, 50, 20, 20))

    def test_rectangles_and_circles(self, read):
        mask = read(labelme(shape([[60, 40], [40, 10]], kind="rectangle")))
        assert near(mask.labels, block(10, 40, 30, 20))
        mask = read(labelme(shape([[30, 30], [30, 40]], kind="circle")))
        rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
        assert near(mask.labels, ((columns + 0.5 - 30) ** 2 + (rows + 0.5 - 30) ** 2 <= 100).astype(np.uint8))

    def test_shapes_have_the_pixels_that_labelme_gives_them(self, read):
        """As in `shape_to_mask` of LabelMe 5: Pillow's, with the outline."""
        random = np.random.default_rng(3)
        for _ in range(10):
            turns = np.sort(random.uniform(0, 2 * np.pi, 7))
            points = random.uniform(0, (80, 60)) + random.uniform(8, 40, (7, 1)) * np.stack(
                [np.cos(turns), np.sin(turns)], 1
            )
            expected = Image.new("L", SIZE[::-1])
            ImageDraw.Draw(expected).polygon([tuple(point) for point in points], outline=1, fill=1)
            np.testing.assert_array_equal(read(labelme(shape(points.tolist()))).labels, expected)

    def test_what_vosctl_writes_is_read_back(self, read, tmp_path):
        """Each outline of its pixels' centres, as LabelMe takes them."""
        labels = np.zeros(SIZE, np.uint8)
        rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
        labels[((columns - 40) / 25) ** 2 + ((rows - 30) / 14) ** 2 <= 1] = 1
        labels[5:12, 4:20] = 2
        shapes = [
            shape(outline.tolist(), group_id=number)
            for number in (1, 2)
            for outline in outlines(labels, number, (0, 0, *SIZE[::-1]))
        ]
        np.testing.assert_array_equal(read(labelme(*shapes)).labels, labels)

    def test_a_mask_in_base64(self, read):
        stored = io.BytesIO()
        Image.new("L", (20, 10), 1).save(stored, format="PNG")
        picture = base64.b64encode(stored.getvalue()).decode()
        mask = read(labelme(shape([[30, 15], [49, 24]], kind="mask", mask=picture)))
        np.testing.assert_array_equal(mask.labels, block(15, 30, 10, 20))

    def test_corners_far_outside(self, read):
        mask = read(labelme(shape([[-1e30, 10], [40, 10], [40, 1e300], [-1e30, 1e300]])))
        assert near(mask.labels, block(10, 0, 50, 40))
        mask = read(labelme(shape([[-1e30, 10], [40, 1e300]], kind="rectangle")))
        assert near(mask.labels, block(10, 0, 50, 40))
        mask = read(labelme(shape([[-1e300, 30], [40, 30]], kind="circle")))
        assert near(mask.labels, block(0, 0, SIZE[0], 40))

    def test_another_size(self, refusal, read):
        content = labelme(shape(corners(20, 20, 40, 60)), size=(120, 160))
        assert "the mask is 160x120 but the frames are 80x60" in refusal(content)
        assert near(read(content, fix=True).labels, block(10, 10, 20, 30))

    @pytest.mark.parametrize("kind", ["point", "line", "linestrip"])
    def test_shapes_without_an_inside(self, refusal, kind):
        assert f"a shape of the type {kind}" in refusal(labelme(shape([[1, 2], [3, 4]], kind=kind)))

    @pytest.mark.parametrize(
        "bad",
        [
            labelme(),
            labelme(shape(None)),
            labelme(shape([[1, "x"], [2, 3], [4, 5]])),
            labelme(shape([[1], [2, 3], [4, 5]])),
            labelme(shape([[1e999, 2], [2, 3], [4, 5]])),
            labelme(shape([[1, 2], [9, 3], [4, 5]], kind=7)),
            labelme(shape([[1, 2]], kind="mask", mask="!!")),
            labelme("no shape"),
            {"shapes": [], "imageHeight": "tall", "imageWidth": None},
            {"shapes": {}, "imageHeight": 60, "imageWidth": 80},
        ],
    )
    def test_malformed(self, refusal, bad):
        refusal(bad)


def rle(array, compressed=True):
    if compressed:
        encoded = coco.encode(np.asfortranarray(array))
        return {"size": [int(side) for side in encoded["size"]], "counts": encoded["counts"].decode()}
    flat = array.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *edges, flat.size]).tolist()
    return {"size": list(array.shape), "counts": runs if flat[0] == 0 else [0, *runs]}


def dataset(*annotations, images=((1, "0001.jpg"),), size=SIZE):
    return {
        "images": [{"id": key, "file_name": name, "height": size[0], "width": size[1]} for key, name in images],
        "annotations": [{"id": number, "image_id": 1, **item} for number, item in enumerate(annotations)],
        "categories": [{"id": 3, "name": "person"}, {"id": 4, "name": "dog"}],
    }


class TestCoco:
    def test_polygons_and_run_lengths(self, read):
        polygon = [float(number) for corner in corners(10, 10, 20, 30) for number in corner]
        blob = block(40, 50, 10, 20)
        content = dataset(
            {"category_id": 3, "segmentation": [polygon]},
            {"category_id": 4, "segmentation": rle(blob), "iscrowd": 1},
        )
        mask = read(content)
        np.testing.assert_array_equal(mask.labels, block(10, 10, 20, 30) + 2 * blob)
        assert mask.notes[0].endswith("objects: 1 is person, 2 is dog")

    def test_polygons_are_filled_as_pycocotools_does(self, read):
        random = np.random.default_rng(3)
        for _ in range(20):
            centre, turns = random.uniform(0, (80, 60)), np.sort(random.uniform(0, 2 * np.pi, (2, 7)), axis=1)
            parts = [
                (centre + shift + random.uniform(8, 40, (7, 1)) * np.stack([np.cos(turn), np.sin(turn)], 1)).ravel()
                for turn, shift in zip(turns, ((0, 0), (15, 5)), strict=True)
            ]
            polygons = [part.tolist() for part in parts]
            expected = coco.decode(coco.merge(coco.frPyObjects(polygons, *SIZE)))
            np.testing.assert_array_equal(read(dataset({"segmentation": polygons})).labels, expected)

    def test_a_polygon_far_outside(self, read):
        far = [-1e300, -1e300, 40, -1e300, 40, 1e300, -1e300, 1e300]
        np.testing.assert_array_equal(read(dataset({"segmentation": [far]})).labels, block(0, 0, SIZE[0], 40))

    @pytest.mark.parametrize("compressed", [False, True])
    def test_run_lengths_alone(self, read, compressed):
        random = np.random.default_rng(5)
        array = (random.random(SIZE) < 0.3).astype(np.uint8)
        np.testing.assert_array_equal(read(rle(array, compressed)).labels, array)

    def test_a_list_of_run_lengths(self, read):
        parts = [block(5, 5, 10, 10), block(30, 30, 10, 10)]
        mask = read([rle(part) for part in parts])
        np.testing.assert_array_equal(mask.labels, parts[0] + 2 * parts[1])

    def test_the_lines_of_the_rle_output(self, read):
        def line(frame, number, array, status="tracked"):
            return json.dumps({"frame": frame, "object": number, "status": status, "segmentation": rle(array)})

        blob, other = block(5, 5, 10, 10), block(30, 30, 10, 10)
        lines = [line(0, 4, blob), line(0, 7, np.zeros_like(blob), "lost"), line(0, 9, other), line(1, 4, other)]
        mask = read("\n".join(lines) + "\n", name="mask.jsonl")
        np.testing.assert_array_equal(mask.labels, 4 * blob + 9 * other)
        assert any(note.endswith("of its frames the first, 0, is read") for note in mask.notes)

    def test_an_object_that_cannot_be_seen_is_said(self, read):
        mask = read([rle(block(5, 5, 10, 10)), rle(block(0, 0, 30, 30))])
        assert mask.notes[-1].endswith("nothing is to be seen of object 1: empty, outside or covered")

    def test_annotations_of_several_images(self, refusal):
        content = dataset({"segmentation": rle(block(1, 1, 5, 5))}, images=((1, "a.jpg"), (2, "b.jpg")))
        content["annotations"].append({"image_id": 2, "segmentation": rle(block(1, 1, 5, 5))})
        assert "holds objects of 2 images (a.jpg, b.jpg); keep those of the first frame" in refusal(content)

    def test_results_of_several_images(self, refusal, read):
        """A detector's results are such a list, of all the images that it was shown."""
        results = [{"image_id": number, "segmentation": rle(block(5, 5, 10, 10))} for number in range(7, 17)]
        assert "holds objects of 10 images (7, 8, 9, 10, 11, 12, 13, 14 and 2 more)" in refusal(results)
        np.testing.assert_array_equal(read(results[:1]).labels, block(5, 5, 10, 10))

    def test_a_list_with_an_entry_a_line(self, read):
        parts = [json.dumps(rle(block(5, 5 + 20 * number, 10, 10))) for number in range(2)]
        mask = read("[" + "\n,".join(parts) + "]", name="mask.json")
        np.testing.assert_array_equal(mask.labels, block(5, 5, 10, 10) + 2 * block(5, 25, 10, 10))

    def test_another_size(self, refusal, read):
        content = rle(block(20, 20, 40, 60, size=(120, 160)))
        assert "the mask is 160x120 but the frames are 80x60" in refusal(content)
        np.testing.assert_array_equal(read(content, fix=True).labels, block(10, 10, 20, 30))

    @pytest.mark.parametrize(
        "counts",
        ["", "P", "0000ZZZZ0", "é", "\x00", "o" * 40, "0`", [1, 2, 3], [-5, 4805], [4800.5], ["1"], None, {}, [True]],
    )
    def test_malformed_run_lengths(self, refusal, counts):
        refusal({"size": list(SIZE), "counts": counts})

    @pytest.mark.parametrize(
        "bad",
        [
            {},
            [],
            3,
            None,
            "text",
            [[]],
            {"annotations": 3, "images": []},
            {"annotations": [{"image_id": 1, "segmentation": []}], "images": []},
            dataset(),
            dataset({"segmentation": [[1, 2, 3]]}),
            dataset({"segmentation": [[1, 2, 3, 4, 5, None]]}),
            dataset({"segmentation": 5}),
            dataset({"bbox": [1, 2, 3, 4]}),
            dataset({"segmentation": rle(block(1, 1, 2, 2, size=(8, 8)))}),
            {"size": [10**30, 4], "counts": "0"},
            {"size": [60], "counts": "0"},
        ],
    )
    def test_malformed(self, refusal, bad):
        refusal(bad)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('{"size": ' + "9" * 5000 + "}", "is not JSON"),
    ],
)
def test_what_is_no_json(refusal, text, message):
    assert message in refusal(text)


def test_what_is_no_text(tmp_path):
    path = tmp_path / "mask.json"
    path.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(UsageError, match="is not text; give JSON"):
        read_first_mask(path, SIZE)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        read_first_mask(tmp_path / "mask.json", SIZE)
    (tmp_path / "mask.json").mkdir()
    with pytest.raises(VosctlError, match=r"mask\.json: cannot be read: Is a directory"):
        read_first_mask(tmp_path / "mask.json", SIZE)


def test_names_from_a_file_do_not_reach_the_terminal_as_they_are(read):
    mask = read(labelme(shape(corners(10, 10, 20, 30), "\x1b[31mred\n")))
    assert mask.notes[0].isprintable()
