"""ONNX Runtime on torch's memory, here the CPU's: the ordinary path's numbers, memory that stays, turns taken."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.engine.test_torch_recording import ReplayRecorder
from tests.helpers.late_queue import LateQueue
from vosctl import Tracker, TrackingSettings
from vosctl.demo import demo_clip
from vosctl.engine import create_engine
from vosctl.engine.onnx_engine import OnnxEngine
from vosctl.engine.onnx_on_device import HostTurns, OnnxNetwork, OnnxOnDevice, takes_stream, turns_for
from vosctl.engine.onnx_sessions import open_checkpoint
from vosctl.engine.providers import Provider
from vosctl.engine.references import ReferenceStates, side_by_side
from vosctl.errors import UsageError, VosctlError
from vosctl.tracking.arriving import ArrivingFrame
from vosctl.video.masks import read_indexed_png
from vosctl.video.sources import open_source
from vosctl.weights.checkpoint import load_checkpoint

AGREE = 0.995
SIZE = 96


@pytest.fixture(scope="module")
def graphs():
    return open_checkpoint(load_checkpoint("lite"), Provider("cpu"))


@pytest.fixture(scope="module")
def engine(graphs):
    return OnnxEngine(graphs, "lite")


@pytest.fixture(scope="module")
def flower():
    """Real frames, and the object in the first."""
    video, mask = demo_clip()
    with open_source(str(video)) as source:
        frames = [frame.picture for _, frame in zip(range(24), source, strict=False)]
    return frames, read_indexed_png(mask)


def there_with(graphs, **settings):
    names = graphs.metadata.state_names
    return OnnxOnDevice(graphs, "lite", ReferenceStates(names, side_by_side("lite"), np.concatenate), **settings)


def crops(flower, count):
    """Crops of the flower's frames, its masks there, and the references of the first."""
    frames, labels = flower
    images = np.stack([frames[index].to_rgb()[200 : 200 + SIZE, 400 : 400 + SIZE] for index in range(count)])
    mask = np.roll(labels, (-40, -60), (0, 1))[200 : 200 + SIZE, 400 : 400 + SIZE] > 0
    masks = np.stack([np.roll(mask, 5 * index, 1).astype(np.float32) for index in range(count)])
    assert 0.05 < masks.mean() < 0.95
    return images, masks


def as_torch(images, masks, states):
    batch = tuple(torch.from_numpy(np.concatenate(arrays)) for arrays in zip(*states, strict=True))
    return torch.from_numpy(images).permute(0, 3, 1, 2) / 255, torch.from_numpy(masks)[:, None], batch


@pytest.mark.parametrize("count", [1, 3])
def test_the_numbers_are_those_of_the_ordinary_path_bit_by_bit(graphs, engine, flower, count):
    images, masks = crops(flower, count)
    states = [engine.encode_reference(image, mask) for image, mask in zip(images, masks, strict=True)]
    wanted = engine.propagate(images, masks, states)
    network = OnnxNetwork(there_with(graphs))
    assert network.presence is not None
    image, mask, batch = as_torch(images, masks, states)
    probability, presence = network.propagate_with_presence(image, mask, *batch)
    np.testing.assert_array_equal(probability[:, 0].numpy(), wanted.probabilities)
    np.testing.assert_array_equal(presence.numpy(), wanted.presence)
    np.testing.assert_array_equal(network.propagate(image, mask, *batch)[:, 0].numpy(), wanted.probabilities)
    assert wanted.probabilities.std() > 0.1


def test_tensors_are_bound_once_and_read_anew_in_each_step(graphs, engine, flower):
    images, masks = crops(flower, 2)
    states = [engine.encode_reference(image, mask) for image, mask in zip(images, masks, strict=True)]
    network = OnnxNetwork(there_with(graphs))
    image, mask, batch = as_torch(images, masks, states)
    first = network.propagate(image, mask, *batch)
    before = first.clone()
    again = network.propagate(image.flip(0), mask.flip(0), *batch)
    assert again.data_ptr() == first.data_ptr()
    assert not torch.equal(again, before)
    for tensor in batch:  # another reference, in place
        tensor.copy_(tensor.flip(0))
    swapped = network.propagate(image.flip(0), mask.flip(0), *batch)
    assert swapped.data_ptr() == first.data_ptr()
    torch.testing.assert_close(swapped, before.flip(0))
    alone = network.propagate(image[:1], mask[:1], *(tensor[:1].clone() for tensor in batch))
    assert alone.data_ptr() != first.data_ptr(), "another number of objects has memory of its own"


def followed(tracker, frames, labels):
    tracker.start(frames[0], labels)
    results = [tracker.step(frame) for frame in frames[1:]]
    return [(one.labels, [(seen.id, seen.status) for seen in one.objects], type(one)) for one in results]


def compare(engine, settings, frames, labels):
    plain, there = (
        followed(Tracker(engine, replace(settings, on_device=on_device)), frames, labels) for on_device in (False, True)
    )
    for (wanted, words, _), (found, other, _) in zip(plain, there, strict=True):
        assert (found == wanted).mean() >= AGREE
        assert words == other
        assert (wanted > 0).any()
    return [kind for *_, kind in there]


@pytest.mark.parametrize("count", [4, pytest.param(24, marks=pytest.mark.slow)])
def test_a_real_clip_has_the_ordinary_paths_masks(engine, flower, count):
    frames, labels = flower
    kinds = compare(engine, TrackingSettings(temporal_smoothing=False), frames[:count], labels)
    assert set(kinds) == {ArrivingFrame}


def test_the_full_frame_has_the_ordinary_paths_masks(engine, flower):
    frames, labels = flower
    small = [np.ascontiguousarray(frame.to_rgb()[::3, ::3]) for frame in frames[:3]]
    kinds = compare(engine, TrackingSettings(window=False, scales=(0.5, 1.0)), small, labels[::3, ::3])
    assert set(kinds) == {ArrivingFrame}


def test_objects_come_go_and_get_a_second_reference_as_on_the_ordinary_path(engine, flower):
    frames, labels = flower
    second = np.where(np.roll(labels, 250, 1) > 0, 2, 0).astype(np.uint8)
    results = []
    for on_device in (False, True):
        settings = TrackingSettings(window_size=160, on_device=on_device, temporal_smoothing=False)
        tracker = Tracker(engine, settings)
        tracker.start(frames[0], labels)
        found = [tracker.step(frames[1]), tracker.step(frames[2], second, [2])]
        found += [tracker.step(frames[3])]
        found += [tracker.step(frames[4], found[-1].labels * (found[-1].labels == 1))]
        found += [tracker.step(frames[5])]
        references = tracker.references
        tracker.remove(2)
        found += [tracker.step(frames[6])]
        results.append(([(one.labels, [seen.id for seen in one.objects]) for one in found], references))
    (plain, references), (there, others) = results
    assert references == others == {1: 2, 2: 1}
    for (wanted, ids), (labels_there, ids_there) in zip(plain, there, strict=True):
        assert (labels_there == wanted).mean() >= AGREE
        assert ids == ids_there


def test_what_comes_down_late_is_waited_for(graphs, engine, flower):
    queue = LateQueue()
    late = OnnxEngine(graphs, "lite", there_with(graphs, queue=lambda device: queue))
    frames, labels = flower
    settings = TrackingSettings(window_size=160, on_device=True)
    wanted, found = (followed(Tracker(one, settings), frames[:4], labels) for one in (engine, late))
    assert len(queue.waits) >= 3
    for one, other in zip(wanted, found, strict=True):
        np.testing.assert_array_equal(one[0], other[0])


def test_what_is_before_and_after_the_graph_is_recorded(graphs, engine, flower):
    recorder = ReplayRecorder()
    recorded = OnnxEngine(graphs, "lite", there_with(graphs, recorder=lambda device: recorder))
    frames, labels = flower
    second = np.where(np.roll(labels, 250, 1) > 0, 2, 0).astype(np.uint8)
    results = []
    for one in (engine, recorded):
        tracker = Tracker(one, TrackingSettings(window_size=160, on_device=True))
        tracker.start(frames[0], labels)
        found = [tracker.step(frames[1]), tracker.step(frames[2]), tracker.step(frames[3], second, [2])]
        found += [tracker.step(frames[4])]
        tracker.remove(2)
        found += [tracker.step(frames[5]), tracker.step(frames[6])]
        results.append([(seen.labels, seen.objects, isinstance(seen, ArrivingFrame)) for seen in found])
        assert tracker.notes == []
    for (wanted, objects, on_device), (found_labels, others, other) in zip(*results, strict=True):
        np.testing.assert_array_equal(found_labels, wanted)
        assert objects == others
        assert on_device == other
    assert recorder.recorded == 2 * len({1, 2}), "cutting and merging, each for one object and for two"
    assert recorder.played == 2 * len(results[0]), "every frame, that with a mask too"


class NotedTurns:
    """Notes whose turn it is, and stands for a stream of an address."""

    def __init__(self, stream, noted):
        self.stream, self._noted = stream, noted

    def to_graph(self):
        self._noted.append("to graph")

    def to_torch(self):
        self._noted.append("to torch")

    def wait(self):
        self._noted.append("wait for torch")


class NotedSession:
    """A session that notes when it runs and whether it is waited for, and tells what stream it was given."""

    def __init__(self, session, noted, stream):
        self._session, self._noted, self._stream = session, noted, stream

    def io_binding(self):
        return self._session.io_binding()

    def get_provider_options(self):
        return {"CUDAExecutionProvider": {"user_compute_stream": self._stream}, "CPUExecutionProvider": {}}

    def run_with_iobinding(self, binding, options=None):
        waits = options is None or options.get_run_config_entry("disable_synchronize_execution_providers") != "1"
        self._noted.append("run, waited for" if waits else "run")
        self._session.run_with_iobinding(binding)


def run_on_stream(graphs, engine, flower, told):
    """Run a step on stream 77 of a session that tells another or the same; return what was noted, and the notes."""
    noted = []

    def open_step(stream):
        noted.append(f"opened on {stream}")
        return NotedSession(graphs.step, noted, told)

    there = there_with(replace(graphs, open_step=open_step), turns=lambda device: NotedTurns(77, noted))
    images, masks = crops(flower, 1)
    image, mask, batch = as_torch(images, masks, [engine.encode_reference(images[0], masks[0])])
    OnnxNetwork(there).propagate(image, mask, *batch)
    return noted, there.open_crops(SIZE, SIZE, SIZE, (0, 0, 0)).notes


def test_onnx_runtime_computes_on_torchs_stream_and_nobody_waits(graphs, engine, flower):
    noted, notes = run_on_stream(graphs, engine, flower, "77")
    assert noted == ["opened on 77", "to graph", "run", "to torch"]
    assert notes == []


def test_a_stream_that_is_not_taken_is_told_and_each_side_is_waited_for(graphs, engine, flower):
    noted, notes = run_on_stream(graphs, engine, flower, "0")
    assert noted == ["opened on 77", "wait for torch", "run, waited for"]
    assert notes == ["ONNX Runtime does not compute on torch's stream here: each step waits for it"]


def test_the_host_waits_for_torch_where_streams_are_not_shared():
    waited = []
    turns = HostTurns(lambda: waited.append("torch"))
    turns.to_graph()
    turns.to_torch()
    assert (waited, turns.stream) == (["torch"], 0)
    assert turns_for(torch.device("cpu")).stream == 0


def test_every_gpu_provider_must_take_the_stream():
    cpu, taken, other = {}, {"user_compute_stream": "77"}, {"user_compute_stream": "0"}
    assert takes_stream({"CPUExecutionProvider": cpu}, 77)
    assert takes_stream(
        {"TensorrtExecutionProvider": taken, "CUDAExecutionProvider": taken, "CPUExecutionProvider": cpu}, 77
    )
    assert not takes_stream({"TensorrtExecutionProvider": taken, "CUDAExecutionProvider": other}, 77)
    assert not takes_stream({"CUDAExecutionProvider": {}}, 77)


def test_providers_are_given_the_stream():
    ((_, cuda),) = Provider("cuda", 1, 77).session_providers()
    assert cuda == {"device_id": 1, "user_compute_stream": "77"}
    (_, tensorrt), (_, beside) = Provider("tensorrt", 0, 77).session_providers()
    assert tensorrt["user_compute_stream"] == beside["user_compute_stream"] == "77"


def test_the_step_graph_is_opened_once_more_with_its_weights(graphs, engine, flower):
    images, masks = crops(flower, 1)
    again = OnnxEngine(replace(graphs, step=graphs.open_step(0)), "lite")
    state = engine.encode_reference(images[0], masks[0])
    wanted, found = (one.propagate(images, masks, [state]).probabilities for one in (engine, again))
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this PyTorch has CUDA")
def test_a_pytorch_without_cuda_beside_an_onnx_runtime_with_it_is_told(graphs):
    with pytest.raises(VosctlError, match="`on_device=True`: needs a PyTorch with CUDA, as ONNX Runtime has; run: "):
        there_with(replace(graphs, provider=Provider("cuda")))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"provider": Provider("coreml")}, "CoreMLExecutionProvider takes the host's memory only"),
        ({"objects": 3}, r"the graphs of lite were exported for 3 object\(s\) at once; .* --objects dynamic"),
    ],
)
def test_what_cannot_be_had_is_refused_before_anything_begins(graphs, changes, message):
    objects = changes.pop("objects", None)
    other = OnnxEngine(replace(graphs, metadata=replace(graphs.metadata, objects=objects), **changes), "lite")
    with pytest.raises(UsageError, match=f"^`on_device=True`: {message}"):
        Tracker(other, TrackingSettings(on_device=True))


def test_the_papers_protocol_stays_torchs(engine):
    with pytest.raises(UsageError, match="`paper_protocol=True`: needs the torch engine"):
        Tracker(engine, TrackingSettings.paper(on_device=True))


def test_an_exported_folder_follows_on_the_device_too(tmp_path, flower, tiny_lite):
    from vosctl.export.exporter import WeightsSource, export_network
    from vosctl.export.settings import ExportSettings

    export_network(tiny_lite.eval(), WeightsSource("tiny", "0" * 64, "none"), tmp_path / "tiny", ExportSettings())
    engine = create_engine(str(tmp_path / "tiny"), device="cpu")
    frames, labels = flower
    tracker = Tracker(engine, TrackingSettings(window=False, on_device=True))
    tracker.start(frames[0].to_rgb()[::4, ::4], labels[::4, ::4])
    assert isinstance(tracker.step(frames[1].to_rgb()[::4, ::4]), ArrivingFrame)
