import os
import subprocess
import sys

import pytest

from vosctl.engine import create_engine
from vosctl.engine.cache import MOST_COMPILED, cache_folder, compiled_folder, make_compiled_folder


def test_the_folder_is_the_users_or_the_one_that_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("VOSCTL_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("VOSCTL_HOME")
    assert cache_folder().name == "vosctl"


def test_the_oldest_graphs_make_room(tmp_path):
    for age in range(MOST_COMPILED):
        (tmp_path / f"{age}.blob").write_bytes(b"")
        os.utime(tmp_path / f"{age}.blob", (1000 - age, 1000 - age))
    (tmp_path / "other").write_bytes(b"")
    assert compiled_folder(tmp_path) == tmp_path
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"other", *(f"{age}.blob" for age in range(MOST_COMPILED - 2))}


def test_a_run_makes_no_folder_and_keeps_nothing_without_one(tmp_path):
    assert compiled_folder(tmp_path / "openvino") is None
    assert compiled_folder() is None
    assert list(tmp_path.iterdir()) == []


def test_compiled_graphs_are_kept_and_damaged_ones_made_anew(demo_frames):
    pytest.importorskip("openvino")
    image, mask = demo_frames[0][0][:64, :96], (demo_frames[0][1][:64, :96] > 0).astype("float32")

    def state():
        return create_engine("lite", engine="openvino", precision="fp32").encode_reference(image, mask)

    first = state()
    assert not cache_folder().exists()
    make_compiled_folder()
    assert all((a == b).all() for a, b in zip(first, state(), strict=True))
    kept = list((cache_folder() / "openvino").glob("*.blob"))
    assert len(kept) == 2
    for path in kept:
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    program = "from vosctl.engine import create_engine; create_engine('lite', engine='openvino', precision='fp32')"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert all((a == b).all() for a, b in zip(first, state(), strict=True))
