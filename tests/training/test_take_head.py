"""`tools/take_head.py`: a head that was trained alone, in a file beside the weights that it belongs to."""

import numpy as np
import pytest
import torch

from tools.take_head import main, take_head
from vosctl.errors import VosctlError
from vosctl.network.lite import Lite
from vosctl.network.table import create_network, part_of
from vosctl.weights.checkpoint import read_checkpoint
from vosctl.weights.networks import save_network


@pytest.fixture
def trained(tmp_path):
    """Weights with a head for outlines, and the same without it: their paths."""
    torch.manual_seed(5)
    network = Lite()
    assert network.outline is not None
    torch.nn.init.normal_(network.outline.head.weight)
    save_network(network, tmp_path / "run.safetensors")
    network.outline = None
    save_network(network, tmp_path / "own.safetensors")
    return tmp_path / "run.safetensors", tmp_path / "own.safetensors"


def test_a_head_and_its_weights_make_the_whole(trained):
    run, own = trained
    output = own.with_name("own-outline.safetensors")
    take_head(str(run), "outline", str(own), output)
    whole, joined = read_checkpoint(run).arrays, read_checkpoint(own).arrays
    assert whole.keys() == joined.keys()
    assert all(np.array_equal(whole[key], joined[key]) for key in whole)
    assert output.stat().st_size < 20_000


def test_a_head_of_other_weights_is_not_taken(trained):
    run, own = trained
    network = create_network("lite")
    save_network(network, own.with_name("other.safetensors"))
    with pytest.raises(VosctlError, match=r"is not that of other\.safetensors"):
        take_head(str(run), "outline", str(own.with_name("other.safetensors")), own.with_name("x"))
    with pytest.raises(VosctlError, match="has no head for presence"):
        take_head(str(run), "presence", str(own), own.with_name("x"))
    assert not own.with_name("x").exists()
    assert {part_of(key) for key in read_checkpoint(run).arrays} >= {"outline"}


def test_a_missing_folder_is_made_and_one_that_cannot_be_is_told_in_a_line(trained, capsys):
    run, own = trained
    output = own.with_name("missing") / "own-outline.safetensors"
    main([str(run), "outline", "--of", str(own), "-o", str(output)])
    assert output.is_file()
    with pytest.raises(SystemExit) as ended:
        main([str(run), "outline", "--of", str(own), "-o", str(output / "other.safetensors")])
    assert ended.value.code == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "its folder cannot be made: " in line
