import itertools

import numpy as np
import pytest

from tests.helpers.bright_network import bright_torch_engine
from vosctl.engine import EngineInfo, Step
from vosctl.errors import UsageError
from vosctl.live.pacing import NETWORK_SHARE, SIZES, Paces, measure_paces


class TimedEngine:
    """An engine whose step takes a time that grows with the crop's area, on a clock of its own."""

    stride = 32
    crop_size = 256
    takes_float = False
    info = EngineInfo("fake", "timed", "timed", "cpu", "fp32")

    def __init__(self, seconds_at_256, first_is_slow=False):
        self.at_256, self.now, self.sizes = seconds_at_256, 0.0, []
        self.slow = {*SIZES} if first_is_slow else set()

    def clock(self):
        return self.now

    def encode_reference(self, image, mask):
        return image.shape[0]

    def propagate(self, images, masks, states):
        size = images.shape[1]
        assert images.shape == (len(states), size, size, 3)
        assert masks.shape == (len(states), size, size)
        self.sizes.append(size)
        self.now += len(states) * self.at_256 * (size / 256) ** 2 + (1.0 if size in self.slow else 0.0)
        self.slow.discard(size)
        return Step(np.zeros_like(masks), states)


def pace_of(engine, objects=1):
    return measure_paces(engine, 30.0, clock=engine.clock).choose(objects)


@pytest.mark.parametrize(
    ("at_256", "objects", "size"),
    [(0.005, 1, 384), (0.0145, 1, 288), (0.020, 1, 256), (0.0085, 2, 256), (0.03, 1, 192)],
)
def test_the_largest_that_keeps_up_is_taken(at_256, objects, size):
    """At 30 fps the network has 20 ms a frame; a step at size s takes at_256 times the objects times the area."""
    pace = pace_of(TimedEngine(at_256), objects)
    expected = max(s for s in SIZES if objects * at_256 * (s / 256) ** 2 <= NETWORK_SHARE / 30.0)
    assert pace.size == size == expected
    assert pace.keeps_up
    assert pace.step == pytest.approx(objects * at_256 * (size / 256) ** 2)
    assert f"crop of {size} pixels" in str(pace)


def test_a_machine_that_is_too_slow_gets_the_smallest_and_is_told():
    engine = TimedEngine(0.2)
    pace = pace_of(engine)
    assert (pace.size, pace.keeps_up) == (192, False)
    assert "too slow" in str(pace)
    assert set(engine.sizes) == {192}


def test_more_objects_than_were_measured_get_a_smaller_crop():
    paces = Paces(((192, 0.005), (256, 0.01), (320, 0.03)), 30.0)
    assert [paces.choose(objects).size for objects in (1, 2, 3, 4, 5)] == [256, 256, 192, 192, 192]
    assert [paces.choose(objects).keeps_up for objects in (4, 5)] == [True, False]


def test_the_first_step_at_a_size_does_not_count():
    """Runtimes allocate then."""
    pace = pace_of(TimedEngine(0.005, first_is_slow=True))
    assert pace.size == 384
    assert pace.step == pytest.approx(0.005 * (384 / 256) ** 2)


def test_a_source_of_few_frames_does_not_make_it_measure_for_long():
    engine = TimedEngine(0.3)
    assert measure_paces(engine, 1.0, clock=engine.clock).choose(1).size == 224


def test_only_multiples_of_the_stride_are_tried():
    engine = TimedEngine(0.001)
    engine.stride = 64
    measure_paces(engine, 30.0, clock=engine.clock)
    assert set(engine.sizes) == {192, 256, 320, 384}


class ExportedEngine(TimedEngine):
    """One of graphs that were exported for one size."""

    def __init__(self, size):
        super().__init__(0.001)
        self.crop_size = size

    def encode_reference(self, image, mask):
        if image.shape[0] != self.crop_size:
            raise UsageError(f"exported for {self.crop_size}")
        return super().encode_reference(image, mask)


@pytest.mark.parametrize("size", [320, 448])
def test_graphs_for_one_size_are_run_in_that(size):
    assert pace_of(ExportedEngine(size)).size == size


def test_graphs_that_no_crop_fits_say_so():
    engine = ExportedEngine(320)
    engine.encode_reference = lambda image, mask: (_ for _ in ()).throw(UsageError("exported for 320x480"))
    with pytest.raises(UsageError, match="exported for 320x480"):
        pace_of(engine)


class DeviceEngine(TimedEngine):
    """One that follows on its device, where a frame takes another time than a step of the plain path."""

    def __init__(self, seconds_at_256, frame=0.0):
        super().__init__(seconds_at_256)
        self.frame, self.opened = frame, []

    def propagate(self, images, masks, states):
        raise AssertionError("the plain path is not what will be used")

    def check_on_device(self):
        pass

    def open_crops(self, height, width, size, fill):
        self.opened.append((height, width, size))
        return DeviceCrops(self, (height, width), size)


class DeviceCrops:
    def __init__(self, engine, frame, size):
        self.engine, self.frame, self.size = engine, frame, size

    def take(self, objects):
        (one,) = objects
        assert one.state == self.size
        assert one.probability.shape == (self.size, self.size)

    def send(self, picture):
        assert picture.shape == (*self.frame, 3)
        self.engine.now += self.engine.frame

    def look(self, looks):
        (look,) = looks
        assert look.crop == look.seen_in
        assert look.crop[2] == self.size
        self.engine.now += self.engine.at_256 * (self.size / 256) ** 2 / 2
        return lambda: self

    def arrive(self):
        self.engine.now += self.engine.at_256 * (self.size / 256) ** 2 / 2


def device_pace(engine, objects=1):
    return measure_paces(engine, 30.0, on_device=(720, 1280), clock=engine.clock).choose(objects)


@pytest.mark.parametrize(
    ("at_256", "frame", "objects", "size"),
    [(0.0145, 0.0, 1, 288), (0.0085, 0.0, 2, 256), (0.005, 0.0, 3, 224), (0.005, 0.0, 4, 224), (0.0145, 0.006, 1, 224)],
)
def test_on_the_device_a_whole_frame_is_timed_there(at_256, frame, objects, size):
    """Three objects take the room of four."""
    engine = DeviceEngine(at_256, frame)
    pace = device_pace(engine, objects)
    assert pace.size == size
    assert pace.keeps_up
    room = 4 if objects == 3 else objects
    assert pace.step == pytest.approx(room * (frame + at_256 * (size / 256) ** 2))
    assert {one[:2] for one in engine.opened} == {(720, 1280)}


def test_the_real_one_is_timed_too():
    engine = bright_torch_engine(tells_presence=True)
    paces = measure_paces(engine, 0.01, on_device=(48, 64), clock=itertools.count().__next__)
    assert paces.on_device
    assert [size for size, _ in paces.steps] == [192]
    with pytest.raises(UsageError, match="`on_device=True`: the fake engine cannot"):
        measure_paces(TimedEngine(0.1), 30.0, on_device=(48, 64))
