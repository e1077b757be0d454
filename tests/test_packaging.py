"""What the package's metadata says to installers and licence scanners, and what a wheel holds."""

import re
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_string
from pathlib import Path

import pytest
from packaging.requirements import Requirement  # pytest brings it

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel that this source makes, built without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    build = "from hatchling.build import build_wheel; import sys; print(build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(folder)], cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as file:
        yield file


def metadata(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return message_from_string(wheel.read(name).decode())


def test_the_weights_have_a_licence_of_their_own(wheel):
    said = metadata(wheel)
    assert said["License-Expression"] == "Apache-2.0 AND LicenseRef-vosctl-weights AND CC0-1.0"
    assert set(said.get_all("License-File")) == {"LICENSE", "weights/LICENSE"}
    held = {name.partition(".dist-info/licenses/")[2]: name for name in wheel.namelist() if "/licenses/" in name}
    assert b"Apache License" in wheel.read(held["LICENSE"])
    assert b"Commercial use is not granted" in wheel.read(held["weights/LICENSE"])


def test_a_wheel_holds_the_weights_with_their_card_and_licence(wheel):
    names = set(wheel.namelist())
    shipped = [path.name for path in (ROOT / "weights").iterdir() if path.is_file()]
    assert "lite.safetensors" in shipped
    assert {f"vosctl/_weights/{name}" for name in shipped} <= names
    assert "vosctl/py.typed" in names


def test_a_source_archive_holds_what_the_readme_links_to():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    included = [ROOT / path.lstrip("/") for path in settings["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]]
    linked = {ROOT / link for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / "README.md").read_text("utf-8"))}
    assert ROOT / "docs" / "overlay.jpg" in linked
    for path in linked:
        assert path.exists()
        assert any(path.is_relative_to(one) for one in included), path


def test_a_plain_install_has_no_torch(wheel):
    """It brings several GB of CUDA's libraries on Linux, and nothing that a plain install does needs it."""
    required = metadata(wheel).get_all("Requires-Dist")
    assert not [line for line in required if line.startswith("torch") and "extra ==" not in line]
    assert {"torch", "train", "export", "openvino", "camera", "plot"} <= set(metadata(wheel).get_all("Provides-Extra"))


@pytest.mark.parametrize(
    ("system", "machine", "wanted"),
    [
        ("linux", "x86_64", "onnxruntime-gpu"),
        ("win32", "AMD64", "onnxruntime-gpu"),
        ("linux", "aarch64", "onnxruntime"),
        ("win32", "ARM64", "onnxruntime"),
        ("darwin", "arm64", "onnxruntime"),
        ("darwin", "x86_64", "onnxruntime"),
    ],
)
def test_each_machine_gets_the_onnxruntime_that_there_is_for_it(system, machine, wanted):
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    requirements = [one for one in map(Requirement, declared) if one.name.startswith("onnxruntime")]
    here = {"sys_platform": system, "platform_machine": machine}
    assert [one.name for one in requirements if one.marker.evaluate(here)] == [wanted]


def test_extras_are_those_that_messages_name():
    from vosctl.extras import MODULES

    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(MODULES) <= set(declared)
