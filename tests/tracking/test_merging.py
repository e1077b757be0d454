import numpy as np

from vosctl.tracking.merging import soft_aggregation


def test_it_is_the_softmax_of_the_logits():
    probabilities = np.array([[0.9, 0.2, 0.6], [0.3, 0.1, 0.7]], np.float32)
    merged = soft_aggregation(probabilities)
    background = (1 - probabilities).prod(axis=0)
    stacked = np.concatenate((background[None], probabilities)).astype(np.float64)
    logits = np.log(stacked / (1 - stacked))
    expected = np.exp(logits) / np.exp(logits).sum(axis=0)
    np.testing.assert_allclose(merged, expected, rtol=1e-4)
    np.testing.assert_allclose(merged.sum(axis=0), 1, rtol=1e-5)


def test_certainty_does_not_divide_by_zero():
    merged = soft_aggregation(np.array([[1.0, 0.0], [1.0, 0.0]], np.float32))
    assert np.isfinite(merged).all()
    np.testing.assert_allclose(merged[1:, 0], 0.5, atol=1e-3)
    np.testing.assert_allclose(merged[0, 1], 1, atol=1e-3)


def test_the_background_can_be_given():
    merged = soft_aggregation(np.full((2, 1), 0.4, np.float32), background=np.array([0.9], np.float32))
    assert merged[:, 0].argmax() == 0
