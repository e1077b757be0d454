import re
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
    assert not re.search(r"\b(INTEGER|FLOAT|DIRECTORY|RANGE|PATH)\b", result.output), "named after a type of click's"


def test_version(invoke):
    assert invoke("--version").output.strip() == f"vosctl, version {__version__}"


def test_an_unknown_command(invoke):
    result = invoke("segmnet")
    assert result.exit_code == 2
    assert "No such command 'segmnet'" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--nope"], "No such option '--nope'; see `cli --help`"),
        (["segmnet"], "No such command 'segmnet'; see `cli --help`"),
        (["segment", "in.mp4", "--every", "0"], "0 is not in the range x>=1; see `cli segment --help`"),
        (["segment", "in.mp4", "--frist-mask", "a"], "(Did you mean one of: '--first-mask', "),
        (["segment", "in.mp4", "--box", "1,2"], "give x,y,width,height in pixels, such as 220,60,180,400; see `cli s"),
        (["segment", "in.mp4", "--first-mask"], "requires an argument"),
        (["segment", "a", "b", "c"], "Got unexpected extra arguments (b c); see `cli segment --help`"),
        (["batch", "in"], "Missing option '-o' / '--output'; see `cli batch --help`"),
        (["weights", "nope"], "No such command 'nope'; see `cli weights --help`"),
        (["weights", "info"], "Missing argument 'NAME|FILE'; see `cli weights info --help`"),
    ],
)
def test_what_is_mistyped_is_told_in_one_line(invoke, arguments, line):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    (told,) = result.stderr.splitlines()
    assert told.startswith("Error: ")
    assert line in told


def test_a_file_that_looks_like_an_option(invoke, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "No such option '-t'" in invoke("segment", "-tanz.mp4").stderr
    (tmp_path / "-tanz.mp4").touch()
    result = invoke("segment", "-tanz.mp4")
    assert result.exit_code == 2
    assert "-tanz.mp4 is read as an option; name the file ./-tanz.mp4; see" in result.stderr
    assert "-tanz.mp4: cannot be read as a video" in invoke("segment", "./-tanz.mp4", "--first-mask", "m.png").stderr


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
