import os
import shutil
import subprocess
import sys

import pytest
from click.shell_completion import BashComplete

from vosctl.cli import cli


def offered(*arguments, incomplete=""):
    """What is offered for an unfinished command line, with its kinds."""
    completions = BashComplete(cli, {}, "vosctl", "_VOSCTL_COMPLETE").get_completions(list(arguments), incomplete)
    return {(one.type, one.value) for one in completions}


@pytest.mark.parametrize(
    ("arguments", "incomplete", "expected"),
    [
        ((), "seg", {("plain", "segment")}),
        (("segment",), "", {("file", "")}),
        (("segment",), "cl", {("file", "cl")}),
        (("webcam",), "/dev/vid", {("file", "/dev/vid")}),
        (("segment", "x.mp4", "--first-mask"), "m", {("file", "m")}),
        (("segment", "x.mp4", "--overlay"), "o", {("file", "o")}),
        (("segment", "x.mp4", "--device"), "cu", {("plain", "cuda"), ("plain", "cuda:0"), ("plain", "cuda:1")}),
        (("segment", "x.mp4", "--engine"), "o", {("plain", "onnx"), ("plain", "openvino")}),
        (("train", "--network"), "rg", {("plain", "rgmp")}),
        (("train", "--images"), "st", {("dir", "st")}),
        (("eval", "DAVIS", "--predictions"), "r", {("file", "r")}),
    ],
)
def test_what_is_offered(arguments, incomplete, expected):
    assert offered(*arguments, incomplete=incomplete) == expected


@pytest.mark.parametrize(
    "command",
    [
        ("segment", "x.mp4", "--weights"),
        ("export-onnx", "--weights"),
        ("train", "--init"),
        ("weights", "info"),
        ("weights", "export"),
    ],
)
def test_weights_are_offered_by_name_and_as_files(command):
    assert offered(*command, incomplete="lite") == {("file", "lite"), ("plain", "lite"), ("plain", "lite-plus")}


def test_a_damaged_registry_still_offers_files(tmp_path, monkeypatch):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "registry.json").write_text("{")
    monkeypatch.setenv("VOSCTL_HOME", str(tmp_path))
    assert ("file", "x") in offered("segment", "x.mp4", "--weights", incomplete="x")


@pytest.fixture
def program(tmp_path):
    """A folder with clips and the program `vosctl`, and the environment to find it in."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "vosctl"
    script.write_text(f"#!{sys.executable}\nfrom vosctl.__main__ import main\nmain()\n")
    script.chmod(0o755)
    for name in ("dance.mp4", "dance.png"):
        (tmp_path / name).touch()
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}


BASH = """
eval "$(_VOSCTL_COMPLETE=bash_source vosctl)"
type _vosctl_completion > /dev/null || exit 9
COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
compopt() {{ [ "$2" = default ] && COMPREPLY=( $(compgen -f -- "${{COMP_WORDS[COMP_CWORD]}}") ); }}
_vosctl_completion vosctl
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("vosctl seg", ["segment"]),
        ("vosctl segment d", ["dance.mp4", "dance.png"]),
        ("vosctl segment dance.mp4 --weights lite-", ["lite-plus"]),
        ("vosctl segment dance.mp4 --device c", ["cpu", "cuda", "cuda:0", "cuda:1"]),
    ],
)
def test_bash_itself(program, tmp_path, words, expected):
    script = BASH.format(words=words)
    done = subprocess.run(
        ["bash", "-c", script], env=program, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert sorted(done.stdout.split()) == expected, done.stderr


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish here")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("vosctl seg", {"segment"}),
        ("vosctl segment d", {"dance.mp4", "dance.png"}),
        ("vosctl segment dance.mp4 --weights lite-", {"lite-plus"}),
    ],
)
def test_fish_itself(program, tmp_path, line, expected):
    script = f"_VOSCTL_COMPLETE=fish_source vosctl | source; complete -C '{line}'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", script], env=program, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert expected <= {one.split("\t")[0] for one in done.stdout.splitlines()}, done.stderr


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh here")
def test_zsh_itself(program, tmp_path):
    """Zsh offers matches to a terminal only: its functions are replaced by ones that print what they are given."""
    script = """
    compdef() { : }
    compadd() { print -l -- ${(P)@[-1]} }
    _path_files() { print -- a path }
    eval "$(_VOSCTL_COMPLETE=zsh_source vosctl)"
    words=(vosctl segment dance.mp4 --device cu); CURRENT=5
    _vosctl_completion
    words=(vosctl segment d); CURRENT=3
    _vosctl_completion
    """
    done = subprocess.run(
        ["zsh", "-f", "-c", script], env=program, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == ["cuda", "cuda:0", "cuda:1", "a path"], done.stderr
