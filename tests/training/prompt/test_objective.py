import torch
from torch import Tensor

from vosctl.training.prompt.objective import normalised_focal, prompt_loss, soft_overlap_loss


def given(side=64):
    labels = torch.zeros(2, 1, side, side, dtype=torch.uint8)
    labels[:, :, 16:40, 16:40] = 1
    labels[:, :, 40:44, 16:40] = 255
    prompts = torch.zeros(2, 5, side, side)
    prompts[:, 4] = 1
    return labels, prompts


def logits(labels: Tensor, sign: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    fine = torch.nn.functional.max_pool2d((labels == 1).float(), 2) * 12 - 6
    return sign * fine, sign * torch.nn.functional.avg_pool2d(fine, 4), torch.zeros(2, 1)


def test_the_true_mask_costs_little_its_contrary_much():
    labels, prompts = given()
    good = prompt_loss(*logits(labels), labels, prompts)
    bad = prompt_loss(*logits(labels, -1), labels, prompts)
    assert good.loss < 0.3 < 3 < bad.loss
    assert good.iou.min() > 0.99
    assert bad.iou.max() < 0.01
    assert abs(good.score_error - 0.5) < 0.01


def test_void_and_the_outside_do_not_count():
    labels, prompts = given()
    prompts[:, 4, :, 50:] = 0
    fine, coarse, score = logits(labels)
    plain = prompt_loss(fine, coarse, score, labels, prompts)
    fine = fine.clone()
    fine[:, :, 20:22, 8:20] = 8  # void
    fine[:, :, :, 25:] = 8  # outside
    changed = prompt_loss(fine, coarse, score, labels, prompts)
    assert torch.isclose(plain.loss, changed.loss)
    assert changed.iou.min() > 0.99


def test_a_click_that_is_ignored_costs():
    labels, prompts = given()
    fine, coarse, score = logits(labels)
    fine = fine.clone()
    fine[:, :, 9:12, 9:12] = -6
    without = prompt_loss(fine, coarse, score, labels, prompts)
    prompts[:, 0, 18:24, 18:24] = 1
    ignored = prompt_loss(fine, coarse, score, labels, prompts)
    assert ignored.loss > without.loss + 0.5
    assert ignored.ignored == 1
    assert without.ignored == 0


def test_losses_are_means_over_samples():
    labels, _ = given()
    target, weight = (labels == 1).float(), torch.ones(2, 1, 64, 64)
    logit = torch.randn(2, 1, 64, 64)
    for loss in (normalised_focal, lambda *given: soft_overlap_loss(torch.sigmoid(given[0]), *given[1:])):
        parts = [loss(logit[i : i + 1], target[i : i + 1], weight[i : i + 1]) for i in range(2)]
        assert torch.isclose(loss(logit, target, weight), torch.stack(parts).mean())
