import signal
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.helpers.frames import square_frame
from vosctl import Tracker
from vosctl.errors import VosctlError
from vosctl.interrupts import held
from vosctl.pipeline import LatencyHistogram, Pipeline
from vosctl.tracking import TrackedFrame
from vosctl.video.frames import Frame, SourceInfo
from vosctl.video.sinks import OutputRequest, open_sinks

RED = (230, 40, 40)


def scene(count):
    made = [square_frame(60, 80, (1, RED, 10 + index, 20, 20)) for index in range(count)]
    frames = [Frame(index, image, index, Fraction(1, 25)) for index, (image, _) in enumerate(made)]
    return frames, made[0][1]


class Recorder:
    """A sink that remembers what was asked of it, and by which thread."""

    def __init__(self, name="recorder", fail_at=None, fail_finish=False, delay=0.0):
        self.name, self.path, self.partial = name, Path(name), None
        self.fail_at, self.fail_finish, self.delay = fail_at, fail_finish, delay
        self.indices, self.threads = [], set()
        self.finished = self.aborted = False
        self.wrote = threading.Event()

    def write(self, frame, result):
        time.sleep(self.delay)
        if frame.index == self.fail_at:
            raise VosctlError(f"{self.name}: the disk is full")
        self.indices.append(frame.index)
        self.wrote.set()
        self.threads.add(threading.current_thread())

    def finish(self):
        if self.fail_finish:
            raise VosctlError(f"{self.name}: cannot be completed")
        self.finished = True
        return self.path

    def abort(self):
        self.aborted = True
        return self.path.with_suffix(".partial") if self.indices else None

    def cancel(self):
        pass

    def abandon(self):
        return self.path.with_suffix(".damaged")


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = threading.active_count()
    yield
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def pipeline(frames, mask, engine, *sinks, **settings):
    return Pipeline(frames, Tracker(engine), mask, sinks, **settings)


class ArrivingLater(TrackedFrame):
    arrives_later = True


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_result_that_is_under_way_is_given_out_when_the_next_is_too(bright_engine, count):
    frames, mask = scene(count)
    tracker, events, sink = Tracker(bright_engine), [], Recorder()

    def follow(frame):
        events.append(("followed", frame.index))
        result = tracker.step(frame.picture) if frame.index else tracker.start(frame.picture, mask)
        return ArrivingLater(result.labels, result.alpha, result.objects) if frame.index % 3 else result

    Pipeline(frames, tracker, mask, [sink], lambda f, r: events.append(("told", f.index)), follow=follow).run()
    assert sink.indices == [index for what, index in events if what == "told"] == list(range(count))
    for index in range(count - 1):
        later = events.index(("told", index)) > events.index(("followed", index + 1))
        assert later == bool(index % 3)


def test_every_output_gets_every_frame_in_order(bright_engine):
    frames, mask = scene(30)
    fast, slow = Recorder("fast"), Recorder("slow", delay=0.002)
    seen = []
    summary = pipeline(frames, mask, bright_engine, fast, slow, on_frame=lambda f, r: seen.append(f.index)).run()
    assert fast.indices == slow.indices == seen == list(range(30))
    assert summary.frames == 30
    assert summary.outputs == (Path("fast"), Path("slow"))
    assert summary.seconds > 0
    assert 0 < summary.p50 <= summary.p95
    assert len(fast.threads | slow.threads) == 2
    assert threading.current_thread() not in fast.threads


def test_max_frames_ends_an_endless_source(bright_engine):
    frames, mask = scene(1)

    def endless():
        index = 0
        while True:
            yield Frame(index, frames[0].image, index, Fraction(1, 25))
            index += 1

    sink = Recorder()
    assert pipeline(endless(), mask, bright_engine, sink).run(max_frames=7).frames == 7
    assert sink.indices == list(range(7))


def test_no_number_of_frames_is_too_large(bright_engine):
    frames, mask = scene(3)
    assert pipeline(iter(frames), mask, bright_engine, Recorder()).run(max_frames=10**24).frames == 3


def test_frames_wait_in_short_queues(bright_engine):
    """A slow output holds the source back: memory does not grow with the video."""
    frames, mask = scene(60)
    read = []

    def counted():
        for frame in frames:
            read.append(frame.index)
            yield frame

    sink = Recorder(delay=0.003)
    ahead = []
    sink_write = sink.write
    sink.write = lambda frame, result: (ahead.append(len(read) - frame.index), sink_write(frame, result))
    pipeline(counted(), mask, bright_engine, sink).run()
    assert max(ahead) <= 13


def test_an_error_of_one_output_ends_the_run_once(bright_engine):
    frames, mask = scene(50)
    good, bad = Recorder("good"), Recorder("bad", fail_at=3)
    bad.write = lambda frame, result: (good.wrote.wait(60), Recorder.write(bad, frame, result))
    run = pipeline(frames, mask, bright_engine, good, bad)
    with pytest.raises(VosctlError, match="bad: the disk is full"):
        run.run()
    assert not good.finished
    assert good.aborted
    assert bad.aborted
    assert run.kept == [Path("good.partial"), Path("bad.partial")]


def test_an_error_while_finishing_keeps_what_others_finished(bright_engine):
    frames, mask = scene(5)
    good, bad = Recorder("good"), Recorder("bad", fail_finish=True, delay=0.01)
    with pytest.raises(VosctlError, match="cannot be completed"):
        pipeline(frames, mask, bright_engine, good, bad).run()
    assert bad.aborted
    assert good.finished != good.aborted


def test_an_error_of_the_source_ends_the_run(bright_engine):
    frames, mask = scene(10)

    def broken():
        yield from frames
        raise VosctlError("clip.mp4: the connection was lost")

    sink = Recorder()
    with pytest.raises(VosctlError, match="connection was lost"):
        pipeline(broken(), mask, bright_engine, sink).run()
    assert sink.aborted
    assert not sink.finished


def test_an_error_of_the_tracker_ends_the_run(bright_engine):
    frames, mask = scene(10)
    frames[6] = Frame(6, np.zeros((10, 10, 3), np.uint8), 6, Fraction(1, 25))
    sink = Recorder()
    with pytest.raises(VosctlError, match="all must be of one size"):
        pipeline(frames, mask, bright_engine, sink).run()
    assert sink.aborted


def test_a_source_without_frames_is_an_error(bright_engine):
    sink = Recorder()
    with pytest.raises(VosctlError, match="gave no frame"):
        pipeline([], scene(1)[1], bright_engine, sink).run()
    assert sink.aborted


@pytest.mark.parametrize("live", [False, True])
def test_an_interrupt_gives_files_up_and_completes_live_recordings(bright_engine, live):
    frames, mask = scene(30)
    sink = Recorder()

    def interrupt(frame, result):
        if frame.index == 4:
            raise KeyboardInterrupt

    run = pipeline(frames, mask, bright_engine, sink, on_frame=interrupt)
    with pytest.raises(KeyboardInterrupt):
        run.run(finish_on_interrupt=live)
    assert sink.finished == live
    assert sink.aborted != live
    assert max(sink.indices, default=0) <= 4


def run_held(run, longer):
    """Run to the interrupt, and hold signals for some seconds more: all of them come before they are raised again."""
    with held():
        try:
            run.run()
        finally:
            time.sleep(longer)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("gap", [0.0, 0.005, 0.03])
def test_signals_one_after_another_leave_a_file_that_plays_and_is_named(bright_engine, tmp_path, count, gap):
    """With a real encoder; the further ones come while the output is being ended."""
    frames, mask = scene(200)
    info = SourceInfo("clip", 80, 60, Fraction(25), Fraction(1, 25))
    sinks = open_sinks(OutputRequest(cutout=tmp_path / "cut.mov", overlay=tmp_path / "o.mp4"), info, print)

    def interrupt(frame, result):
        if frame.index == 10:
            signal.raise_signal(signal.SIGINT)
            for number in range(1, count):
                threading.Timer(number * gap, signal.raise_signal, [signal.SIGINT]).start()

    run = pipeline(frames, mask, bright_engine, *sinks, on_frame=interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_held(run, count * gap + 0.02)
    assert set(run.kept) == set(tmp_path.iterdir()) == {tmp_path / "o.partial.mp4", tmp_path / "cut.partial.mov"}
    for path in run.kept:
        with av.open(str(path)) as container:
            assert 5 <= sum(1 for _ in container.decode(video=0)) <= 11


def test_an_interrupt_while_the_outputs_are_completed_does_not_undo_them(bright_engine):
    frames, mask = scene(5)
    sink = Recorder()
    sink.finish = lambda: (signal.raise_signal(signal.SIGINT), Recorder.finish(sink))[1]
    run = pipeline(frames, mask, bright_engine, sink)
    with pytest.raises(KeyboardInterrupt):
        run.run()
    assert sink.finished
    assert not sink.aborted
    assert run.kept == [Path("recorder")]


def test_an_interrupt_ends_the_wait_for_a_source_that_is_silent(bright_engine):
    frames, mask = scene(3)
    stopped = threading.Event()

    def silent():
        yield from frames
        threading.Timer(0.1, signal.raise_signal, [signal.SIGINT]).start()
        stopped.wait(60)

    sink = Recorder()
    run = pipeline(silent(), mask, bright_engine, sink, stop_reading=stopped.set)
    with pytest.raises(KeyboardInterrupt):
        run.run()
    assert sink.indices == [0, 1, 2]
    assert run.kept == [Path("recorder.partial")]


def test_percentiles():
    histogram = LatencyHistogram()
    assert histogram.percentile(50) == 0
    for milliseconds in range(1, 101):
        histogram.add(milliseconds / 1e3)
    assert histogram.percentile(50) == pytest.approx(0.050, abs=0.001)
    assert histogram.percentile(95) == pytest.approx(0.095, abs=0.001)
    histogram.add(1e6)
    assert histogram.percentile(100) == pytest.approx(60, abs=0.1)


def test_a_source_that_blocks_does_not_hold_an_interrupt_up(bright_engine):
    frames, mask = scene(3)
    release = threading.Event()

    def stalled():
        yield from frames
        release.wait(30)

    def interrupt(frame, result):
        if frame.index == 2:
            raise KeyboardInterrupt

    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        pipeline(stalled(), mask, bright_engine, Recorder(), on_frame=interrupt).run()
    assert time.monotonic() - begin < 20
    release.set()
