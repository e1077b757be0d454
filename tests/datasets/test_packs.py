import os
from zipfile import ZipFile

import pytest

from vosctl.datasets.packs import find_parts, unpack, write_parts
from vosctl.errors import UsageError, VosctlError


@pytest.fixture
def files(tmp_path):
    """Seven files of 1000 bytes, and their names in a pack."""
    folder = tmp_path / "source"
    folder.mkdir()
    made = [(folder / f"{n}.png", f"stills/a/images/{n}.png") for n in range(7)]
    for number, (path, _) in enumerate(made):
        path.write_bytes(bytes([number]) * 1000)
    return made


def test_files_come_out_as_they_went_in(files, tmp_path):
    parts = write_parts(files, tmp_path / "packs", 4000)
    assert [part.name for part in parts] == ["part-000.zip", "part-001.zip", "part-002.zip"]
    assert parts == find_parts(tmp_path / "packs") == sorted((tmp_path / "packs").iterdir())
    assert all(part.stat().st_size <= 4000 for part in parts)
    assert unpack(tmp_path / "packs", tmp_path / "data") == 7
    for path, name in files:
        assert (tmp_path / "data" / name).read_bytes() == path.read_bytes()


def test_files_that_say_they_are_older_than_archives_can_say(files, tmp_path):
    os.utime(files[0][0], (0, 0))
    write_parts(files, tmp_path / "packs", 4000)
    assert unpack(tmp_path / "packs", tmp_path / "data") == 7


def test_two_files_of_one_path_are_refused(files, tmp_path):
    message = r"0\.png and .*other\.png: would both be stills/a/images/0\.png in the pack; rename one of their folders"
    (other := tmp_path / "other.png").write_bytes(b"other")
    with pytest.raises(UsageError, match=message):
        write_parts([*files, (other, files[0][1])], tmp_path / "packs", 4000)
    assert list((tmp_path / "packs").iterdir()) == []


def test_parts_that_come_later_are_unpacked_alone(files, tmp_path):
    parts = write_parts(files, tmp_path / "packs", 4000)
    last = parts[-1].rename(tmp_path / "later.zip")
    assert unpack(tmp_path / "packs", tmp_path / "data") == 6
    last.rename(parts[-1])
    assert unpack(tmp_path / "packs", tmp_path / "data") == 1
    assert unpack(tmp_path / "packs", tmp_path / "data") == 0


def test_parts_are_not_mixed_with_older_ones(files, tmp_path):
    write_parts(files, tmp_path / "packs", 4000)
    with pytest.raises(UsageError, match="holds parts already"):
        write_parts(files, tmp_path / "packs", 4000)


def test_a_file_that_fits_no_part_leaves_nothing_behind(files, tmp_path):
    files[5][0].write_bytes(bytes(5000))
    with pytest.raises(UsageError, match=r"5\.png: is larger than a part of 4000 bytes"):
        write_parts(files, tmp_path / "packs", 4000)
    assert list((tmp_path / "packs").iterdir()) == []


def test_a_file_that_is_gone_is_named(files, tmp_path):
    files[2][0].unlink()
    with pytest.raises(VosctlError, match=r"2\.png: no such file"):
        write_parts(files, tmp_path / "packs", 4000)


def test_what_is_no_pack(tmp_path):
    with pytest.raises(UsageError, match=r"holds no part-000\.zip"):
        unpack(tmp_path, tmp_path / "data")
    (tmp_path / "part-000.zip").write_bytes(b"PK")
    with pytest.raises(VosctlError, match="is damaged"):
        unpack(tmp_path, tmp_path / "data")


@pytest.mark.parametrize("name", ["../out.png", "/out.png", "a/../../out.png"])
def test_nothing_is_written_outside_the_folder(name, tmp_path):
    with ZipFile(tmp_path / "part-000.zip", "w") as archive:
        archive.writestr(name, b"")
    with pytest.raises(VosctlError, match="not made by"):
        unpack(tmp_path, tmp_path / "data")
    assert not (tmp_path / "out.png").exists()


def test_a_damaged_file_in_a_part_is_found(files, tmp_path):
    (part,) = write_parts(files[:1], tmp_path / "packs", 4000)
    part.write_bytes(part.read_bytes().replace(bytes(1000), bytes(999) + b"x"))
    with pytest.raises(VosctlError, match="is damaged"):
        unpack(tmp_path / "packs", tmp_path / "data")
