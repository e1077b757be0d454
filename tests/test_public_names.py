import subprocess
import sys
from pathlib import Path

import pytest

import vosctl


@pytest.mark.parametrize("name", vosctl.__all__)
def test_every_public_name_is_there_and_listed(name):
    assert getattr(vosctl, name) is not None
    assert name in dir(vosctl)


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="nonesuch"):
        vosctl.nonesuch  # noqa: B018


def test_types_are_shipped():
    assert (Path(vosctl.__file__).parent / "py.typed").is_file()


def test_listing_the_names_imports_nothing():
    code = (
        "import sys, vosctl; dir(vosctl); sys.exit(bool({'numpy', 'cv2', 'onnxruntime', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
