import pytest

from vosctl.engine.base import EngineInfo
from vosctl.engine.idle_gpu import idle_gpu
from vosctl.engine.providers import Lack

ON_CPU = EngineInfo("onnx", "lite", "lite", "CPUExecutionProvider", "fp32")
ON_GPU = EngineInfo("onnx", "lite", "lite", "CUDAExecutionProvider", "fp32")


def test_an_idle_gpu_is_said_with_what_to_install():
    said = idle_gpu(ON_CPU, "auto", lambda: True, lambda: Lack("needs CUDA, but libcudnn.so.9 is missing", "get it"))
    assert said is not None
    assert said.startswith("this machine's NVIDIA GPU is not used: needs CUDA, but libcudnn.so.9 is missing; get it; ")
    assert "python -m pip install" in said
    assert "[torch]" in said


@pytest.mark.parametrize(
    ("info", "device", "has_gpu"), [(ON_GPU, "auto", True), (ON_CPU, "cpu", True), (ON_CPU, "auto", False)]
)
def test_nothing_is_said_where_nothing_is_idle(info, device, has_gpu):
    assert idle_gpu(info, device, lambda: has_gpu, lambda: None) is None


def test_this_machine_can_be_asked():
    assert idle_gpu(ON_CPU, "cpu") is None
