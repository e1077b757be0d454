import pytest

from tests.helpers.networks import TINY_STAGES, randomise_norms, register_network
from vosctl.engine import create_engine
from vosctl.weights.networks import save_network


@pytest.fixture
def tiny_weights(tmp_path_factory):
    """A checkpoint of a tiny network, which has taken the place of lite."""
    from vosctl.network.lite import Lite

    network = randomise_norms(Lite(stem_channels=4, stages=TINY_STAGES, widths=(4, 4, 8, 8)))
    network.crop_size = 96
    path = tmp_path_factory.mktemp("tiny") / "lite.safetensors"
    save_network(network, path)
    with register_network(network):
        yield str(path)


def test_it_exports_beside_and_says_what_it_checked(invoke, tiny_weights, tmp_path):
    result = invoke("export-onnx", "--weights", tiny_weights, "--size", "64x96", "--objects", "2")
    assert result.exit_code == 0, result.output
    assert "probabilities differ from torch's by" in result.stderr
    assert result.stdout == ""
    names = sorted(path.name for path in (tmp_path / "lite-onnx").iterdir())
    assert names == ["README.md", "reference.onnx", "step.onnx", "weights.bin"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lite-onnx"]

    again = invoke("export-onnx", "--weights", tiny_weights)
    assert again.exit_code == 2
    assert "lite-onnx: exists" in again.stderr


def test_one_number_is_a_square_and_quiet_is_quiet(invoke, tiny_weights, tmp_path):
    result = invoke("export-onnx", "--weights", tiny_weights, "--size", "64", "-o", "out", "-q")
    assert result.exit_code == 0, result.output
    assert result.output == ""
    assert create_engine(str(tmp_path / "out"), device="cpu").crop_size == 64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "big"], "--size big: give one side, HxW such as 480x864, or dynamic"),
        (["--size", "96x"], "--size 96x: give one side, HxW such as 480x864, or dynamic"),
        (["--size", "100"], "--size: 100x100: both must be multiples of 32"),
        (["--size", "0"], "--size: 0x0"),
        (["--objects", "two"], "--objects two: give a number, or dynamic"),
        (["--objects", "0"], "--objects 0: must be 1 to 255"),
        (["--opset", "3"], "--opset 3"),
        (["--precision", "int8"], "--precision int8: needs real frames"),
        (["--calibrate", "a.mp4"], "give both"),
        (["--precision", "bf16"], "bf16"),
        (["--weights", "nothing"], "--weights nothing: neither a file nor a registered name"),
        (["--weights", "."], "is exported already"),
    ],
)
def test_what_cannot_be_served_is_one_line(arguments, message, invoke, tiny_weights, tmp_path):
    result = invoke("export-onnx", "--weights", tiny_weights, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())
