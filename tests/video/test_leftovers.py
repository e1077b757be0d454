"""What killed runs leave is removed by a later run; nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from vosctl.errors import UsageError
from vosctl.video.frames import SourceInfo
from vosctl.video.leftovers import clean, is_claim
from vosctl.video.sinks import OutputRequest, open_sinks
from vosctl.video.sinks.checks import check_outputs
from vosctl.video.staging import StagedDirectory, StagedFile

FOLDER, FILE = "masks", "o.mp4"


def stage(path):
    return (StagedDirectory if path.suffix == "" else StagedFile)(path, overwrite=True)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def other_run():
    """Returns a function that begins an output in another process, which then waits; it is killed at the end."""
    processes = []

    def begin(path: Path) -> subprocess.Popen:
        code = (
            "import sys; from pathlib import Path; from vosctl.video.staging import StagedDirectory, StagedFile;"
            "path = Path(sys.argv[1]); kind = StagedFile if path.suffix else StagedDirectory;"
            "staged = kind(path, overwrite=True);"
            "target = staged.partial if path.suffix else staged.add('00000.png');"
            "target.write_bytes(b'half'); print('begun', flush=True); sys.stdin.read()"
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        processes.append(process)
        assert process.stdout.readline() == b"begun\n"
        return process

    yield begin
    for process in processes:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@pytest.mark.parametrize("name", [FOLDER, FILE])
def test_what_a_killed_run_left_is_removed_and_named(tmp_path, other_run, name):
    run = other_run(tmp_path / name)
    run.send_signal(signal.SIGKILL)
    run.wait()
    (partial,) = [path for path in tmp_path.iterdir() if not is_claim(path)]
    assert clean(tmp_path / name) == [partial]
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", [FOLDER, FILE])
def test_what_a_living_run_writes_stays(tmp_path, other_run, name):
    run = other_run(tmp_path / name)
    before = names(tmp_path)
    assert clean(tmp_path / name) == []
    assert names(tmp_path) == before
    assert run.poll() is None


@pytest.mark.parametrize("name", [FOLDER, FILE])
def test_a_run_that_ends_by_itself_takes_its_mark_away(tmp_path, other_run, name):
    run = other_run(tmp_path / name)
    run.communicate()
    assert run.returncode == 0
    assert not any(is_claim(path) for path in tmp_path.iterdir())
    assert clean(tmp_path / name) == []
    assert len(names(tmp_path)) == 1


@pytest.mark.parametrize("name", [FOLDER, FILE])
def test_what_is_kept_on_purpose_stays(tmp_path, name):
    staged = stage(tmp_path / name)
    kept = staged.keep()
    assert clean(tmp_path / name) == []
    assert names(tmp_path) == [kept.name]


@pytest.mark.parametrize("name", [FOLDER, FILE])
def test_of_a_finished_output_nothing_is_left(tmp_path, name):
    stage(tmp_path / name).commit()
    assert names(tmp_path) == [name]
    stage(tmp_path / name).discard()
    assert names(tmp_path) == [name]


def test_another_output_s_leftovers_stay(tmp_path, other_run):
    run = other_run(tmp_path / "other.mp4")
    run.kill()
    run.wait()
    before = names(tmp_path)
    assert clean(tmp_path / FILE) == []
    assert names(tmp_path) == before


def test_a_file_that_only_has_such_a_name_stays(tmp_path):
    (tmp_path / "o.partial.mp4").write_bytes(b"the user's")
    assert clean(tmp_path / FILE) == []
    assert (tmp_path / "o.partial.mp4").exists()


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"partial": 3}', '{"partial": "../precious.partial.mp4"}', '{"partial": "precious"}', "\udcff"],
)
def test_a_mark_that_is_none_of_ours_removes_nothing(tmp_path, content, other_run):
    run = other_run(tmp_path / FILE)
    run.kill()
    run.wait()
    (claim,) = [path for path in tmp_path.iterdir() if is_claim(path)]
    claim.write_bytes(content.encode("utf-8", "surrogateescape"))
    (tmp_path / "precious").touch()
    assert clean(tmp_path / FILE) == []
    assert {"precious", "o.partial.mp4"} < set(names(tmp_path))


def test_through_a_link_and_in_folders_that_cannot_be_renamed(tmp_path):
    volume = tmp_path / "volume"
    volume.mkdir()
    code = (
        "import os, sys; from pathlib import Path; from vosctl.video.staging import StagedDirectory;"
        "staged = StagedDirectory(Path(sys.argv[1]), overwrite=True, is_fixed=lambda path: True);"
        "staged.add('0.png').touch();"
        "os._exit(9)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    (tmp_path / "link").symlink_to(volume)
    subprocess.run([sys.executable, "-c", code, tmp_path / "link"], env=environment, check=False)
    assert "volume.partial" in names(volume)
    assert clean(tmp_path / "link") == [volume / "volume.partial"]
    assert names(volume) == []


def test_the_next_run_of_the_same_output_says_what_it_removed(tmp_path, other_run):
    info = SourceInfo("clip", 128, 96, Fraction(25), Fraction(1, 25))
    run = other_run(tmp_path / "r.jsonl")
    run.kill()
    run.wait()
    told = []
    (sink,) = open_sinks(OutputRequest(rle=tmp_path / "r.jsonl"), info, told.append)
    assert told == [f"{tmp_path / 'r.partial.jsonl'}: left by a run that was killed, removed"]
    assert sink.partial == tmp_path / "r.partial.jsonl"
    assert sink.abort() is None
    assert names(tmp_path) == []


def test_what_a_killed_run_left_in_a_volume_does_not_keep_it_from_being_used(tmp_path):
    volume = tmp_path / "volume"
    volume.mkdir()
    code = (
        "import os, sys; from pathlib import Path; from vosctl.video.staging import StagedDirectory;"
        "staged = StagedDirectory(Path(sys.argv[1]), overwrite=True, is_fixed=lambda path: True);"
        "staged.add('0.png').touch();"
        "os._exit(9)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code, volume], env=environment, check=False)
    check_outputs(OutputRequest(masks=volume))
    (volume / "thesis.tex").touch()
    with pytest.raises(UsageError, match=r"thesis\.tex"):
        check_outputs(OutputRequest(masks=volume, overwrite=True))


def test_exports_and_reports_remove_what_a_killed_run_left_too(tmp_path, other_run, caplog):
    from vosctl.evaluation.report import write_output
    from vosctl.export.folder import staged_folder

    for name in ("graphs", "report.json"):
        run = other_run(tmp_path / name)
        run.send_signal(signal.SIGKILL)
        run.wait()
    with staged_folder(tmp_path / "graphs", overwrite=False) as folder:
        (folder / "README.md").write_text("whole")
    write_output(tmp_path / "report.json", b"{}")
    assert names(tmp_path) == ["graphs", "report.json"]
    assert [line.partition(": ")[2] for line in caplog.messages] == ["left by a run that was killed, removed"] * 2
