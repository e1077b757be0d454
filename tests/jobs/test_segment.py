import json
import re
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from PIL import Image

import vosctl
from tests.helpers.frames import square_frame, write_video
from tests.helpers.prompts import ColourPromptEngine
from vosctl.batching.processes import Processes
from vosctl.prompts import Prompt
from vosctl.prompts.first_objects import FirstObjects
from vosctl.prompts.prompt_file import prompts_of
from vosctl.prompts.segmenter import registered_prompt_engine
from vosctl.video.masks import read_indexed_png, write_indexed_png

RED, BLUE = (230, 40, 40), (40, 40, 230)


class Heard(vosctl.Events):
    """Writes down what it hears."""

    def __init__(self):
        self.said = []

    def started(self, start):
        self.said.append(("started", start.objects, start.frames))

    def frame(self, frame, result):
        self.said.append(("frame", frame.index))

    def lost(self, frame, object_id):
        self.said.append(("lost", frame.index, object_id))

    def found(self, frame, object_id):
        self.said.append(("found", frame.index, object_id))

    def kept(self, path):
        self.said.append(("kept", path.name))

    def finished(self, summary):
        self.said.append(("finished", summary.frames))


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """clip.mp4 of 10 frames, 96x64, two squares, the first away in frames 4 to 6; m.png; the first labels."""
    monkeypatch.chdir(tmp_path)
    made = [
        square_frame(64, 96, (1, RED, 10 if not 4 <= i <= 6 else 300, 16, 24), (2, BLUE, 60 - i, 30, 20))
        for i in range(10)
    ]
    write_video(tmp_path / "clip.mp4", [image for image, _ in made])
    write_indexed_png(tmp_path / "m.png", made[0][1])
    return made[0][1]


def test_one_call_from_file_to_files(clip, bright_engine, tmp_path):
    summary = vosctl.segment("clip.mp4", "m.png", overlay="o.mp4", masks="masks", engine=bright_engine)
    assert summary.frames == 10
    assert [path.name for path in summary.outputs] == ["o.mp4", "masks"]
    assert summary.engine.engine == "fake"
    assert summary.losses[1].ranges == ((4, 6),)
    assert 2 not in summary.losses
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 10


def test_a_mask_can_be_an_array(clip, bright_engine):
    for mask in (clip, clip.astype(np.int64), clip == 2):
        summary = vosctl.segment("clip.mp4", mask, masks="masks", overwrite=True, engine=bright_engine, max_frames=2)
        assert summary.frames == 2
        assert set(np.unique(read_indexed_png(summary.outputs[0] / "00001.png"))) == set(np.unique(mask.astype(int)))


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((64, 96), np.uint8), "is empty"),
        (np.ones((10, 10), np.uint8), "10x10, the frames are 96x64"),
        (np.ones((64, 96), np.float32), "not float32"),
        (np.full((64, 96), 256), "0..255"),
        (np.full((64, 96), -1), "0..255"),
    ],
)
def test_an_array_that_cannot_serve(clip, bright_engine, mask, message):
    with pytest.raises(vosctl.UsageError, match=message):
        vosctl.segment("clip.mp4", mask, masks="masks", engine=bright_engine)


@pytest.fixture
def colours():
    """Boxes and points mean areas of one colour."""
    with registered_prompt_engine(ColourPromptEngine()):
        yield


@pytest.mark.usefixtures("colours")
def test_boxes_and_points_by_object(clip, bright_engine):
    summary = vosctl.segment(
        "clip.mp4", box={7: (7, 13, 30, 30)}, point={9: [(70.5, 40, True)]}, masks="masks", engine=bright_engine
    )
    labels = read_indexed_png(summary.outputs[0] / "00000.png")
    for ours, theirs in ((7, 1), (9, 2)):
        one, other = labels == ours, clip == theirs
        assert (one & other).sum() / (one | other).sum() > 0.8


@pytest.mark.usefixtures("colours")
def test_a_click_corrects_the_box_of_its_object(clip, bright_engine):
    """A box over both squares, and a click that says that the blue one is not meant."""
    summary = vosctl.segment(
        "clip.mp4",
        box=(5, 10, 80, 45),
        point=[(22, 28, True), (69.4, 40, False)],
        masks="masks",
        engine=bright_engine,
        max_frames=1,
    )
    labels = read_indexed_png(summary.outputs[0] / "00000.png")
    assert labels[28, 22] == 1
    assert labels[40, 69] == 0


def test_events_come_in_order(clip, bright_engine):
    heard = Heard()
    vosctl.segment("clip.mp4", "m.png", engine=bright_engine, events=heard, max_frames=8)
    assert heard.said[0] == ("started", 2, 8), "of ten frames eight are asked for"
    assert heard.said[-1] == ("finished", 8)
    assert [one for one in heard.said if one[0] in ("lost", "found")] == [("lost", 4, 1), ("found", 7, 1)]
    assert heard.said.index(("lost", 4, 1)) < heard.said.index(("frame", 4))


def test_an_error_in_a_listener_ends_the_run_and_what_is_whole_is_kept(clip, bright_engine, tmp_path):
    class Fails(Heard):
        def frame(self, frame, result):
            super().frame(frame, result)
            if frame.index == 3:
                raise vosctl.VosctlError("enough")

    heard = Fails()
    with pytest.raises(vosctl.VosctlError, match="enough"):
        vosctl.segment("clip.mp4", "m.png", masks="masks", engine=bright_engine, events=heard)
    assert not (tmp_path / "masks").exists()
    assert [one for one in heard.said if one[0] == "kept"] == [("kept", "masks.partial")]


def test_a_job_can_name_its_outputs_after_the_source_and_run_twice(clip, bright_engine):
    def outputs(info):
        return vosctl.OutputRequest(rle=Path(f"{info.name}.jsonl"), overwrite=True)

    job = vosctl.SegmentJob("clip.mp4", FirstObjects("m.png"), outputs, engine=bright_engine)
    first, second = job.run(), job.run()
    assert first.outputs == second.outputs == (Path("clip.jsonl"),)
    assert len([json.loads(line) for line in first.outputs[0].read_text().splitlines()]) == 20


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "what to follow is not said"),
        ({"first_mask": "m.png", "box": (1, 2, 3, 4)}, "`first_mask` and `box`: each says"),
        ({"box": (1, 2, 30, 30), "fix_mask": True}, "`fix_mask`"),
        ({"box": {0: (1, 2, 30, 30)}}, "object id 0"),
        ({"first_mask": "m.png", "overlay": "o.xyz"}, "`overlay`: o.xyz"),
        ({"first_mask": "m.png", "overlay": "clip.mp4", "overwrite": True}, "would replace the input"),
        ({"first_mask": "m.png", "masks": "m.png"}, "m.png"),
        ({"first_mask": "m.png", "max_frames": 0}, "`max_frames=0`"),
        ({"box": (1, 2, 30, 30), "point": [(500, 5, True)]}, "outside"),
        ({"first_mask": "m.png", "max_frames": "3"}, "`max_frames='3'`: give a whole number"),
        ({"first_mask": "m.png", "max_frames": 3.0}, r"`max_frames=3\.0`: give a whole number"),
        ({"first_mask": "m.png", "every": 1.5}, r"`every=1\.5`: give a whole number"),
        ({"first_mask": "m.png", "matte": "o.mp4", "grow": 1.5}, r"`grow=1\.5`: give a whole number"),
        ({"first_mask": "m.png", "matte": "o.mp4", "feather": "1"}, "`feather='1'`: give a number"),
        ({"first_mask": "m.png", "overlay": "o.mp4", "colors": ["red"]}, r"`colors=\['red'\]`: give one text"),
        ({"first_mask": "m.png", "annotations": "o.json", "object_names": ["cup"]}, "`object_names=.*by object id"),
        ({"first_mask": "m.png", "annotations": "o.json", "object_names": {1: 5}}, "`object_names`: 1=5: a name is"),
        ({"first_mask": "m.png", "annotations": "o.json", "object_names": {"1": "cup"}}, "`object_names='1'`: give a"),
        ({"first_mask": "m.png", "composite": "o.mp4", "background": (0, 255, 0)}, r"`background=\(0, 255, 0\)`: give"),
        ({"first_mask": "m.png", "overlay": 5}, "`overlay=5`: give a name or a path, not int"),
        ({"first_mask": "m.png", "masks": ""}, "`masks`: is empty"),
        ({"first_mask": "m.png", "masks": "s3://bucket/m"}, "`masks`: s3://bucket/m is an address"),
        ({"first_mask": "m.png", "frame_rate": 0}, "`frame_rate=0`: give images per second"),
        ({"first_mask": "m.png", "prompts": {"at": 3}}, "`prompts`: give a list of TimedPrompt"),
        ({"first_mask": 5}, r"`first_mask`: give a file or a NumPy array \(H, W\), not int"),
        ({"first_mask": Image.new("L", (96, 64))}, r"not Image; use numpy\.asarray\(image\)"),
        ({"first_mask": [np.ones((64, 96), bool)]}, "`first_mask`: give one array .* with an id for each object"),
        ({"box": {"1": (1, 2, 30, 30)}}, "`object_id='1'`: give a whole number"),
        ({"point": np.array([(500, 5, 1)])}, "outside"),
    ],
)
def test_requests_that_cannot_be_served_name_parameters(clip, bright_engine, given, message):
    with pytest.raises(vosctl.UsageError, match=message):
        vosctl.segment("clip.mp4", engine=bright_engine, **given)


@pytest.mark.parametrize(("source", "message"), [(0, "`source=0`: give a name"), ("", "`source`: is empty")])
def test_a_source_has_a_name(clip, bright_engine, source, message):
    with pytest.raises(vosctl.UsageError, match=message):
        vosctl.segment(source, "m.png", engine=bright_engine)


@pytest.mark.parametrize(
    ("make", "given", "message"),
    [
        (vosctl.TrackingSettings, {"window_size": "192"}, "`window_size='192'`: give a whole number"),
        (vosctl.TrackingSettings, {"window": False, "scales": 0.5}, r"`scales=0\.5`: give a tuple of numbers"),
        (vosctl.TrackingSettings, {"window": False, "scales": "0.5"}, r"`scales='0\.5'`: give a tuple of numbers"),
        (vosctl.TrackingSettings, {"window": False, "scales": ("1",)}, "`scales='1'`: give a number"),
        (vosctl.TimedPrompt.of, {"object_id": "1", "box": (1, 2, 3, 4)}, "`object_id='1'`: give a whole number"),
        (vosctl.TimedPrompt.of, {"at": 3, "mask": [[0, 1]]}, "prompt at frame 3: `mask`: give a file or a NumPy array"),
        (prompts_of, {"said": vosctl.TimedPrompt.of(3, 1, box=(1, 2, 3, 4))}, "`prompts`: give a list of TimedPrompt"),
        (Processes, {"engine": vosctl.EngineSettings(), "workers": "2"}, "`workers='2'`: give a whole number"),
    ],
)
def test_settings_of_another_type_are_said(make, given, message):
    with pytest.raises(vosctl.UsageError, match=message):
        make(**given)


def test_a_name_that_no_object_has_is_said(clip, bright_engine, caplog):
    vosctl.segment("clip.mp4", "m.png", annotations="a.json", object_names={1: "cup", 5: "dog"}, engine=bright_engine)
    assert [line for line in caplog.messages if "name" in line] == [
        "`object_names`: there is no object 5; its name was not used"
    ]


def test_a_background_is_a_path_too_and_a_rate_a_number(clip, bright_engine, tmp_path):
    image, _ = square_frame(64, 96, (1, RED, 10, 16, 24))
    (tmp_path / "stills").mkdir()
    for number in range(2):
        Image.fromarray(image).save(tmp_path / "stills" / f"{number}.png")
    vosctl.segment(
        "stills", "m.png", composite="o.mp4", background=Path("stills") / "0.png", frame_rate=12.5, engine=bright_engine
    )
    with av.open("o.mp4") as container:
        assert [frame.time for frame in container.decode(video=0)] == pytest.approx([0, 0.08])


def test_a_background_that_is_not_there_is_said_before_any_work(clip, bright_engine, tmp_path):
    prompts = [vosctl.TimedPrompt.of(5, mask="m.png")]  # followed backwards first
    with pytest.raises(vosctl.UsageError, match=r"`background=gone\.jpg`: is no file"):
        vosctl.segment("clip.mp4", prompts=prompts, composite="c.mp4", background="gone.jpg", engine=bright_engine)
    assert not bright_engine.batches
    assert {path.name for path in tmp_path.iterdir()} == {"clip.mp4", "m.png"}


@pytest.mark.parametrize(("size", "told"), [(96, True), (160, True), (192, False), (0, False)])
def test_crops_that_are_chosen_too_small_are_told(clip, bright_engine, size, told):
    notes = []

    class Hears(vosctl.Events):
        def note(self, line):
            notes.append(line)

    settings = vosctl.TrackingSettings(window_size=size)
    vosctl.segment("clip.mp4", "m.png", engine=bright_engine, tracking=settings, max_frames=2, events=Hears())
    assert [line for line in notes if "pixels thin parts are lost" in line] == [
        f"`window_size={size}`: in crops below 192 pixels thin parts are lost, and whole objects now and then"
    ] * told


def test_images_of_several_sizes_are_told_before_any_work(bright_engine, tmp_path):
    """Before somebody draws, too; what is not read does not count."""
    for number, height in enumerate((48, 48, 64)):
        Image.new("RGB", (64, height)).save(tmp_path / f"{number}.png")
    asked = []

    def choose(image):
        asked.append(image)
        return np.eye(48, 64, dtype=np.uint8)

    def job(**settings):
        outputs = vosctl.OutputRequest(masks=tmp_path / "masks")
        return vosctl.SegmentJob(str(tmp_path), FirstObjects(choose=choose), outputs, engine=bright_engine, **settings)

    with pytest.raises(vosctl.UsageError, match=r"2\.png is 64x64 but 0\.png is 64x48"):
        job().run()
    assert not asked
    assert not (tmp_path / "masks").exists()
    assert job(max_frames=2).run().frames == 2
    assert len(asked) == 1


def test_an_object_that_a_later_one_covers_is_not_lost_in_silence(clip):
    objects = FirstObjects(prompts={1: Prompt.of((7, 13, 30, 30)), 2: Prompt.of((7, 13, 30, 30))})
    image, _ = square_frame(64, 96, (1, RED, 10, 16, 24))
    with pytest.raises(vosctl.UsageError, match="object 1: is completely covered"):
        objects.labels(image, lambda line: None, lambda line: None)


def test_warnings_are_logged_where_nobody_listens(caplog):
    vosctl.Events().warning("look out")
    assert caplog.messages == ["look out"]


def test_a_part_of_a_video(clip, bright_engine, tmp_path):
    """Frames keep their numbers, the object is given in the first of them, and the video begins at 0."""
    heard = Heard()
    summary = vosctl.segment(
        "clip.mp4", "m.png", start=7, end="0.4s", every=2, masks="masks", overlay="o.mp4", rle="r.jsonl",
        engine=bright_engine, events=heard,
    )  # fmt: skip
    assert summary.frames == 2
    assert heard.said[0] == ("started", 2, 2)
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == ["00007.png", "00009.png"]
    assert {json.loads(line)["frame"] for line in (tmp_path / "r.jsonl").read_text().splitlines()} == {7, 9}
    with av.open("o.mp4") as container:
        assert [frame.time for frame in container.decode(video=0)] == pytest.approx([0, 0.08])


def test_losses_of_a_part_are_told_by_the_numbers_of_the_whole(clip, bright_engine):
    summary = vosctl.segment("clip.mp4", "m.png", start=2, end=6, masks="masks", engine=bright_engine)
    assert (summary.frames, summary.losses[1].ranges) == (4, ((4, 5),))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"start": 10}, "`start=10`: lies beyond the end; the source has 10 frames, 0 to 9"),
        ({"start": 5, "end": 5}, "`end=5`: leaves no frame after `start=5`"),
        ({"start": "a"}, "`start`: 'a': is no place"),
        ({"every": 0}, "`every=0`"),
    ],
)
def test_a_part_without_frames_is_said_before_any_work(clip, bright_engine, tmp_path, given, message):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(vosctl.UsageError, match=message):
        vosctl.segment("clip.mp4", "m.png", masks="masks", engine=bright_engine, **given)
    assert sorted(tmp_path.iterdir()) == before
    assert bright_engine.batches == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"events": print}, "`events`: give an object of a class that extends vosctl.Events, not builtin_function"),
        ({"events": Heard}, "not the class Heard"),
        ({"engine": "onnx"}, "`engine`: give EngineSettings(engine='onnx'), or what its create() made, not str"),
        (
            {"tracking": {"window_size": 96}},
            "`tracking`: give TrackingSettings(...), such as of `window_size=192`, not dict",
        ),
    ],
)
def test_what_is_no_setting_is_told_by_its_name(changed, message, clip, bright_engine):
    with pytest.raises(vosctl.UsageError, match=re.escape(message)):
        vosctl.segment("clip.mp4", "m.png", masks="masks", **{"engine": bright_engine, **changed})
    assert not Path("masks").exists()


def test_events_of_drawing_and_of_going_on_are_told_too(tmp_path):
    for call in (vosctl.render, vosctl.resume):
        with pytest.raises(vosctl.UsageError, match=r"`events`: give an object .* not the class Heard"):
            call(tmp_path / "any.vostrack", events=cast(vosctl.Events, Heard))
