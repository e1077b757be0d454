"""What only a CUDA device can show; left out without one. `tools/gpu_check.py` runs them where there is one."""

import copy

import numpy as np
import pytest
import torch

from vosctl import Tracker, TrackingSettings
from vosctl.demo import demo_clip
from vosctl.engine import create_engine
from vosctl.engine.devices import resolve_placement
from vosctl.engine.torch_recording import Recordings, recorder_for
from vosctl.tracking.arriving import ArrivingFrame
from vosctl.video.masks import read_indexed_png
from vosctl.video.sources import open_source

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")]

FRAMES = 40
AGREE = 0.995


@pytest.fixture(scope="module")
def clip():
    """Real frames, and the object in the first."""
    video, mask = demo_clip()
    with open_source(str(video)) as source:
        frames = [frame.picture for _, frame in zip(range(FRAMES), source, strict=False)]
    return frames, read_indexed_png(mask)


@pytest.fixture(scope="module")
def wanted(clip):
    """What the CPU gives in fp32, on the plain path."""
    engine = create_engine("lite", engine="torch", device="cpu", precision="fp32")
    return followed(clip, Tracker(engine, TrackingSettings(temporal_smoothing=False)))


def followed(clip, tracker):
    frames, mask = clip
    tracker.start(frames[0], mask)
    return [tracker.step(frame) for frame in frames[1:]]


def assert_agree(found, wanted):
    for one, other in zip(found, wanted, strict=True):
        assert (one.labels == other.labels).mean() >= AGREE
        assert [(a.id, a.status) for a in one.objects] == [(a.id, a.status) for a in other.objects]


@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_masks_and_words_are_those_of_the_cpu(clip, wanted, precision, on_device):
    engine = create_engine("lite", engine="torch", device="cuda", precision=precision)
    assert engine.info.precision == precision
    assert engine.info.device.startswith("cuda:0 (")
    tracker = Tracker(engine, TrackingSettings(on_device=on_device, temporal_smoothing=False))
    found = followed(clip, tracker)
    assert_agree(found, wanted)
    assert tracker.notes == []
    if on_device:
        assert all(isinstance(one, ArrivingFrame) for one in found)


def test_objects_come_and_go_in_recorded_steps(clip):
    """A step on the device, recorded, against one that is not, bit by bit of the labels but for a few pixels."""
    frames, mask = clip
    second = np.roll(mask, 150, axis=1)
    results = []
    for recorded in (True, False):
        from vosctl.engine.torch_engine import TorchEngine
        from vosctl.weights.networks import load_network

        placement = resolve_placement("cuda", "fp32")
        recorder = recorder_for if recorded else (lambda device: None)
        tracker = Tracker(
            TorchEngine(load_network("lite"), placement, "lite", recorder=recorder), TrackingSettings(on_device=True)
        )
        tracker.start(frames[0], mask)
        tracker.step(frames[1])
        tracker.add(frames[1], second, 2)
        found = [tracker.step(frame).labels.copy() for frame in frames[2:8]]
        tracker.remove(2)
        found += [tracker.step(frame).labels.copy() for frame in frames[8:14]]
        assert tracker.notes == []
        results.append(found)
    for one, other in zip(*results, strict=True):
        assert (one == other).mean() >= AGREE


def test_a_cuda_graph_leaves_what_the_step_changes_as_it_was():
    device = torch.device("cuda", 0)
    counter = torch.zeros(1, device=device)
    notes: list[str] = []
    recordings: Recordings[torch.Tensor] = Recordings(recorder_for(device), notes)
    step = recordings.get("key", "the step", lambda: counter.add_(1).clone(), [counter])
    assert counter.item() == 0
    assert [step().item() for _ in range(3)] == [1, 2, 3]
    assert notes == []


@pytest.mark.parametrize("paper", [False, True], ids=["full frame", "paper"])
def test_full_frames_are_those_of_the_cpu(clip, tiny_rgmp, paper):
    from tests.helpers.balanced import balance
    from vosctl.engine.torch_engine import TorchEngine

    frames, mask = clip
    balance(tiny_rgmp, frames[0].to_rgb(), mask > 0)
    found = []
    for device, on_device in (("cpu", False), ("cuda", True)):
        engine = TorchEngine(copy.deepcopy(tiny_rgmp), resolve_placement(device, "fp32"), "tiny")
        usual = TrackingSettings(window=False, on_device=on_device)
        tracker = Tracker(engine, TrackingSettings.paper(on_device=on_device) if paper else usual)
        found.append(followed((frames[:6], mask), tracker))
        assert tracker.notes == []
    assert_agree(*reversed(found))


def test_nvdec_gives_the_cpus_pictures():
    from vosctl.video.hardware import why_no_nvdec

    if (reason := why_no_nvdec()) is not None:
        pytest.skip(reason)
    video, _ = demo_clip()
    with open_source(str(video)) as plain, open_source(str(video), decoder="nvdec") as there:
        for one, other in zip(plain, there, strict=True):
            assert np.abs(one.image.astype(int) - other.image).mean() < 1


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])  # last: TensorRT builds its engines, both ways use them
def test_onnx_runtimes_providers_give_the_cpus_masks(clip, wanted, provider):
    from vosctl.engine.providers import Provider, why_unusable

    if (lack := why_unusable(Provider(provider))) is not None:
        pytest.skip(str(lack))
    engine = create_engine("lite", engine="onnx", provider=provider)
    assert_agree(followed(clip, Tracker(engine)), wanted)
    tracker = Tracker(engine, TrackingSettings(on_device=True))
    found = followed(clip, tracker)
    assert_agree(found, wanted)
    assert tracker.notes == [], "torch's stream is taken"
    assert all(isinstance(one, ArrivingFrame) for one in found)
