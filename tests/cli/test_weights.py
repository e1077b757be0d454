import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.helpers.networks import register_network
from vosctl.network.lite import Lite
from vosctl.network.rgmp import RGMP
from vosctl.weights.networks import load_network, save_network
from vosctl.weights.registry import find_weights, registered_weights, shipped_folder, shipped_from, user_folder
from vosctl.weights.store import LOCK_FILE


@pytest.fixture
def tiny_networks(tiny_lite, tiny_rgmp):
    """Both networks in a size that takes no time, wherever one is made by name."""
    with register_network(tiny_lite), register_network(tiny_rgmp):
        yield


@pytest.fixture
def official(tiny_rgmp, tmp_path):
    """A state dict in the official layout, counters included, saved as weights.pth."""
    tensors = {f"module.{key}": value.clone() for key, value in tiny_rgmp.state_dict().items()}
    tensors["module.Encoder.bn1.num_batches_tracked"] = torch.tensor(12345)
    torch.save(tensors, tmp_path / "weights.pth")
    return tensors


def assert_same(found, expected):
    assert list(found) == list(expected)
    for key, value in expected.items():
        assert found[key].dtype == value.dtype, key
        assert torch.equal(found[key], value), key


def test_a_round_trip_is_exact(invoke, tiny_networks, official, tmp_path):
    result = invoke("weights", "import", "weights.pth", "--name", "official")
    assert result.exit_code == 0, result.output
    assert "non-commercial research use only" in result.stdout
    entry = find_weights("official")
    assert (entry.network, entry.shipped, entry.path.parent) == ("rgmp", False, user_folder())
    assert entry.path.stat().st_mode == (user_folder() / "registry.json").stat().st_mode  # what new files get
    result = invoke("weights", "export", "official", "out.pth")
    assert result.exit_code == 0, result.output
    assert_same(torch.load(tmp_path / "out.pth", weights_only=True), official)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.pth", "weights.pth"]


def test_counters_an_old_file_lacks_are_made(invoke, tiny_networks, official, tmp_path):
    old = {key: value for key, value in official.items() if "num_batches" not in key}
    torch.save(old, tmp_path / "weights.pth")
    assert invoke("weights", "import", "weights.pth", "--name", "official").exit_code == 0
    assert invoke("weights", "export", "official", "out.pth").exit_code == 0
    found = torch.load(tmp_path / "out.pth", weights_only=True)
    assert list(found) == list(official)
    for key, value in found.items():
        assert torch.equal(value, old.get(key, torch.tensor(0))), key


def test_the_full_network_by_name(invoke, tmp_path):
    """The real RGMP, with random weights: imported, it is what `--weights official` loads."""
    torch.manual_seed(1)
    network = RGMP()
    torch.save({f"module.{key}": value for key, value in network.state_dict().items()}, tmp_path / "weights.pth")
    assert invoke("weights", "import", "weights.pth", "--name", "official").exit_code == 0
    assert_same(load_network("official").state_dict(), network.state_dict())


def test_own_weights_take_their_licence_with_them(invoke, tiny_networks, tiny_lite, tmp_path):
    save_network(tiny_lite, tmp_path / "best.safetensors", {"step": "300"})
    arguments = ("weights", "import", "best.safetensors", "--name", "mine")
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "add --licence" in result.stderr
    assert invoke(*arguments, "--licence", "ours alone").exit_code == 0
    assert find_weights("mine").licence == "ours alone"
    assert invoke("weights", "export", "mine", "again.safetensors").exit_code == 0
    assert_same(load_file(tmp_path / "again.safetensors"), load_file(tmp_path / "best.safetensors"))
    # and the file says it from now on
    assert invoke("weights", "import", "again.safetensors", "--name", "other").exit_code == 0
    assert find_weights("other").licence == "ours alone"


def test_a_pth_of_ones_own_is_not_the_official_release(invoke, tiny_networks, official):
    assert invoke("weights", "import", "weights.pth", "--name", "own", "--licence", "CC0").exit_code == 0
    entry = find_weights("own")
    assert (entry.licence, entry.training_data, entry.quality) == ("CC0", "not stated", "not stated")


def test_replacing_needs_overwrite_and_leaves_one_file(invoke, tiny_networks, official, tmp_path):
    arguments = ("weights", "import", "weights.pth", "--name", "official")
    invoke(*arguments)
    official["module.Decoder.pred2.bias"] += 1
    torch.save(official, tmp_path / "weights.pth")
    before = find_weights("official")
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "add --overwrite" in result.stderr
    assert find_weights("official") == before
    assert invoke(*arguments, "--overwrite").exit_code == 0
    after = find_weights("official")
    assert after.sha256 != before.sha256
    names = [path.name for path in user_folder().iterdir()]
    assert sorted(names) == sorted([after.path.name, "registry.json", LOCK_FILE])
    # the same file once more
    assert invoke(*arguments, "--overwrite").exit_code == 0
    assert invoke("weights", "verify").exit_code == 0


@pytest.mark.parametrize("name", ["", "-x", "a b", "../up", "a.pth", "a/b", "x" * 65, "naïve"])
def test_ill_formed_names(invoke, official, name):
    result = invoke("weights", "import", "weights.pth", f"--name={name}")
    assert result.exit_code == 2
    assert "ill-formed" in result.stderr
    assert not user_folder().exists()


def test_a_shipped_name_is_never_taken(invoke, official):
    result = invoke("weights", "import", "weights.pth", "--name", "lite", "--overwrite")
    assert result.exit_code == 2
    assert "taken by weights that came with vosctl" in result.stderr


def test_a_file_that_does_not_fit_is_not_registered(invoke, official, tmp_path):
    """The tiny checkpoint is refused by the full network."""
    result = invoke("weights", "import", "weights.pth", "--name", "official")
    assert result.exit_code == 1
    assert re.search(r"Encoder\.\S+ is \(", result.stderr)
    assert "official" not in registered_weights()


def test_a_folder_that_cannot_be_written(invoke, tiny_networks, official, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VOSCTL_HOME", str(tmp_path / "file"))
    result = invoke("weights", "import", "weights.pth", "--name", "official")
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr
    assert "VOSCTL_HOME" in result.stderr


@pytest.mark.parametrize(
    ("name", "output", "code", "message"),
    [
        ("lite", "out.pth", 2, "the official layout is RGMP's"),
        ("lite", "out.onnx", 2, "unknown kind of file"),
        ("lite", "taken.safetensors", 2, "add --overwrite"),
        ("lite", "taken.safetensors/out.safetensors", 1, "cannot be written"),
        ("nonesuch", "out.pth", 2, "neither a file nor a registered name"),
    ],
)
def test_exports_that_cannot_be(invoke, tmp_path, name, output, code, message):
    (tmp_path / "taken.safetensors").write_text("mine")
    result = invoke("weights", "export", name, output)
    assert result.exit_code == code
    assert message in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["taken.safetensors"]
    assert (tmp_path / "taken.safetensors").read_text() == "mine"


@pytest.mark.parametrize("arguments", [("info", "nonesuch"), ("verify", "nonesuch"), ("export", "nonesuch", "o.pth")])
def test_weights_that_there_are_not_are_named_as_they_were_typed(invoke, arguments):
    result = invoke("weights", *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: nonesuch: neither a file nor a registered name; names: ")


def test_a_checkpoint_to_import_has_to_be_there(invoke):
    result = invoke("weights", "import", "nonesuch.pth", "--name", "mine")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: Invalid value for 'FILE': Path 'nonesuch.pth' does not exist")


def test_verify_finds_a_changed_file(invoke, tiny_networks, official):
    invoke("weights", "import", "weights.pth", "--name", "official")
    assert invoke("weights", "verify").exit_code == 0
    path = find_weights("official").path
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    result = invoke("weights", "verify")
    assert result.exit_code == 1
    assert result.stdout.startswith("lite: ok")
    assert "official: FAILED" in result.stderr
    assert "import it again" in result.stderr
    assert invoke("weights", "verify", "lite").exit_code == 0
    assert "FAILED" in invoke("weights", "list").stdout
    assert "FAILED" in invoke("weights", "info", "official").stdout


def test_verify_finds_a_changed_shipped_file(invoke, tmp_path):
    (tmp_path / "registry.json").write_text((shipped_folder() / "registry.json").read_text())
    save_file({"encoder.a": torch.zeros(2)}, tmp_path / "lite.safetensors")
    with shipped_from(tmp_path):
        result = invoke("weights", "verify")
    assert result.exit_code == 1
    assert "reinstall vosctl" in result.stderr


def test_remove(invoke, tiny_networks, official):
    invoke("weights", "import", "weights.pth", "--name", "official")
    path = find_weights("official").path
    assert invoke("weights", "remove", "official").exit_code == 0
    assert not path.exists()
    assert "official" not in registered_weights()
    assert invoke("weights", "remove", "official").exit_code == 2
    assert invoke("weights", "remove", "lite").exit_code == 2


def test_info_of_a_file_says_what_the_file_says(invoke, tiny_networks, official):
    words = invoke("weights", "info", "weights.pth").stdout
    assert "name        none, a file" in words
    assert "not said by the file" in words
    told = json.loads(invoke("weights", "info", "weights.pth", "--json").stdout)
    tensors = torch.load("weights.pth", weights_only=True)
    assert sum(told["values"].values()) == sum(tensor.numel() for tensor in tensors.values())
    assert (told["name"], told["presence"], told["references"]) == (None, False, 1)

    invoke("weights", "import", "weights.pth", "--name", "official", "--licence", "mine")
    path = find_weights("official").path
    told = json.loads(invoke("weights", "info", str(path), "--json").stdout)
    assert (told["licence"], told["sha256"]) == ("mine", find_weights("official").sha256)


@pytest.mark.parametrize(
    ("name", "code", "words"), [("gone.safetensors", 1, "gone.safetensors"), ("gone", 2, "names: ")]
)
def test_info_of_what_is_not_there(invoke, name, code, words):
    result = invoke("weights", "info", name)
    assert result.exit_code == code
    assert words in result.stderr


def test_weights_that_only_find_objects_are_not_said_to_lose_them(invoke):
    titles = {
        name: [line.split()[0] for line in invoke("weights", "info", name).stdout.splitlines()]
        for name in ("prompt", "lite")
    }
    assert {"presence", "references"}.isdisjoint(titles["prompt"])
    assert {"presence", "references"} <= set(titles["lite"])


def test_list_and_info(invoke):
    listed = json.loads(invoke("weights", "list", "--json").stdout)
    assert [one["name"] for one in listed if one["shipped"]] == list(registered_weights())
    lite = json.loads(invoke("weights", "info", "lite", "--json").stdout)
    assert lite["state"] == "verified"
    tensors = Lite(outlines=False).state_dict()  # heads lie in files of their own
    expected = sum(v.numel() for k, v in tensors.items() if not k.endswith("num_batches_tracked"))
    assert sum(lite["values"].values()) == expected
    assert lite["references"] == 2
    assert "references  two of an object" in invoke("weights", "info", "lite").stdout
    for words in (invoke("weights", "list").stdout, invoke("weights", "info", "lite").stdout):
        assert lite["licence"] in words
