import pytest
import torch

from vosctl.network.presence import EMBEDDING, STRIDE, Marked, PresenceHead, places_of
from vosctl.network.table import create_network

SIZE = 96


@pytest.fixture
def head():
    torch.manual_seed(3)
    return PresenceHead(12).eval()


def masks(*boxes):
    """(N, 1, SIZE, SIZE) with a box each: x, y, side."""
    drawn = torch.zeros(len(boxes), 1, SIZE, SIZE)
    for mask, (x, y, side) in zip(drawn, boxes, strict=True):
        mask[0, y : y + side, x : x + side] = 1
    return drawn


def test_features_of_two_scales_meet_at_a_sixteenth():
    r4, r3 = torch.rand(2, 5, 6, 6), torch.rand(2, 3, 12, 12)
    places = places_of(r4, r3)
    assert places.shape == (2, 8, 6, 6)
    torch.testing.assert_close(places[:, 5:, 0, 0], r3[:, :, :2, :2].mean((2, 3)))


def test_what_is_marked_is_measured_and_what_is_not_is_left_out():
    probability = 0.9 * masks((16, 32, 32)) + 0.1
    probability[probability < 0.5] = 0.4
    guidance = masks((0, 0, SIZE))
    marked = Marked.of(torch.zeros(1, 4, 6, 6), guidance, probability)
    assert marked.area.item() == pytest.approx(32 * 32 / SIZE**2)
    assert marked.score.item() == pytest.approx(1.0, abs=0.01)
    weight = marked.weight.view(6, 6)
    assert weight[2:4, 1:3].min() == pytest.approx(1)
    assert weight.sum() == pytest.approx(4)
    assert marked.guidance.min() == 1


def test_an_object_is_compared_with_its_own_appearance_and_not_with_its_neighbours(head):
    torch.manual_seed(5)
    places, mask = torch.randn(2, 12, 6, 6), masks((16, 16, 48), (32, 0, 32))
    appearance = head.describe(places, mask)
    assert appearance.shape == (2, EMBEDDING + 1, 6, 6)
    together = head(Marked.of(places, mask, mask), appearance)
    assert together.shape == (2,)
    for index in (0, 1):
        part = slice(index, index + 1)
        alone = head(Marked.of(places[part], mask[part], mask[part]), appearance[part])
        torch.testing.assert_close(alone, together[part], atol=1e-5, rtol=1e-5)
    assert (head(Marked.of(places.flip(0), mask, mask), appearance) - together).abs().min() > 1e-4


def test_where_in_the_crop_the_object_lies_does_not_matter(head):
    torch.manual_seed(6)
    places, mask = torch.randn(1, 12, 6, 6), masks((16, 16, 48))
    appearance = head.describe(places, mask)
    shifted = places.roll(1, dims=-1), mask.roll(STRIDE, dims=-1)
    one, other = (head(Marked.of(p, m, m), appearance) for p, m in ((places, mask), shifted))
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_nothing_marked_gives_a_number(head, dtype):
    head, places, nothing = head.to(dtype), torch.randn(1, 12, 6, 6).to(dtype), masks((0, 0, 0)).to(dtype)
    told = head(Marked.of(places, nothing, nothing), head.describe(places, nothing))
    assert torch.isfinite(told).all()


@pytest.mark.parametrize("tiny", ["tiny_lite", "tiny_lite_plus"])
def test_a_head_changes_no_mask_and_adds_one_tensor_to_the_state(tiny, request):
    network = request.getfixturevalue(tiny)
    image, mask = torch.rand(2, 3, 64, 64), (torch.rand(2, 1, 64, 64) > 0.5).float()
    state = network.encode_reference(image, mask)
    before = network.propagate(image, mask, *state)
    with pytest.raises(NotImplementedError, match="no head"):
        network.propagate_with_presence(image, mask, *state)
    network.add_presence()
    network.eval()
    longer = network.encode_reference(image, mask)
    assert network.state_names == (*network.description.state_names, "appearance")
    assert len(longer) == len(network.state_names)
    probability, presence = network.propagate_with_presence(image, mask, *longer)
    torch.testing.assert_close(probability, before)
    torch.testing.assert_close(network.propagate(image, mask, *longer), before)
    assert presence.shape == (2,)
    assert ((presence > 0) & (presence < 1)).all()


def test_a_network_without_such_a_head_says_so():
    with pytest.raises(NotImplementedError, match="rgmp network has no head"):
        create_network("rgmp").add_presence()
