"""The weights, spoilt in every way, and the self-test."""

import json
import shutil

import pytest

from vosctl.diagnosis import weights
from vosctl.diagnosis.findings import Severity
from vosctl.weights.registry import shipped_folder, shipped_from, user_folder


@pytest.fixture
def shipped(tmp_path):
    """A copy of the shipped weights that may be spoilt."""
    folder = tmp_path / "weights"
    shutil.copytree(shipped_folder(), folder)
    with shipped_from(folder):
        yield folder


def test_the_weights_are_whole(machine, all_ok):
    assert all_ok(weights.check_weights(machine))


def test_spoilt_shipped_weights(shipped, machine, the_only):
    with (shipped / "lite.safetensors").open("ab") as file:
        file.write(b"x")
    finding = the_only(weights.check_weights(machine), Severity.ERROR)
    assert (finding.subject, "sha256 differs" in finding.message) == ("lite", True)
    assert "reinstall" in finding.cure
    assert "cannot run" in the_only(weights.check_segmentation(machine), Severity.ERROR).message


def test_missing_shipped_weights(shipped, machine, the_only):
    (shipped / "registry.json").unlink()
    assert "'lite'" in the_only(weights.check_weights(machine), Severity.ERROR).message


def test_missing_imported_weights(machine, the_only):
    user_folder().mkdir(parents=True)
    entry = json.loads((shipped_folder() / "registry.json").read_text())["lite"] | {"file": "gone.safetensors"}
    (user_folder() / "registry.json").write_text(json.dumps({"mine": entry}))
    finding = the_only(weights.check_weights(machine), Severity.WARNING)
    assert finding.subject == "mine"
    assert "weights import" in finding.cure


def test_a_registry_that_cannot_be_read(machine, the_only):
    user_folder().mkdir(parents=True)
    (user_folder() / "registry.json").write_text("{")
    finding = the_only(weights.check_weights(machine), Severity.WARNING)
    assert "cannot be read" in finding.message
    assert "move it away" in finding.cure


def test_a_shipped_registry_that_cannot_be_read(shipped, machine, the_only):
    (shipped / "registry.json").write_text("{")
    finding = the_only(weights.check_weights(machine), Severity.ERROR)
    assert "cannot be read" in finding.message
    assert "reinstall" in finding.cure


def test_the_self_test_passes(machine):
    finding = weights.check_segmentation(machine)[0]
    assert finding.severity is Severity.OK, finding
    assert "IoU 0.9" in finding.message


def test_the_self_test_notices_a_network_that_finds_nothing(registered_bright_engine, machine, the_only):
    """An engine that answers nonsense."""
    finding = the_only(weights.check_segmentation(machine), Severity.ERROR)
    assert "IoU 0." in finding.message
