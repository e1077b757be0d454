import hashlib
import os

import pytest

from vosctl import Tracker
from vosctl.engine import create_engine
from vosctl.engine.cache import MOST_COMPILED, cache_folder, compiled_folder, keep, kept_in, make_compiled_folder


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
    (tmp_path / ".a.1-00000000.partial").write_bytes(b"")
    os.utime(tmp_path / ".a.1-00000000.partial", (1, 1))
    assert compiled_folder(tmp_path) == tmp_path
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"other", *(f"{age}.blob" for age in range(MOST_COMPILED - 2))}


def test_a_run_makes_no_folder_and_keeps_nothing_without_one(tmp_path):
    assert compiled_folder(tmp_path / "openvino") is None
    assert compiled_folder() is None
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def state(demo_frames):
    """Give a reference's state by an engine that is made now, and what that engine says."""
    pytest.importorskip("openvino")
    image, mask = demo_frames[0][0][:64, :96], (demo_frames[0][1][:64, :96] > 0).astype("float32")

    def made():
        engine = create_engine("lite", engine="openvino", precision="fp32")
        return engine.encode_reference(image, mask), Tracker(engine).preparations

    return made


def test_compiled_graphs_are_kept(state):
    first, _ = state()
    assert not cache_folder().exists()
    make_compiled_folder()
    for _ in range(2):
        again, said = state()
        assert all((a == b).all() for a, b in zip(first, again, strict=True))
        assert said == []
    kept = list((cache_folder() / "openvino").iterdir())
    assert len(kept) == 2
    times = [path.stat().st_mtime_ns for path in kept]
    state()
    assert [path.stat().st_mtime_ns for path in kept] == times


def with_other_weights(content):
    middle = len(content) // 2
    return content[:middle] + bytes(64) + content[middle + 64 :]


def whole_but_no_model(content):
    other = b"of another kind"
    return hashlib.sha256(other).digest() + other


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content + b"more",
        lambda content: b"",
        with_other_weights,
        whole_but_no_model,
    ],
    ids=["half", "short", "long", "empty", "altered", "another kind"],
)
def test_damaged_graphs_are_told_and_made_anew(state, damage):
    """OpenVINO by itself would take altered weights for whole, and the masks would be wrong."""
    make_compiled_folder()
    first, _ = state()
    for path in (cache_folder() / "openvino").iterdir():
        path.write_bytes(damage(path.read_bytes()))
    again, said = state()
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    folder = cache_folder() / "openvino"
    assert said == [f"{folder}: what OpenVINO had compiled is damaged there; the network is compiled anew"]
    again, said = state()
    assert said == []


def test_a_cache_that_cannot_be_written_or_read_is_none(tmp_path):
    keep(tmp_path / "missing" / "a.blob", b"content")
    assert kept_in(tmp_path / "missing" / "a.blob") is None
    assert kept_in(tmp_path) is None
