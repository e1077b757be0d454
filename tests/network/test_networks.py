import pytest
import torch

from vosctl.network.folding import fold_batch_norms
from vosctl.network.lite import Lite
from vosctl.network.lite_plus import LitePlus
from vosctl.network.rgmp import RGMP


@pytest.fixture(params=["tiny_lite", "tiny_lite_plus", "tiny_rgmp"])
def network(request):
    return request.getfixturevalue(request.param)


def inputs(batch=2, height=64, width=96):
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(batch, 3, height, width, generator=generator)
    mask = (torch.rand(batch, 1, height, width, generator=generator) > 0.5).float()
    return image, mask


def test_the_paper_network_has_the_official_size():
    state = RGMP().state_dict()
    assert len(state) == 372
    assert sum(value.numel() for value in state.values()) == 51_572_099


@pytest.mark.parametrize(("network_class", "size"), [(Lite, 5_502_024), (LitePlus, 7_505_349)])
def test_lite_and_lite_plus_have_the_sizes_of_their_card(network_class, size):
    assert sum(parameter.numel() for parameter in network_class().parameters()) == size


@torch.inference_mode()
def test_probability_has_the_input_size_and_range(network):
    image, mask = inputs()
    state = network.encode_reference(image, mask)
    assert len(state) == len(network.state_names)
    probability = network.propagate(image, mask, *state)
    assert probability.shape == (2, 1, 64, 96)
    assert 0 <= probability.min() < probability.max() <= 1


@torch.inference_mode()
def test_the_scales_for_training_begin_with_the_logit_of_the_answer(network):
    image, mask = inputs()
    state = network.encode_reference(image, mask)
    logits = network.propagate_scales(image, mask, *state)
    assert [tuple(one.shape[2:]) for one in logits] == [(64, 96), (8, 12), (4, 6), (2, 3)]
    torch.testing.assert_close(torch.sigmoid(logits[0]), network.propagate(image, mask, *state))


@torch.inference_mode()
def test_every_input_matters(network):
    image, mask = inputs()
    state = network.encode_reference(image, mask)
    answer = network.propagate(image, mask, *state)
    other_reference = network.encode_reference(image, 1 - mask)
    for changed in (
        network.propagate(1 - image, mask, *state),
        network.propagate(image, 1 - mask, *state),
        network.propagate(image, mask, *other_reference),
    ):
        assert (answer - changed).abs().max() > 5e-6  # the same input again differs by less than 1e-7


@torch.inference_mode()
def test_objects_of_a_batch_do_not_touch_each_other(network):
    image, mask = inputs()
    together = network.propagate(image, mask, *network.encode_reference(image, mask))
    alone = network.propagate(image[1:], mask[1:], *network.encode_reference(image[1:], mask[1:]))
    torch.testing.assert_close(together[1:], alone, atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_folding_the_batch_norms_changes_nothing(network):
    image, mask = inputs()
    before = network.propagate(image, mask, *network.encode_reference(image, mask))
    fold_batch_norms(network)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    after = network.propagate(image, mask, *network.encode_reference(image, mask))
    torch.testing.assert_close(before, after, atol=1e-5, rtol=1e-4)


def test_training_leaves_the_batch_norms_on_their_statistics(network):
    network.train()
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)


def test_rgmp_concatenates_the_target_before_the_reference(tiny_rgmp):
    """With the global convolution blind to the second half, the reference cannot matter; with the first, it must."""
    image, mask = inputs()
    half = tiny_rgmp.Decoder.GC.conv_l1.in_channels // 2
    with torch.inference_mode():
        for conv in (tiny_rgmp.Decoder.GC.conv_l1, tiny_rgmp.Decoder.GC.conv_r1):
            conv.weight[:, half:] = 0
        one = tiny_rgmp.propagate(image, mask, *tiny_rgmp.encode_reference(image, mask))
        other = tiny_rgmp.propagate(image, mask, *tiny_rgmp.encode_reference(1 - image, 1 - mask))
    torch.testing.assert_close(one, other)


def test_rgmp_upsamples_with_aligned_corners():
    from vosctl.network.rgmp import upsample

    ramp = torch.arange(4.0).view(1, 1, 1, 4).expand(1, 1, 2, 4)
    up = upsample(ramp, 2)[0, 0, 0]
    torch.testing.assert_close(up, torch.linspace(0, 3, 8))


@pytest.mark.parametrize(("kernel", "first"), [(3, 0), (5, -1)])
def test_strided_convolutions_pad_as_tensorflow_does(kernel, first):
    """On an even size, SAME with stride 2 puts one more at the right: tap k of output 0 reads input `first` + k."""
    from vosctl.network.efficientnet import SameConv2d

    conv = SameConv2d(1, 1, kernel, 2)
    with torch.inference_mode():
        conv.weight.zero_()
        conv.weight[0, 0, 0 - first, 0 - first] = 1  # the tap that reads input (0, 0) for output (0, 0)
        image = torch.zeros(1, 1, 8, 8)
        image[0, 0, 0, 0] = 5
        out = conv(image)
    assert out.shape == (1, 1, 4, 4)
    assert out[0, 0, 0, 0] == 5
