import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.numpy import load_file, save_file

from vosctl.engine import create_engine
from vosctl.engine.devices import resolve_placement
from vosctl.engine.graph_files import GRAPHS_FOLDER, graphs_index
from vosctl.engine.onnx_engine import OnnxEngine
from vosctl.engine.onnx_sessions import open_checkpoint
from vosctl.engine.providers import Provider
from vosctl.engine.torch_engine import TorchEngine
from vosctl.errors import UsageError, VosctlError
from vosctl.network.table import PACKAGED, find_network
from vosctl.tracking import Tracker
from vosctl.weights.checkpoint import load_checkpoint
from vosctl.weights.networks import save_network
from vosctl.weights.registry import find_weights, registered_weights

SIZE = (64, 96)


@pytest.fixture(scope="module")
def lite():
    return create_engine("lite", engine="onnx", device="cpu")


@pytest.fixture
def inputs():
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (3, *SIZE, 3), dtype=np.uint8)
    return images, rng.random((3, *SIZE), dtype=np.float32)


def run(engine, images, masks):
    return step_of(engine, images, masks).probabilities


def step_of(engine, images, masks):
    references = [engine.encode_reference(image, mask) for image, mask in zip(images, masks, strict=True)]
    return engine.propagate(images, masks[::-1], references)


@pytest.mark.parametrize("name", PACKAGED)
def test_the_graphs_in_the_package_are_those_of_the_networks(name, inputs, tmp_path):
    """When this fails after a change of a network, run `python -m vosctl.export.shipped`."""
    torch.manual_seed(2)
    network = find_network(name).create_whole()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2.0)
    save_network(network, tmp_path / "random.safetensors")
    onnx_engine = create_engine(str(tmp_path / "random.safetensors"), engine="onnx", device="cpu")
    torch_engine = create_engine(str(tmp_path / "random.safetensors"), engine="torch", device="cpu", precision="fp32")
    assert (onnx_engine.stride, onnx_engine.crop_size) == (torch_engine.stride, torch_engine.crop_size)
    assert onnx_engine.info.network == name
    steps = [step_of(engine, *inputs) for engine in (onnx_engine, torch_engine)]
    found, wanted = (step.probabilities for step in steps)
    if find_network(name).has_presence_head:
        np.testing.assert_allclose(steps[0].presence, steps[1].presence, atol=1e-4)
        assert steps[1].presence.std() > 0
    assert (found.shape, found.dtype) == ((3, *SIZE), np.float32)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert wanted.std() > 0


@pytest.mark.parametrize("name", PACKAGED)
def test_the_graphs_in_the_package_hold_no_weights(name):
    shapes = find_network(name).shapes
    for kind, keys in graphs_index()[name].items():
        model = onnx.load(GRAPHS_FOLDER / f"{name}.{kind}.onnx", load_external_data=False)
        dims = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
        assert dims == {key: shapes[key] for key in keys}
        assert not any(tensor.raw_data for tensor in model.graph.initializer)


FOLLOWING = [one.name for one in registered_weights().values() if one.shipped and one.network in PACKAGED]
"""The shipped weights that follow objects."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name != "lite" else []) for name in FOLLOWING]
)
def test_masks_of_shipped_weights_agree_with_torch(name, demo_frames):
    engines = [create_engine(name, engine=engine, device="cpu", precision="fp32") for engine in ("onnx", "torch")]
    trackers = [Tracker(engine) for engine in engines]
    for tracker in trackers:
        tracker.start(*demo_frames[0])
    for frame, _ in demo_frames[1:]:
        ours, torchs = (tracker.step(frame).labels for tracker in trackers)
        assert np.mean(ours == torchs) >= 0.995
        assert torchs.any()


def test_a_batch_is_its_objects(lite, inputs):
    images, masks = inputs
    together = run(lite, images, masks)
    references = [lite.encode_reference(image, mask) for image, mask in zip(images, masks, strict=True)]
    for index in (2, 0):
        alone = lite.propagate(images[[index]], masks[::-1][[index]], [references[index]]).probabilities
        np.testing.assert_allclose(alone[0], together[index], atol=1e-5)


def test_the_reference_is_not_forgotten_and_not_confused(lite, inputs):
    images, masks = inputs
    first, second = lite.encode_reference(images[0], masks[0]), lite.encode_reference(images[1], 1 - masks[1])
    one = lite.propagate(images[:1], masks[:1], [first]).probabilities
    other = lite.propagate(images[:1], masks[:1], [second]).probabilities
    again = lite.propagate(images[:1], masks[:1], [first]).probabilities
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0


def test_info_says_what_runs(lite):
    assert (lite.info.engine, lite.info.device, lite.info.precision) == ("onnx", "CPUExecutionProvider", "fp32")
    assert (lite.info.weights, lite.info.network, lite.takes_float) == ("lite", "lite", False)


def test_a_run_imports_no_torch():
    code = """if True:
        import sys
        import numpy as np
        from vosctl import Tracker
        tracker = Tracker.load("lite", engine="onnx", device="cpu")
        frame = np.zeros((64, 64, 3), np.uint8)
        frame[20:40, 20:40] = 200
        tracker.start(frame, frame[..., 0] > 0)
        tracker.step(frame)
        unwanted = {"torch", "onnx", "onnxscript"} & set(sys.modules)
        sys.exit(", ".join(unwanted) or 0)
    """
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_threads_are_taken_as_asked(tmp_path):
    pair = open_checkpoint(load_checkpoint("lite"), Provider("cpu"), threads=1)
    assert pair.step.get_session_options().intra_op_num_threads == 1
    assert OnnxEngine(pair, "lite").info.weights == "lite"


def test_a_pickled_checkpoint_runs_too(tmp_path, inputs):
    arrays = load_checkpoint("lite").arrays
    torch.save({key: torch.from_numpy(np.array(array)) for key, array in arrays.items()}, tmp_path / "lite.pth")
    engine = create_engine(str(tmp_path / "lite.pth"), engine="onnx", device="cpu")
    wanted = TorchEngine(_lite_network(), resolve_placement("cpu", "fp32"), "lite")
    np.testing.assert_allclose(run(engine, *inputs), run(wanted, *inputs), atol=1e-4)


def _lite_network():
    from vosctl.weights.networks import load_network

    return load_network("lite")


def _spoil(arrays, what):
    if what == "missing":
        del arrays["reading.key.weight"]
    elif what == "shape":
        arrays["reading.key.weight"] = arrays["reading.key.weight"][:3]
    elif what == "nan":
        arrays["reading.key.weight"][0, 0] = np.nan
    else:
        arrays.clear()
        arrays["something.weight"] = np.zeros(3, np.float32)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("missing", "reading.key.weight is missing"),
        ("shape", r"reading.key.weight is \(3, 112, 1, 1\), not \(64, 112, 1, 1\)"),
        ("nan", "reading.key.weight holds values that are not finite"),
        ("other", r"not the weights of a network known here.*its first key is something.weight"),
    ],
)
def test_wrong_weights_are_named(what, message, tmp_path):
    arrays = dict(load_file(find_weights("lite").path))
    _spoil(arrays, what)
    save_file(arrays, tmp_path / "w.safetensors", {} if what == "other" else {"network": "lite"})
    with pytest.raises(VosctlError, match=message):
        create_engine(str(tmp_path / "w.safetensors"), engine="onnx", device="cpu")


def test_damaged_and_missing_weights(tmp_path):
    path = tmp_path / "w.safetensors"
    with pytest.raises(VosctlError, match="no such weights file"):
        create_engine(str(path), engine="onnx", device="cpu")
    path.write_bytes(find_weights("lite").path.read_bytes()[:5000])
    with pytest.raises(VosctlError, match="damaged"):
        create_engine(str(path), engine="onnx", device="cpu")


@pytest.fixture
def folder(tmp_path):
    """A folder like an export: graphs of another size of network need not be right to be told apart."""
    for kind in ("reference", "step"):
        (tmp_path / f"{kind}.onnx").write_bytes(_empty_graph({"format": "1"}, kind))
    return tmp_path


def _empty_graph(properties, kind):
    """A graph of the right inputs and outputs, that does nothing."""
    inputs, outputs = ["image", "mask"], ["key", "value", "r5"]
    if kind == "step":
        inputs, outputs = inputs + outputs, ["probability"]
    nodes = [onnx.helper.make_node("Identity", ["image"], [name]) for name in outputs]
    given, found = (
        [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in names]
        for names in (inputs, outputs)
    )
    graph = onnx.helper.make_graph(nodes, "g", given, found)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.helper.set_model_props(model, properties)
    return model.SerializeToString()


PROPERTIES = {
    "format": "1", "network": "lite", "stride": "32", "window": "320", "state": "key value r5", "precision": "fp32",
    "size": "dynamic", "objects": "dynamic", "weights": "a", "weights_sha256": "1", "weights_licence": "",
    "vosctl_version": "0",
}  # fmt: skip


def test_a_missing_graph_is_named(folder):
    (folder / "step.onnx").unlink()
    with pytest.raises(VosctlError, match=r"step\.onnx: missing; give `weights` a folder written by"):
        create_engine(str(folder), device="cpu")


def test_a_graph_of_others_is_told(folder):
    with pytest.raises(VosctlError, match="not a graph written by `vosctl export-onnx`"):
        create_engine(str(folder), device="cpu")
    (folder / "step.onnx").write_bytes(_empty_graph(PROPERTIES | {"format": "99"}, "step"))
    with pytest.raises(VosctlError, match="format 99"):
        create_engine(str(folder), device="cpu")


def test_graphs_of_two_exports_are_told(folder):
    (folder / "reference.onnx").write_bytes(_empty_graph(PROPERTIES, "reference"))
    (folder / "step.onnx").write_bytes(_empty_graph(PROPERTIES | {"weights_sha256": "2"}, "step"))
    with pytest.raises(VosctlError, match="of different exports"):
        create_engine(str(folder), device="cpu")


def test_a_damaged_graph_is_told(folder):
    (folder / "reference.onnx").write_bytes(b"no graph")
    with pytest.raises(VosctlError, match=r"reference\.onnx: ONNX Runtime cannot load it .*export it again"):
        create_engine(str(folder), device="cpu")


@pytest.mark.parametrize(
    "wrong",
    [
        {"stride": "0"},
        {"window": "-32"},
        {"window": "100"},
        {"size": "0x64"},
        {"objects": "9" * 30},
        {"window": "x"},
        {"precision": "fp64"},
        {"format": "a\nb"},
    ],
)
def test_numbers_that_no_graph_has(folder, wrong):
    for kind in ("reference", "step"):
        (folder / f"{kind}.onnx").write_bytes(_empty_graph(PROPERTIES | wrong, kind))
    with pytest.raises(VosctlError, match="not a graph written by `vosctl export-onnx`") as caught:
        create_engine(str(folder), engine="onnx", device="cpu")
    assert "\n" not in str(caught.value)


def test_metadata_that_are_no_text(folder):
    for kind in ("reference", "step"):
        graph = _empty_graph(PROPERTIES | {"weights_licence": "damaged"}, kind)
        (folder / f"{kind}.onnx").write_bytes(graph.replace(b"damaged", b"\xff" * 7))
    with pytest.raises(VosctlError, match=r"damaged|cannot load it"):
        create_engine(str(folder), engine="onnx", device="cpu")


def test_names_that_are_no_text(folder):
    graph = _empty_graph(PROPERTIES, "reference")
    (folder / "reference.onnx").write_bytes(graph.replace(b"Identity", b"\xff" * 8))
    with pytest.raises(VosctlError, match=r"reference\.onnx: ONNX Runtime cannot load it .*export it again"):
        create_engine(str(folder), engine="onnx", device="cpu")


def test_a_precision_the_graphs_have_not(folder):
    for kind in ("reference", "step"):
        (folder / f"{kind}.onnx").write_bytes(_empty_graph(PROPERTIES, kind))
    assert create_engine(str(folder), device="cpu").info.engine == "onnx"
    with pytest.raises(VosctlError, match=r"`precision='int8'`: the graphs of .* were exported in fp32"):
        create_engine(str(folder), device="cpu", precision="int8")
    with pytest.raises(VosctlError, match=r"`engine='torch'`: .* is a folder of ONNX graphs"):
        create_engine(str(folder), engine="torch")


def test_no_path_of_a_machine_is_in_the_package():
    for path in GRAPHS_FOLDER.iterdir():
        content = path.read_bytes()
        assert str(Path.home()).encode() + b"/" not in content
        assert b"site-packages" not in content


def test_swapped_graphs_are_told(folder):
    for kind, other in (("reference", "step"), ("step", "reference")):
        (folder / f"{kind}.onnx").write_bytes(_empty_graph(PROPERTIES, other))
    for engine in ("onnx", "openvino"):
        with pytest.raises(VosctlError, match=r"reference\.onnx is not the reference graph.*swapped"):
            create_engine(str(folder), engine=engine, device="cpu")


def test_a_graph_that_loads_but_does_not_run_is_told(folder):
    for kind in ("reference", "step"):
        (folder / f"{kind}.onnx").write_bytes(_empty_graph(PROPERTIES, kind))
    engine = create_engine(str(folder), device="cpu")
    with pytest.raises(VosctlError, match=r"ONNX Runtime cannot run it .*export it again"):
        engine.encode_reference(np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.float32))


@pytest.mark.parametrize("name", ["onnx", "torch", "openvino"])
def test_an_engine_is_safe_from_several_threads(name):
    """A step's buffers are the engine's own: threads that shared them got each other's masks, or crashed."""
    if name == "openvino":
        pytest.importorskip("openvino")
    engine = create_engine("lite", engine=name, device="cpu", precision="fp32", threads=1)
    objects = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        images = rng.integers(0, 256, (1 + seed % 2, 64, 64, 3), dtype=np.uint8)
        masks = rng.random((1 + seed % 2, 64, 64), dtype=np.float32)
        states = [engine.encode_reference(image, mask) for image, mask in zip(images, masks, strict=True)]
        objects.append((images, masks, states, engine.propagate(images, masks, states).probabilities.copy()))

    def follow(index):
        images, masks, states, alone = objects[index % 4]
        again = [engine.encode_reference(image, mask) for image, mask in zip(images, masks, strict=True)]
        for given in (states, again):
            np.testing.assert_allclose(engine.propagate(images, masks, given).probabilities, alone, atol=1e-5)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(follow, range(80)))


@pytest.mark.parametrize("name", ["onnx", "torch"])
@pytest.mark.parametrize(
    ("image", "mask", "words"),
    [
        (None, np.zeros((64, 64), np.float32), "`image`: give a NumPy array .*not NoneType"),
        ([[0]], np.zeros((64, 64), np.float32), "`image`: .*not list"),
        (torch.zeros(64, 64, 3), np.zeros((64, 64), np.float32), "`image`: .*not Tensor"),
        (np.zeros((64, 64, 3)), np.zeros((64, 64), np.float32), "`image`: must be uint8.*not float64"),
        (np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.float32), "`image`: must be .*RGB"),
        (np.zeros((0, 64, 3), np.uint8), np.zeros((0, 64), np.float32), "`image`: .*not empty"),
        (np.zeros((60, 64, 3), np.uint8), np.zeros((60, 64), np.float32), "multiples of 32, not 60x64"),
        (np.zeros((64, 64, 3), np.uint8), None, "`mask`: give a NumPy array"),
        (np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), bool), "`mask`: must be float32.*not bool"),
        (
            np.zeros((64, 64, 3), np.uint8),
            np.zeros((64, 32), np.float32),
            r"`mask`: must be \(64, 64\).*not \(64, 32\)",
        ),
    ],
)
def test_bad_arguments_get_one_line(name, image, mask, words, lite, torch_lite):
    with pytest.raises(UsageError, match=words):
        (lite if name == "onnx" else torch_lite).encode_reference(image, mask)


@pytest.mark.parametrize("states", [None, [], [None], ["state"], 3])
def test_bad_states_get_one_line(states, lite):
    images, masks = np.zeros((1, 64, 64, 3), np.uint8), np.zeros((1, 64, 64), np.float32)
    with pytest.raises(UsageError, match="`states`: give"):
        lite.propagate(images, masks, states)


@pytest.fixture(scope="module")
def torch_lite():
    return create_engine("lite", engine="torch", device="cpu", precision="fp32")
