"""The head for outlines: it corrects the logit by what it sees in the image, and begins as one that does not."""

import torch

from vosctl.network.lite import Lite
from vosctl.network.outline import OutlineHead


def inputs(side: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(1, 3, side, side, generator=generator), torch.rand(1, 1, side, side, generator=generator).round()


@torch.inference_mode()
def test_a_new_head_changes_nothing():
    torch.manual_seed(0)
    network = Lite()
    image, mask = inputs()
    state = network.encode_reference(image, mask)
    with_it = network.propagate(image, mask, *state)
    network.outline = None
    assert torch.equal(network.propagate(image, mask, *state), with_it)


@torch.inference_mode()
def test_it_draws_a_line_of_the_image_that_a_quarter_of_it_cannot_hold():
    """Given weights that pass the image's red on, every pixel gets its own value."""
    head = OutlineHead(half_channels=4, quarter_channels=6)
    for parameter in head.parameters():
        parameter.zero_()
    for place in range(4):  # one channel for each pixel of a cell
        head.from_image.weight[place, 0, place // 2, place % 2] = 1.0
        head.head.weight[place, place, 1, 1] = 1.0
    image = torch.zeros(1, 3, 16, 16)
    image[0, 0, :, 5] = 1.0
    correction = head(image, torch.zeros(1, 4, 8, 8), torch.zeros(1, 6, 4, 4))
    torch.testing.assert_close(correction, image[:, :1])


def test_every_weight_of_it_learns_within_two_steps():
    torch.manual_seed(0)
    network = Lite()
    image, mask = inputs()
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(2):
        optimiser.zero_grad()
        logit = network.propagate_scales(image, mask, *network.encode_reference(image, mask))[0]
        torch.nn.functional.binary_cross_entropy_with_logits(logit, mask).backward()
        optimiser.step()
    assert network.outline is not None
    dead = [
        name for name, one in network.outline.named_parameters() if one.grad is None or not one.grad.abs().max() > 0
    ]
    assert not dead
