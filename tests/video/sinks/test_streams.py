"""JSON lines through pipes, devices and open descriptors, which are never replaced by a file."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from vosctl.errors import VosctlError
from vosctl.video.sinks import OutputClosedError, OutputRequest, open_sinks


def run(path, clip, overwrite=False):
    (sink,) = open_sinks(OutputRequest(rle=path, overwrite=overwrite), clip.info, print)
    try:
        for frame, result in zip(clip.frames, clip.results, strict=True):
            sink.write(frame, result)
        return sink.finish()
    finally:
        sink.abort()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_pipe_with_a_name_is_written_through(clip_of, tmp_path, overwrite):
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.extend(pipe.read_text().splitlines()))
    reader.start()
    assert run(pipe, clip_of([0, 512]), overwrite) == pipe
    reader.join(60)
    assert pipe.is_fifo()
    assert [json.loads(line)["frame"] for line in read] == [0, 0, 1, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["pipe.jsonl"]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("linked", [False, True])
def test_a_device_stays_a_device(clip_of, tmp_path, overwrite, linked):
    path = Path(os.devnull)
    if linked:
        path = tmp_path / "nothing.jsonl"
        path.symlink_to(os.devnull)
    assert run(path, clip_of([0]), overwrite) == path
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)
    assert path.is_symlink() == linked


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
@pytest.mark.parametrize("form", ["/dev/fd/{}", "/proc/self/fd/{}"])
def test_an_open_descriptor_is_written_to(clip_of, tmp_path, form):
    if not Path(form.format(0)).parent.exists():
        pytest.skip(f"no {form}")
    with (tmp_path / "out").open("wb") as file:
        file.write(b"before\n")
        file.flush()
        path = Path(form.format(file.fileno()))
        assert run(path, clip_of([0])) == path
        file.write(b"after\n")
    lines = (tmp_path / "out").read_text().splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("before", "after", 4)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
def test_a_descriptor_that_is_not_open(clip_of):
    with pytest.raises(VosctlError, match="/dev/fd/987: cannot be written: Bad file descriptor"):
        run(Path("/dev/fd/987"), clip_of([0]))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_device_is_one_line(clip_of):
    with pytest.raises(VosctlError, match="/dev/full cannot be written: No space left on device"):
        run(Path("/dev/full"), clip_of([0]))


def test_a_reader_that_goes_away_ends_the_run_quietly(clip_of):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        with pytest.raises(OutputClosedError):
            run(Path(f"/dev/fd/{writing}"), clip_of([0]))
    finally:
        os.close(writing)
