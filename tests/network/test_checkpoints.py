import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from vosctl.engine.weights import read_weights
from vosctl.errors import UsageError, VosctlError
from vosctl.network.checkpoints import create_network, load_network, read_checkpoint, save_network
from vosctl.network.rgmp import RGMP
from vosctl.registry import find_weights, registered_weights, shipped_folder


@pytest.fixture(scope="module")
def official():
    """A checkpoint with the official layout and random weights, as it was saved from a DataParallel wrapper."""
    torch.manual_seed(3)
    return {f"module.{key}": value for key, value in RGMP().state_dict().items()}


@pytest.mark.parametrize("prefix", ["module.", ""])
@pytest.mark.parametrize("counters", [True, False], ids=["with-counters", "older-file"])
def test_official_layout_loads(official, tmp_path, prefix, counters):
    path = tmp_path / "weights.pth"
    tensors = {
        key.replace("module.", prefix): value
        for key, value in official.items()
        if counters or not key.endswith("num_batches_tracked")
    }
    torch.save(tensors, path)
    network = load_network(path)
    assert network.name == "rgmp"
    loaded = network.state_dict()
    assert torch.equal(loaded["Decoder.RF4.convFS1.weight"], official["module.Decoder.RF4.convFS1.weight"])
    assert torch.equal(loaded["Encoder.res4.5.bn3.running_var"], official["module.Encoder.res4.5.bn3.running_var"])


def test_the_first_missing_key_is_named(official, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({key: value for key, value in official.items() if "GC.conv_l2" not in key}, path)
    with pytest.raises(VosctlError, match=r"Decoder\.GC\.conv_l2\.weight is missing"):
        load_network(path)


def test_the_first_misshapen_key_is_named_with_both_shapes(official, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(official | {"module.Encoder.conv1_p.weight": torch.zeros(64, 2, 7, 7)}, path)
    with pytest.raises(VosctlError, match=r"conv1_p\.weight is \(64, 2, 7, 7\), not \(64, 1, 7, 7\)"):
        load_network(path)


def test_an_unknown_key_is_refused(official, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(official | {"module.Decoder.extra": torch.zeros(1)}, path)
    with pytest.raises(VosctlError, match=r"Decoder\.extra is unknown"):
        load_network(path)


def test_values_that_are_not_finite_are_refused(tmp_path):
    tensors = load_file(find_weights("lite").path)
    tensors["decoder.head2.bias"] = torch.tensor([float("nan")])
    path = tmp_path / "nan.safetensors"
    save_file(tensors, path)
    with pytest.raises(VosctlError, match=r"head2\.bias holds values that are not finite"):
        load_network(path)


class Evil:
    def __reduce__(self):
        return (print, ("code was run",))


def test_a_pickle_that_wants_to_run_code_is_refused(tmp_path, capsys):
    path = tmp_path / "evil.pth"
    torch.save({"module.Encoder.conv1.weight": Evil()}, path)
    with pytest.raises(VosctlError, match="wants to run code"):
        load_network(path)
    assert "code was run" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["cut.pth", "cut.safetensors"])
def test_damaged_files_get_one_line(tmp_path, name):
    whole = tmp_path / ("whole" + name[3:])
    if name.endswith("pth"):
        torch.save({"Encoder.a": torch.zeros(1000)}, whole)
    else:
        save_file({"encoder.a": torch.zeros(1000)}, whole)
    path = tmp_path / name
    path.write_bytes(whole.read_bytes()[:900])
    with pytest.raises(VosctlError, match="fetch") as caught:
        load_network(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [{"epoch": 3}, [1, 2], {"weight": torch.zeros(2)}])
def test_foreign_pickles_get_one_line(tmp_path, content):
    path = tmp_path / "foreign.pth"
    torch.save(content, path)
    with pytest.raises(VosctlError, match=r"state dict|not the weights"):
        load_network(path)


def test_other_files_and_names_get_one_line(tmp_path):
    with pytest.raises(VosctlError, match="no such weights file"):
        load_network(tmp_path / "absent.pth")
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    with pytest.raises(VosctlError, match="unknown kind of weights"):
        load_network(text)
    with pytest.raises(UsageError, match="neither a file nor a registered name; names: lite"):
        load_network("nonesuch")


def test_saving_keeps_the_network(tiny_lite, tmp_path, monkeypatch):
    path = tmp_path / "tiny.safetensors"
    save_network(tiny_lite, path, {"licence": "none"})
    tensors, name = read_checkpoint(path)
    assert name == "lite"
    for key, value in tiny_lite.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            torch.testing.assert_close(tensors[key].float(), value, atol=1e-3, rtol=1e-3)
    assert [file.name for file in tmp_path.iterdir()] == ["tiny.safetensors"]


@pytest.mark.parametrize("name", ["lite", "lite-plus", "rgmp"])
def test_a_file_that_does_not_say_its_network_is_recognised(tmp_path, name):
    path = tmp_path / "nameless.safetensors"
    save_file(dict(create_network(name).state_dict()), path)
    assert load_network(path).name == name
    assert read_weights(path).network == name


def test_the_shipped_weights_are_the_registered_ones():
    assert load_network("lite").name == "lite"
    for entry in registered_weights().values():
        assert entry.licence
        assert entry.training_data


def test_changed_shipped_weights_are_noticed(tmp_path, monkeypatch):
    folder = tmp_path / "weights"
    folder.mkdir()
    listed = json.loads((shipped_folder() / "registry.json").read_text())
    (folder / "registry.json").write_text(json.dumps({"lite": listed["lite"]}))
    (folder / "lite.safetensors").write_bytes(b"something else")
    monkeypatch.setattr("vosctl.registry.shipped_folder", lambda: folder)
    with pytest.raises(VosctlError, match="sha256 differs"):
        load_network("lite")
