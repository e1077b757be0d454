"""A plain installation, without torch: what works, and what says which extra it needs."""

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from vosctl.errors import VosctlError
from vosctl.extras import clone_of_record, install, missing_modules, require


def test_what_is_installed_is_not_missing():
    assert missing_modules("torch") == []
    require("torch", "this test")


def test_what_is_missing_is_named_with_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(
        VosctlError, match=r"^`virtual_camera`: needs pyvirtualcam, .*; run: python -m pip install .*\[camera\]"
    ):
        require("camera", "`virtual_camera`")
    assert "\n" not in install("camera")


@pytest.mark.parametrize("editable", [True, False])
def test_the_command_installs_from_the_clone(tmp_path, editable):
    (tmp_path / "pyproject.toml").write_text("")
    record = json.dumps({"url": tmp_path.as_uri(), "dir_info": {"editable": editable}})
    assert clone_of_record(record) == (tmp_path, editable)


@pytest.mark.parametrize(
    "record",
    [
        None,
        "",
        "[]",
        json.dumps({"url": "https://example.org/vosctl.whl", "archive_info": {}}),
        json.dumps({"url": "file:///no/such/folder", "dir_info": {}}),
    ],
)
def test_without_a_clone_the_command_installs_from_the_index(record):
    assert clone_of_record(record) == (None, False)


@pytest.fixture
def plain(tmp_path):
    """Run vosctl in a process in which torch and the other extras cannot be imported."""
    (tmp_path / "site").mkdir()
    blocked = ("torch", "openvino", "matplotlib", "pyvirtualcam")
    (tmp_path / "site" / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({blocked}))\n")
    path = os.pathsep.join([str(tmp_path / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "vosctl", *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": path},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
        )

    return run


@pytest.fixture
def pictures(tmp_path):
    """A folder of three pictures of a moving disc, and its mask in the first."""
    (tmp_path / "in").mkdir()
    for index in range(3):
        picture = np.full((120, 160, 3), 40, np.uint8)
        cv2.circle(picture, (60 + 3 * index, 60), 25, (30, 160, 240), -1)
        cv2.imwrite(str(tmp_path / "in" / f"{index}.png"), picture)
    mask = np.zeros((120, 160), np.uint8)
    cv2.circle(mask, (60, 60), 25, 255, -1)
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    return tmp_path


@pytest.mark.parametrize("weights", ["lite", "lite-plus"])
def test_both_shipped_networks_run_without_torch(plain, pictures, weights):
    result = plain("segment", "in", "--first-mask", "mask.png", "--masks", "out", "--weights", weights)
    assert result.returncode == 0, result.stderr
    assert f"{weights} on onnx" in result.stderr
    assert cv2.imread(str(pictures / "out" / "2.png")).any()


@pytest.mark.parametrize("arguments", [("weights", "list"), ("weights", "verify"), ("--help",), ("train", "-h")])
def test_commands_that_need_no_torch(plain, arguments):
    result = plain(*arguments)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("segment", "in", "--first-mask", "mask.png", "--masks", "out", "--engine", "torch"), "torch"),
        (("segment", "in", "--first-mask", "mask.png", "--masks", "out", "--on-device"), "torch"),
        (("segment", "in", "--first-mask", "mask.png", "--masks", "out", "--engine", "openvino"), "openvino"),
        (("train", "--stage", "1", "--images", "in", "-o", "run"), "train"),
        (("export-onnx",), "export"),
    ],
)
def test_what_needs_an_extra_says_which(plain, pictures, arguments, extra):
    result = plain(*arguments)
    assert result.returncode == 1, result.stderr
    assert f"[{extra}]" in result.stderr
    assert "-m pip install" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (pictures / "out").exists()


def test_doctor_calls_a_missing_torch_a_choice(plain):
    result = plain("doctor", "--json")
    assert result.returncode == 0, result.stdout
    found = {one["subject"]: one for one in json.loads(result.stdout)["findings"]}
    assert found["extra torch"]["severity"] == "ok"
    assert "not installed, a choice" in found["extra torch"]["message"]
