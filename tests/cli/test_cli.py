import subprocess
import sys

import pytest

from vosctl import __version__
from vosctl.cli import COMMANDS


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_the_commands(invoke, flag):
    result = invoke(flag)
    assert result.exit_code == 0
    for name in COMMANDS:
        assert f"\n  {name}" in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(invoke, name):
    result = invoke(name, "-h")
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_version(invoke):
    assert invoke("--version").output.strip() == f"vosctl, version {__version__}"


def test_an_unknown_command(invoke):
    result = invoke("segmnet")
    assert result.exit_code == 2
    assert "No such command 'segmnet'" in result.stderr


def test_help_imports_nothing_heavy():
    """Neither the group's help nor a command's may load a network runtime, OpenCV or PyAV."""
    code = (
        "import sys\n"
        "from vosctl.cli import cli\n"
        "for name in [[], *[[name] for name in cli.list_commands(None)]]:\n"
        "    cli([*name, '--help'], standalone_mode=False)\n"
        "heavy = {'torch', 'cv2', 'onnxruntime', 'av', 'numpy', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion(shell):
    done = subprocess.run(
        [sys.executable, "-c", "from vosctl.cli import cli; cli(prog_name='vosctl')"],
        env={"_VOSCTL_COMPLETE": f"{shell}_source", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    if "Bash version detection" in done.stderr:
        pytest.skip("no bash here")
    assert "vosctl" in done.stdout
