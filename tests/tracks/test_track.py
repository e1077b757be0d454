"""Tracks: what was appended is read back, whatever happened in between."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import vosctl
from tests.helpers.frames import square_frame
from vosctl.tracking.results import TrackedFrame, TrackedObject
from vosctl.tracks import SourceIdentity, Track, TrackHeader, TrackWriter
from vosctl.video.frames import Frame, SourceInfo
from vosctl.video.sinks.track import TrackSink

INFO = SourceInfo("clip", 96, 64, Fraction(25), Fraction(1, 25), 10)


def result(index):
    """Two objects, 3 and 9, the second lost in every third frame."""
    image, labels = square_frame(64, 96, (3, (9, 9, 9), index, 10, 20), (9, (9, 9, 9), 60, 30, 12))
    seen = [TrackedObject(3, "tracked", 0.1 + index / 1000, 400, (index, 10, 20, 20))]
    if index % 3 == 2:
        labels[labels == 9] = 0
        seen.append(TrackedObject(9, "lost", 0.0, 0, None))
    else:
        seen.append(TrackedObject(9, "tracked", 0.5, 144, (60, 30, 12, 12)))
    alpha = np.where(labels > 0, 255 - index, 0).astype(np.uint8)
    return Frame(index, image, index, Fraction(1, 25)), TrackedFrame(labels, alpha, tuple(seen))


def write(path, count=5, header=None):
    writer = TrackWriter(path, header or TrackHeader.of(INFO))
    for index in range(count):
        writer.append(*result(index))
    return writer


def same(one, other):
    np.testing.assert_array_equal(one.labels, other.labels)
    np.testing.assert_array_equal(one.alpha, other.alpha)
    assert one.objects == other.objects
    return True


def test_names_come_back_whatever_their_bytes(tmp_path):
    names = [None, "00001", "Größe 12", os.fsdecode(b"caf\xe9"), "\U0001f98a"]
    writer = TrackWriter(tmp_path / "a.vostrack", TrackHeader.of(INFO))
    for index, name in enumerate(names):
        frame, found = result(index)
        writer.append(replace(frame, name=name), found)
    writer.finish()
    with Track(tmp_path / "a.vostrack") as track:
        assert [frame.name for frame in track.frames()] == names


def test_frames_come_back_exactly_and_in_any_order(tmp_path):
    write(tmp_path / "a.vostrack").finish()
    assert [path.name for path in tmp_path.iterdir()] == ["a.vostrack"], "one file when it is complete"
    with Track(str(tmp_path / "a.vostrack")) as track:
        assert len(track) == 5
        assert track.complete
        for index in (3, 0, 4, 2, 1):
            assert same(track[index], result(index)[1])
        assert len(list(track)) == 5
        assert same(track[-1], result(4)[1])
        with pytest.raises(IndexError, match=r"a\.vostrack: has 5 frames, none of them is -6"):
            track[-6]
        with pytest.raises(IndexError):
            track[5]
        for number in ("1", 1.0, slice(1, 3)):
            with pytest.raises(TypeError, match="integer"):
                track[cast(int, number)]


def test_the_header_comes_back(tmp_path):
    identity = SourceIdentity(2, 70, "ab")
    header = TrackHeader(
        "clip", "../clip", identity, 96, 64, Fraction(1, 25), Fraction(30000, 1001), None, Fraction(12),
        {"1": {"box": [1.5, 2, 3, 4], "points": []}}, {"window": True}, {"asked": None},
    )  # fmt: skip
    write(tmp_path / "a.vostrack", header=header).finish()
    with Track(tmp_path / "a.vostrack") as track:
        assert track.header == header


def test_numbers_of_numpy_and_paths_come_back_as_plain_values(tmp_path):
    given: dict[str, Any] = {
        "tracking": {"window_size": np.int32(96), "scales": (np.float32(0.5),), "on_device": np.bool_(False)},
        "engine": {"asked": {"weights": Path("lite.safetensors"), "threads": np.int64(1)}},
        "max_frames": np.int64(3),
    }
    header = replace(TrackHeader.of(INFO), **given)
    write(tmp_path / "a.vostrack", header=header).finish()
    with Track(tmp_path / "a.vostrack") as track:
        assert track.header.tracking == {"window_size": 96, "scales": [0.5], "on_device": False}
        assert track.header.engine == {"asked": {"weights": "lite.safetensors", "threads": 1}}
        assert track.header.max_frames == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("DELETE FROM frames WHERE number = 1", "frame 1 is missing"),
        ("UPDATE objects SET score = 'x' WHERE frame = 1", "frame 1 is damaged"),
        ("UPDATE objects SET presence = 'x' WHERE frame = 1", "frame 1 is damaged"),
        ("UPDATE objects SET width = 4000 WHERE frame = 1", "frame 1 is damaged .a box beyond the frame"),
        ("UPDATE objects SET x = -1 WHERE frame = 1", "frame 1 is damaged .a box beyond the frame"),
        ("UPDATE frames SET name = '../x' WHERE number = 1", "a frame's number or time is damaged"),
        ("UPDATE frames SET pts = 'x' WHERE number = 1", "a frame's number or time is damaged"),
        ("UPDATE header SET value = '[]' WHERE key = 'header'", "header is damaged"),
        ("UPDATE header SET value = CAST(x'7f1b5b33316dff' AS TEXT) WHERE key = 'header'", r"\\x7f\\x1b\[31m"),
        ("""UPDATE header SET value = json_set(value, '$.path', 7) WHERE key = 'header'""", "header is damaged .path"),
        ("""UPDATE header SET value = json_set(value, '$.span', 7) WHERE key = 'header'""", "header is damaged .span"),
        ("""UPDATE header SET value = json_set(value, '$.max_frames', -7) WHERE key = 'header'""", "header is damaged"),
    ],
)
def test_damage_is_told_in_one_line(tmp_path, change, message):
    write(tmp_path / "a.vostrack", 3).finish()
    with closing(sqlite3.connect(tmp_path / "a.vostrack")) as database:
        assert database.execute(change).rowcount
        database.commit()
    with pytest.raises(vosctl.VosctlError, match=rf"a\.vostrack: .*{message}"):
        read_all(tmp_path / "a.vostrack")


def read_all(path):
    with Track(path) as track:
        return list(track.frames()), list(track)


def test_a_track_can_be_read_while_it_is_written(tmp_path):
    writer = write(tmp_path / "a.vostrack", 2)
    with Track(tmp_path / "a.vostrack") as track:
        assert len(track) == 2
        assert not track.complete
        writer.append(*result(2))
        assert same(track[2], result(2)[1])
    writer.finish()


def test_a_track_that_is_read_at_its_end_is_whole_in_its_file(tmp_path):
    writer = write(tmp_path / "a.vostrack", 2)
    with Track(tmp_path / "a.vostrack") as track:
        assert len(track) == 2
        writer.finish()
        (tmp_path / "moved.vostrack").write_bytes((tmp_path / "a.vostrack").read_bytes())
    with Track(tmp_path / "moved.vostrack") as moved:
        assert (len(moved), moved.complete) == (2, True)


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = ["tests/..", "."]
from tests.tracks.test_track import write
write(Path(sys.argv[1]), int(sys.argv[2]))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no such signal")
def test_what_was_appended_outlives_a_kill(tmp_path):
    path = tmp_path / "a.vostrack"
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
    ended = subprocess.run([sys.executable, "-c", KILLED, path, "7"], cwd=root, env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    with Track(path) as track:
        assert len(track) == 7
        assert not track.complete
        assert all(same(track[index], result(index)[1]) for index in range(7))
    writer = TrackWriter(path, None)
    assert writer.frames == 7
    writer.append(*result(7))
    writer.finish()
    with Track(path) as track:
        assert track.complete
        assert same(track[7], result(7)[1])


def test_what_a_killed_run_left_of_a_track_does_not_come_back_when_it_is_replaced(tmp_path):
    killed = write(tmp_path / "killed.vostrack", 5)
    for path in list(tmp_path.iterdir()):  # with the log, which is not folded in
        (tmp_path / path.name.replace("killed", "a")).write_bytes(path.read_bytes())
    killed.close()
    assert (tmp_path / "a.vostrack-wal").exists()
    (tmp_path / "link.vostrack").symlink_to("a.vostrack")
    sink = TrackSink(tmp_path / "link.vostrack", TrackHeader.of(INFO), overwrite=True)
    for index in (7, 8):
        sink.write(*result(index))
    sink.finish()
    with Track(tmp_path / "a.vostrack") as track:
        assert (len(track), track.complete) == (2, True)
        assert same(track[0], result(7)[1])


def test_a_frame_is_there_whole_or_not_at_all(tmp_path):
    writer = write(tmp_path / "a.vostrack", 2)
    frame, good = result(2)
    bad = TrackedFrame(good.labels, good.alpha, (good.objects[0], good.objects[0]))  # one key twice
    with pytest.raises(vosctl.VosctlError, match=r"a\.vostrack"):
        writer.append(frame, bad)
    writer.append(frame, good)
    writer.finish()
    with Track(tmp_path / "a.vostrack") as track:
        assert len(track) == 3
        assert same(track[2], good)


def test_two_writers_do_not_mix(tmp_path):
    writer = write(tmp_path / "a.vostrack", 2)
    other = TrackWriter(tmp_path / "a.vostrack", None)
    other.append(*result(2))
    with pytest.raises(vosctl.VosctlError, match="another run"):
        writer.append(*result(2))
    writer.close()
    other.finish()


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such track"), (b"", "is no track"), (b"\x89PNG" * 500, "is no track")]
)
def test_what_is_no_track(tmp_path, content, message):
    path = tmp_path / "a.vostrack"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(vosctl.UsageError, match=message):
        Track(path)


def test_another_database_is_no_track(tmp_path):
    with sqlite3.connect(tmp_path / "a.vostrack") as database:
        database.execute("CREATE TABLE frames (x)")
    with pytest.raises(vosctl.UsageError, match="is no track"):
        Track(tmp_path / "a.vostrack")


def change(path, *statements):
    database = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        database.execute(statement)
    database.close()


def test_a_track_of_a_newer_vosctl(tmp_path):
    write(tmp_path / "a.vostrack").finish()
    change(tmp_path / "a.vostrack", "PRAGMA user_version = 99")
    with pytest.raises(vosctl.UsageError, match=r"newer vosctl .*format 99.* upgrade vosctl"):
        Track(tmp_path / "a.vostrack")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE frames SET matte = x'00112233' WHERE number = 1",
        "UPDATE frames SET matte_x = 90 WHERE number = 1",
        "UPDATE objects SET mask = x'0011' WHERE frame = 1",
        "UPDATE objects SET status = 'gone' WHERE frame = 1",
        "UPDATE objects SET object = object + 300 WHERE frame = 1",
    ],
)
def test_a_damaged_frame_is_told_and_the_others_are_read(tmp_path, statement):
    write(tmp_path / "a.vostrack").finish()
    change(tmp_path / "a.vostrack", statement)
    with Track(tmp_path / "a.vostrack") as track:
        with pytest.raises(vosctl.VosctlError, match="frame 1 is damaged"):
            track[1]
        assert same(track[2], result(2)[1])


def test_what_a_later_vosctl_adds_to_the_header_is_left_aside(tmp_path):
    write(tmp_path / "a.vostrack").finish()
    change(tmp_path / "a.vostrack", "UPDATE header SET value = json_set(value, '$.mood', 'blue') WHERE key = 'header'")
    with Track(tmp_path / "a.vostrack") as track:
        assert track.header == TrackHeader.of(INFO)


def test_a_damaged_header(tmp_path):
    write(tmp_path / "a.vostrack").finish()
    for value in ("'[]'", "'{}'", "'{\"width\": 3}'", "'x'"):
        change(tmp_path / "a.vostrack", f"UPDATE header SET value = {value} WHERE key = 'header'")
        with pytest.raises(vosctl.VosctlError, match="header is damaged"):
            Track(tmp_path / "a.vostrack")


def test_a_damaged_table_is_told_in_one_line(tmp_path):
    """SQLite repeats the damaged name, which is no text any more."""
    path = tmp_path / "a.vostrack"
    write(path).finish()
    data = path.read_bytes()
    assert data.count(b"CREATE TABLE frames") == 1
    path.write_bytes(data.replace(b"CREATE TABLE frames", b"CREATE TABLE fra \xdfs"))
    with pytest.raises(vosctl.VosctlError, match=r"a\.vostrack: the track cannot be read"):
        read_all(path)
