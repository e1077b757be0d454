"""Machines as the checks would find them."""

import types
from dataclasses import replace

import pytest

from vosctl.diagnosis.findings import Severity
from vosctl.diagnosis.machine import Gpu
from vosctl.diagnosis.probe import Probe

H100 = Gpu("NVIDIA H100", "550.54", 81559, 4)


@pytest.fixture
def machine(tmp_path):
    """This machine without a GPU."""
    return Probe(gpus=list, pci_devices=tmp_path, bf16=lambda: False)


@pytest.fixture
def gpu_machine(machine):
    """A machine whose driver lists a GPU."""
    return replace(machine, gpus=lambda: [H100])


@pytest.fixture
def with_modules():
    """Another machine that loads these modules instead of the installed ones."""

    def change(probe, **modules):
        def load(name):
            if name not in modules:
                return probe.load(name)
            if isinstance(modules[name], Exception):
                raise modules[name]
            return modules[name]

        return replace(probe, load=load, present=lambda name: name in modules or probe.present(name))

    return change


@pytest.fixture
def the_only():
    """The one finding that is not fine, which must have this severity and a cure."""

    def find(findings, severity):
        found = [one for one in findings if one.severity is not Severity.OK]
        assert [one.severity for one in found] == [severity], findings
        assert found[0].cure
        assert "\n" not in found[0].message + found[0].cure
        return found[0]

    return find


@pytest.fixture
def all_ok():
    return lambda findings: bool(findings) and all(one.severity is Severity.OK for one in findings)


@pytest.fixture
def module():
    """A module with these attributes."""
    return lambda **attributes: types.SimpleNamespace(__file__="/x/__init__.py", **attributes)
