"""Imports at once, from threads and from processes: all are registered, and every file is whole."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from filelock import FileLock

from tests.helpers.networks import register_network
from vosctl.errors import UsageError
from vosctl.weights.checkpoint import read_checkpoint
from vosctl.weights.networks import save_network
from vosctl.weights.registry import find_weights, read_registry, registered_weights, user_folder, verify_entry
from vosctl.weights.store import LOCK_FILE, export_weights, import_weights, remove_weights


@pytest.fixture
def tiny_file(tiny_lite, tmp_path):
    """A checkpoint of a tiny network that has taken the place of lite."""
    save_network(tiny_lite, tmp_path / "tiny.safetensors", {"licence": "ours"})
    with register_network(tiny_lite):
        yield tmp_path / "tiny.safetensors"


def imported():
    return [name for name, entry in registered_weights().items() if not entry.shipped]


def test_many_imports_at_once_are_all_registered(tiny_file):
    names = [f"w{index}" for index in range(18)]
    with ThreadPoolExecutor(18) as pool:
        list(pool.map(lambda name: import_weights(tiny_file, name), names))
    assert sorted(imported()) == sorted(names)
    for name in names:
        verify_entry(find_weights(name))


def test_imports_at_once_under_one_name_leave_one_whole_file(tiny_file, tiny_lite, tmp_path):
    files = []
    for index in range(6):
        tiny_lite.decoder.head2.bias.data.fill_(index)
        files.append(tmp_path / f"{index}.safetensors")
        save_network(tiny_lite, files[-1], {"licence": "ours"})
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda file: import_weights(file, "one", overwrite=True), files))
    entry = find_weights("one")
    verify_entry(entry)
    assert read_checkpoint(entry.path).arrays["decoder.head2.bias"] in range(6)
    assert {path.name for path in user_folder().iterdir()} == {entry.path.name, "registry.json", LOCK_FILE}


def test_what_a_killed_import_left_is_removed_by_the_next_one(tiny_file):
    folder = user_folder()
    folder.mkdir(parents=True)
    left = folder / ".mine-0123456789ab.safetensors.4711-0a1b2c3d.partial"
    theirs = folder / "notes.partial"
    for path in (left, theirs):
        path.write_bytes(b"half")
    import_weights(tiny_file, "mine")
    assert not left.exists()
    assert theirs.exists()


def test_of_imports_at_once_without_overwrite_one_wins(tiny_file):
    def try_import(_):
        try:
            return import_weights(tiny_file, "one") is not None
        except UsageError:
            return False

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(try_import, range(6))) == 1


@pytest.mark.slow
def test_many_processes_import_at_once(tmp_path):
    go = tmp_path / "go"
    code = """if True:
        import sys, time
        from pathlib import Path
        from vosctl.weights.store import import_weights
        from vosctl.weights.registry import find_weights
        while not Path(sys.argv[1]).exists():
            time.sleep(0.01)
        import_weights(find_weights("lite").path, sys.argv[2], licence="ours", overwrite=True)
    """
    names = [*(f"w{index}" for index in range(18)), *["one"] * 6]
    running = [subprocess.Popen([sys.executable, "-c", code, str(go), name]) for name in names]
    time.sleep(1)
    go.touch()
    assert [process.wait(timeout=200) for process in running] == [0] * len(names)
    assert sorted(imported()) == sorted(set(names))
    for name in set(names):
        verify_entry(find_weights(name))
    assert read_registry().problem is None
    assert len(list(user_folder().iterdir())) == len(set(names)) + 2


def test_an_export_can_be_imported_with_its_licence(tiny_file, tmp_path):
    import_weights(tiny_file, "mine", licence="mine [/x]")
    export_weights("mine", tmp_path / "out.safetensors")
    assert import_weights(tmp_path / "out.safetensors", "again").licence == "mine [/x]"
    assert read_checkpoint(tmp_path / "out.safetensors").arrays.keys() == read_checkpoint(tiny_file).arrays.keys()


def test_shipped_weights_are_exported_with_their_licence(tmp_path):
    export_weights("lite", tmp_path / "made" / "out.safetensors")
    again = import_weights(tmp_path / "made" / "out.safetensors", "again")
    lite = find_weights("lite")
    assert (again.licence, again.training_data, again.quality) == (lite.licence, lite.training_data, lite.quality)


def test_weights_that_are_replaced_while_they_are_removed_leave_no_file(tiny_file):
    first = import_weights(tiny_file, "mine").path
    registry, second = user_folder() / "registry.json", user_folder() / "mine-0123456789ab.safetensors"
    with ThreadPoolExecutor(1) as pool:
        with FileLock(user_folder() / LOCK_FILE):  # another process, that imports
            removing = pool.submit(remove_weights, "mine")
            time.sleep(0.3)
            second.write_bytes(first.read_bytes())
            listed = json.loads(registry.read_text("utf-8"))
            registry.write_text(json.dumps({"mine": {**listed["mine"], "file": second.name}}), "utf-8")
            first.unlink()
        assert removing.result() == second
    assert {path.name for path in user_folder().iterdir()} == {"registry.json", LOCK_FILE}
    assert imported() == []


def test_weights_that_are_removed_meanwhile_are_not_removed_again(tiny_file):
    import_weights(tiny_file, "mine")
    with ThreadPoolExecutor(1) as pool:
        with FileLock(user_folder() / LOCK_FILE):
            removing = pool.submit(remove_weights, "mine")
            time.sleep(0.3)
            (user_folder() / "registry.json").write_text("{}", "utf-8")
        with pytest.raises(UsageError, match="no such weights"):
            removing.result()


def test_a_licence_that_is_no_text_is_refused(tiny_file):
    with pytest.raises(UsageError, match=r"`licence=.*no UTF-8"):
        import_weights(tiny_file, "mine", licence=b"freie Nutzung f\xfcr alle".decode("utf-8", "surrogateescape"))
