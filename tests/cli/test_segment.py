import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tests.helpers.engines import register_engine
from tests.helpers.frames import square_frame, write_video
from vosctl.engine.providers import has_nvidia_gpu
from vosctl.video.masks import read_indexed_png, write_indexed_png

RED, BLUE = (230, 40, 40), (40, 40, 230)


@pytest.fixture
def clip(tmp_path):
    """clip.mp4 of 12 frames, 96x64, two squares with ids 2 and 9, and m.png."""
    made = [square_frame(64, 96, (2, RED, 10 + 2 * i, 16, 24), (9, BLUE, 60 - i, 30, 20)) for i in range(12)]
    write_video(tmp_path / "clip.mp4", [image for image, _ in made])
    write_indexed_png(tmp_path / "m.png", made[0][1])
    return [labels for _, labels in made]


@pytest.fixture
def fake(registered_bright_engine):
    """The command with an engine that finds colours."""
    return registered_bright_engine


@pytest.mark.parametrize("second", [("--overlay", "b.webp"), ("--overlay=b.webp",)])
def test_an_output_given_twice_is_refused_instead_of_the_first_being_lost(invoke, clip, fake, tmp_path, second):
    result = invoke("segment", "clip.mp4", "--first-mask", "m.png", "--overlay", "a.mp4", *second)
    assert result.exit_code == 2
    assert "--overlay is given 2 times and names one output; give it once" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "m.png"]


def test_every_output_in_one_pass(invoke, clip, fake, tmp_path):
    result = invoke(
        "segment", "clip.mp4", "--first-mask", "m.png", "--overlay", "o.mp4", "--masks", "masks",
        "--matte", "matte.mkv", "--cutout", "cut.mov", "--rle", "r.jsonl",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    for name in ("o.mp4", "matte.mkv", "cut.mov"):
        with av.open(str(tmp_path / name)) as container:
            assert sum(1 for _ in container.decode(video=0)) == 12
    names = sorted(path.name for path in (tmp_path / "masks").iterdir())
    assert names == [f"{index:05d}.png" for index in range(12)]
    for name, expected in zip(names, clip, strict=True):
        labels = read_indexed_png(tmp_path / "masks" / name)
        assert set(np.unique(labels)) == {0, 2, 9}
        assert (labels == expected).mean() > 0.95
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert len(lines) == 24
    assert {line["object"] for line in lines} == {2, 9}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["clip.mp4", "m.png", "o.mp4", "masks", "matte.mkv", "cut.mov", "r.jsonl"]
    )


def test_the_summary_says_what_was_done(invoke, clip, fake):
    result = invoke("segment", "clip.mp4", "--first-mask", "m.png")
    assert result.exit_code == 0
    assert "clip: 96x64 at 25 fps, 2 objects; bright on fake, cpu, fp32" in result.stderr
    assert "12 frames, " in result.stderr
    assert "fps end to end" in result.stderr
    assert "p95" in result.stderr
    assert "Wrote clip_overlay.mp4" in result.stderr
    assert result.stdout == ""


def test_one_mask_file_an_object(invoke, clip, fake, tmp_path):
    for number, name in ((9, "a.png"), (2, "b.png")):
        Image.fromarray(np.where(clip[0] == number, 255, 0).astype(np.uint8)).save(tmp_path / name)
    result = invoke("segment", "clip.mp4", "--first-mask", "a.png", "--first-mask", "b.png", "--masks", "masks")
    assert result.exit_code == 0, result.output
    labels = read_indexed_png(tmp_path / "masks" / "00000.png")
    assert (labels == np.array([0, 0, 2, 0, 0, 0, 0, 0, 0, 1])[clip[0]]).mean() > 0.95


def test_the_lines_of_one_run_are_the_first_mask_of_the_next(invoke, clip, fake, tmp_path):
    first = invoke("segment", "clip.mp4", "--first-mask", "m.png", "--rle", "r.jsonl", "--masks", "masks")
    assert first.exit_code == 0, first.output
    second = invoke("segment", "clip.mp4", "--first-mask", "r.jsonl", "--masks", "again")
    assert second.exit_code == 0, second.output
    assert "of its frames the first, 0, is read" in second.stderr
    for folder in ("masks", "again"):
        assert set(np.unique(read_indexed_png(tmp_path / folder / "00000.png"))) == {0, 2, 9}


def test_what_was_chosen_in_a_mask_is_said(invoke, clip, fake, tmp_path):
    Image.fromarray(np.where((clip[0] > 0)[..., None], (255, 0, 0), (255, 255, 255)).astype(np.uint8)).save("red.png")
    result = invoke("segment", "clip.mp4", "--first-mask", "red.png")
    assert result.exit_code == 0, result.output
    assert "red.png: no black: #ffffff, which fills the border, is read as background" in result.stderr.replace(
        "\n", " "
    )


@pytest.mark.parametrize("colors", [("2=#00ff00,#ffff00",), ("2=#00ff00", "9=#ffff00")])
def test_colours_are_set(invoke, clip, fake, tmp_path, colors):
    given = [part for value in colors for part in ("--colors", value)]
    result = invoke("segment", "clip.mp4", "--first-mask", "m.png", "--overlay", "o.mkv", *given)
    assert result.exit_code == 0, result.output
    with av.open(str(tmp_path / "o.mkv")) as container:
        image = next(container.decode(video=0)).to_ndarray(format="rgb24")
    for number, own, colour in ((2, RED, (0, 255, 0)), (9, BLUE, (255, 255, 0))):
        rows, columns = np.nonzero(clip[0] == number)
        drawn = image[int(rows.mean()), int(columns.mean())]
        np.testing.assert_allclose(drawn, 0.58 * np.array(own) + 0.42 * np.array(colour), atol=16)


def test_quiet_and_max_frames(invoke, clip, fake, tmp_path):
    result = invoke("segment", "clip.mp4", "--first-mask", "m.png", "-q", "--masks", "masks", "--max-frames", 5)
    assert result.exit_code == 0
    assert result.output == ""
    assert len(list((tmp_path / "masks").iterdir())) == 5


def test_json_events(invoke, clip, fake):
    result = invoke("segment", "clip.mp4", "--first-mask", "m.png", "--json")
    assert result.exit_code == 0
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["event"] for event in events] == ["start", *["frame"] * 12, "summary"]
    assert events[0]["objects"] == 2
    assert events[-1]["frames"] == 12
    assert events[-1]["precision"] == "fp32"
    assert events[-1]["outputs"] == ["clip_overlay.mp4"]


def test_losses_and_finds_are_said(invoke, fake, tmp_path):
    made = [square_frame(64, 96, (1, RED, 10 if i < 3 or i > 6 else 200, 16, 24)) for i in range(12)]
    write_video(tmp_path / "clip.mp4", [image for image, _ in made])
    write_indexed_png(tmp_path / "m.png", made[0][1])
    result = invoke("segment", "clip.mp4", "--first-mask", "m.png", "-v")
    assert "object 1 lost" in result.stderr
    assert "object 1 found" in result.stderr
    events = [
        json.loads(line)["event"]
        for line in invoke("segment", "clip.mp4", "--first-mask", "m.png", "--json", "--overwrite").stdout.splitlines()
    ]
    assert events.count("lost") == events.count("found") == 1


def test_rle_to_standard_output(invoke, clip, fake, tmp_path):
    result = invoke("segment", "clip.mp4", "--first-mask", "m.png", "--rle", "-")
    assert result.exit_code == 0
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) == 24
    assert not (tmp_path / "clip_overlay.mp4").exists()


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        (["absent.mp4", "--first-mask", "m.png"], "absent.mp4", 2),
        (["clip.mp4", "--first-mask", "absent.png"], "absent.png", 2),
        (["clip.mp4"], "give --first-mask FILE, --box X,Y,W,H, --point X,Y or --select", 2),
        (["clip.mp4", "--first-mask", "m.png", "--box", "1,2,30,30"], "--first-mask and --box: each", 2),
        (["clip.mp4", "--box", "1,2,30,30", "--fix-mask"], "--fix-mask: is for a --first-mask", 2),
        (["clip.mp4", "--box", "1,2,30"], "'1,2,30': give x,y,width,height", 2),
        (["clip.mp4", "--box", "1,2,0,9"], "above 0", 2),
        (["clip.mp4", "--box", "500,2,20,20"], "--box 500,2,20,20: lies outside", 2),
        (["clip.mp4", "--point", "12"], "'12': give x,y in pixels", 2),
        (["clip.mp4", "--point", "1,2:x"], "'1,2:x': after the colon", 2),
        (["clip.mp4", "--point", "20,25:-"], "at least one without :-", 2),
        (["clip.mp4", "--point", "96,25"], "point 96,25: lies outside the 96x64 picture", 2),
        (["m.txt", "--first-mask", "m.png"], "m.txt", 1),
        (["", "--first-mask", "m.png"], "name is empty", 2),
        (["clip.mp4", "--first-mask", "m.png", "--masks", ""], "'--masks': is empty; give a name", 2),
        (["clip.mp4", "--first-mask", ""], "'--first-mask': is empty; give a name", 2),
        (["clip.mp4", "--prompts", ""], "'--prompts': is empty; give a name", 2),
        (["--resume", ""], "'--resume': is empty; give a name", 2),
        (["clip.mp4", "--first-mask", "m.png", "--weights", ""], "--weights '': neither a file nor a registered", 2),
        (["a\n\x1b[1mb.mp4", "--first-mask", "m.png"], r"Error: a\n\x1b[1mb.mp4: no such file", 2),
        (
            ["clip.mp4", "--first-mask", "m.png", "--matte", "o.mp4", "--clean-edges"],
            "--clean-edges: is for --cutout, a matte has no colours; ask for one, or leave it out",
            2,
        ),
        (["clip.mp4", "--first-mask", "m.png", "--track", ""], "'--track': is empty; give a name", 2),
        (
            ["clip.mp4", "--first-mask", "m.png", "--overlay", "s3://bucket/o.mp4"],
            "'--overlay': s3://bucket/o.mp4 is an address; name a file or folder of this machine",
            2,
        ),
        (["clip.mp4", "--first-mask", "m.png", "--overlay", "o.xyz"], "o.xyz", 2),
        (["clip.mp4", "--first-mask", "m.png", "--cutout", "o.mp4"], ".webm", 2),
        (["clip.mp4", "--first-mask", "m.png", "--overlay", "m.txt/no/o.mp4"], "m.txt", 2),
        (["clip.mp4", "--first-mask", "m.png", "--colors", "rde"], "--colors rde: rde is no colour", 2),
        (["clip.mp4", "--first-mask", "m.png", "--colors", "red", "--rle", "r"], "--colors: are the overlay's", 2),
        (["clip.mp4", "--first-mask", "m.png", "--masks", "out.png"], "--masks: out.png has the name of a file", 2),
        (["clip.mp4", "--first-mask", "m.png", "--overlay", "clip.mp4", "--overwrite"], "clip.mp4", 2),
        (["clip.mp4", "--first-mask", "small.png"], "--fix-mask", 2),
        (["clip.mp4", "--first-mask", "m.png", "--scales", "0.5"], "--window off", 2),
        (["clip.mp4", "--first-mask", "m.png", "--scales", "a,b", "--window", "off"], "--scales a,b", 2),
        (["clip.mp4", "--first-mask", "m.png", "--window-size", "100"], "multiple of 32", 2),
        (["clip.mp4", "--first-mask", "m.png", "--window-size", "64", "--window", "off"], "no meaning", 2),
        (["clip.mp4", "--first-mask", "m.png", "--paper-protocol", "--scales", "1"], "--paper-protocol", 2),
        (["clip.mp4", "--first-mask", "m.png", "--weights", "nonesuch"], "names: lite", 2),
        (["clip.mp4", "--first-mask", "m.png", "--weights", "bad.pth"], "bad.pth", 1),
        (["clip.mp4", "--first-mask", "m.png", "--device", "warp9"], "--device warp9", 2),
        (["clip.mp4", "--first-mask", "m.png", "--precision", "fp8"], "--precision", 2),
        (["clip.mp4", "--first-mask", "m.png", "--engine", "torch", "--provider", "cpu"], "--provider cpu", 2),
        (["clip.mp4", "--first-mask", "m.png", "--engine", "onnx", "--device", "cpu", "--provider", "cuda"], "cuda", 2),
        (["clip.mp4", "--first-mask", "m.png", "--json", "--rle", "-"], "standard output", 2),
        (["clip.mp4", "--first-mask", "m.png", "--max-frames", "0"], "--max-frames", 2),
    ],
)
def test_bad_requests_get_one_clear_line(invoke, clip, tmp_path, arguments, message, status):
    (tmp_path / "m.txt").write_text("this is no video")
    (tmp_path / "bad.pth").write_bytes(b"nothing")
    Image.fromarray(np.eye(48, 72, dtype=np.uint8) * 255).save(tmp_path / "small.png")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    result = invoke("segment", *arguments)
    assert result.exit_code == status, result.output
    last = result.stderr.strip().splitlines()[-1]
    assert message in last
    assert last.startswith("Error: ")
    assert "Traceback" not in result.output
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_existing_outputs_need_overwrite(invoke, clip, fake, tmp_path):
    (tmp_path / "o.mp4").write_bytes(b"precious")
    result = invoke("segment", "clip.mp4", "--first-mask", "m.png", "--overlay", "o.mp4")
    assert result.exit_code == 2
    assert "--overwrite" in result.stderr
    assert (tmp_path / "o.mp4").read_bytes() == b"precious"
    assert invoke("segment", "clip.mp4", "--first-mask", "m.png", "--overlay", "o.mp4", "--overwrite").exit_code == 0
    assert (tmp_path / "o.mp4").read_bytes() != b"precious"


@pytest.mark.parametrize(
    "ways", [("--box", "7,13,30,30", "--box", "57,27,26,26"), ("--point", "22,28", "--point", "50,28:-")]
)
def test_boxes_and_points_stand_for_a_mask(invoke, clip, fake, tmp_path, ways):
    result = invoke("segment", "clip.mp4", *ways, "--masks", "masks")
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "masks").iterdir())) == 12, "the first frame, looked at for the mask, is not lost"
    for index in (0, 11):
        labels = read_indexed_png(tmp_path / "masks" / f"{index:05d}.png")
        for object_id, expected_id in ((1, 2), (2, 9))[: ways.count("--box") or 1]:
            found, expected = labels == object_id, clip[index] == expected_id
            assert (found & expected).sum() / (found | expected).sum() > 0.8


def test_select_needs_a_display(invoke, clip, fake, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    result = invoke("segment", "clip.mp4", "--select")
    assert result.exit_code == 1
    assert "give --first-mask, --box or --point instead of --select" in result.stderr


def test_a_window_on_a_later_frame_needs_a_display_too(invoke, clip, fake, monkeypatch, tmp_path):
    assert invoke("segment", "clip.mp4", "--first-mask", "m.png", "--track", "a.vostrack").exit_code == 0
    before = (tmp_path / "a.vostrack").read_bytes()
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    for which in (("--resume", "a.vostrack"), ("clip.mp4", "--first-mask", "m.png")):
        result = invoke("segment", *which, "--select-at", "0.2s", "--save-prompts", "p.json")
        assert result.exit_code == 1
        assert "give --prompts, --mask, --box or --point instead of --select-at" in result.stderr
    assert (tmp_path / "a.vostrack").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.vostrack", "clip.mp4", "m.png"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--resume", "a.vostrack", "--select"), "with --resume, give --select-at and the frame"),
        (
            ("--resume", "a.vostrack", "--select-at", "99"),
            "--select-at 99: lies beyond the end; the source has 12 frames",
        ),
        (("--resume", "a.vostrack", "--select-at", "soon"), "--select-at"),
        (("--resume", "a.vostrack", "--save-prompts", "p.json"), "add --select or --select-at"),
        (("clip.mp4", "--box", "5,5,9,9", "--save-prompts", "p.json"), "add --select or --select-at"),
        (("clip.mp4", "--select", "--save-prompts", "m.png"), "--save-prompts: m.png: name a file that ends in .json"),
        (("clip.mp4", "--select", "--save-prompts", "a.json", "--rle", "a.json"), "choose another name"),
    ],
)
def test_what_no_window_can_serve(invoke, clip, fake, options, message):
    assert invoke("segment", "clip.mp4", "--first-mask", "m.png", "--track", "a.vostrack").exit_code == 0
    result = invoke("segment", *options)
    assert result.exit_code == 2, result.output
    assert message in result.stderr


def test_a_mask_of_another_size_is_repaired_aloud(invoke, clip, fake, tmp_path):
    Image.fromarray(square_frame(32, 48, (255, RED, 5, 8, 12))[1]).save(tmp_path / "small.png")
    result = invoke("segment", "clip.mp4", "--first-mask", "small.png", "--fix-mask", "--masks", "masks")
    assert result.exit_code == 0, result.output
    assert "small.png" in result.stderr


def test_options_come_from_the_environment(invoke, clip, fake, tmp_path):
    result = invoke("segment", "clip.mp4", "--first-mask", "m.png", env={"VOSCTL_SEGMENT_MAX_FRAMES": "3"})
    assert "3 frames" in result.stderr
    result = invoke("segment", "clip.mp4", "--first-mask", "m.png", "--overwrite", env={"VOSCTL_DEVICE": "warp9"})
    assert result.exit_code == 0, "the fake engine takes any device"


def test_a_bug_is_one_line_too(invoke, clip):
    def fail(request):
        raise ZeroDivisionError("division by zero")

    with register_engine(fail):
        result = invoke("segment", "clip.mp4", "--first-mask", "m.png")
    assert result.exit_code == 1
    assert "unexpected ZeroDivisionError: division by zero" in result.stderr
    assert "VOSCTL_DEBUG=1" in result.stderr


def test_the_shipped_weights_from_end_to_end(invoke, demo_frames, tmp_path):
    write_video(tmp_path / "demo.mp4", [frame for frame, _ in demo_frames])
    write_indexed_png(tmp_path / "m.png", demo_frames[0][1])
    result = invoke("segment", "demo.mp4", "--first-mask", "m.png", "--masks", "masks", "--device", "cpu")
    assert result.exit_code == 0, result.output
    labels = read_indexed_png(tmp_path / "masks" / "00011.png")
    expected = demo_frames[-1][1]
    for object_id in (1, 2):
        one, other = labels == object_id, expected == object_id
        assert (one & other).sum() / (one | other).sum() > 0.85


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_so_with_its_status_and_leaves_nothing_that_looks_finished(tmp_path, demo_frames, sent):
    write_video(tmp_path / "long.mp4", [frame for frame, _ in demo_frames] * 40)
    write_indexed_png(tmp_path / "m.png", demo_frames[0][1])
    command = [
        sys.executable,
        "-m",
        "vosctl",
        "segment",
        "long.mp4",
        "--first-mask",
        "m.png",
        "--masks",
        "masks",
        "--json",
    ]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if json.loads(line)["event"] == "frame" and json.loads(line)["frame"] == 3:
                process.send_signal(sent)
                break
        rest = process.stdout.read()
        errors = process.stderr.read()
    assert process.returncode == 128 + sent, errors
    assert "Interrupted" in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "masks").exists()
    kept = [json.loads(line) for line in rest.splitlines() if '"kept"' in line]
    assert [event["path"] for event in kept] == ["masks.partial"]
    for mask in (tmp_path / "masks.partial").iterdir():
        assert read_indexed_png(mask).shape == (240, 432)


def test_a_reader_that_goes_away_ends_the_run_quietly(tmp_path, demo_frames):
    write_video(tmp_path / "long.mp4", [frame for frame, _ in demo_frames] * 40)
    write_indexed_png(tmp_path / "m.png", demo_frames[0][1])
    command = [sys.executable, "-m", "vosctl", "segment", "long.mp4", "--first-mask", "m.png", "--rle", "-", "-q"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        begin = time.monotonic()
        errors = process.stderr.read()
    assert process.returncode == 141
    assert errors == ""
    assert time.monotonic() - begin < 60


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_an_interrupt_while_standard_input_is_silent(tmp_path, demo_frames):
    write_video(tmp_path / "clip.mkv", [frame for frame, _ in demo_frames])
    write_indexed_png(tmp_path / "m.png", demo_frames[0][1])
    command = [sys.executable, "-m", "vosctl", "segment", "-", "--first-mask", "m.png", "--masks", "masks", "--json"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, **pipes) as process:
        process.stdin.write((tmp_path / "clip.mkv").read_bytes()[:-400])
        process.stdin.flush()  # and stays open, silent
        for line in process.stdout:
            if json.loads(line)["event"] == "frame":
                process.send_signal(signal.SIGINT)
                break
        errors = process.stderr.read().decode()
        process.wait(60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors


def test_images_are_shown_at_the_rate_asked_for(invoke, clip, fake, tmp_path):
    (tmp_path / "frames").mkdir()
    with av.open(str(tmp_path / "clip.mp4")) as container:
        for index, frame in enumerate(container.decode(video=0)):
            Image.fromarray(frame.to_ndarray(format="rgb24")).save(tmp_path / "frames" / f"{index}.png")
    result = invoke("segment", "frames", "--first-mask", "m.png", "--overlay", "o.mp4", "--fps", "30000/1001")
    assert result.exit_code == 0, result.output
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert container.streams.video[0].average_rate == Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("rate", "said"),
    [("25", "--fps: is for images, and clip.mp4 is a video"), ("0", "give frames per second"), ("fast", "such as 25")],
)
def test_a_frame_rate_that_cannot_be(invoke, clip, fake, rate, said):
    result = invoke("segment", "clip.mp4", "--first-mask", "m.png", "--fps", rate)
    assert result.exit_code == 2
    assert said in result.stderr


def test_losses_are_in_the_summary_without_being_asked_for(invoke, fake, tmp_path):
    made = [square_frame(64, 96, (1, RED, 10 if i < 3 or i > 6 else 200, 16, 24)) for i in range(12)]
    write_video(tmp_path / "clip.mp4", [image for image, _ in made])
    write_indexed_png(tmp_path / "m.png", made[0][1])
    assert "Object 1 was lost in 4 frames: 3-6" in invoke("segment", "clip.mp4", "--first-mask", "m.png").stderr
    result = invoke("segment", "clip.mp4", "--first-mask", "m.png", "--json", "--overwrite", "--max-frames", 8)
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert events[0]["frames"] == 8, "what is expected, of twelve"
    assert events[-1]["lost"] == [{"object": 1, "frames": 4, "ranges": [[3, 6]], "more_ranges": 0}]


def test_the_example_of_the_help_names_a_key_that_the_json_lines_have(invoke, clip, fake):
    key = invoke("segment", "-h").output.partition("| jq .")[2].split()[0]
    line = invoke("segment", "clip.mp4", "--first-mask", "m.png", "--rle", "-").stdout.splitlines()[0]
    assert key in json.loads(line)


@pytest.mark.parametrize(
    ("ways", "ids"),
    [
        (("--box", "7,13,30,30", "--box", "57,27,26,26"), {1, 2}),
        (("--box", "4=7,13,30,30", "--box", "57.5,27.25,26,26"), {1, 4}),
        (("--box", "2=7,13,30,30", "--point", "2=22,28", "--point", "9=70,40"), {2, 9}),
        (("--point", "1=22,28", "--point", "1=70,40:-", "--point", "2=70,40:+"), {1, 2}),
        (("--box", "7,13,30,30", "--point", "22,28"), {1}),
    ],
)
def test_boxes_and_points_of_several_objects(invoke, clip, fake, tmp_path, ways, ids):
    result = invoke("segment", "clip.mp4", *ways, "--masks", "masks", "--max-frames", 1)
    assert result.exit_code == 0, result.output
    assert set(np.unique(read_indexed_png(tmp_path / "masks" / "00000.png"))) - {0} == ids


@pytest.mark.parametrize(
    ("ways", "message"),
    [
        (("--box", "1,2,30,30", "--box", "50,2,30,30", "--point", "5,5"), "--point 5,5: of which object?"),
        (("--box", "3=1,2,30,30", "--point", "5,5"), "such as --point 3=5,5"),
        (("--box", "1=1,2,30,30", "--box", "1=1,2,30,30"), "--box 1=: given twice"),
        (("--box", "x=1,2,30,30"), "before = comes the object's number"),
        (("--point", "256=1,2"), "must be 1 to 255"),
    ],
)
def test_marks_whose_object_is_not_clear(invoke, clip, fake, ways, message):
    result = invoke("segment", "clip.mp4", *ways)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_range_of_frames_and_times(invoke, clip, fake, tmp_path):
    result = invoke(
        "segment", "clip.mp4", "--first-mask", "m.png", "--masks", "masks",
        "--start", "0.08s", "--end", 10, "--every", 3,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == ["00002.png", "00005.png", "00008.png"]
    assert "3 frames, " in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--start", "1:75"),
            "for '--start': '1:75': is no place on the time line; give a frame, such as",
        ),
        (("--start", 12), "--start 12: lies beyond the end; the source has 12 frames, 0 to 11, and lasts 0.480 s"),
        (("--start", "0:09"), "--start 9s: lies beyond the end"),
        (("--start", 5, "--end", 4), "--end 4: is before --start 5"),
        (("--start", 5, "--end", "0.2s"), "--end 0.2s: leaves no frame after --start 5"),
    ],
)
def test_a_range_that_is_none_is_one_line(invoke, clip, fake, options, message):
    result = invoke("segment", "clip.mp4", "--first-mask", "m.png", *options)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_prompts_at_places_of_the_time_line(invoke, clip, fake, tmp_path):
    write_indexed_png(tmp_path / "2@late=r.png", np.where(clip[4] == 9, 9, 0).astype(np.uint8))
    Image.fromarray(np.where(clip[2] == 2, 255, 0).astype(np.uint8)).save(tmp_path / "w.png")
    result = invoke(
        "segment", "clip.mp4", "--masks", "masks", "--mask", "0.08s@3=w.png", "--mask", "4@./2@late=r.png",
        "--box", "8@5=10,20,50,40", "--accept-doubtful", "--direction", "forward",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found = [set(np.unique(read_indexed_png(path))) - {0} for path in sorted((tmp_path / "masks").iterdir())]
    assert found[:8] == 2 * [set()] + 2 * [{3}] + 4 * [{3, 9}]
    assert 5 in found[8]
    assert ", 3 objects;" in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--mask", "12@m.png"), "frame 12: lies beyond the end; the source has 12 frames, 0 to 11"),
        (("--mask", "m.png", "--mask", "0s@m.png"), "object 2 is said twice in frame 0"),
        (("--mask", "3@"), "names no file"),
        (("--mask", "0:99@m.png"), "before @: '0:99': is no place on the time line"),
        (("--mask", "-3@m.png"), "before @: '-3': is no place on the time line"),
        (("--mask", "a@b.png"), "a@b.png: no such mask"),
        (("--mask", "3@300=m.png"), "the object's number must be 1 to 255"),
        (("--mask", "3@1=m.png"), "its mask holds 2 objects"),
        (("--box", "soon@1=1,2,3,4"), "before @: 'soon': is no place on the time line"),
        (("--box", "3@1=1,2,30,40", "--box", "3@1,2,30,40"), "--box 3@1=: given twice"),
        (("--point", "3@1=5,5:-"), "--point: none of them is on the object"),
        (("--prompts", "absent.json"), "absent.json: no such file"),
        (("--box", "3@1=1,2,30,40", "--fix-mask"), "--fix-mask: is for a --mask"),
        (("--mask", "3@m.png", "--paper-protocol"), "--paper-protocol: takes its objects from the first frame only"),
    ],
)
def test_prompts_that_cannot_be_served_are_one_line(invoke, clip, fake, options, message):
    result = invoke("segment", "clip.mp4", *options)
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.stderr.split())


def test_a_run_that_was_stopped_is_gone_on_with(invoke, clip, fake, tmp_path):
    from vosctl.tracks import Track, TrackWriter

    assert invoke("segment", "clip.mp4", "--first-mask", "m.png", "--track", "a.vostrack").exit_code == 0
    assert not (tmp_path / "clip_overlay.mp4").exists(), "the track is what was asked for"
    result = invoke("segment", "--resume", "a.vostrack")
    assert result.exit_code == 2
    assert "is complete" in result.stderr
    TrackWriter(tmp_path / "a.vostrack", None).close()  # as a run leaves it that was stopped
    result = invoke("segment", "--resume", "a.vostrack", "--masks", "masks", "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "masks").iterdir())) == 12
    with Track(tmp_path / "a.vostrack") as track:
        assert track.complete
        assert len(track) == 12


@pytest.mark.skipif(has_nvidia_gpu(), reason="there is an NVIDIA GPU")
def test_what_is_to_decode_is_asked_for_wherever_a_video_is_read(invoke, clip, fake, tmp_path):
    assert invoke("segment", "clip.mp4", "--first-mask", "m.png", "--track", "a.vostrack").exit_code == 0
    whole = (tmp_path / "a.vostrack").read_bytes()
    commands = {
        "segment": ("segment", "clip.mp4", "--first-mask", "m.png", "--masks", "o1"),
        "gone on": ("segment", "--resume", "a.vostrack", "--masks", "o2", "--max-frames", "20"),
        "corrected": ("segment", "--resume", "a.vostrack", "--mask", "3@m.png"),
        "drawn": ("render", "a.vostrack", "--masks", "o3"),
        "live": ("webcam", "clip.mp4", "--first-mask", "m.png", "--no-window", "--masks", "o4"),
    }
    for name, command in commands.items():
        refused = invoke(*command, "--decoder", "nvdec")
        assert refused.exit_code == 1, (name, refused.output)
        assert "--decoder nvdec: " in refused.stderr, name
        assert refused.stderr.strip().endswith("; use --decoder cpu"), name
    assert (tmp_path / "a.vostrack").read_bytes() == whole
    assert not list(tmp_path.glob("o?"))
    assert "is complete" in invoke(*commands["gone on"], "--decoder", "cpu").stderr
    for name in ("corrected", "drawn", "live"):
        taken = invoke(*commands[name], "--decoder", "cpu")
        assert taken.exit_code == 0, (name, taken.output)


def test_what_does_not_go_with_resume(invoke, clip, fake):
    for option in (["--first-mask", "m.png"], ["--window", "off"], ["--weights", "rgmp"], ["--track", "b.vostrack"]):
        result = invoke("segment", "--resume", "a.vostrack", *option)
        assert result.exit_code == 2
        assert f"{option[0]}: is the track's own with --resume" in result.stderr
    result = invoke("segment", "--first-mask", "m.png")
    assert result.exit_code == 2
    assert "INPUT: give the video" in result.stderr


def test_the_looks_and_annotations_are_those_of_render_too(invoke, clip, fake, tmp_path):
    wanted = [
        "--composite", "{}.mp4", "--background", "white", "--grow", "2", "--feather", "3", "--clean-edges",
        "--cutout", "{}", "--annotations", "{}.xml", "--annotation-format", "cvat",
    ]  # fmt: skip
    once, again = ([one.format(name) for one in wanted] for name in ("once", "again"))
    result = invoke("segment", "clip.mp4", "--first-mask", "m.png", "--track", "a.vostrack", *once)
    assert result.exit_code == 0, result.output
    result = invoke("render", "a.vostrack", *again)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "once.xml").read_bytes() == (tmp_path / "again.xml").read_bytes()
    for index in range(12):
        name = f"{index:05d}.png"
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    images = []
    for name in ("once.mp4", "again.mp4"):
        with av.open(str(tmp_path / name)) as container:
            images.append([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    np.testing.assert_array_equal(images[0], images[1])
    assert images[0][0][0, 0].min() > 240, "white"


def test_a_background_without_a_composite(invoke, clip, fake):
    result = invoke("segment", "clip.mp4", "--first-mask", "m.png", "--background", "white")
    assert result.exit_code == 2
    assert "--background: is the composite's; ask for one with --composite FILE" in result.stderr
