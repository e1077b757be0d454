"""Wrong installations, each found with its cure."""

from dataclasses import replace

import pytest

from vosctl.diagnosis import packages
from vosctl.diagnosis.findings import Severity


def installed_only(machine, *names):
    return replace(machine, installed=lambda package: "1.0" if package in names else None)


def test_an_old_python(machine, the_only):
    found = the_only(packages.check_python(replace(machine, python=(3, 10))), Severity.ERROR)
    assert "too old" in found.message


def test_everything_is_there(machine, all_ok):
    assert all_ok(packages.check_python(machine))
    assert all_ok(packages.check_imports(machine))


def test_a_package_that_cannot_be_imported(machine, with_modules, the_only):
    broken = with_modules(machine, av=ImportError("no module named av"))
    finding = the_only(packages.check_imports(broken), Severity.ERROR)
    assert (finding.subject, finding.cure) == ("av", "python -m pip install --force-reinstall av")


def test_a_package_built_for_another_numpy(machine, with_modules, the_only):
    broken = with_modules(machine, simplejpeg=ValueError("numpy.dtype size changed, may indicate ..."))
    assert the_only(packages.check_imports(broken), Severity.ERROR).subject == "simplejpeg"


@pytest.mark.parametrize(
    ("required", "package", "version"),
    [
        ("click>=8.2", "click", "8.1.7"),
        ("opencv-python>=4.13", "opencv-python-headless", "4.9.0.80"),
        ("onnxruntime-gpu>=1.20; sys_platform != 'darwin'", "onnxruntime", "1.9"),
    ],
)
def test_a_package_that_is_too_old(machine, the_only, required, package, version):
    old = replace(machine, requirements=lambda: [required], installed={package: version}.get)
    finding = the_only(packages.check_versions(old), Severity.ERROR)
    assert finding.subject == package
    assert finding.message.startswith(f"{version}: too old")


def test_newer_packages_and_those_of_extras_are_let_be(machine):
    required = ["click>=8.2", "numpy>=2", "torch>=2.4; extra == 'torch'"]
    versions = {"click": "8.10", "numpy": "2.0.0rc1", "torch": "1.0"}
    assert packages.check_versions(replace(machine, requirements=lambda: required, installed=versions.get)) == []
    assert packages.check_versions(machine) == []


def test_opencv_without_the_systems_libraries(machine, with_modules, the_only):
    broken = with_modules(machine, cv2=ImportError("libGL.so.1: cannot open shared object file: No such file"))
    assert "opencv-python-headless" in the_only(packages.check_imports(broken), Severity.ERROR).cure


@pytest.mark.parametrize(
    ("module", "installed", "reinstalled"),
    [
        ("onnxruntime", ("onnxruntime-gpu",), "onnxruntime-gpu"),
        ("onnxruntime", ("onnxruntime", "onnxruntime-gpu"), "onnxruntime-gpu"),
        ("onnxruntime", (), "onnxruntime"),
        ("cv2", ("opencv-python-headless",), "opencv-python-headless"),
        ("cv2", ("opencv-python", "opencv-python-headless"), "opencv-python"),
    ],
)
def test_what_is_installed_anew_is_the_package_that_is_there(
    machine, with_modules, the_only, module, installed, reinstalled
):
    """Another one of the same files beside it would be the next fault."""
    broken = with_modules(installed_only(machine, *installed), **{module: ImportError("no such symbol")})
    finding = the_only(packages.check_imports(broken), Severity.ERROR)
    assert finding.cure == f"python -m pip install --force-reinstall {reinstalled}"


def test_libraries_of_windows_are_not_needed_without_them(machine, with_modules, the_only):
    missing = ImportError("libGL.so.1: cannot open shared object file")
    broken = with_modules(installed_only(machine, "opencv-contrib-python"), cv2=missing)
    cure = the_only(packages.check_imports(broken), Severity.ERROR).cure
    assert cure == "python -m pip uninstall -y opencv-contrib-python; python -m pip install opencv-python-headless"


def test_three_of_the_same_files(machine, the_only):
    found = packages.check_rivals(installed_only(machine, *packages.RIVALS["cv2"][0][:3]))
    said = "opencv-python, opencv-python-headless and opencv-contrib-python are all installed"
    assert the_only(found, Severity.WARNING).message.startswith(said)


def test_one_of_each_is_right(machine):
    assert packages.check_rivals(installed_only(machine, "onnxruntime-gpu", "opencv-python")) == []


@pytest.mark.parametrize(
    ("pair", "subject", "kept"),
    [
        (("onnxruntime", "onnxruntime-gpu"), "onnxruntime", "onnxruntime-gpu"),
        (("opencv-python", "opencv-python-headless"), "cv2", "opencv-python"),
    ],
)
def test_two_packages_of_the_same_files(machine, the_only, pair, subject, kept):
    finding = the_only(packages.check_rivals(installed_only(machine, *pair)), Severity.WARNING)
    assert finding.subject == subject
    assert finding.message.startswith(f"{pair[0]} and {pair[1]} are both installed")
    assert finding.cure == f"python -m pip uninstall -y {pair[0]} {pair[1]}; python -m pip install {kept}"


def test_a_missing_extra_is_a_choice(machine, all_ok):
    findings = packages.check_extras(replace(machine, present=lambda name: name != "torch"))
    assert all_ok(findings)
    torch = next(one for one in findings if one.subject == "extra torch")
    assert "a choice" in torch.message
    assert "[torch]" in torch.message
