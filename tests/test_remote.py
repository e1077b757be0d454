"""Files elsewhere, through fsspec: what is fetched, what is published, and that nobody sees half of it."""

import sys

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from vosctl.errors import UsageError, VosctlError
from vosctl.remote import (
    WHOLE,
    addressed,
    entries,
    exists,
    fetch,
    is_folder,
    is_pattern,
    is_remote,
    is_whole,
    mirrored,
    publish,
)

STORES = ["memory", "file"]


@pytest.fixture(params=STORES)
def root(request, tmp_path):
    """The address of an empty folder: in a store of objects, and in a file system whose files are renamed."""
    if request.param == "file":
        return f"file://{tmp_path.as_posix()}/far"
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    return "memory://far"


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "made"
    for name, content in {"a.png": b"a", "b.png": b"bb", "deep/c.txt": b"c"}.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(content)
    return made


def put(address, content):
    with fsspec.open(address, "wb", auto_mkdir=True) as file:
        file.write(content)


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["s3://bucket/a.mp4", "gs://bucket/a", "file:///a", "memory://a"])
def test_addresses_that_are_fetched(name):
    assert is_remote(name)


@pytest.mark.parametrize(
    "name", ["a.mp4", "v/a.mp4", "-", "C:\\a.mp4", "rtsp://camera", "HTTPS://example.org/a.mp4", ""]
)
def test_paths_and_streams_are_not(name):
    assert not is_remote(name)


def test_a_copy_lies_as_its_original_does_in_its_store(tmp_path):
    assert mirrored("s3://bucket/v/a.mp4", tmp_path) == tmp_path / "s3" / "bucket" / "v" / "a.mp4"
    for wrong in ("s3://", "s3:///", "s3://bucket/../a.mp4"):
        with pytest.raises(UsageError, match=r"names no file; give an address such as s3://bucket"):
            mirrored(wrong, tmp_path)


def test_messages_get_their_addresses_back(tmp_path):
    for address in ("s3://bucket/v/a.mp4", "file:///v/a.mp4"):
        local = mirrored(address, tmp_path)
        local.parent.mkdir(parents=True)
        assert addressed(f"{local}: is no video", tmp_path) == f"{address}: is no video"


def test_a_file_comes_and_goes(root, tmp_path):
    put(f"{root}/v/a.mp4", b"video")
    local = fetch(f"{root}/v/a.mp4", tmp_path / "copies")
    assert (local.name, local.read_bytes()) == ("a.mp4", b"video")
    assert not exists(f"{root}/out/b.mp4")
    publish(local, f"{root}/out/b.mp4")
    assert exists(f"{root}/out/b.mp4")
    assert is_whole(f"{root}/out/b.mp4")
    local.write_bytes(b"another")
    publish(local, f"{root}/out/b.mp4")
    assert fetch(f"{root}/out/b.mp4", tmp_path / "again").read_bytes() == b"another"
    assert entries(f"{root}/out") == {f"{root}/out/b.mp4": False}


def test_a_folder_comes_and_goes(root, folder, tmp_path):
    publish(folder, f"{root}/out/masks")
    assert is_folder(f"{root}/out/masks")
    assert is_whole(f"{root}/out/masks")
    assert contents(fetch(f"{root}/out/masks", tmp_path / "copies")) == contents(folder)
    (folder / "b.png").unlink()
    (folder / "new.png").write_bytes(b"new")
    publish(folder, f"{root}/out/masks")
    assert contents(fetch(f"{root}/out/masks", tmp_path / "again")) == contents(folder)
    assert is_whole(f"{root}/out/masks")
    assert entries(f"{root}/out") == {f"{root}/out/masks": True}, "nothing is left beside it"


def test_files_of_one_name_do_not_replace_each_other(root, tmp_path):
    for folder in ("a", "b"):
        put(f"{root}/{folder}/0.png", folder.encode())
    with pytest.raises(UsageError, match=r"/\*/0.png: matches 2 files named 0.png; give one folder's pattern"):
        fetch(f"{root}/*/0.png", tmp_path / "copies")
    put(f"{root}/b/1.png", b"1")
    assert contents(fetch(f"{root}/*/1.png", tmp_path / "again")) == {"1.png": b"1"}


def test_brackets_in_names(root, folder, tmp_path):
    publish(folder, f"{root}/clip [1]/masks")
    (folder / "b.png").unlink()
    publish(folder, f"{root}/clip [1]/masks")
    assert contents(fetch(f"{root}/clip [1]/masks", tmp_path / "copies")) == contents(folder)
    assert is_whole(f"{root}/clip [1]/masks")
    assert entries(f"{root}/clip [1]") == {f"{root}/clip [1]/masks": True}
    assert not is_pattern(f"{root}/clip [1]")
    assert is_pattern(f"{root}/clip [12]")


def test_a_glob_comes_as_a_folder(root, folder, tmp_path):
    publish(folder, f"{root}/frames")
    mark = (WHOLE,) if root.startswith("memory") else ()
    local = fetch(f"{root}/frames/*.png", tmp_path / "copies")
    assert contents(local) == {"a.png": b"a", "b.png": b"bb"}
    put(f"{root}/odd[1].png", b"odd")
    assert fetch(f"{root}/odd[1].png", tmp_path / "copies").read_bytes() == b"odd"
    assert entries(f"{root}/frames/a*.png") == {
        f"{root}/frames/{name}": name == "deep" for name in ("a.png", "b.png", "deep", *mark)
    }


@pytest.mark.parametrize("name", ["none.mp4", "none/*.png"])
def test_what_is_not_there(root, tmp_path, name):
    with pytest.raises(UsageError, match=r"no such file or folder.*; check the address"):
        fetch(f"{root}/{name}", tmp_path)


class Stumbling:
    """Fails at a write, the one that is told."""

    writes_left = 0

    def _write(self):
        Stumbling.writes_left -= 1
        if Stumbling.writes_left == -1:
            raise ConnectionResetError("the line\nis dead")


class StumblingStore(Stumbling, MemoryFileSystem):
    protocol = ("oci",)
    cachable = False

    def put_file(self, lpath, rpath, **options):
        self._write()
        super().put_file(lpath, rpath, **options)

    @classmethod
    def _strip_protocol(cls, path):
        return MemoryFileSystem._strip_protocol(path.replace("oci://", "memory://"))


class StumblingFiles(Stumbling, LocalFileSystem):
    protocol = ("dbfs",)
    cachable = False

    def put_file(self, path1, path2, **options):
        self._write()
        super().put_file(path1, path2, **options)

    def mv(self, path1, path2, **options):
        self._write()
        super().mv(path1, path2, **options)

    @classmethod
    def _strip_protocol(cls, path):
        return path.removeprefix("dbfs://")


@pytest.fixture
def stumbling():
    fsspec.register_implementation("oci", StumblingStore, clobber=True)
    fsspec.register_implementation("dbfs", StumblingFiles, clobber=True)


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_folder_that_could_not_be_written_whole_does_not_look_whole_in_a_store(stumbling, folder, writes):
    MemoryFileSystem.store.clear()
    Stumbling.writes_left = 100
    publish(folder, "oci://far/masks")
    Stumbling.writes_left = writes
    with pytest.raises(VosctlError, match=r"^oci://far/masks: cannot be written: the line is dead; check the address"):
        publish(folder, "oci://far/masks")
    assert not is_whole("oci://far/masks")
    Stumbling.writes_left = 100
    publish(folder, "oci://far/masks")
    assert is_whole("oci://far/masks")


@pytest.mark.parametrize("writes", range(7))
def test_what_was_there_stays_where_a_file_system_fails(stumbling, folder, tmp_path, writes):
    address = f"dbfs://{tmp_path.as_posix()}/far/masks"
    Stumbling.writes_left = 100
    publish(folder, address)
    before = contents(tmp_path / "far")
    (folder / "a.png").write_bytes(b"new")
    Stumbling.writes_left = writes
    with pytest.raises(VosctlError, match="cannot be written: the line is dead"):
        publish(folder, address)
    assert contents(tmp_path / "far") == before


def test_a_copy_that_came_short_is_an_error(tmp_path):
    class Short(MemoryFileSystem):
        protocol = ("adl",)
        cachable = False

        def size(self, path):
            return super().size(path) + 1

        @classmethod
        def _strip_protocol(cls, path):
            return MemoryFileSystem._strip_protocol(path.replace("adl://", "memory://"))

    fsspec.register_implementation("adl", Short, clobber=True)
    put("memory://far/a.mp4", b"video")
    with pytest.raises(VosctlError, match=r"5 of 6 bytes of /far/a.mp4 came; try again"):
        fetch("adl://far/a.mp4", tmp_path)


def test_a_name_that_leads_out_of_the_copies_is_refused(tmp_path):
    MemoryFileSystem.store.clear()
    files = fsspec.filesystem("memory")
    files.pipe_file("/far/v/a.png", b"a")
    files.store["/far/v/../../../evil.png"] = files.store["/far/v/a.png"]
    with pytest.raises(UsageError, match="leads out of its folder"):
        fetch("memory://far/v", tmp_path / "copies")
    assert not list(tmp_path.rglob("evil.png"))


def test_an_address_of_no_kind(tmp_path):
    with pytest.raises(UsageError, match=r"^nonsense://: Protocol not known: nonsense; give a path, or an address"):
        fetch("nonsense://a/b", tmp_path)


@pytest.mark.parametrize(("scheme", "module"), [("s3", "s3fs"), ("gs", "gcsfs")])
def test_what_is_not_installed_is_named_with_the_command(monkeypatch, tmp_path, scheme, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(VosctlError, match=rf"^{scheme}://a/b: .*{module}.*; run: python -m pip install .*\[{scheme}\]"):
        fetch(f"{scheme}://a/b", tmp_path)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(VosctlError, match=rf"^{scheme}://a/b: .*fsspec.*; run: python -m pip install .*\[{scheme}\]"):
        fetch(f"{scheme}://a/b", tmp_path)
