import csv
from dataclasses import replace

import pytest
import torch

from vosctl.network.table import create_prompt_network
from vosctl.training.prompt.samples import Pool, PromptSamples
from vosctl.training.prompt.trainer import PromptSettings, PromptTrainer
from vosctl.training.run_folder import RunFolder
from vosctl.training.sources import find_stills

SETTINGS = PromptSettings(hours=1e-7, batch=2, size=64, log_steps=1, precision="fp32", val_samples=8)


@pytest.mark.slow
def test_a_run_learns_logs_saves_and_goes_on(stills, tmp_path):
    items, problems = find_stills([stills])
    assert problems == []
    pools = (Pool(tuple(items), 1.0, True),)
    torch.manual_seed(0)
    network = create_prompt_network()
    weights = network.state_dict()  # the network's own, not copies
    frozen = weights["encoder.blocks.0.depthwise.weight"].clone()
    learnt = network.head.fine.weight.clone()
    PromptTrainer(network, pools, pools, SETTINGS, tmp_path).run()
    assert torch.equal(weights["encoder.blocks.0.depthwise.weight"], frozen)
    assert not torch.equal(network.head.fine.weight, learnt)
    assert {path.name for path in tmp_path.iterdir()} >= {"state.pt", "last.safetensors", "log.csv", "validation.csv"}
    again = PromptTrainer(create_prompt_network(), pools, pools, replace(SETTINGS, hours=1.0), tmp_path)
    again.resume()
    assert 0 < again.progress < 0.1
    with (tmp_path / "log.csv").open() as file:
        row = next(csv.DictReader(file))
    assert float(row["loss"]) > 0
    assert 0 <= float(row["first_iou"]) <= 1
    folder = RunFolder(tmp_path)
    folder.save_state({**folder.load_state(), "best": -1.0})
    again = PromptTrainer(create_prompt_network(), pools, pools, SETTINGS, tmp_path)
    again.resume()
    again.run()
    assert folder.load_state()["best"] > 0  # as the last validation says


def test_the_same_number_is_the_same_sample(stills):
    items, _ = find_stills([stills])
    samples = PromptSamples((Pool(tuple(items), 1.0, True),), 7)
    one, other, next_one = samples[3, 64], samples[3, 64], samples[4, 64]
    assert (one[0] == other[0]).all()
    assert (one[2] == other[2]).all()
    assert (one[0] != next_one[0]).any()
