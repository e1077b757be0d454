"""The registry: what others wrote into the user's part of it never harms, and never stops the shipped weights."""

import hashlib
import json
import shutil

import pytest
from click.testing import CliRunner

from tests.helpers.frames import square_frame, write_video
from vosctl.cli import cli
from vosctl.errors import UsageError, VosctlError
from vosctl.video.masks import write_indexed_png
from vosctl.weights.registry import (
    HEADS,
    find_weights,
    locate_weights,
    read_registry,
    retirement,
    shipped_folder,
    shipped_from,
    user_folder,
)


@pytest.fixture
def write_registry():
    def write(content):
        user_folder().mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, (str, bytes)) else json.dumps(content)
        (user_folder() / "registry.json").write_bytes(text if isinstance(text, bytes) else text.encode())

    return write


def entry(**changes):
    fields = {"network": "lite", "file": "mine.safetensors", "sha256": "0" * 64}
    return fields | {"licence": "mine", "training_data": "mine", "quality": "good"} | changes


BROKEN = {
    "cut off": "{",
    "no object": "[1, 2]",
    "not UTF-8": b"\xff\xfe{}",
    "too deep": "[" * 100_000,
    "empty": "",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_user_registry_leaves_the_shipped_weights(content, write_registry):
    write_registry(content)
    registry = read_registry()
    assert "lite" in registry.entries
    assert str(user_folder() / "registry.json") in registry.problem
    assert "move it away" in registry.problem
    assert registry.problem.isprintable()
    assert locate_weights("lite").is_file()
    with pytest.raises(UsageError, match="move it away"):
        find_weights("mine")


def test_a_registry_that_is_a_folder(write_registry):
    (user_folder() / "registry.json").mkdir(parents=True)
    assert "cannot be read" in read_registry().problem


@pytest.mark.parametrize(
    "file", ["../mine.safetensors", "/etc/passwd", "sub/mine.safetensors", "..", ".", "a\0b", "link.safetensors"]
)
def test_a_file_never_leaves_its_folder(file, write_registry, tmp_path):
    outside = tmp_path / "outside.safetensors"
    outside.write_text("precious")
    write_registry({"mine": entry(file=file), "good": entry()})
    (user_folder() / "link.safetensors").symlink_to(outside)
    registry = read_registry()
    assert "mine" not in registry.entries
    assert "good" in registry.entries
    assert "outside of its folder" in registry.problem
    with pytest.raises(UsageError):
        locate_weights("mine")
    runner = CliRunner()
    assert runner.invoke(cli, ["weights", "remove", "mine"]).exit_code == 2
    assert outside.read_text() == "precious"


@pytest.mark.parametrize(
    ("name", "fields", "problem"),
    [
        ("mine", entry(sha256="abc"), "sha256"),
        ("mine", entry(network=3), "network"),
        ("mine", entry(licence=None), "licence"),
        ("mine", ["file"], "JSON object"),
        ("\x1b[31m", entry(), "proper name"),
        ("../x", entry(), "proper name"),
    ],
)
def test_one_bad_entry_is_left_out_and_said(name, fields, problem, write_registry):
    write_registry({name: fields, "good": entry()})
    registry = read_registry()
    assert set(registry.entries) == {"lite", "lite-plus", "prompt", "good"}
    assert problem in registry.problem
    assert registry.problem.isprintable()


def test_a_shipped_name_is_not_taken_over(write_registry):
    write_registry({"lite": entry()})
    assert find_weights("lite").shipped


def test_a_broken_shipped_registry_is_an_error(tmp_path):
    (tmp_path / "registry.json").write_text("{")
    with shipped_from(tmp_path), pytest.raises(VosctlError, match="reinstall vosctl"):
        read_registry()
    assert shipped_folder() != tmp_path


def test_escapes_in_a_registry_do_not_reach_the_terminal(write_registry):
    write_registry({"mine": entry(licence="\x1b[2Jmine [/x] [bold]")})
    for arguments in (["weights", "list"], ["weights", "list", "--json"]):
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 0, result.output
        assert "\x1b" not in result.stdout
        assert "mine [/x] [bold]" in result.stdout


def test_list_says_what_is_wrong_and_lists_the_rest(write_registry):
    write_registry("{")
    result = CliRunner().invoke(cli, ["weights", "list"])
    assert result.exit_code == 0
    assert "lite" in result.stdout
    assert "Warning" in result.stderr
    assert CliRunner().invoke(cli, ["weights", "verify"]).exit_code == 1


def test_nothing_is_imported_into_a_broken_registry(write_registry, tmp_path):
    """Writing it anew would forget what was imported before."""
    write_registry("{")
    arguments = ["weights", "import", str(find_weights("lite").path), "--name", "mine", "--licence", "x"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 1
    assert "registry.json" in result.stderr
    assert "move it away" in result.stderr
    assert (user_folder() / "registry.json").read_text() == "{"


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "nonesuch"])
def test_names_that_no_file_can_have(name):
    with pytest.raises(UsageError, match="neither a file nor a registered name"):
        locate_weights(name)


@pytest.mark.parametrize("head", HEADS)
def test_a_head_is_verified_with_its_weights(head, tmp_path):
    """It lies in a file of its own beside them; its digest is in the registry too."""
    for name in ("mine", f"mine-{head}"):
        (tmp_path / f"{name}.safetensors").write_bytes(name.encode())
    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("mine", f"mine-{head}")}
    fields = entry(sha256=digests["mine"], **{f"{head}_sha256": digests[f"mine-{head}"]})
    (tmp_path / "registry.json").write_text(json.dumps({"mine": fields}))
    with shipped_from(tmp_path):
        assert locate_weights("mine") == tmp_path / "mine.safetensors"
        (tmp_path / f"mine-{head}.safetensors").write_bytes(b"other")
        with pytest.raises(VosctlError, match=rf"mine-{head}\.safetensors: not the registered weights 'mine'"):
            locate_weights("mine")
        (tmp_path / f"mine-{head}.safetensors").unlink()
        with pytest.raises(VosctlError, match=rf"mine-{head}\.safetensors: cannot be read"):
            locate_weights("mine")
    (tmp_path / "registry.json").write_text(json.dumps({"mine": fields | {f"{head}_sha256": "odd"}}))
    with shipped_from(tmp_path), pytest.raises(VosctlError, match="no proper sha256"):
        read_registry()


RETIRED = "no better than the other; take that"


@pytest.fixture
def retired(write_registry):
    """Imported weights that are retired: the registry alone says so."""
    shipped = shipped_folder() / "lite.safetensors"
    write_registry({"old": entry(sha256=hashlib.sha256(shipped.read_bytes()).hexdigest(), retired=RETIRED)})
    shutil.copyfile(shipped, user_folder() / "mine.safetensors")


def test_retired_weights_are_shown_as_such(retired):
    assert find_weights("old").retired == RETIRED
    assert retirement("old") == f"old is retired: {RETIRED}"
    assert retirement("lite") is None
    assert retirement("some/file.safetensors") is None
    listed = CliRunner().invoke(cli, ["weights", "list"])
    assert "verified, retired" in listed.stdout
    assert f"old is retired: {RETIRED}" in listed.stdout
    as_json = json.loads(CliRunner().invoke(cli, ["weights", "list", "--json"]).stdout)
    assert {one["name"]: one["retired"] for one in as_json if one["name"] in ("old", "lite")} == {
        "old": RETIRED,
        "lite": None,
    }
    assert f"retired     {RETIRED}" in CliRunner().invoke(cli, ["weights", "info", "old"]).stdout
    assert "retired" not in CliRunner().invoke(cli, ["weights", "info", "lite"]).stdout


def test_the_larger_network_is_retired():
    assert find_weights("lite-plus").retired
    assert not find_weights("lite").retired
    assert not find_weights("prompt").retired


def test_what_is_no_reason_is_refused(write_registry):
    write_registry({"mine": entry(retired=3), "good": entry()})
    assert "no proper retired" in read_registry().problem
    assert "good" in read_registry().entries


@pytest.fixture
def video(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = [square_frame(64, 96, (1, (230, 40, 40), 8 + i, 16, 24)) for i in range(3)]
    write_video(tmp_path / "in.mp4", [image for image, _ in made])
    write_indexed_png(tmp_path / "in.png", made[0][1])


SEGMENT = ("segment", "in.mp4", "--first-mask", "in.png", "--rle", "out.jsonl", "--overwrite", "--window-size", "96")


def test_whoever_uses_retired_weights_is_told_once(retired, video):
    used = CliRunner().invoke(cli, [*SEGMENT, "--weights", "old"])
    assert used.exit_code == 0, used.stderr
    assert used.stderr.count(f"old is retired: {RETIRED}\n") == 1
    assert "retired" not in CliRunner().invoke(cli, SEGMENT).stderr
    assert CliRunner().invoke(cli, [*SEGMENT, "--weights", "old", "--quiet"]).stderr == ""
    told = CliRunner().invoke(cli, [*SEGMENT, "--weights", "old", "--json"])
    assert told.stderr == ""
    assert json.loads(told.stdout.splitlines()[0])["retired"] == f"old is retired: {RETIRED}"
    assert told.stdout.count("retired:") == 1


@pytest.mark.slow
def test_a_batch_with_retired_weights_says_so_once(retired, video):
    batch = ("batch", "in.mp4", "--outputs", "rle", "--window-size", "96", "--weights", "old")
    assert CliRunner().invoke(cli, [*batch, "-o", "a"]).stderr.count(f"old is retired: {RETIRED}\n") == 1
    assert CliRunner().invoke(cli, [*batch, "-o", "b", "--quiet"]).stderr == ""
    told = CliRunner().invoke(cli, [*batch, "-o", "c", "--json"])
    assert json.loads(told.stdout.splitlines()[0])["retired"] == f"old is retired: {RETIRED}"
    assert told.stdout.count("retired:") == 1
    assert told.stderr == ""
