"""From folders, globs and data sets to jobs."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vosctl
from vosctl.batching import InProcess, JobOptions
from vosctl.batching.finding import JobsRequest
from vosctl.batching.layouts import Layout, WantedOutput, check_name, parse_outputs
from vosctl.batching.running import run_job
from vosctl.video.masks import write_indexed_png


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Makes empty files in a folder `v` of the working directory."""
    monkeypatch.chdir(tmp_path)

    def make(*names):
        for name in names:
            path = tmp_path / "v" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")

    return make


def find(source="v", **changes):
    return {job.name: job for job in JobsRequest(str(source), "out", **changes).find()}


def test_a_folder_of_videos_with_what_is_beside_them(folder):
    folder(
        "a.mp4", "a.png", "b.MOV", "b.1.png", "b.2.png", "b.10.png", "c.mkv", "c.prompts.json", "notes.txt", ".h.mp4"
    )
    folder(
        "d.mp4", "e.mp4", "e.png", "e.1.png", "f.mp4", "f.json", "f.prompts.json", "day/0.jpg", "day.png", "other/0.jpg"
    )
    jobs = find()
    assert list(jobs) == ["a", "b", "c", "d", "day", "e", "f"]
    assert jobs["a"].first_mask == ("v/a.png",)
    assert jobs["b"].first_mask == ("v/b.1.png", "v/b.2.png", "v/b.10.png")
    assert (jobs["c"].first_mask, jobs["c"].prompts) == ((), "v/c.prompts.json")
    assert "no mask or prompts beside it; expected d.png" in jobs["d"].problem
    assert (jobs["day"].source, jobs["day"].first_mask) == ("v/day", ("v/day.png",))
    assert "e.png and e.1.png are both beside it" in jobs["e"].problem
    assert (jobs["f"].first_mask, jobs["f"].prompts) == (("v/f.json",), "v/f.prompts.json")
    assert {name for name, job in jobs.items() if job.problem} == {"d", "e"}


def test_extensions_in_capitals(folder):
    folder("A.MP4", "A.PNG", "B.MP4", "B.1.PNG", "C.MP4", "C.prompts.JSON", "d.MP4", "d.PNG", "d.png")
    said = {name: (job.first_mask, job.prompts, job.problem) for name, job in find().items()}
    assert said == {
        "A": (("v/A.PNG",), (), None),
        "B": (("v/B.1.PNG",), (), None),
        "C": ((), "v/C.prompts.JSON", None),
        "d": (("v/d.png",), (), None),
    }


def test_numbers_that_belong_to_videos(folder):
    folder("a.1.mp4", "a.1.png", "a.mp4", "a.png")
    jobs = find()
    assert {name: job.first_mask for name, job in jobs.items()} == {"a": ("v/a.png",), "a.1": ("v/a.1.png",)}


def test_a_glob_names_jobs_by_their_path_below_it(folder):
    folder("x/a.mp4", "x/a.png", "y/a.mp4", "y/a.png", "y/deep/b.mp4", "z.mp4", "y/clip.raw", "y/clip.png")
    assert list(find("v/*/*.mp4")) == ["x/a", "y/a"]
    assert list(find("v/**/*.mp4")) == ["x/a", "y/a", "y/deep/b", "z"]
    assert list(find("v/y/clip.*")) == ["clip"]
    assert find("v/*/*.mp4")["y/a"].outputs == {"overlay": "out/y/a/overlay.mp4"}


def test_what_lies_beside_the_videos_of_a_glob_is_no_video(folder):
    folder("a.mp4", "a.png", "a.srt", "a.vostrack", "a.csv", "a.jsonl", "a.prompts.json", "b.dav", "b.png")
    assert [job.name for job in JobsRequest("v/*", "out").find()] == ["a", "b"]


def test_a_single_video(folder):
    folder("a.mp4", "a.png")
    assert find("v/a.mp4")["a"].first_mask == ("v/a.png",)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("v/none", "no such file or folder"),
        ("http://host/a.mp4", "is a stream, and nothing beside it says what to follow; name it in a list"),
        ("v/*.none", "matches no video"),
        ("v", "holds no video"),
        ("v/*.txt", "matches no video"),
    ],
)
def test_nothing_to_do(folder, source, message):
    folder("notes.txt")
    with pytest.raises(vosctl.UsageError, match=message):
        find(source)


@pytest.mark.parametrize("output", ["v", "./v", "v/../v/"])
def test_what_an_earlier_run_wrote_beside_the_videos_is_no_video(folder, output):
    folder("a.mp4", "a.png", "a_overlay.mp4")
    for source in ("v", "v/", "v/*.mp4", str(Path("v").absolute())):
        assert [job.name for job in JobsRequest(source, output, layout="flat").find()] == ["a"]


def test_other_outputs_of_an_earlier_run_are_no_videos_unless_a_mask_is_beside_them(folder):
    folder(
        "a.mp4", "a.png", "a_matte.mp4", "a_cutout.webm", "a_overlay.mp4", "a_composite.mp4", "a_composite.png", "b.mp4"
    )
    found = [job.name for job in JobsRequest("v", "v", layout="flat").find()]
    assert found == ["a", "a_composite", "b"]
    assert "a_matte" in [job.name for job in JobsRequest("v", "elsewhere", layout="flat").find()]


@pytest.mark.parametrize("source", ["v", "v/*"])
def test_folders_that_an_earlier_run_wrote_beside_the_videos_are_no_images(folder, source):
    folder("a.mp4", "a.png", "a/masks/00000.png", "b.mp4", "b.png", "b/overlay.mp4", "day.png", "day/0.jpg")
    assert list(find(source)) == ["a", "b", "day"]
    assert find(source)["a"].source == "v/a.mp4"


def test_layouts():
    wanted = parse_outputs("masks, overlay.webm,rle,cutout.png,matte,annotations,track")

    def places(name, annotation_format="coco"):
        return Layout("o/", name, "480p").outputs("day/a", wanted, annotation_format)

    assert places("folders") == {
        "masks": "o/day/a/masks",
        "overlay": "o/day/a/overlay.webm",
        "rle": "o/day/a/rle.jsonl",
        "cutout": "o/day/a/cutout",
        "matte": "o/day/a/matte.mp4",
        "annotations": "o/day/a/annotations.json",
        "track": "o/day/a/track.vostrack",
    }
    assert places("flat")["masks"] == "o/day/a_masks"
    assert places("kinds")["overlay"] == "o/overlay/day/a.webm"
    assert places("davis")["masks"] == "o/Annotations/480p/day/a"
    assert places("davis")["matte"] == "o/matte/day/a.mp4"
    assert places("kinds", "yolo")["annotations"] == "o/annotations/day/a"
    assert places("kinds", "cvat")["annotations"] == "o/annotations/day/a.xml"
    assert Layout("s3://bucket/x").outputs("a", wanted[:1]) == {"masks": "s3://bucket/x/a/masks"}
    assert WantedOutput("cutout").suffix_of("coco") == ".mov"
    assert WantedOutput("masks", ".png").suffix_of("coco") == ""
    assert [WantedOutput("masks", ".jpg").suffix_of("coco"), WantedOutput("annotations", ".xml").suffix_of("coco")] == [
        ".jpg",
        ".xml",
    ], "said, and refused by what checks the outputs"


def test_outputs_in_no_folder_are_not_those_of_the_root(folder):
    folder("a.mp4", "a.png")
    with pytest.raises(vosctl.UsageError, match="`output`: is empty"):
        JobsRequest("v", "").find()


@pytest.mark.parametrize("text", ["", "none", "masks,masks", "overlay.mp4,overlay.webm", ","])
def test_outputs_that_there_are_not(text):
    with pytest.raises(vosctl.UsageError, match="`outputs`"):
        parse_outputs(text)


@pytest.mark.parametrize("name", ["", " ", "..", "../a", "/a", "a/../../b", "C:/a", "a\nb", ".vosctl/a", "."])
def test_names_that_lead_elsewhere(name):
    with pytest.raises(vosctl.UsageError, match="`name="):
        check_name(name)


@pytest.fixture
def data_set(tmp_path, monkeypatch):
    """Two sequences in the layout of DAVIS, with their first annotations, one of which has void; and a broken one."""
    monkeypatch.chdir(tmp_path)
    for name in ("bear", "cow", "late"):
        images, annotations = (tmp_path / "D" / kind / "480p" / name for kind in ("JPEGImages", "Annotations"))
        images.mkdir(parents=True)
        annotations.mkdir(parents=True)
        for index in range(3):
            picture = np.full((64, 96, 3), (60, 90, 60), np.uint8)
            picture[16:40, 8 + index : 32 + index] = (230, 40, 40)
            Image.fromarray(picture).save(images / f"{index:05}.jpg", quality=95)
        labels = np.zeros((64, 96), np.uint8)
        labels[16:40, 8:32] = 2
        if name == "cow":
            labels[:4] = 255
        write_indexed_png(annotations / ("00001.png" if name == "late" else "00000.png"), labels)
    sets = tmp_path / "D" / "ImageSets" / "2017"
    sets.mkdir(parents=True)
    (sets / "val.txt").write_text("cow\n")


def test_a_data_set_comes_out_in_its_own_layout(data_set, bright_engine):
    jobs = find("D")
    assert list(jobs) == ["bear", "cow", "late"]
    assert "lacks its first annotation, 00000.png" in jobs["late"].problem
    results = list(InProcess(bright_engine).run([jobs["bear"], jobs["cow"], jobs["late"]], vosctl.BatchEvents()))
    assert [one.state for one in results] == ["done", "done", "failed"]
    assert sorted(path.name for path in Path("out/Annotations/480p/bear").iterdir()) == [
        f"{i:05}.png" for i in range(3)
    ]
    for name in ("bear", "cow"):
        with Image.open(f"out/Annotations/480p/{name}/00002.png") as image:
            assert set(np.unique(np.asarray(image))) == {0, 2}, "255 in the first annotation is nobody's"


def test_images_of_a_data_set_without_annotations_are_a_job_that_says_so(data_set):
    shutil.rmtree("D/Annotations/480p/cow")
    jobs = find("D")
    assert list(jobs) == ["bear", "cow", "late"]
    assert "sequence 'cow' lacks its first annotation, 00000.png" in jobs["cow"].problem


def test_a_list_of_a_data_set(data_set):
    assert list(find("D", subset="2017/val.txt")) == ["cow"]
    with pytest.raises(vosctl.UsageError, match="no set"):
        find("D", subset="none")
    with pytest.raises(vosctl.UsageError, match="`subset='x'`: is of a data set"):
        find("D/JPEGImages", subset="x")


def test_options_hold_for_all(folder):
    folder("a.mp4", "a.png")
    options = JobOptions(max_frames=3)
    assert find(options=options)["a"].options == options


def test_progress_is_kept_apart_for_other_requests(folder):
    folder("a.mp4", "a.png")
    first, other = find()["a"], find(options=JobOptions(max_frames=3))["a"]
    assert first.progress.startswith("out/.vosctl/a.")
    assert first.progress != other.progress
    assert replace(first, progress=None).digest == first.digest


def test_a_job_of_a_folder_runs(clips, bright_engine):
    clips("a")
    result = run_job(find(outputs=parse_outputs("masks"))["a"], bright_engine)
    assert (result.state, result.outputs) == ("done", ("out/a/masks",))
