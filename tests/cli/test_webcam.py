import json
import sys
import threading

import av
import numpy as np
import pytest

from tests.helpers.bright_network import bright_torch_engine
from tests.helpers.engines import BrightObjectEngine, register_engine
from tests.helpers.frames import lose_frame, write_video
from tests.helpers.live import MjpegServer, picture
from vosctl.tracks import Track
from vosctl.video.masks import read_indexed_png, write_indexed_png


@pytest.fixture
def clip(tmp_path):
    """clip.mp4 of 20 frames, 96x64 at 50 fps, with objects 1 and 2; and m.png."""
    write_video(tmp_path / "clip.mp4", [picture(index)[0] for index in range(20)], rate=50)
    write_indexed_png(tmp_path / "m.png", picture(0)[1])


@pytest.fixture
def fake(registered_bright_engine):
    """The command with an engine that finds colours."""
    return registered_bright_engine


def test_every_output_without_a_window(invoke, clip, fake, tmp_path):
    result = invoke(
        "webcam", "clip.mp4", "--no-window", "--first-mask", "m.png", "--record", "o.mp4", "--masks", "masks",
        "--matte", "matte.mkv", "--cutout", "cut.mov", "--rle", "r.jsonl",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "clip: 96x64 at 50 fps; bright on fake" in result.stderr
    assert "Capture to result: p50 " in result.stderr
    assert "of 20 captured frames dropped" in result.stderr
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    indices = sorted({line["frame"] for line in lines})
    assert indices[0] == 0
    assert {line["object"] for line in lines} == {1, 2}
    assert all(line["time"] == pytest.approx(line["frame"] / 50) for line in lines), "each frame keeps its own time"
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == [f"{index:05d}.png" for index in indices]
    for index in indices:
        labels = read_indexed_png(tmp_path / "masks" / f"{index:05d}.png")
        assert (labels == picture(index)[1]).mean() > 0.95
    for name in ("o.mp4", "matte.mkv", "cut.mov"):
        with av.open(str(tmp_path / name)) as container:
            times = [float(one.time) for one in container.decode(video=0)]
        assert times == pytest.approx([index / 50 for index in indices], abs=0.002)


def test_a_track_is_drawn_on_the_frames_that_were_followed(invoke, clip, fake, tmp_path):
    """A live run leaves out frames: each result is drawn on its own picture, at its own time."""
    write_video(tmp_path / "clip.mp4", [picture(index)[0] for index in range(20)] * 10, rate=500)
    result = invoke(
        "webcam", "clip.mp4", "--no-window", "--first-mask", "m.png", "--track", "t.vostrack", "--masks", "once",
        "--composite", "c.mkv", "--background", "white", "--annotations", "a.json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    names = sorted(path.name for path in (tmp_path / "once").iterdir())
    assert len(names) < 200, "or none was left out"
    assert (tmp_path / "a.json").exists()
    result = invoke("render", "t.vostrack", "--masks", "again", "--composite", "d.mkv", "--background", "white")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == names
    for name in names:
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    times = []
    for name in ("c.mkv", "d.mkv"):
        with av.open(str(tmp_path / name)) as container:
            times.append([frame.pts for frame in container.decode(video=0)])
    assert times[0] == times[1] == [2 * int(name[:5]) for name in names]


def test_a_box_and_json_lines_for_another_program(invoke, clip, fake, tmp_path):
    # long enough for the newest frame to come while the box's mask is still being found
    write_video(tmp_path / "clip.mp4", [picture(index % 20)[0] for index in range(500)], rate=50)
    result = invoke("webcam", "clip.mp4", "--no-window", "--box", "5,7,31,31", "--rle", "-", "--max-frames", 3)
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) == 3
    for line in lines:
        x, y, width, height = line["bbox"]
        assert abs(x - 8 - line["frame"] % 20) <= 3
        assert abs(y - 10) <= 3
        assert abs(width - 24) <= 4
        assert abs(height - 24) <= 6  # its lower edge bleeds into three rows of the picture's halved colour planes


def test_json_events(invoke, clip, fake):
    result = invoke("webcam", "clip.mp4", "--no-window", "--point", "20,22", "--json", "--max-frames", 2)
    assert result.exit_code == 0, result.output
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["event"] for event in events] == ["start", "note", "frame", "frame", "latency", "summary"]
    assert events[1]["message"].startswith(f"crop of {events[-1]['crop_size']} pixels")
    assert events[4]["to"] == "result"
    assert events[4]["p95_ms"] >= events[4]["p50_ms"] > 0


def test_on_the_device_the_crop_is_measured_there(invoke, clip, tmp_path):
    with register_engine(bright_torch_engine()):
        result = invoke(
            "webcam",
            "clip.mp4",
            "--no-window",
            "--first-mask",
            "m.png",
            "--on-device",
            "--track",
            "t.vostrack",
            "--json",
        )
    assert result.exit_code == 0, result.output
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert events[1]["message"].startswith(f"crop of {events[-1]['crop_size']} pixels")
    with Track(tmp_path / "t.vostrack") as track:
        assert track.header.tracking["on_device"] is True
        for kept, found in zip(track.frames(), track, strict=True):
            assert (found.labels == picture(kept.index)[1]).mean() > 0.95


def test_an_engine_that_has_no_device_is_refused_before_anything_opens(invoke, clip, fake, tmp_path):
    result = invoke("webcam", "clip.mp4", "--no-window", "--first-mask", "m.png", "--on-device", "--record", "o.mp4")
    assert result.exit_code == 2
    assert result.stderr.endswith("Error: --on-device: the fake engine cannot; use --engine torch or --engine onnx\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "m.png"]


class CallingEngine(BrightObjectEngine):
    """An engine that finds colours, and calls something after so many steps.

    The command is given its `--window-size`, so that no step goes into measuring how large it may be.
    """

    def __init__(self, call, after):
        super().__init__()
        self.call, self.after = call, after

    def propagate(self, images, masks, states):
        step = super().propagate(images, masks, states)
        if len(self.batches) == self.after:
            self.call()
        return step


def test_a_stream_that_drops_out_and_comes_back(invoke):
    servers = [MjpegServer()]
    restart = threading.Event()

    def drop():
        servers[0].stop()
        restart.set()

    def restarter():
        restart.wait()
        servers.append(MjpegServer(servers[0].port))

    thread = threading.Thread(target=restarter)
    thread.start()
    arguments = ["--no-window", "--box", "4,6,50,34", "--window-size", 96, "--max-frames", 10]
    try:
        with register_engine(CallingEngine(drop, after=4)):
            result = invoke("webcam", servers[0].address, *arguments)
    finally:
        restart.set()
        thread.join()
        for server in servers:
            server.stop()
    assert result.exit_code == 0, result.output
    assert "camera: the stream dropped; trying for 60 s to open it again" in result.stderr
    assert "camera: back after" in result.stderr
    assert "10 frames" in result.stderr


def test_a_stream_that_stays_away_leaves_a_whole_recording(invoke, tmp_path):
    server = MjpegServer()
    arguments = ["--no-window", "--box", "4,6,50,34", "--window-size", 96, "--record", "o.mkv", "--reconnect", "0"]
    with register_engine(CallingEngine(server.stop, after=4)):
        result = invoke("webcam", server.address, *arguments)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "Error: camera: the stream dropped; check it, or raise --reconnect"
    assert "Wrote o.mkv" in result.stderr
    with av.open(str(tmp_path / "o.mkv")) as container:
        times = np.array([float(one.time) for one in container.decode(video=0)])
    assert len(times) >= 4
    assert (np.diff(times) > 0).all()


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        (["clip.mp4", "--no-window"], "give --first-mask FILE, --box x,y,w,h or --point x,y with --no-window", 2),
        (["clip.mp4", "--no-window", "--box", "1,2,9,9", "--first-mask", "m.png"], "--first-mask and --box: each", 2),
        (["clip.mp4", "--no-window", "--box", "900,2,9,9"], "--box 900,2,9,9: lies outside", 2),
        (["absent.mp4", "--no-window", "--box", "1,2,9,9"], "absent.mp4: no such file", 2),
        (["clip.mp4", "--no-window", "--first-mask", "absent.png"], "absent.png: no such mask", 2),
        (["clip.mp4", "--no-window", "--box", "1,2,9,9", "--size", "big"], "'big': give width and height", 2),
        (["clip.mp4", "--no-window", "--box", "1,2,9,9", "--size", "640x480"], "--size: is for cameras", 2),
        (["clip.mp4", "--no-window", "--box", "1,2,9,9", "--record", "o.xyz"], "--record: o.xyz", 2),
        (["clip.mp4", "--no-window", "--box", "1,2,9,9", "--record", "clip.mp4"], "clip.mp4 exists", 2),
        (["clip.mp4", "--no-window", "--box", "1,2,9,9", "--json", "--rle", "-"], "standard output", 2),
        (["clip.mp4", "--no-window", "--box", "1,2,9,9", "--window-size", "100"], "multiple of 32", 2),
        (["-", "--no-window", "--box", "1,2,9,9"], "no clock to play it by", 2),
        (["clip.mp4", "--no-window", "--box", "1,2,9,9", "--reconnect", "5"], "--reconnect: is for streams", 2),
        (["clip.mp4", "--no-window", "--box", "1,2,9,9", "--view", "blur"], "--view: nobody sees it with --no-w", 2),
        (["clip.mp4", "--fix-mask"], "--fix-mask: is for a --first-mask; leave it out", 2),
    ],
)
def test_bad_requests_get_one_clear_line(invoke, clip, fake, tmp_path, arguments, message, status):
    before = sorted(path.name for path in tmp_path.iterdir())
    result = invoke("webcam", *arguments)
    assert result.exit_code == status, result.output
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert message in last
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_no_display_names_the_way_out(invoke, clip, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    result = invoke("webcam", "clip.mp4")
    assert result.exit_code == 1
    assert "add --no-window, with --first-mask or --box" in result.stderr


def test_a_virtual_camera_without_pyvirtualcam(invoke, clip, fake, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    result = invoke("webcam", "clip.mp4", "--no-window", "--first-mask", "m.png", "--virtual-camera")
    assert result.exit_code == 1
    assert '[camera]"' in result.stderr


class FakePyvirtualcam:
    """pyvirtualcam, as far as it is used."""

    def __init__(self, error=None):
        self.error, self.sent, self.closed = error, [], False
        self.PixelFormat = type("PixelFormat", (), {"RGB": "rgb"})
        self.device = "/dev/video9"

    def Camera(self, width, height, fps, fmt):  # noqa: N802
        if self.error:
            raise RuntimeError(self.error)
        self.asked = (width, height, fps, fmt)
        return self

    def send(self, image):
        self.sent.append(image)

    def close(self):
        self.closed = True


def test_a_virtual_camera_shows_the_view(invoke, clip, fake, monkeypatch):
    module = FakePyvirtualcam()
    monkeypatch.setitem(sys.modules, "pyvirtualcam", module)
    options = ["--virtual-camera", "--view", "cutout", "--max-frames", 2]
    result = invoke("webcam", "clip.mp4", "--no-window", "--first-mask", "m.png", *options)
    assert result.exit_code == 0, result.output
    assert "Virtual camera: /dev/video9" in result.stderr
    assert module.asked == (96, 64, 50.0, "rgb")
    assert [image.shape for image in module.sent] == [(64, 96, 3)] * 2
    assert (module.sent[0][0, 0] == (0, 177, 64)).all()
    assert module.closed


def test_a_platform_without_a_virtual_camera(invoke, clip, fake, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvirtualcam", FakePyvirtualcam("no\n device"))
    result = invoke("webcam", "clip.mp4", "--no-window", "--first-mask", "m.png", "--virtual-camera")
    assert result.exit_code == 1
    assert "none can be opened (no device)" in result.stderr.splitlines()[-1]


def test_what_is_wrong_with_a_file_is_said(invoke, clip, fake, tmp_path):
    lose_frame(tmp_path / "clip.mp4", 3)
    result = invoke("webcam", "clip.mp4", "--no-window", "--first-mask", "m.png")
    assert result.exit_code == 0, result.output
    assert "too damaged to be decoded" in result.stderr
