"""The owner of the output threads, with sinks that do as they are told."""

import signal
import threading
import time
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from vosctl.errors import VosctlError
from vosctl.interrupts import held
from vosctl.outputs import Outputs, end_all
from vosctl.tracking.results import TrackedFrame
from vosctl.video.frames import Frame

PIXELS = np.zeros((4, 4, 3), np.uint8)
RESULT = TrackedFrame(PIXELS[..., 0], PIXELS[..., 0], ())


def frame(index):
    return Frame(index, PIXELS, index, Fraction(1, 25))


class Scripted:
    """A sink that hangs where it is told to, until it is released (or cancelled, if it listens to that)."""

    def __init__(self, hangs_in="", listens=False, fails_in="", works=0):
        self.name, self.path, self.partial = "scripted", Path("out.mkv"), None
        self.hangs_in, self.listens, self.fails_in, self.works = hangs_in, listens, fails_in, works
        self.release = threading.Event()
        self.calls, self.threads = [], set()

    def _step(self, name):
        self.calls.append(name)
        self.threads.add(threading.current_thread())
        if name == self.hangs_in:
            self.release.wait(60)
        if name == self.fails_in:
            raise VosctlError(f"{name} failed")

    def write(self, frame, result):
        self._step("write")

    def finish(self):
        for _ in range(self.works):  # a large file: slow, but it moves
            time.sleep(0.1)
            self.partial.write_bytes(self.partial.read_bytes() + b"x")
        self._step("finish")
        return self.path

    def abort(self):
        self._step("abort")
        return Path("out.partial.mkv")

    def cancel(self):
        if self.listens:
            self.release.set()

    def abandon(self):
        assert threading.current_thread() not in self.threads
        return Path("out.damaged.mkv")


@contextmanager
def heard():
    """Signals are held in here, and the one that comes is raised at the end."""
    with pytest.raises(KeyboardInterrupt), held():
        yield


def wait_for(sink, call):
    while call not in sink.calls:
        time.sleep(0.001)


def fill(outputs):
    for index in range(100):
        outputs.write(frame(index), RESULT)


@pytest.fixture
def scripted():
    made = []

    def make(**settings):
        made.append(Scripted(**settings))
        return made[-1]

    yield make
    for sink in made:
        sink.release.set()


def test_the_thread_that_writes_also_ends_the_output(scripted):
    done, given_up = scripted(), scripted()
    for sink, end in ((done, Outputs.finish), (given_up, Outputs.abort)):
        outputs = Outputs([sink])
        outputs.write(frame(0), RESULT)
        wait_for(sink, "write")
        end(outputs)
        assert len(sink.threads) == 1
        assert threading.current_thread() not in sink.threads
    assert done.calls == ["write", "finish"]
    assert given_up.calls == ["write", "abort"]


def test_an_output_that_fails_takes_the_others_along(scripted):
    bad, other, told = scripted(fails_in="write"), scripted(), []
    outputs = Outputs([bad, other], told.append)
    with pytest.raises(VosctlError, match="write failed"):
        fill(outputs)
    outputs.abort()
    assert [str(error) for error in told] == ["write failed"]
    assert outputs.kept == [Path("out.partial.mkv")] * 2
    assert outputs.finished == []
    assert bad.calls[-1] == other.calls[-1] == "abort"


def test_a_sink_whose_abort_fails_does_not_hang_the_end(scripted):
    outputs = Outputs([scripted(fails_in="abort")])
    outputs.abort()
    assert outputs.kept == [Path("out.damaged.mkv")]


@pytest.mark.parametrize("where", ["write", "abort"])
def test_an_output_that_hangs_is_left_after_its_patience_and_named(scripted, where):
    hanging, good = scripted(hangs_in=where), scripted()
    outputs = Outputs([hanging, good], patience=0.2)
    outputs.write(frame(0), RESULT)
    wait_for(hanging, "write")
    outputs.abort()
    assert outputs.kept == [Path("out.damaged.mkv"), Path("out.partial.mkv")]


def test_one_that_waits_for_its_reader_is_told_to_stop(scripted):
    waiting = scripted(hangs_in="write", listens=True)
    outputs = Outputs([waiting], patience=60)
    outputs.write(frame(0), RESULT)
    wait_for(waiting, "write")
    outputs.abort()
    assert waiting.calls == ["write", "abort"]


def test_completing_waits_as_long_as_it_takes_unless_interrupted(scripted):
    slow = scripted(hangs_in="finish")
    outputs = Outputs([slow], patience=0.05)
    outputs.write(frame(0), RESULT)
    threading.Timer(0.5, slow.release.set).start()
    assert outputs.finish() == [Path("out.mkv")]


def test_an_interrupt_while_completing_lets_the_outputs_be_completed(scripted):
    slow = scripted(hangs_in="finish")
    outputs = Outputs([slow], patience=60)
    outputs.write(frame(0), RESULT)
    with heard():
        for _ in range(3):
            signal.raise_signal(signal.SIGINT)
        threading.Timer(0.2, slow.release.set).start()
        assert outputs.finish() == [Path("out.mkv")]
    assert slow.calls == ["write", "finish"]


def test_an_interrupt_while_completing_leaves_what_stands_still(scripted):
    outputs = Outputs([scripted(hangs_in="finish"), scripted()], patience=0.1)
    outputs.write(frame(0), RESULT)
    with heard():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(VosctlError, match="made no progress"):
            outputs.finish()
    assert outputs.finished == [Path("out.mkv")]
    assert outputs.kept == [Path("out.damaged.mkv")]


def test_a_file_that_still_grows_is_waited_for(scripted, tmp_path):
    large = scripted(works=8)
    large.partial = tmp_path / "out.partial.mkv"
    large.partial.write_bytes(b"x")
    outputs = Outputs([large], patience=0.5)
    outputs.write(frame(0), RESULT)
    with heard():
        signal.raise_signal(signal.SIGINT)
        assert outputs.finish() == [Path("out.mkv")]


def test_an_interrupt_ends_the_wait_for_an_output_that_takes_nothing(scripted):
    stuck = scripted(hangs_in="write")
    outputs = Outputs([stuck], patience=0.1)
    threading.Timer(0.3, signal.raise_signal, [signal.SIGINT]).start()
    with heard():
        fill(outputs)
        outputs.abort()
    assert outputs.kept == [Path("out.damaged.mkv")]


@pytest.mark.parametrize("completes", [False, True])
def test_the_last_resort_ends_every_run_as_it_asked_for(scripted, completes):
    sink = scripted()
    outputs = Outputs([sink], completes=completes)
    outputs.write(frame(0), RESULT)
    left = end_all()
    assert (Path("out.mkv") if completes else Path("out.partial.mkv")) in left
    assert sink.calls[-1] == ("finish" if completes else "abort")
    outputs.abort()
    assert sink.calls.count("abort") + sink.calls.count("finish") == 1
