"""A network grown from a smaller one: the same masks at first, and every part of it able to learn."""

import pytest
import torch
import torch.nn.functional as F

from tests.helpers.networks import randomise_norms
from vosctl.network.growth import grow
from vosctl.network.lite import Lite
from vosctl.network.lite_plus import LitePlus


@pytest.fixture
def small():
    torch.manual_seed(0)
    return randomise_norms(Lite())


def inputs():
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(1, 3, 64, 96, generator=generator)
    mask = (torch.rand(1, 1, 64, 96, generator=generator) > 0.5).float()
    return image, mask


def test_it_gives_the_masks_of_the_smaller_one(small):
    image, mask = inputs()
    large = grow(small)
    assert isinstance(large, LitePlus)
    small.outline = None
    with torch.inference_mode():
        before = small.propagate_scales(image, mask, *small.encode_reference(image, mask))
        after = large.propagate_scales(image, mask, *large.encode_reference(image, mask))
    for one, other in zip(before, after, strict=True):
        assert one.std() > 1e-3
        torch.testing.assert_close(other, one, atol=1e-5, rtol=1e-4)


def test_every_weight_learns_within_two_steps(small):
    """At first what is new is read by nobody, so that only its readers learn; from the second step on, all do."""
    image, mask = inputs()
    large = grow(small)
    large.train()
    optimiser = torch.optim.SGD(large.parameters(), lr=0.1)
    for _ in range(3):
        optimiser.zero_grad()
        logits = large.propagate_scales(image, mask, *large.encode_reference(image, mask))
        losses = [
            F.binary_cross_entropy_with_logits(one, F.adaptive_avg_pool2d(mask, (one.shape[2], one.shape[3])))
            for one in logits
        ]
        torch.stack(losses).sum().backward()
        optimiser.step()
    dead = [
        name
        for name, parameter in large.named_parameters()
        # the attention's softmax is blind to what is added to every key
        if name != "reading.key.bias" and (parameter.grad is None or not parameter.grad.abs().max() > 0)
    ]
    assert not dead
