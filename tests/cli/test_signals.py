"""The whole program, with real encoders and real signals: how it ends, and what it leaves and says."""

import array
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import av
import pytest

from tests.helpers.frames import write_video
from vosctl.video.masks import write_indexed_png

fcntl, termios = (pytest.importorskip(name) for name in ("fcntl", "termios"))
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")

INT, TERM, HUP, QUIT = (getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"))
PATIENCE = 60  # seconds; far more than an end takes, and far less than one that hangs
WIDTH, HEIGHT = 640, 360
SEGMENT = ("segment", "clip.mp4", "--first-mask", "mask.png", "--device", "cpu")
PIPED = ("segment", "-", "--first-mask", "mask.png", "--device", "cpu")
LIVE = ("webcam", "clip.mp4", "--no-window", "--first-mask", "mask.png", "--device", "cpu")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A clip that takes a while, as mp4 and Matroska, and the mask of its first frame."""
    from vosctl.demo.scene import render_demo

    folder = tmp_path_factory.mktemp("inputs")
    frames = list(render_demo(10, WIDTH, HEIGHT))
    write_indexed_png(folder / "mask.png", frames[0][1])
    for name in ("clip.mp4", "clip.mkv"):
        write_video(folder / name, [frame for frame, _ in frames] * 60)
    return folder


class Run:
    """The program at work in a folder of its own."""

    def __init__(self, folder, inputs, *arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pipesize=-1):
        self.folder = folder
        self.said = ""
        for name in ("clip.mp4", "mask.png"):
            (folder / name).symlink_to(inputs / name)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "vosctl", *arguments],
            cwd=folder,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            pipesize=pipesize,
        )

    def wait_for_frame(self, number):
        """Until that frame was followed, by the events on standard output; each output has had all but the last few."""
        for line in self.process.stdout:
            if json.loads(line).get("frame") == number:
                return
        pytest.fail(self.process.stderr.read().decode())

    def signal(self, *numbers, gap=0.0):
        for number in numbers:
            self.process.send_signal(number)
            time.sleep(gap)

    def end(self):
        """Wait for the end; gives the exit status and standard error."""
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
        errors = self.process.stderr.read().decode()
        if self.process.stdout is not None:
            self.said = self.process.stdout.read().decode(errors="replace")
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        assert "Traceback" not in errors
        assert "Fatal" not in errors
        return self.process.returncode, errors

    def left(self):
        return {path.name for path in self.folder.iterdir() if not path.is_symlink()}


def announced(words):
    """What was said to be kept, in words or as events."""
    return set(re.findall(r"Kept what was whole: (.+)", words)) | set(
        re.findall(r'"event": "kept", "path": "(.+)"', words)
    )


def wait_for_full_pipe(process):
    """Until the program's writing is held up: what waits to be read does not get more."""
    waiting, before = array.array("i", [0]), -1
    while waiting[0] != before or before < 2000:
        assert process.poll() is None, process.stderr.read()
        before = waiting[0]
        time.sleep(1)
        fcntl.ioctl(process.stdout.fileno(), termios.FIONREAD, waiting)


def frames_in(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.fixture
def start(tmp_path, inputs):
    runs = []

    def begin(*arguments, **settings):
        runs.append(Run(tmp_path, inputs, *arguments, **settings))
        return runs[-1]

    yield begin
    for run in runs:
        run.process.kill()


def check_kept(run, status, *names):
    """The run ended with this status, left these files and no others, named them, and all of them can be used."""
    ended, errors = run.end()
    assert ended == status, errors
    assert run.left() == set(names), errors
    assert announced(errors + run.said) == set(names), errors
    assert errors.rstrip().endswith("Interrupted")
    for name in names:
        path = run.folder / name
        assert any(path.iterdir()) if path.is_dir() else frames_in(path) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [INT, TERM, HUP, QUIT])
def test_each_signal_keeps_and_announces_what_was_whole_and_is_the_status(start, number):
    run = start(*SEGMENT, "--overlay", "o.mp4", "--masks", "masks", "--json", stdout=subprocess.PIPE)
    run.wait_for_frame(8)
    run.signal(number)
    check_kept(run, 128 + number, "o.partial.mp4", "masks.partial")


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("gap", [0.0, 0.02, 0.1, 0.2])
def test_a_second_and_a_third_interrupt_are_as_safe_as_the_first(start, count, gap):
    run = start(*SEGMENT, "--cutout", "cut.mov", "--matte", "m.mkv", "--json", stdout=subprocess.PIPE)
    run.wait_for_frame(8)
    run.signal(*[INT] * count, gap=gap)
    check_kept(run, 130, "cut.partial.mov", "m.partial.mkv")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "pipesize"), [(("--rle", "-"), 4096), (("--json",), 4096), (("--matte", "-"), 65536)]
)
def test_a_reader_that_stopped_reading_does_not_hold_the_end_up(start, arguments, pipesize):
    run = start(*SEGMENT, *arguments, "--overlay", "o.mkv", stdout=subprocess.PIPE, pipesize=pipesize)
    wait_for_full_pipe(run.process)
    run.signal(TERM)
    ended, errors = run.end()
    assert ended == 128 + TERM, errors
    assert run.left() == {"o.partial.mkv"}
    assert frames_in(run.folder / "o.partial.mkv") >= 1


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 3])
def test_standard_input_that_falls_silent(start, inputs, count):
    run = start(*PIPED, "--overlay", "o.mp4", "--json", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    data = (inputs / "clip.mkv").read_bytes()
    run.process.stdin.write(data[: len(data) // 4])
    run.process.stdin.flush()
    run.wait_for_frame(20)
    run.signal(*[INT] * count, gap=0.05)
    check_kept(run, 130, "o.partial.mp4")


@pytest.mark.slow
def test_standard_input_without_a_byte(start):
    run = start(*PIPED, "--overlay", "o.mp4", stdin=subprocess.PIPE)
    time.sleep(2)
    run.signal(INT)
    status, errors = run.end()
    assert (status, errors) == (130, "Interrupted\n")


@pytest.mark.slow
def test_a_server_that_says_nothing(start):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/clip.mp4"
        run = start("segment", address, "--first-mask", "mask.png", "--overlay", "o.mp4")
        server.accept()
        begun = time.monotonic()
        run.signal(INT)
        status, errors = run.end()
    assert (status, errors) == (130, "Interrupted\n")
    assert time.monotonic() - begun < 9, "heard before the server's ten seconds are over"


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.3, 0.6, 1.0, 1.5, 2.2])
def test_while_it_starts(start, delay):
    run = start(*SEGMENT, "--overlay", "o.mp4")
    time.sleep(delay)
    run.signal(INT, INT)
    status, errors = run.end()
    assert status == 130, errors
    assert announced(errors) == run.left()


@pytest.mark.slow
@pytest.mark.parametrize("numbers", [[INT, INT], [HUP], [TERM, TERM, TERM]])
def test_a_live_recording_is_completed(start, numbers):
    run = start(*LIVE, "--record", "r.mp4", "--masks", "masks")
    while len(list(run.folder.glob("masks.partial/*.png"))) < 8:
        assert run.process.poll() is None, run.process.stderr.read()
        time.sleep(0.01)
    run.signal(*numbers, gap=0.05)
    status, errors = run.end()
    assert status == 128 + numbers[0], errors
    assert run.left() == {"r.mp4", "masks"}, errors
    assert set(re.findall(r"Wrote (.+)", errors)) == {"r.mp4", "masks"}
    assert frames_in(run.folder / "r.mp4") >= 1


STUCK = """
import threading, time
from vosctl.cli.signals import handle_signals
from vosctl.interrupts import held, pending
handle_signals()
lock = threading.Lock()
lock.acquire()

def say_what_came():
    while pending() is None:
        time.sleep(0.01)
    print("heard", flush=True)

with held():
    threading.Thread(target=say_what_came, daemon=True).start()
    print("ready", flush=True)
    lock.acquire()
"""


def test_the_program_leaves_though_its_main_thread_is_stuck():
    with subprocess.Popen([sys.executable, "-c", STUCK], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(TERM)
        assert process.stdout.readline() == b"heard\n", "of two at once, a system may hand over either first"
        process.send_signal(INT)
        assert process.wait(PATIENCE) == 128 + TERM
        assert process.stderr.read() == b"Interrupted\n"


SWALLOWED = """
import sys, weakref, signal
from vosctl.cli.signals import handle_signals, leave
class Thing: pass
def interrupt(reference): signal.raise_signal(signal.SIGINT)
handle_signals()
thing = Thing()
reference = weakref.ref(thing, interrupt)
del thing
leave(0)
"""


def test_an_interrupt_that_python_cannot_raise_is_heard_all_the_same_and_prints_nothing():
    done = subprocess.run([sys.executable, "-c", SWALLOWED], capture_output=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (130, b"")


HANGING = """
import sys, threading
from vosctl.cli.signals import handle_signals, leave
handle_signals()
threading.Thread(target=sys.stdin.buffer.read, daemon=True).start()
print("all said")
leave(3)
"""


def test_a_thread_that_hangs_does_not_spoil_the_end():
    process = subprocess.Popen(
        [sys.executable, "-c", HANGING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        assert process.wait(PATIENCE) == 3
        assert process.stdout.read() == b"all said\n"
        assert process.stderr.read() == b""
