from itertools import pairwise

import numpy as np
import pytest

from vosctl.engine.base import EngineInfo, Step
from vosctl.engine.comparison import Comparison, compare, has_comparisons, recall, remember
from vosctl.errors import VosctlError


class CountingEngine:
    """An engine that does nothing, and counts."""

    crop_size = 64
    stride = 32
    takes_float = False
    info = EngineInfo("fake", "w", "n", "cpu", "fp32")

    def __init__(self, log):
        self._log = log

    def encode_reference(self, image, mask):
        assert image.shape == (64, 64, 3)
        assert 0 < mask.mean() < 1
        return (np.zeros(1),)

    def propagate(self, images, masks, states):
        self._log.append(self)
        return Step(masks, states)


@pytest.mark.parametrize(("onnx", "openvino", "faster"), [(24, 20, "openvino"), (24, 23, "onnx"), (24, 26, "onnx")])
def test_openvino_is_taken_where_it_is_clearly_faster(onnx, openvino, faster):
    assert Comparison(onnx, openvino).faster == faster


def test_engines_are_timed_by_turns():
    log = []
    first, second = CountingEngine(log), CountingEngine(log)
    found = compare(first, second)
    assert found.onnx >= 0
    assert found.openvino >= 0
    changes = sum(a is not b for a, b in pairwise(log))
    assert log.count(first) == log.count(second)
    assert changes >= 9


def test_what_was_measured_is_known_later(tmp_path):
    file = tmp_path / "new" / "engines.json"
    assert not has_comparisons(file)
    assert recall("lite", file) is None
    remember("lite", Comparison(24, 20), file)
    remember("lite-plus", Comparison(60, 70), file)
    assert has_comparisons(file)
    assert recall("lite", file) == Comparison(24, 20)
    assert recall("lite-plus", file) == Comparison(60, 70)
    assert recall("rgmp", file) is None


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"', b"\xff"])
def test_a_damaged_file_knows_nothing_and_is_replaced(damage, tmp_path):
    file = tmp_path / "engines.json"
    file.write_bytes(damage)
    assert recall("lite", file) is None
    remember("lite", Comparison(24, 20), file)
    assert recall("lite", file) == Comparison(24, 20)


def test_a_measurement_on_another_machine_does_not_count(tmp_path):
    file = tmp_path / "engines.json"
    remember("lite", Comparison(24, 20), file)
    file.write_text(file.read_text("utf-8").replace(" cores", "0 cores"), "utf-8")
    assert recall("lite", file) is None


def test_what_cannot_be_kept_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(VosctlError, match="cannot be written"):
        remember("lite", Comparison(24, 20), tmp_path / "file" / "engines.json")


def test_nothing_is_known_of_a_machine_that_was_never_measured():
    assert not has_comparisons()
    assert recall("lite") is None
