from typing import Any

import pytest
import torch

from vosctl.network.table import create_network
from vosctl.training.objective import Objective, intersection_over_union, mask_loss, near_outline
from vosctl.training.optimisation import schedule
from vosctl.training.precision import keep_depthwise_in_fp32
from vosctl.training.samples import Batch
from vosctl.training.trainer import Clock


def logits(value: torch.Tensor) -> list[torch.Tensor]:
    return [value, *(torch.nn.functional.avg_pool2d(value, factor) for factor in (8, 16, 32))]


def test_loss_is_small_for_the_truth_and_blind_to_void():
    labels = torch.zeros(2, 1, 64, 64, dtype=torch.uint8)
    labels[:, :, :32] = 1
    right = torch.where(labels == 1, 12.0, -12.0)
    assert mask_loss(logits(right), labels, 0.5)[0] < 1e-3
    assert mask_loss(logits(-right), labels, 0.5)[0] > 5
    void = labels.clone()
    void[:, :, :, 32:] = 255
    wrong_there = right.clone()
    wrong_there[..., 32:] *= -1
    assert mask_loss(logits(wrong_there), void, 0.5)[0] < 1e-3


def test_a_sample_without_the_object_costs_no_dice():
    labels = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    assert mask_loss(logits(torch.full((1, 1, 64, 64), -2.0)), labels, 0.5)[2] == 0


def test_a_mistake_at_the_outline_costs_more_when_outlines_weigh_more():
    labels = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    labels[..., 16:48] = 1
    right = torch.where(labels == 1, 4.0, -4.0)
    at_outline, far_away = right.clone(), right.clone()
    at_outline[..., 14:16] *= -1
    far_away[..., 0:2] *= -1

    def entropy(logit: torch.Tensor, outline: float) -> float:
        return float(mask_loss(logits(logit), labels, 0.0, outline)[1])

    assert entropy(at_outline, 0.0) == pytest.approx(entropy(far_away, 0.0), rel=1e-4)
    assert entropy(at_outline, 2.0) > 2 * entropy(far_away, 2.0)


def test_thin_parts_are_all_outline_and_the_inside_of_thick_ones_is_not():
    target = torch.zeros(1, 1, 64, 64)
    target[..., 10:13] = 1
    target[..., 30:60] = 1
    near = near_outline(target)
    assert near[..., 10:13].all()
    assert not near[..., 40:50].any()
    assert not near[..., 18:25].any()


def test_iou_counts_pixels_at_one_half():
    labels = torch.zeros(1, 1, 4, 4, dtype=torch.uint8)
    labels[..., :2] = 1
    labels[..., 3] = 255
    probability = torch.zeros(1, 1, 4, 4)
    probability[..., 1:] = 0.6
    assert intersection_over_union(probability, labels) == pytest.approx(1 / 3)
    assert intersection_over_union(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4, dtype=torch.uint8)) == 1


def batch(targets: int) -> Batch:
    generator = torch.Generator().manual_seed(0)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)

    labels = torch.zeros(1, targets, 1, 64, 64, dtype=torch.uint8)
    labels[..., 16:48, 16:48] = 1
    mask = labels[:, 0] * 255
    to_previous = torch.eye(2, 3).expand(1, targets, 2, 3).clone()
    return Batch(noise(1, 3, 64, 64), mask, mask, noise(1, targets, 3, 64, 64), labels, to_previous)


def test_gradients_flow_through_time_and_not_into_the_references_first_stages():
    torch.manual_seed(0)
    network = create_network("lite").train()
    objective = Objective(network, dice=0.5)
    outcome = objective(batch(2))
    assert outcome.probabilities.shape == (1, 2, 1, 64, 64)
    assert outcome.iou.shape == (2,)
    outcome.loss.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
    # the reference alone reaches the encoder's later stages only
    network.zero_grad()
    objective._in_reference = True
    state = network.encode_reference(torch.rand(1, 3, 64, 64), torch.rand(1, 1, 64, 64))
    torch.stack([part.sum() for part in state]).sum().backward()
    assert network.encoder.stem.weight.grad is None
    encoder: Any = network.encoder
    assert encoder.blocks[5].expand.weight.grad is not None


def test_a_part_that_learns_alone_learns_from_each_target_by_itself():
    """What flows back through the masks would cost as much as training all of the network."""
    torch.manual_seed(0)

    def gradient(targets: int, through_time: bool) -> torch.Tensor:
        network = create_network("lite").train()
        network.load_state_dict(weights)
        Objective(network, dice=0.5, through_time=through_time)(batch(targets)).loss.backward()
        kernel: Any = network.get_parameter("outline.head.weight")
        return kernel.grad * targets

    weights = create_network("lite").state_dict()
    first, both = gradient(1, through_time=False), gradient(2, through_time=False)
    assert not torch.allclose(first, both)  # the second target counts too
    assert not torch.equal(gradient(2, through_time=True), both)
    assert torch.equal(gradient(2, through_time=False), both)


def test_depthwise_convolutions_stay_out_of_mixed_precision():
    network = create_network("lite")
    keep_depthwise_in_fp32(network)
    encoder: Any = network.encoder
    block = encoder.blocks[1]
    with torch.autocast("cpu", torch.bfloat16):
        assert block.depthwise(torch.rand(1, 96, 8, 8)).dtype == torch.float32
        assert block.expand(torch.rand(1, 16, 8, 8)).dtype == torch.bfloat16


def test_the_learning_rate_rises_and_falls():
    rates = [schedule(step / 100, 0.1) for step in range(101)]
    assert rates.index(max(rates)) == 10
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.01)


def test_a_clock_is_due_once_a_period():
    clock = Clock(minutes=1, last=0)
    assert [clock.due(now) for now in (30, 61, 90, 121.5)] == [False, True, False, True]
