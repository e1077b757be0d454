from dataclasses import replace

import pytest

from vosctl.diagnosis.engines import compare_engines
from vosctl.diagnosis.findings import Severity
from vosctl.engine import create_engine
from vosctl.engine.comparison import Comparison, recall, remember
from vosctl.errors import VosctlError


def test_nothing_is_measured_without_openvino(machine):
    assert compare_engines(replace(machine, present=lambda name: False)) == []


def test_the_faster_engine_is_found_said_and_kept(machine):
    pytest.importorskip("openvino")
    (finding,) = compare_engines(machine, ["lite"])
    kept = recall("lite")
    assert finding.severity is Severity.OK
    assert f"takes {kept.faster} here" in finding.message
    assert f"onnx {kept.onnx:.1f} ms" in finding.message


def test_what_cannot_be_kept_is_a_warning(machine, the_only):
    pytest.importorskip("openvino")

    def refuse(network, comparison):
        raise VosctlError("/x: cannot be written")

    assert "/x: cannot be written" in the_only(compare_engines(machine, ["lite"], refuse), Severity.WARNING).message


@pytest.mark.parametrize(("times", "engine"), [((30, 20), "openvino"), ((20, 30), "onnx")])
def test_auto_takes_what_was_measured_to_be_faster_in_fp32(times, engine):
    pytest.importorskip("openvino")
    remember("lite", Comparison(*times))
    info = create_engine("lite", device="cpu").info
    assert (info.engine, info.precision) == (engine, "fp32")
