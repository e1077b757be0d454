import pytest
import torch

from vosctl.engine.devices import Placement
from vosctl.errors import VosctlError
from vosctl.evaluation.grid import QUICK, VIEWS, Grid
from vosctl.network.table import create_network
from vosctl.training.validation import find_validation, validate
from vosctl.weights.networks import load_network

CPU = Placement(torch.device("cpu"), "fp32")


def test_a_validation_follows_every_clip_and_averages_over_the_grid(videos):
    weights = load_network("lite").state_dict()
    weights = {key: value for key, value in weights.items() if key in create_network("lite").state_dict()}
    clips = find_validation(videos)
    quick = validate("lite", weights, clips, CPU, Grid((64,), (1,), VIEWS[:1]))
    both = validate("lite", weights, clips, CPU, Grid((64, 96), (1,), VIEWS[:1]))
    assert list(quick.region) == list(quick.boundary) == ["binary", "two"] == list(both.region)
    assert quick.mean == pytest.approx((quick.mean_region + quick.mean_boundary) / 2)
    assert 0 <= quick.mean <= 1
    assert quick.region != both.region


def test_the_quick_grid_is_one_run_in_the_networks_own_crop():
    assert (QUICK.sizes, QUICK.steps, len(QUICK.views)) == ((0,), (1,), 1)


def test_what_cannot_be_scored_is_refused(videos):
    for path in (videos / "Annotations" / "two").iterdir():
        path.unlink()
    with pytest.raises(VosctlError, match="two"):
        find_validation(videos)
