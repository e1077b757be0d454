import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from vosctl.engine import create_engine
from vosctl.engine.factory import most_threads
from vosctl.engine.memory import memory_errors
from vosctl.errors import UsageError, VosctlError
from vosctl.processor import core_count


@pytest.mark.parametrize("threads", [-1, 99999, True, 1.5, None, "2"])
def test_threads_that_no_machine_should_start(threads):
    with pytest.raises(UsageError, match="`threads="):
        create_engine("lite", threads=threads)


def test_a_few_times_the_cores_are_the_most():
    assert most_threads() == max(16, 4 * core_count())


def test_the_command_refuses_too_many_threads(invoke):
    result = invoke("segment", "clip.mp4", "--first-mask", "m.png", "--threads", "99999", "--overlay", "o.mp4")
    assert result.exit_code != 0
    assert "99999" in result.stderr or "no such file" in result.stderr


@pytest.mark.parametrize("name", ["weights", "engine", "device", "precision", "provider"])
@pytest.mark.parametrize("value", [None, 3, ["cpu"]])
def test_arguments_that_are_no_words(name, value):
    arguments = {"weights": "lite"} | {name: value}
    with pytest.raises(UsageError, match=f"`{name}"):
        create_engine(**arguments)


def exhaust_numpy():
    np.empty(10**15)


def exhaust_torch():
    torch.empty(10**15)


def exhaust_onnxruntime():
    """A graph that asks for a petabyte."""
    shape = onnx.helper.make_tensor_value_info("shape", onnx.TensorProto.INT64, [1])
    out = onnx.helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, None)
    node = onnx.helper.make_node("ConstantOfShape", ["shape"], ["out"])
    graph = onnx.helper.make_graph([node], "g", [shape], [out])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    session.run(None, {"shape": np.array([10**15])})


@pytest.mark.parametrize("exhaust", [exhaust_numpy, exhaust_torch, exhaust_onnxruntime])
def test_a_lack_of_memory_is_said_as_such(exhaust):
    with pytest.raises(VosctlError, match="out of memory, following: follow fewer objects"), memory_errors("following"):
        exhaust()


def test_other_errors_are_left_alone():
    with pytest.raises(ZeroDivisionError), memory_errors("following"):
        _ = 1 / 0
    with pytest.raises(UsageError, match="mine"), memory_errors("following"):
        raise UsageError("mine")
