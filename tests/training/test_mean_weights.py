"""`tools/mean_weights.py`: the mean of weights, with their heads in files beside it."""

import numpy as np
import pytest
import torch

from tools.mean_weights import main, mean_weights
from vosctl.errors import UsageError, VosctlError
from vosctl.network.lite import Lite
from vosctl.network.table import create_network, part_of
from vosctl.weights.checkpoint import read_checkpoint
from vosctl.weights.networks import save_network


@pytest.fixture
def two(tmp_path):
    """Two files of weights, each with a head for outlines, the first one also with one for presence."""
    paths = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        network = Lite()
        if seed == 1:
            network.add_presence()
        save_network(network, tmp_path / f"{seed}.safetensors")
        paths.append(str(tmp_path / f"{seed}.safetensors"))
    return paths


def test_every_value_is_the_mean_and_heads_lie_beside(two, tmp_path):
    mean_weights(two, tmp_path / "mean.safetensors", presence=two[0])
    first, second = (read_checkpoint(tmp_path / f"{seed}.safetensors").floats() for seed in (1, 2))
    mean = read_checkpoint(tmp_path / "mean.safetensors")
    assert mean.has_presence
    for key, array in mean.floats().items():
        expected = first[key] if part_of(key) == "presence" else (first[key] + second[key]) / 2
        np.testing.assert_allclose(array, expected, rtol=2e-3, atol=1e-4)
    assert {path.name for path in tmp_path.glob("mean*")} == {
        "mean.safetensors",
        "mean-outline.safetensors",
        "mean-presence.safetensors",
    }


def test_shares_say_how_much_each_counts(two, tmp_path):
    mean_weights(two, tmp_path / "mean.safetensors", shares=(3, 1))
    first, second = (read_checkpoint(tmp_path / f"{seed}.safetensors").floats() for seed in (1, 2))
    for key, array in read_checkpoint(tmp_path / "mean.safetensors").floats().items():
        np.testing.assert_allclose(array, 0.75 * first[key] + 0.25 * second[key], rtol=2e-3, atol=1e-4)
    for shares in ((1,), (0, 0), (2, -1)):
        with pytest.raises(UsageError, match="one number, 0 or more, for each of 2"):
            mean_weights(two, tmp_path / "other.safetensors", shares=shares)


def test_without_a_head_for_presence_there_is_none(two, tmp_path):
    mean_weights(two, tmp_path / "mean.safetensors")
    assert not read_checkpoint(tmp_path / "mean.safetensors").has_presence
    with pytest.raises(VosctlError, match="has no head for presence"):
        mean_weights(two, tmp_path / "other.safetensors", presence=two[1])
    assert not (tmp_path / "other.safetensors").exists()


def test_other_networks_and_other_heads_are_refused(two, tmp_path):
    save_network(create_network("lite-plus"), tmp_path / "plus.safetensors")
    with pytest.raises(VosctlError, match="of a lite-plus network"):
        mean_weights([two[0], str(tmp_path / "plus.safetensors")], tmp_path / "mean.safetensors")
    save_network(Lite(outlines=False), tmp_path / "plain.safetensors")
    with pytest.raises(VosctlError, match=r"outline\.\S+ is only in one of the two"):
        mean_weights([two[0], str(tmp_path / "plain.safetensors")], tmp_path / "mean.safetensors")


def test_a_missing_folder_is_made_and_one_that_cannot_be_is_told_in_a_line(two, tmp_path, capsys):
    main([*two, "-o", str(tmp_path / "missing/mean.safetensors")])
    assert (tmp_path / "missing/mean.safetensors").is_file()
    with pytest.raises(SystemExit) as ended:
        main([*two, "-o", str(tmp_path / "missing/mean.safetensors/other.safetensors")])
    assert ended.value.code == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "its folder cannot be made: " in line
    with pytest.raises(UsageError, match="is a folder; name a file"):
        mean_weights(two, tmp_path)
    with pytest.raises(SystemExit) as ended:
        main([two[0], str(tmp_path / "none.safetensors"), "-o", str(tmp_path / "mean.safetensors")])
    assert ended.value.code in (1, 2)
    assert capsys.readouterr().err.count("\n") == 1
