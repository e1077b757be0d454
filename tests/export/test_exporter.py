import re
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import pytest
from PIL import Image

import vosctl.demo
from tests.helpers.frames import square_frame
from vosctl import Tracker, __version__
from vosctl.engine import create_engine
from vosctl.engine.graph_metadata import GraphMetadata
from vosctl.engine.onnx_sessions import open_checkpoint
from vosctl.engine.providers import Provider
from vosctl.errors import UsageError, VosctlError
from vosctl.export.exporter import export_network
from vosctl.export.folder import check_replaceable
from vosctl.export.graphs import trace_graphs
from vosctl.export.readme import readme
from vosctl.export.settings import ExportSettings, GraphShape
from vosctl.tracking.framing import CONTEXT, REFERENCE_CONTEXT
from vosctl.video.sources import open_source
from vosctl.weights.checkpoint import read_checkpoint
from vosctl.weights.registry import locate_weights

from .conftest import SOURCE, tiny

DEMO = Path(vosctl.demo.__file__).parent


def load(folder, graph):
    return onnx.load(folder / f"{graph}.onnx", load_external_data=False)


def axes(value):
    return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]


def test_free_sizes_are_free_and_the_rest_is_fixed(dynamic_export):
    network, folder, _ = dynamic_export
    step = load(folder, "step")
    inputs = {value.name: axes(value) for value in step.graph.input}
    assert list(inputs) == ["image", "mask", *network.state_names]
    assert inputs["image"] == ["objects", "height", "width", 3]
    assert inputs["mask"] == ["objects", "height", "width"]
    assert axes(step.graph.output[0]) == ["objects", "height", "width"]
    further = {value.name: axes(value) for value in step.graph.output[1:]}
    assert further == ({} if network.presence is None else {"presence": ["objects"]})
    assert [value.name for value in load(folder, "reference").graph.output] == list(network.state_names)


def test_the_graphs_share_their_weights(dynamic_export):
    _, folder, _ = dynamic_export
    initializers = [tensor for graph in ("reference", "step") for tensor in load(folder, graph).graph.initializer]
    external = [{entry.key: entry.value for entry in tensor.external_data} for tensor in initializers]
    places = {(entry["offset"], entry["length"]) for entry in external if entry}
    assert {entry["location"] for entry in external if entry} == {"weights.bin"}
    assert len(places) < sum(1 for entry in external if entry)
    assert (folder / "weights.bin").stat().st_size < sum(int(entry["length"]) for entry in external if entry)


def test_batch_norms_and_pads_are_folded(dynamic_export):
    _, folder, _ = dynamic_export
    operators = {node.op_type for graph in ("reference", "step") for node in load(folder, graph).graph.node}
    assert not operators & {"BatchNormalization", "Pad"}


def test_metadata_and_readme_say_what_it_is(dynamic_export):
    network, folder, told = dynamic_export
    properties = {entry.key: entry.value for entry in load(folder, "step").metadata_props}
    metadata = GraphMetadata.from_properties(properties)
    assert (metadata.network, metadata.stride, metadata.crop_size) == (network.name, 32, 96)
    assert (metadata.weights, metadata.sha256, metadata.licence) == ("tiny", "0" * 64, "none")
    assert metadata.version == __version__
    assert properties["input image"] == "uint8 (objects, height, width, 3): RGB, 0..255"
    text = (folder / "README.md").read_text()
    assert all(name in text for name in (*network.state_names, "tiny", "0" * 64, __version__))
    assert re.fullmatch(r"probabilities differ from torch's by \de-\d\d at most", re.sub(r"\d\.\de", "1e", told[0]))


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_fixed_sizes_run_in_batches_of_their_own(name, static_export, rng):
    if name == "openvino":
        pytest.importorskip("openvino")
    engine = create_engine(str(static_export), engine=name, device="cpu")
    images = rng.integers(0, 256, (3, 64, 96, 3), dtype=np.uint8)
    masks = rng.random((3, 64, 96), dtype=np.float32)
    references = [engine.encode_reference(image, mask) for image, mask in zip(images, masks, strict=True)]
    together = engine.propagate(images, masks, references).probabilities
    assert together.shape == (3, 64, 96)
    alone = [engine.propagate(images[[i]], masks[[i]], [references[i]]).probabilities[0] for i in range(3)]
    np.testing.assert_allclose(together, np.stack(alone), atol=1e-6 if engine.info.precision == "fp32" else 0.02)
    assert np.abs(together[0] - together[2]).max() > 1e-4


def test_fixed_sizes_refuse_others(static_export):
    engine = create_engine(str(static_export), device="cpu")
    with pytest.raises(UsageError, match=r"exported for 64x96 and cannot run on 96x96.*--size dynamic"):
        engine.encode_reference(np.zeros((96, 96, 3), np.uint8), np.zeros((96, 96), np.float32))


def test_what_differs_from_torch_is_not_written(tmp_path):
    def spoiled(*args):
        reference, step = trace_graphs(*args)
        for tensor in step.graph.initializer:
            array = onnx.numpy_helper.to_array(tensor)
            tensor.CopyFrom(onnx.numpy_helper.from_array(array * np.float32(1.3), tensor.name))
        return reference, step

    with pytest.raises(VosctlError, match=r"differ from torch by .* nothing was written"):
        export_network(tiny("lite"), SOURCE, tmp_path / "out", ExportSettings(), trace=spoiled)
    assert not list(tmp_path.iterdir())


def test_an_export_is_replaced_only_when_asked(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "step.onnx").write_text("older")
    settings = ExportSettings(GraphShape((64, 64), 1))
    with pytest.raises(UsageError, match="`overwrite=True`"):
        export_network(tiny("lite"), SOURCE, folder, settings)
    assert (folder / "step.onnx").read_text() == "older"
    export_network(tiny("lite"), SOURCE, folder, settings, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    assert create_engine(str(folder), device="cpu").crop_size == 64


def test_a_folder_of_other_things_is_never_replaced(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(UsageError, match=r"other files than an export \(holiday.jpg\)"):
        export_network(tiny("lite"), SOURCE, tmp_path, ExportSettings(), overwrite=True)
    for folder in (tmp_path / "holiday.jpg", tmp_path / "holiday.jpg" / "out"):
        with pytest.raises(UsageError, match="is a file"):
            check_replaceable(folder, overwrite=True)


def test_sizes_must_fit_the_stride(tmp_path):
    with pytest.raises(UsageError, match=r"`size`: 100x64: both must be multiples of 32"):
        export_network(tiny("lite"), SOURCE, tmp_path / "out", ExportSettings(GraphShape((100, 64))))


def test_the_readmes_loop_runs(static_export, dynamic_export, monkeypatch):
    """On a network that knows nothing: the loop's shapes, its crop and what it feeds back."""
    for folder in (static_export, dynamic_export[1]):
        monkeypatch.chdir(folder)
        code = re.search(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL).group(1)
        names = {}
        exec(compile(code, "README.md", "exec"), names)
        made = [square_frame(70, 120, (1, (250, 40, 40), 20 + 3 * i, 20, 24)) for i in range(4)]
        masks = list(names["follow"]([frame for frame, _ in made], made[0][1] > 0))
        assert len(masks) == 3
        assert all(mask.shape == (70, 120) and mask.dtype == np.float32 for mask in masks)
        assert all(0 < mask.max() <= 1 and mask.min() >= 0 for mask in masks)
        assert masks[0][:, 110:].max() == 0  # beyond the crop


@pytest.fixture(scope="session")
def lite_graphs():
    """The open graphs of the shipped weights."""
    return open_checkpoint(read_checkpoint(locate_weights("lite")), Provider("cpu"))


@pytest.mark.parametrize(
    ("clip", "mask", "object_id", "agreement"),
    [
        ("flower.mp4", "flower-mask.png", None, 0.995),
        ("clip.mp4", "first-mask.png", 1, 0.93),  # most of the frame: its crops reach far beyond
        ("clip.mp4", "first-mask.png", 2, 0.995),
    ],
)
def test_the_readmes_loop_gives_the_masks_of_vosctl(
    clip, mask, object_id, agreement, lite_graphs, static_export, monkeypatch
):
    """With the shipped weights, on a real and on a made clip."""
    labels = np.asarray(Image.open(DEMO / mask))
    first = labels > 0 if object_id is None else labels == object_id
    with open_source(str(DEMO / clip)) as source:
        frames = [frame.image for frame in islice(source, 5)]
    tracker = Tracker.load("lite", device="cpu", engine="onnx")
    tracker.start(frames[0], first)
    wanted = [tracker.step(frame).labels > 0 for frame in frames[1:]]

    monkeypatch.chdir(static_export)  # graphs to open, of another network
    names = {}
    text = readme(replace(lite_graphs.metadata, weights="lite"), 17)
    exec(compile(re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1), "README.md", "exec"), names)
    names.update(reference=lite_graphs.reference, step=lite_graphs.step)
    found = [one > 0.5 for one in names["follow"](frames, first)]
    assert len(found) == len(wanted) == 4
    assert all(one.any() for one in wanted)
    assert min((one == other).mean() for one, other in zip(found, wanted, strict=True)) >= agreement


def test_the_graphs_say_how_they_are_used(dynamic_export):
    network, folder, _ = dynamic_export
    for graph in ("reference", "step"):
        model = load(folder, graph)
        properties = {entry.key: entry.value for entry in model.metadata_props}
        numbers = {key: properties[key].partition(":")[0] for key in ("context", "reference_context", "threshold")}
        assert numbers == {"context": str(CONTEXT), "reference_context": str(REFERENCE_CONTEXT), "threshold": "0.5"}
        assert properties["fill"].startswith("124 116 104:")
        assert ("lost_below" in properties) == (network.presence is not None)
        assert model.doc_string.startswith("vosctl, once ")


def test_fp16_halves_the_weights(dynamic_export, tmp_path):
    network, folder, _ = dynamic_export
    settings = ExportSettings(precision="fp16", least_agreement=0.9)  # the network has no opinion
    told = []
    export_network(network, SOURCE, tmp_path / "half", settings, tell=told.append)
    assert "mean J" in told[0]
    half, full = tmp_path / "half" / "weights.bin", folder / "weights.bin"
    assert half.stat().st_size < 0.6 * full.stat().st_size
    full_operators, operators = (
        {node.op_type for node in load(path, "step").graph.node} for path in (folder, tmp_path / "half")
    )
    assert ("Exp" in full_operators) == (network.presence is not None)
    assert "Exp" not in operators  # of a weight: ONNX Runtime has no kernel for it and warns
    engines = [create_engine(str(path.parent), device="cpu") for path in (half, full)]
    assert [engine.info.precision for engine in engines] == ["fp16", "fp32"]
    frame, labels = square_frame(96, 96, (1, (250, 40, 40), 30, 30, 40))
    mask = labels.astype(np.float32)
    found = [
        one.propagate(frame[None], mask[None], [one.encode_reference(frame, mask)]).probabilities for one in engines
    ]
    np.testing.assert_allclose(found[0], found[1], atol=0.02)


def test_settings_that_do_not_go_together():
    with pytest.raises(UsageError, match="needs real frames"):
        ExportSettings(precision="int8")
    with pytest.raises(UsageError, match="`opset=11`"):
        ExportSettings(opset=11)
    with pytest.raises(UsageError, match="`objects=0`"):
        ExportSettings(GraphShape(objects=0))
    with pytest.raises(UsageError, match="`precision='bf16'`"):
        ExportSettings(precision=cast(Any, "bf16"))


def test_metadata_survives_the_graph():
    metadata = GraphMetadata("lite", 32, 320, ("key", "r5"), "fp16", (320, 448), 3, "w", "abc", "free", "1.2")
    assert GraphMetadata.from_properties(metadata.to_properties()) == metadata
    free = replace(metadata, size=None, objects=None)
    assert GraphMetadata.from_properties(free.to_properties()) == free


@pytest.fixture
def rng():
    return np.random.default_rng(0)
