from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import vosctl.demo
from tests.helpers.engines import BrightObjectEngine
from tests.helpers.frames import square_frame, write_video
from vosctl.engine import create_engine
from vosctl.errors import UsageError, VosctlError
from vosctl.export.exporter import export_network
from vosctl.export.quantization import CALIBRATION_SAMPLES, calibration_samples
from vosctl.export.settings import Calibration, ExportSettings, GraphShape
from vosctl.video.masks import write_indexed_png
from vosctl.weights.checkpoint import load_checkpoint
from vosctl.weights.networks import build_network
from vosctl.weights.registry import locate_weights

from .conftest import SOURCE, tiny

DEMO = Path(vosctl.demo.__file__).parent


@pytest.fixture
def calibration(tmp_path):
    """A video of two moving squares, with their mask."""
    made = [
        square_frame(64, 96, (1, (230, 40, 40), 10 + 3 * i, 16, 24), (2, (40, 40, 230), 60, 30 - i, 20))
        for i in range(5)
    ]
    write_indexed_png(tmp_path / "m.png", made[0][1])
    return Calibration(str(write_video(tmp_path / "c.mp4", [image for image, _ in made])), tmp_path / "m.png")


ANY_AGREEMENT = 0.0  # the network knows nothing, and may disagree


@pytest.mark.parametrize("name", ["lite", "rgmp"])
def test_int8_is_per_channel_and_keeps_its_ends_in_floats(name, calibration, tmp_path):
    told = []
    settings = ExportSettings(
        GraphShape(objects=2), precision="int8", calibration=calibration, least_agreement=ANY_AGREEMENT
    )
    times = [0.01, 0.02]  # seconds, of int8 and fp32
    export_network(
        tiny(name), SOURCE, tmp_path / "out", settings, tell=told.append, time_steps=lambda engines, sample: times
    )
    assert "mean J" in told[0]
    assert told[1] == "a step takes 10.0 ms in int8 and 20.0 ms in fp32 on this machine"

    step = onnx.load(tmp_path / "out" / "step.onnx", load_external_data=False)
    assert len({tensor.name for tensor in step.graph.initializer}) == len(step.graph.initializer)
    used = {name for node in step.graph.node for name in node.input}
    assert all(tensor.name in used for tensor in step.graph.initializer)
    by_output = {output: node for node in step.graph.node for output in node.output}
    weights = {node.name: by_output.get(node.input[1]) for node in step.graph.node if node.op_type == "Conv"}
    quantized = {name for name, source in weights.items() if source and source.op_type == "DequantizeLinear"}
    floats = ("/head2/Conv", "/blocks.0/", "/outline/") if name == "lite" else ("/pred2/Conv",)
    assert all(any(part in layer for layer in weights) for part in floats)
    assert not any(part in layer for layer in quantized for part in floats)
    assert len(quantized) > 10
    scales = [tensor for tensor in step.graph.initializer if tensor.name.endswith("weight_scale")]
    assert any(tensor.dims and tensor.dims[0] > 1 for tensor in scales)
    reference = onnx.load(tmp_path / "out" / "reference.onnx", load_external_data=False)
    assert not any(node.op_type == "QuantizeLinear" for node in reference.graph.node)

    engine = create_engine(str(tmp_path / "out"), device="cpu")
    assert engine.info.precision == "int8"
    frame, labels = square_frame(96, 96, (1, (230, 40, 40), 30, 30, 40))
    mask = labels.astype(np.float32)
    found = engine.propagate(frame[None], mask[None], [engine.encode_reference(frame, mask)]).probabilities
    assert found.shape == (1, 96, 96)
    assert np.isfinite(found).all()


@pytest.mark.slow
def test_the_shipped_network_keeps_its_masks_in_8_bits(tmp_path):
    told = []
    clip = Calibration(str(DEMO / "flower.mp4"), DEMO / "flower-mask.png")
    settings = ExportSettings(precision="int8", calibration=clip)
    network = build_network(load_checkpoint(locate_weights("lite")))
    export_network(
        network, SOURCE, tmp_path / "out", settings, tell=told.append, time_steps=lambda engines, sample: [0.01, 0.02]
    )
    assert "masks agree with torch's" in told[0]
    assert (tmp_path / "out" / "step.onnx").is_file()


def test_int8_that_is_slower_is_not_written(calibration, tmp_path):
    settings = ExportSettings(precision="int8", calibration=calibration, least_agreement=ANY_AGREEMENT)
    times = [0.02, 0.01]
    with pytest.raises(VosctlError, match=r"20.0 ms in int8 and 10.0 ms in fp32 on this machine; nothing was written"):
        export_network(tiny("lite"), SOURCE, tmp_path / "out", settings, time_steps=lambda engines, sample: times)
    assert not (tmp_path / "out").exists()


def test_one_frame_is_not_enough(calibration, tmp_path):
    frame, _ = square_frame(64, 96, (1, (230, 40, 40), 10, 16, 24))
    still = Calibration(str(write_video(tmp_path / "still.mp4", [frame])), calibration.first_mask)
    with pytest.raises(VosctlError, match="one frame only"):
        export_network(tiny("lite"), SOURCE, tmp_path / "out", ExportSettings(precision="int8", calibration=still))


def test_calibration_needs_square_windows(calibration, tmp_path):
    settings = ExportSettings(GraphShape((64, 96)), precision="int8", calibration=calibration)
    with pytest.raises(UsageError, match="square `size`"):
        export_network(tiny("lite"), SOURCE, tmp_path / "out", settings)


def test_calibration_is_for_int8(calibration):
    with pytest.raises(UsageError, match="for `precision='int8'` only"):
        ExportSettings(calibration=calibration)


class ShowsColours(BrightObjectEngine):
    """Finds what is bright; what it keeps of a reference is its colour, as a graph keeps tensors."""

    def encode_reference(self, image, mask):
        return (np.asarray(super().encode_reference(image, mask), np.float32)[None],)

    def propagate(self, images, masks, states):
        return replace(super().propagate(images, masks, [colour[0] for (colour,) in states]), states=tuple(states))


@pytest.mark.parametrize("count", [2, 3])
def test_ranges_are_taken_from_every_object_alike(count, tmp_path):
    colours = [(230, 40, 40), (40, 40, 230), (40, 230, 40)][:count]
    squares = [(number + 1, colour, 8 + 30 * number, 20, 20) for number, colour in enumerate(colours)]
    made = [square_frame(64, 96, *squares)] * (CALIBRATION_SAMPLES + 1)
    write_indexed_png(tmp_path / "m.png", made[0][1])
    video = write_video(tmp_path / "c.mp4", [image for image, _ in made])
    engine: Any = ShowsColours()
    samples = calibration_samples(engine, ["colour"], Calibration(str(video), tmp_path / "m.png"), None)
    kept = Counter(int(sample["colour"].argmax()) for sample in samples)
    assert len(kept) == count
    assert max(kept.values()) - min(kept.values()) <= 1
