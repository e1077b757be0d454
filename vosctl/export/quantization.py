"""The step graph in 8 bits: static, per channel, its ranges taken from real frames."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.quant_utils import add_pre_process_metadata

from vosctl.engine.base import Engine, Step
from vosctl.engine.graph_engine import State
from vosctl.engine.onnx_engine import OnnxEngine
from vosctl.engine.timing import step_times
from vosctl.errors import VosctlError
from vosctl.export.settings import Calibration
from vosctl.prompts.mask_file import read_first_mask
from vosctl.tracking import Tracker
from vosctl.video.sources import open_source

CALIBRATION_FRAMES = 256  # of the video, of which
CALIBRATION_SAMPLES = 32  # are kept, evenly spread
TIMED_RUNS = 15
ERRORS_ONLY = 3
DEFAULT_SEVERITY = 2

# Kept in floats: the input's normalisation, the reading, which averages over many positions, and the layers that the
# network's description names: the first ones, and the last ones, whose errors are the mask's. With the stem and the
# head in 8 bits the masks of the made clip were worse, and no faster.
FLOAT_OPERATORS = {"Transpose", "Cast", "Unsqueeze", "Div", "Sub", "MatMul", "Softmax", "Sigmoid", "AveragePool"}
PRESENCE_SCOPE = "/presence/"  # of the names of the head's nodes: it costs next to nothing, and its verdict is a number

Sample = dict[str, NDArray[Any]]


class _Recorder:
    """An engine that keeps what the step graph is given, one object at a time."""

    takes_float = False

    def __init__(self, engine: OnnxEngine, state_names: Sequence[str]) -> None:
        self.info, self.stride, self.crop_size = engine.info, engine.stride, engine.crop_size
        self.samples: dict[int, list[Sample]] = {}  # by the object's place in its batch
        self._engine = engine
        self._state_names = state_names

    def encode_reference(self, image: NDArray[Any], mask: NDArray[np.float32]) -> State:
        return self._engine.encode_reference(image, mask)

    def propagate(self, images: NDArray[Any], masks: NDArray[np.float32], states: Sequence[State]) -> Step[State]:
        for index, state in enumerate(states):
            named_state = dict(zip(self._state_names, state, strict=True))
            sample = {"image": images[index, None], "mask": masks[index, None], **named_state}
            self.samples.setdefault(index, []).append(sample)
        return self._engine.propagate(images, masks, states)


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = iter(samples)

    def get_next(self) -> Sample | None:
        return next(self._samples, None)


def calibration_samples(
    engine: OnnxEngine, state_names: Sequence[str], calibration: Calibration, objects: int | None
) -> list[Sample]:
    """Track the calibration video and keep some of what the step graph was given.

    Args:
        engine: runs the graphs in fp32.
        state_names: inputs of the step graph besides image and mask.
        calibration: the video and its first mask.
        objects: number of objects the graph is fixed to; None when free.

    Raises:
        VosctlError: the video cannot be read or has but one frame.
    """
    recorder = _Recorder(engine, state_names)
    tracker = Tracker(recorder)
    with open_source(calibration.video) as source:
        labels = read_first_mask(calibration.first_mask, (source.info.height, source.info.width)).labels
        for index, frame in enumerate(islice(source, CALIBRATION_FRAMES)):
            if index == 0:
                tracker.start(frame.image, labels)
            else:
                tracker.step(frame.image)
    if not recorder.samples:
        raise VosctlError(f"`calibration`: {calibration.video} has one frame only; give a video")
    samples = [sample for of_object in recorder.samples.values() for sample in of_object]  # else some get left out
    kept = samples[:: -(-len(samples) // CALIBRATION_SAMPLES)]
    return [{name: np.repeat(array, objects or 1, axis=0) for name, array in sample.items()} for sample in kept]


def quantize_step(step: onnx.ModelProto, samples: Sequence[Sample], float_layers: tuple[str, ...]) -> onnx.ModelProto:
    """Quantise a step graph; its weights use 7 bits, since CPUs without VNNI saturate on 8.

    Args:
        step: the graph.
        samples: what its ranges are taken from.
        float_layers: parts of the names of the layers that stay in floats.
    """
    model = onnx.shape_inference.infer_shapes(step)
    add_pre_process_metadata(model)
    names = [
        node.name
        for node in model.graph.node
        if node.op_type in FLOAT_OPERATORS or any(part in node.name for part in (*float_layers, PRESENCE_SCOPE))
    ]
    with tempfile.TemporaryDirectory() as folder, _quiet_runtime():
        path = Path(folder) / "step.onnx"
        quantize_static(
            model,
            path,
            _Reader(samples),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=names,
        )
        quantized = onnx.load(path)
    _drop_unused_initializers(quantized)
    return quantized


@contextmanager
def _quiet_runtime() -> Iterator[None]:
    onnxruntime.set_default_logger_severity(ERRORS_ONLY)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(DEFAULT_SEVERITY)


def _drop_unused_initializers(model: onnx.ModelProto) -> None:
    """Drop the bounds of the ReLU6s that became part of a range."""
    used = {name for node in model.graph.node for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def times_of(engines: Sequence[Engine[Any]], sample: tuple[NDArray[Any], NDArray[np.float32]]) -> list[float]:
    """Return the median seconds of a step of each engine on one object, taken alternately."""
    return step_times(engines, *sample, rounds=TIMED_RUNS)
