"""No telemetry: a run opens no socket to anywhere and writes nothing into the user's home."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest

RUN = """
import numpy as np
from vosctl import Tracker
frame = np.zeros((64, 64, 3), np.uint8)
frame[20:40, 20:40] = 200
for engine in {engines}:
    tracker = Tracker.load("lite", engine=engine, device="cpu")
    tracker.start(frame, frame[..., 0] > 0)
    tracker.step(frame)
"""
GUARD = """
import sys

def refuse(event, arguments):
    if event.startswith("socket."):
        raise SystemExit(f"{event} {arguments}")

sys.addaudithook(refuse)
"""


@pytest.fixture
def environment(tmp_path):
    """A home of one's own, and none of the variables that would already turn telemetry off."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ORT_", "XDG_", "VOSCTL_"))}
    return kept | {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}


def engines():
    return ["onnx", *(["openvino"] if find_spec("openvino") else [])]


def test_a_run_asks_python_for_no_socket_and_leaves_the_home_alone(environment, tmp_path):
    code = GUARD + RUN.format(engines=engines())
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""
    assert list((tmp_path / "home").rglob("*")) == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_run_opens_no_socket_in_native_code_either(environment, tmp_path):
    """The system itself is asked: ONNX Runtime's telemetry is C++, which no hook of Python sees."""
    log = tmp_path / "calls"
    command = ["strace", "-f", "-e", "trace=socket,connect", "-o", str(log)]
    code = RUN.format(engines=engines())
    done = subprocess.run(
        [*command, sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    if "Operation not permitted" in done.stderr and "ptrace" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    assert not re.findall(r".*(?:socket|connect)\(.*", log.read_text())
    assert list((tmp_path / "home").rglob("*")) == []


def test_a_home_that_cannot_be_written_is_no_matter(environment, tmp_path):
    (tmp_path / "home").chmod(0o500)
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(engines=["onnx"])],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_the_user_has_set_stays(environment):
    code = "import os, vosctl; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    for given, expected in (({}, "1"), ({"ORT_DISABLE_TELEMETRY": "0"}, "0")):
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment | given, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == expected


DRIVER = """
int cuInit(unsigned flags) { return 0; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
"""


@pytest.mark.skipif(not sys.platform.startswith("linux") or shutil.which("cc") is None, reason="needs a C compiler")
def test_a_driver_without_cudas_libraries_prints_nothing_on_standard_output(environment, tmp_path):
    """Standard output holds data only; ONNX Runtime printed there what it did not find."""
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has no CUDA provider")
    (tmp_path / "driver.c").write_text(DRIVER)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "libcuda.so.1", tmp_path / "driver.c"], check=True)
    code = "from vosctl.engine import create_engine; print(create_engine('lite').info.weights)"
    environment |= {"LD_LIBRARY_PATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "lite\n"
