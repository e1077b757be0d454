import hashlib
import json
import pickle
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.helpers.networks import register_network
from vosctl.engine import create_engine
from vosctl.errors import UsageError, VosctlError
from vosctl.network.rgmp import RGMP
from vosctl.network.table import PACKAGED, create_network, find_network, part_of, registered_network
from vosctl.weights.checkpoint import HEAD_OF, load_checkpoint, read_checkpoint
from vosctl.weights.formats import safetensors_bytes
from vosctl.weights.networks import load_network, save_network
from vosctl.weights.registry import (
    HEADS,
    file_sha256,
    find_weights,
    head_file,
    registered_weights,
    shipped_folder,
    shipped_from,
)
from vosctl.weights.store import import_weights


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


def test_a_pickle_that_asks_for_all_the_memory_there_is(tmp_path):
    path = tmp_path / "huge.pth"
    torch.save({"Encoder.a": torch.zeros(4)}, path, _use_new_zipfile_serialization=False)
    # A text whose length, in 8 bytes, is claimed to be a petabyte.
    content = path.read_bytes()
    magic = content.index(b"\x80\x02")
    path.write_bytes(content[:magic] + b"\x80\x02\x8d" + (2**50).to_bytes(8, "little") + b"x.")
    with pytest.raises(VosctlError, match=r"huge\.pth") as caught:
        load_network(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [{"epoch": 3}, [1, 2], {"weight": torch.zeros(2)}])
def test_foreign_pickles_get_one_line(tmp_path, content):
    path = tmp_path / "foreign.pth"
    torch.save(content, path)
    with pytest.raises(VosctlError, match=r"state dict|not the weights"):
        load_network(path)


def test_other_files_and_names_get_one_line(tmp_path):
    with pytest.raises(VosctlError, match="is a folder; give a registered name, or a file of weights"):
        load_network(tmp_path)
    with pytest.raises(VosctlError, match="no such weights file"):
        load_network(tmp_path / "absent.pth")
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    with pytest.raises(VosctlError, match="unknown kind of weights"):
        load_network(text)
    graph = tmp_path / "step.onnx"
    graph.write_bytes(b"a graph")
    with pytest.raises(VosctlError, match=f"one graph of an export; give the folder with both, {tmp_path}, as"):
        load_network(graph)
    with pytest.raises(UsageError, match="neither a file nor a registered name; names: lite"):
        load_network("nonesuch")


def test_saving_keeps_the_network(tiny_lite, tmp_path):
    path = tmp_path / "tiny.safetensors"
    save_network(tiny_lite, path, {"licence": "none"})
    with register_network(tiny_lite):
        checkpoint = read_checkpoint(path)
    assert checkpoint.network == "lite"
    assert checkpoint.metadata["licence"] == "none"
    tensors = {key: torch.from_numpy(array) for key, array in checkpoint.arrays.items()}
    for key, value in tiny_lite.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            torch.testing.assert_close(tensors[key].float(), value, atol=1e-3, rtol=1e-3)
    assert [file.name for file in tmp_path.iterdir()] == ["tiny.safetensors"]


@pytest.mark.parametrize("name", ["lite", "lite-plus", "rgmp"])
def test_a_file_that_does_not_say_its_network_is_recognised(tmp_path, name):
    path = tmp_path / "nameless.safetensors"
    save_file(dict(create_network(name).state_dict()), path)
    assert load_network(path).name == name
    assert read_checkpoint(path).network == name


def test_the_shipped_weights_are_the_registered_ones():
    assert load_network("lite").name == "lite"
    for entry in registered_weights().values():
        assert entry.licence
        assert entry.training_data


def test_changed_shipped_weights_are_noticed(tmp_path):
    folder = tmp_path / "weights"
    folder.mkdir()
    listed = json.loads((shipped_folder() / "registry.json").read_text())
    (folder / "registry.json").write_text(json.dumps({"lite": listed["lite"]}))
    (folder / "lite.safetensors").write_bytes(b"something else")
    with shipped_from(folder), pytest.raises(VosctlError, match="sha256 differs"):
        load_network("lite")


@pytest.fixture
def lite_arrays():
    """Lite's own weights, without its heads."""
    arrays = read_checkpoint(find_weights("lite").path).arrays
    return {key: array for key, array in arrays.items() if part_of(key) not in HEADS}


def write(path, arrays, metadata=None):
    path.write_bytes(safetensors_bytes(arrays, metadata or {}))
    return path


def test_every_engine_refuses_what_one_refuses(lite_arrays, tmp_path):
    """One reader: a key too many was taken by ONNX Runtime and refused by torch."""
    path = write(tmp_path / "more.safetensors", lite_arrays | {"decoder.extra": np.zeros(2, np.float32)})
    for engine in ("onnx", "torch"):
        with pytest.raises(VosctlError, match=r"lite network: decoder\.extra is unknown to it"):
            create_engine(str(path), engine=engine, device="cpu")
    with pytest.raises(VosctlError, match=r"decoder\.extra is unknown to it"):
        import_weights(path, "more", licence="mine")


def test_every_engine_takes_a_file_for_the_same_network(lite_arrays, tmp_path):
    """`finest` is lite-plus's alone; it was lite to one reader and lite-plus to the other."""
    path = write(tmp_path / "odd.safetensors", lite_arrays | {"finest.extra": np.zeros(2, np.float32)})
    for engine in ("onnx", "torch"):
        with pytest.raises(VosctlError, match="not the weights of the lite-plus network"):
            create_engine(str(path), engine=engine, device="cpu")


def test_a_checkpoint_knows_itself(lite_arrays, tmp_path):
    path = write(tmp_path / "own.safetensors", lite_arrays, {"network": "lite", "licence": "CC0"})
    checkpoint = read_checkpoint(path)
    assert (checkpoint.network, checkpoint.path, checkpoint.metadata["licence"]) == ("lite", path, "CC0")
    assert checkpoint.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not checkpoint.has_presence
    floats = checkpoint.floats()
    assert {array.dtype for array in floats.values()} == {np.dtype(np.float32)}
    assert all(floats[key].shape == array.shape for key, array in checkpoint.arrays.items())


def test_a_presence_head_may_be_there_or_not(tiny_lite, tmp_path):
    """The head is whole or not there at all."""
    own = {key: value.numpy() for key, value in tiny_lite.state_dict().items()}
    head = {"presence.weight": np.zeros((1, 4), np.float32), "presence.bias": np.zeros(1, np.float32)}
    shapes = {key: array.shape for key, array in (own | head).items()}
    with registered_network(replace(tiny_lite.description, own_shapes=shapes)):
        assert not read_checkpoint(write(tmp_path / "a.safetensors", own)).has_presence
        assert read_checkpoint(write(tmp_path / "b.safetensors", own | head)).has_presence
        del head["presence.bias"]
        with pytest.raises(VosctlError, match=r"presence\.bias is missing"):
            read_checkpoint(write(tmp_path / "c.safetensors", own | head))


@pytest.mark.parametrize("engine", ["torch", "onnx", "openvino"])
def test_weights_from_before_the_head_for_outlines_give_their_masks(engine, lite_arrays, tmp_path):
    """They lack the part, which then corrects nothing: the same in every engine as one whose head is all zeros."""
    if engine == "openvino":
        pytest.importorskip("openvino")
    random = np.random.default_rng(2)
    part = {key: shape for key, shape in find_network("lite").shapes.items() if part_of(key) == "outline"}
    correcting = {key: random.normal(0, 0.3, shape).astype(np.float32) for key, shape in part.items()}
    idle = correcting | {key: np.zeros(part[key], np.float32) for key in part if key.startswith("outline.head.")}
    images = random.integers(0, 256, (1, 64, 96, 3), dtype=np.uint8)
    masks = np.zeros((1, 64, 96), np.float32)
    masks[:, 16:48, 16:64] = 1

    def found(name, arrays):
        path = write(tmp_path / f"{name}.safetensors", arrays)
        made = create_engine(str(path), engine=engine, device="cpu", precision="fp32")
        return made.propagate(images, masks, [made.encode_reference(images[0], masks[0])]).probabilities

    np.testing.assert_allclose(found("older", lite_arrays), found("idle", lite_arrays | idle), atol=1e-6)
    assert np.abs(found("older", lite_arrays) - found("new", lite_arrays | correcting)).max() > 0.01
    del idle["outline.inner1.bias"]
    with pytest.raises(VosctlError, match=r"outline\.inner1\.bias is missing"):
        read_checkpoint(write(tmp_path / "torn.safetensors", lite_arrays | idle))


def with_head(folder, trunk=None):
    """A lite checkpoint and its head for presence in a file of its own; returns the checkpoint's path."""
    torch.manual_seed(4)
    network = create_network("lite")
    network.add_presence()
    arrays = {key: value.numpy() for key, value in network.state_dict().items()}
    path = write(folder / "own.safetensors", {k: v for k, v in arrays.items() if part_of(k) != "presence"})
    head = {key: array for key, array in arrays.items() if part_of(key) == "presence"}
    write(folder / "own-presence.safetensors", head, {HEAD_OF: trunk or file_sha256(path)})
    return path


def test_a_head_for_presence_may_lie_beside_its_checkpoint(tmp_path):
    checkpoint = read_checkpoint(with_head(tmp_path))
    assert checkpoint.has_presence
    network = load_network(checkpoint.path)
    assert network.presence is not None
    torch.testing.assert_close(
        network.presence.embed1.weight, torch.from_numpy(checkpoint.floats()["presence.embed1.weight"])
    )
    save_network(network, tmp_path / "whole.safetensors")
    assert read_checkpoint(tmp_path / "whole.safetensors").has_presence


def test_a_head_of_other_weights_is_refused(tmp_path):
    path = with_head(tmp_path, trunk="0" * 64)
    with pytest.raises(VosctlError, match=r"own-presence\.safetensors: the head for presence of other weights"):
        read_checkpoint(path)


def test_a_head_beside_a_checkpoint_is_checked_like_the_rest(tmp_path):
    path = with_head(tmp_path)
    head = tmp_path / "own-presence.safetensors"
    arrays = load_file(head)
    del arrays["presence.verdict2.bias"]
    save_file(arrays, head, {HEAD_OF: file_sha256(path)})
    with pytest.raises(VosctlError, match=r"presence\.verdict2\.bias is missing"):
        read_checkpoint(path)


@pytest.mark.parametrize("engine", ["torch", "onnx", "openvino"])
def test_engines_tell_presence_where_there_is_a_head(engine, tmp_path):
    if engine == "openvino":
        pytest.importorskip("openvino")
    path = with_head(tmp_path)
    images = np.random.default_rng(1).integers(0, 256, (2, 64, 96, 3), dtype=np.uint8)
    masks = np.zeros((2, 64, 96), np.float32)
    masks[:, 16:48, 16:64] = 1

    def told(name):
        made = create_engine(str(path), engine=name, device="cpu", precision="fp32")
        return made.propagate(images, masks, [made.encode_reference(*one) for one in zip(images, masks, strict=True)])

    with_it = told(engine)
    assert with_it.presence.shape == (2,)
    assert with_it.presence.dtype == np.float32
    np.testing.assert_allclose(with_it.presence, told("torch").presence, atol=1e-4)
    (tmp_path / "own-presence.safetensors").unlink()
    without = told(engine)
    assert without.presence is None
    np.testing.assert_allclose(without.probabilities, with_it.probabilities, atol=1e-5)


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_bfloat16_is_read_and_kept(suffix, tiny_lite, tmp_path):
    path = tmp_path / f"half.{suffix}"
    tensors = {key: value.bfloat16() for key, value in tiny_lite.state_dict().items() if "num_batches" not in key}
    (save_file if suffix == "safetensors" else torch.save)(tensors, path)
    with register_network(tiny_lite):
        checkpoint = read_checkpoint(path)
        import_weights(path, "half", licence="mine")
    stored = load_file(find_weights("half").path)
    for key, value in tensors.items():
        np.testing.assert_array_equal(checkpoint.floats()[key], value.float().numpy())
        assert torch.equal(stored[key], value)


@pytest.mark.parametrize("kind", [np.int32, np.uint8, np.bool_])
def test_weights_are_floats(kind, lite_arrays, tmp_path):
    lite_arrays["decoder.head2.bias"] = np.ones(1, kind)
    with pytest.raises(VosctlError, match=r"decoder\.head2\.bias holds \w+ values, weights are floats"):
        read_checkpoint(write(tmp_path / "w.safetensors", lite_arrays))


def test_what_overflows_as_float32_is_not_finite(lite_arrays, tmp_path):
    lite_arrays["decoder.head2.bias"] = np.full(1, 1e300)
    with pytest.raises(VosctlError, match=r"decoder\.head2\.bias holds values that are not finite"):
        read_checkpoint(write(tmp_path / "w.safetensors", lite_arrays))


@pytest.mark.parametrize("key", ["\x1b[31mred\x1b[0m", "two\nlines", "x" * 5000])
def test_keys_reach_the_terminal_as_plain_text(key, lite_arrays, tmp_path):
    for arrays in ({key: np.zeros(1, np.float32)}, lite_arrays | {f"decoder.{key}": np.zeros(1, np.float32)}):
        with pytest.raises(VosctlError) as caught:
            read_checkpoint(write(tmp_path / "esc.safetensors", arrays))
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 400 + len(str(tmp_path))


MALFORMED = {
    "no pickle": b"hello, this is text",
    "empty": b"",
    "an empty stack": b"\x80\x02.",
    "a memo that is not there": b"\x80\x02h\x05.",
    "a tuple of nothing": b"\x80\x02\x85.",
    "a mark that is not there": b"\x80\x02t.",
    "an unhashable key": b"\x80\x02}](K\x01s.",
    "a state for no object": b"\x80\x02K\x01}b.",
    "a length beyond the end": b"\x80\x02X\xff\xff\xff\x7fabc.",
    "an old magic number": pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + b"\x80\x02K\x01.",
    "a zip of nothing": b"PK\x05\x06" + bytes(18),
    "a zip cut off": b"PK\x03\x04" + bytes(60),
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED)
def test_malformed_pickles_get_one_line(content, tmp_path):
    path = tmp_path / "odd.pth"
    path.write_bytes(content)
    with pytest.raises(VosctlError) as caught:
        read_checkpoint(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()


def test_pickles_with_bytes_turned_get_one_line(tiny_lite, tmp_path):
    """Any exception may come out of a damaged pickle: a hundred of them."""
    whole = tmp_path / "whole.pth"
    torch.save(dict(tiny_lite.state_dict()), whole, _use_new_zipfile_serialization=False)
    content = whole.read_bytes()
    generator = random.Random(5)
    path = tmp_path / "turned.pth"
    with register_network(tiny_lite):
        for _ in range(100):
            turned = bytearray(content)
            for _ in range(3):
                turned[generator.randrange(3000)] = generator.randrange(256)
            path.write_bytes(turned)
            try:
                said = read_checkpoint(path).network
            except VosctlError as error:
                said = str(error)
            assert said.isprintable()


def test_odd_tensors_get_one_line(tmp_path):
    for value in (torch.zeros(3).to_sparse(), torch.zeros(3, device="meta"), torch.zeros(3, dtype=torch.complex64)):
        torch.save({"Encoder.a": value}, tmp_path / "odd.pth")
        with pytest.raises(VosctlError, match=r"plain tensor|state dict|not the weights"):
            read_checkpoint(tmp_path / "odd.pth")


def test_a_tensor_that_claims_to_be_huge_costs_nothing(official, tmp_path):
    """A few bytes can claim any shape by a stride of zero: shapes are checked before anything is copied."""
    huge = torch.zeros(1).expand(10**13)
    torch.save(official | {"module.Encoder.conv1_p.weight": huge}, tmp_path / "huge.pth")
    with pytest.raises(VosctlError, match=r"conv1_p\.weight is \(10000000000000,\), not"):
        read_checkpoint(tmp_path / "huge.pth")


@pytest.mark.parametrize("name", PACKAGED)
def test_the_shapes_in_the_package_are_those_of_the_networks(name):
    """When this fails after a change of a network, run `python -m vosctl.export.shipped`."""
    expected = {key: tuple(value.shape) for key, value in find_network(name).create_whole().state_dict().items()}
    assert list(find_network(name).shapes.items()) == list(expected.items())


@pytest.mark.parametrize("name", ["lite", "lite-plus"])
def test_the_shipped_heads_belong_to_their_weights(name):
    assert load_checkpoint(name).has_presence
    entry = find_weights(name)
    assert entry.heads["presence"]
    assert {head: file_sha256(head_file(entry.path, head)) for head in entry.heads} == entry.heads
