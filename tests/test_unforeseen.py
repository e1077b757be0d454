import errno
import subprocess
import sys

import numpy as np
import pytest

from vosctl.unforeseen import explained
from vosctl.video.masks import write_indexed_png

LONG = "n" * 300


@pytest.fixture
def mask(tmp_path):
    write_indexed_png(tmp_path / "m.png", np.eye(64, dtype=np.uint8))


@pytest.mark.parametrize(
    "arguments",
    [
        ("segment", LONG, "--first-mask", "m.png"),
        ("segment", f"{LONG}/*.png", "--first-mask", "m.png"),
        ("segment", "m.png", "--first-mask", LONG),
        ("segment", "m.png", "--first-mask", "m.png", "--masks", LONG),
        ("segment", "m.png", "--first-mask", "m.png", "--rle", f"{LONG}.json"),
        ("segment", "m.png", "--first-mask", "m.png", "--overlay", f"{LONG}.mp4"),
        ("segment", "m.png", "--first-mask", "m.png", "--weights", LONG),
        ("webcam", LONG, "--no-window", "--first-mask", "m.png"),
        ("eval", LONG),
        ("eval", ".", "--predictions", LONG),
        ("weights", "import", LONG, "--name", "x"),
        ("weights", "export", "lite", f"{LONG}.safetensors"),
        ("demo", "-o", LONG),
        ("segment", "http://127.0.0.1:99999/x.mp4", "--first-mask", "m.png"),
        ("segment", "rtsp://127.0.0.1:-1/x", "--first-mask", "m.png"),
        ("segment", "http://[::1/x", "--first-mask", "m.png"),
        ("segment", "m.png", "--box", f"{'1' * 24},1,9,9"),
        ("segment", "m.png", "--box", f"{'1' * 24}=1,1,9,9"),
        ("segment", "m.png", "--box", "nan,1,9,9"),
        ("segment", "m.png", "--point", "1e300,1"),
        ("segment", "m.png", "--first-mask", "m.png", "--window-size", "1" * 24),
        ("segment", "m.png", "--first-mask", "m.png", "--threads", "1" * 24),
        ("segment", "m.png", "--first-mask", "m.png", "--threads", "99999"),
        ("segment", "m.png", "--first-mask", "m.png", "--scales", "nan", "--window", "off"),
        ("segment", "m.png", "--first-mask", "m.png", "--fps", "1" * 5000),
        ("segment", "m.png", "--first-mask", "m.png", "--device", f"cuda:{'1' * 24}"),
        ("webcam", "1" * 24, "--no-window", "--first-mask", "m.png"),
        ("bench", "--objects", "1" * 24),
    ],
)
def test_what_a_shell_can_send_is_no_bug(invoke, mask, arguments):
    result = invoke(*arguments)
    assert result.exit_code in (1, 2), result.output
    assert "unexpected" not in result.stderr
    assert result.stderr.strip().splitlines()[-1].startswith("Error: ")


@pytest.mark.parametrize(
    ("package", "contents", "said"),
    [
        (
            "av",
            "raise ImportError('libx264.so: cannot open shared object file')",
            "av: is not properly installed (libx",
        ),
        ("cv2", "raise ImportError('libGL.so.1: cannot open shared object file')", "cv2: is not properly installed"),
        ("onnxruntime", "", "onnxruntime: is not properly installed ("),
        (
            "simplejpeg",
            "raise ValueError('numpy.dtype size changed, may indicate binary incompatibility. Expected')",
            "simplejpeg: is not properly installed (numpy.dtype size changed",
        ),
        ("numpy", "raise ImportError('broken')", "numpy: is not properly installed (broken)"),
    ],
)
def test_a_broken_package_names_the_doctor(tmp_path, mask, package, contents, said):
    (tmp_path / "broken" / package).mkdir(parents=True)
    (tmp_path / "broken" / package / "__init__.py").write_text(contents)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'broken')!r})\n"
        "from vosctl.cli import cli\n"
        "cli(['segment', 'm.png', '--first-mask', 'm.png', '--masks', 'out', '--engine', 'onnx'])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert said in done.stderr
    assert "run `vosctl doctor`" in done.stderr
    assert "Traceback" not in done.stderr


def test_errors_of_the_system_are_worded():
    assert str(explained(OSError(errno.ENOSPC, "No space left on device", "o.mp4"))).startswith("o.mp4: no space left")
    assert "…" in str(explained(OSError(errno.ENAMETOOLONG, "File name too long", LONG)))
    assert "out of memory" in str(explained(MemoryError()))
    words = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to"
    assert "out of memory" in str(explained(RuntimeError(words)))


@pytest.mark.parametrize(
    "error", [ValueError("x"), ImportError("y", name="nonesuch"), AttributeError("z"), OSError("w")]
)
def test_a_bug_stays_a_bug(error):
    assert explained(error) is None
