"""The windows driven as a user does: a virtual display (Xvfb), real mouse and key events (xdotool)."""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.helpers.frames import square_frame, write_video
from vosctl.prompts.prompt_file import read_prompts
from vosctl.time_line import Place
from vosctl.tracks import Track
from vosctl.video.masks import read_indexed_png, write_indexed_png

MISSING = [name for name in ("Xvfb", "xdotool") if shutil.which(name) is None]
pytestmark = [
    pytest.mark.slow,  # the same keys and drags, without a window: test_session.py, tests/selection
    pytest.mark.skipif(bool(MISSING), reason=f"{' and '.join(MISSING)} not installed"),
    # highgui gives one key a poll and may lose one that comes while it is busy, as on a loaded machine
    pytest.mark.flaky(reruns=2),
]

SCALE = 3  # by which the small pictures are enlarged
TITLE = slice(0, 20)  # rows of the words above an object that is drawn
PICTURE = slice(130, 540)  # rows without words
RED, BLUE = (230, 40, 40), (40, 40, 230)
PATIENCE = 60.0
PROGRAM = """
import sys
from tests.helpers.engines import BrightObjectEngine, register_engine
from tests.helpers.prompts import ColourPromptEngine
from vosctl.prompts.segmenter import registered_prompt_engine
from vosctl.__main__ import main
with register_engine(BrightObjectEngine()), registered_prompt_engine(ColourPromptEngine(size=256)):
    main()
"""


def scene(index):
    """A red square that creeps to the right, a blue one that stands."""
    return square_frame(240, 320, (1, RED, 40 + index // 8, 60, 70), (2, BLUE, 200, 100, 80))


def wait_for(condition):
    """The first answer that is true."""
    end = time.monotonic() + PATIENCE
    while not (answer := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return answer


@dataclass
class Display:
    """A virtual display: its name, and the file its screen is in."""

    name: str
    screen: Path


@pytest.fixture(scope="module")
def display(tmp_path_factory):
    """A virtual display."""
    folder = tmp_path_factory.mktemp("display")
    read, write = os.pipe()
    # Without -noreset it starts afresh when its last client leaves, just as the next one comes.
    command = ["Xvfb", "-noreset", "-displayfd", str(write), "-screen", "0", "1280x800x24", "-fbdir", str(folder)]
    with subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL) as server:
        os.close(write)
        with os.fdopen(read) as pipe:
            number = pipe.readline().strip()
        yield Display(f":{number}", folder / "Xvfb_screen0")
        server.terminate()


class User:
    """Someone at the display; places are pixels of the picture."""

    def __init__(self, display):
        self._environment = {**os.environ, "DISPLAY": display.name}
        self._screen = display.screen

    def _do(self, *arguments):
        done = subprocess.run(["xdotool", *map(str, arguments)], env=self._environment, capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else ""

    def see(self, title):
        """Wait for a window of its size and find its corner."""
        window = wait_for(lambda: self._do("search", "--onlyvisible", "--name", title)).split()[0]

        def placed():
            place = dict(line.split("=") for line in self._do("getwindowgeometry", "--shell", window).split())
            return place if (place.get("WIDTH"), place.get("HEIGHT")) == (str(SCALE * 320), str(SCALE * 240)) else None

        place = wait_for(placed)
        self._corner = int(place["X"]), int(place["Y"])

    def drag(self, *points):
        for index, (x, y) in enumerate(points):
            self._do("mousemove", self._corner[0] + SCALE * x + 1, self._corner[1] + SCALE * y + 1)
            time.sleep(0.1)
            if index == 0:
                self._do("mousedown", 1)
        self._do("mouseup", 1)

    def click(self, x, y, button):
        """One press of a button: 1 left, 3 right, 4 the wheel turned up."""
        self._do("mousemove", self._corner[0] + SCALE * x + 1, self._corner[1] + SCALE * y + 1)
        time.sleep(0.1)
        self._do("click", button)

    def press(self, key):
        self._do("key", key)

    def look(self, rows):
        """What these rows of the window show, (H, W, 4) uint8."""
        # The server keeps its screen in a file in the format of xwd: a header of big-endian words, colours, pixels.
        data = np.fromfile(self._screen, np.uint8)
        header = data[:100].view(">u4")
        line, begin = int(header[12]), int(header[0] + 12 * header[19])
        pixels = data[begin : begin + line * int(header[5])].reshape(int(header[5]), line // 4, 4)
        x, y = self._corner
        return pixels[y : y + SCALE * 240, x : x + SCALE * 320][rows]

    @contextmanager
    def wait_for_change(self, rows):
        """Do what is inside and wait until these rows look different and stay so.

        OpenCV gives only the last of several keys pressed while it is busy, and that after what the mouse did then.
        """
        before = self.look(rows)
        yield

        def settled():
            now = self.look(rows)
            time.sleep(0.15)
            return not np.array_equal(now, before) and np.array_equal(now, self.look(rows))

        wait_for(settled)


@contextmanager
def running(display, folder, *arguments):
    """The command with an engine that finds colours, on the display."""
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "DISPLAY": display.name, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def objects_followed(process, wanted):
    """Read events until just these objects are followed and none is lost."""
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] != "frame":
            continue
        if [one["id"] for one in event["objects"] if one["status"] == "tracked"] == wanted:
            return
    raise AssertionError(process.stderr.read())


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


def test_a_live_session(display, tmp_path):
    write_video(tmp_path / "clip.mp4", [scene(index)[0] for index in range(1500)])
    user = User(display)
    with running(display, tmp_path, "webcam", "clip.mp4", "--json") as process:
        objects_followed(process, [])
        user.see("vosctl: clip")
        user.drag((30, 50), (80, 90), (145, 140))
        user.press("Return")
        objects_followed(process, [1])
        with user.wait_for_change(TITLE):
            user.press("a")
        with user.wait_for_change(TITLE):
            user.press("s")
        with user.wait_for_change(TITLE):
            user.drag((190, 90), (290, 90), (290, 190), (190, 190), (190, 95))
        user.press("Return")
        objects_followed(process, [1, 2])
        user.press("r")
        recording = tmp_path / "clip_record_001.partial.mp4"
        wait_for(recording.exists)
        user.press("s")
        mask = tmp_path / "clip_snapshot_001_mask.png"
        wait_for(mask.exists)
        user.press("r")
        wait_for((tmp_path / "clip_record_001.mp4").exists)
        user.drag((85, 90), (85, 90))
        user.press("d")
        objects_followed(process, [2])
        user.press("q")
        events = [json.loads(line) for line in process.stdout]
        errors = process.stderr.read()
    assert process.returncode == 0, errors
    assert errors == "", "neither Qt nor OpenCV says anything"
    latency = next(event for event in events if event["event"] == "latency")
    assert latency["to"] == "display"
    assert latency["captured"] > 0
    picture = np.array(Image.open(tmp_path / "clip_snapshot_001.png")).astype(int)
    labels = read_indexed_png(mask)
    for object_id, colour in ((1, RED), (2, BLUE)):
        assert overlap(labels == object_id, np.abs(picture - colour).max(axis=2) < 40) > 0.9
    with av.open(str(tmp_path / "clip_record_001.mp4")) as container:
        times = [float(one.time) for one in container.decode(video=0)]
    assert times[0] == 0
    assert times == sorted(set(times))
    assert events[-1]["outputs"] == ["clip_snapshot_001.png", "clip_snapshot_001_mask.png", "clip_record_001.mp4"]


def test_choosing_objects_for_segment(display, tmp_path):
    made = [scene(index) for index in range(4)]
    write_video(tmp_path / "clip.mp4", [image for image, _ in made])
    user = User(display)
    with running(display, tmp_path, "segment", "clip.mp4", "--select", "--masks", "masks", "-q") as process:
        user.see("vosctl: choose the objects")
        for points in ((190, 90), (240, 150), (290, 190)), ((30, 50), (80, 90), (120, 140)):
            with user.wait_for_change(TITLE):
                user.drag(*points)
            with user.wait_for_change(TITLE):
                user.press("Return")
        user.press("Return")
        errors = process.stderr.read()
        process.wait(PATIENCE)
    assert process.returncode == 0, errors
    assert errors == ""
    for index, (_, expected) in enumerate(made):
        labels = read_indexed_png(tmp_path / "masks" / f"{index:05d}.png")
        assert overlap(labels == 1, expected == 2) > 0.9
        assert overlap(labels == 2, expected == 1) > 0.9


def test_correcting_a_track_in_a_later_frame(display, tmp_path):
    made = [scene(8 * index) for index in range(6)]
    write_video(tmp_path / "clip.mp4", [image for image, _ in made])
    write_indexed_png(tmp_path / "m.png", np.where(made[0][1] == 1, 1, 0).astype(np.uint8))
    user = User(display)
    with running(display, tmp_path, "segment", "clip.mp4", "--first-mask", "m.png", "--track", "a.vostrack") as process:
        assert process.wait(PATIENCE) == 0, process.stderr.read()
    correct = ("segment", "--resume", "a.vostrack", "--select-at", "0.16s", "-q")
    before = (tmp_path / "a.vostrack").read_bytes()
    with running(display, tmp_path, *correct) as process:
        user.see("vosctl: frame 4")
        with user.wait_for_change(PICTURE):
            user.click(240, 140, 1)
        user.press("Escape")
        errors = process.stderr.read()
        assert process.wait(PATIENCE) == 1
    assert errors.startswith("Error: nothing was drawn in frame 4, and nothing is changed")
    assert (tmp_path / "a.vostrack").read_bytes() == before
    with running(display, tmp_path, *correct, "--save-prompts", "p.json") as process:
        user.see("vosctl: frame 4")
        with user.wait_for_change(PICTURE):
            user.click(240, 140, 1)  # the blue square belongs to it
        with user.wait_for_change(TITLE):
            user.press("Return")
        user.press("Return")
        errors = process.stderr.read()
        assert process.wait(PATIENCE) == 0, errors
    with Track(tmp_path / "a.vostrack") as track:
        assert overlap(track[4].labels == 1, made[4][1] > 0) > 0.9
    (said,) = read_prompts(tmp_path / "p.json")
    assert (said.at, said.object_id) == (Place(frame=4), 1)
    assert overlap(said.mask, made[4][1] > 0) > 0.9


def test_leaving_the_choice(display, tmp_path):
    write_video(tmp_path / "clip.mp4", [scene(0)[0]])
    user = User(display)
    with running(display, tmp_path, "segment", "clip.mp4", "--select") as process:
        user.see("vosctl: choose the objects")
        user.drag((10, 10), (10, 10))
        user.press("Escape")
        errors = process.stderr.read()
        process.wait(PATIENCE)
    assert process.returncode == 1
    assert errors.startswith("Error: no object was chosen")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4"]


def test_pointing_with_both_buttons_the_wheel_and_undo(display, tmp_path):
    made = [scene(index) for index in range(2)]
    write_video(tmp_path / "clip.mp4", [image for image, _ in made])
    user = User(display)
    with running(display, tmp_path, "segment", "clip.mp4", "--select", "--masks", "masks", "-q") as process:
        user.see("vosctl: choose the objects")
        for x, y, button in ((75, 95, 1), (240, 140, 1), (75, 95, 3)):
            with user.wait_for_change(PICTURE):
                user.click(x, y, button)
        with user.wait_for_change(PICTURE):
            user.press("z")  # the red square belongs to it again
        with user.wait_for_change(PICTURE):
            user.click(75, 95, 4)  # the wheel: closer
        with user.wait_for_change(PICTURE):
            user.click(75, 95, 3)
        with user.wait_for_change(TITLE):
            user.press("Return")
        user.press("Return")
        errors = process.stderr.read()
        process.wait(PATIENCE)
    assert process.returncode == 0, errors
    labels = read_indexed_png(tmp_path / "masks" / "00000.png")
    assert overlap(labels == 1, made[0][1] == 2) > 0.9
