"""Jobs whose files are elsewhere."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

import vosctl
from tests.helpers.engines import BrightObjectEngine
from vosctl.batching import BatchJob, InProcess, JobOptions, run_job
from vosctl.batching.finding import JobsRequest
from vosctl.batching.layouts import parse_outputs
from vosctl.batching.run import BatchRun
from vosctl.errors import UsageError, VosctlError
from vosctl.prompts.timed import TimedPrompt
from vosctl.remote import WHOLE, entries, is_whole
from vosctl.time_line import Place
from vosctl.tracks import Track
from vosctl.video.leftovers import Claim

from .conftest import FRAMES

OUTPUTS = {"masks": "memory://far/out/a/masks", "overlay": "memory://far/out/a/overlay.mp4"}


@pytest.fixture
def far(clips, tmp_path, monkeypatch):
    """A store with the clip `a` and its mask, and a folder for temporary files that is looked into afterwards."""
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    folder = clips("a")
    files = fsspec.filesystem("memory")
    for name in ("a.mp4", "a.png"):
        files.put_file(str(folder / name), f"/far/v/{name}")
    yield files
    assert list((tmp_path / "temporary").iterdir()) == []


def job(source="memory://far/v/a.mp4", **changes):
    return BatchJob("a", source, **{"outputs": OUTPUTS, "first_mask": ("memory://far/v/a.png",)} | changes)


def test_it_gives_what_a_local_one_does(far, bright_engine, tmp_path):
    local = run_job(
        job(outputs={"masks": "out/masks", "overlay": "out/overlay.mp4"}, first_mask=("v/a.png",)), bright_engine
    )
    result = run_job(job(), bright_engine)
    assert (result.state, result.frames, result.error) == ("done", FRAMES, None)
    assert sorted(result.outputs) == sorted(OUTPUTS.values())
    assert (result.name, result.source) == (local.name, "memory://far/v/a.mp4")
    there = {name.removeprefix("memory://far/out/a/"): far.cat(name) for name in entries("memory://far/out/a/masks")}
    assert there.pop(f"masks/{WHOLE}") == b""
    assert there == {f"masks/{path.name}": path.read_bytes() for path in Path("out/masks").iterdir()}
    assert far.cat(OUTPUTS["overlay"]) == Path("out/overlay.mp4").read_bytes()


def test_a_local_job_is_not_touched(clips, bright_engine):
    clips("a")
    local = BatchJob("a", "v/a.mp4", {"masks": "out"}, first_mask=("v/a.png",))
    assert run_job(local, bright_engine).outputs == ("out",)


def test_outputs_that_exist_are_replaced_only_when_that_is_asked_for(far, bright_engine):
    assert run_job(job(), bright_engine).state == "done"
    again = run_job(job(), bright_engine)
    assert again.state == "failed"
    assert again.error.startswith("`masks`: memory://far/out/a/masks exists; pass `overwrite=True`")
    assert run_job(job(options=JobOptions(overwrite=True)), bright_engine).state == "done"
    assert run_job(job(resume=True), bright_engine).state == "done"
    assert len(entries("memory://far/out/a/masks")) == FRAMES + 1


def test_a_job_that_fails_publishes_nothing(far):
    class Fails(BrightObjectEngine):
        def propagate(self, images, masks, states):
            if len(self.batches) == 4:
                raise VosctlError("enough")
            return super().propagate(images, masks, states)

    assert run_job(job(), Fails()).error == "enough"
    assert not far.exists("/far/out")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "memory://far/v/none.mp4"}, "memory://far/v/none.mp4: no such file or folder"),
        ({"first_mask": ("memory://far/v/none.png",)}, "memory://far/v/none.png: no such file or folder"),
        ({"first_mask": ("memory://far/v/a.mp4",)}, "memory://far/v/a.mp4: "),
        ({"outputs": {"overlay": "memory://far/out/a.xyz"}}, "memory://far/out/a.xyz: "),
        ({"outputs": {"overlay": "nonsense://far/out/a.mp4"}}, "nonsense://: Protocol not known"),
    ],
)
def test_messages_name_addresses(far, bright_engine, changes, message):
    result = run_job(replace(job(), **changes), bright_engine)
    assert result.state == "failed"
    assert message in result.error
    assert "temporary" not in result.error


def test_prompts_with_masks_beside_them(far, bright_engine):
    """The masks that a file of prompts names lie beside it, there as here."""
    entry = {"at": 2, "object": 2, "mask": "more/a.png"}
    far.pipe_file("/far/p/a.json", json.dumps({"vosctl_prompts": 1, "prompts": [entry]}).encode())
    far.pipe_file("/far/p/more/a.png", far.cat("/far/v/a.png"))
    from_file = run_job(job(prompts="memory://far/p/a.json"), bright_engine)
    assert (from_file.state, from_file.error) == ("done", None)
    timed = (TimedPrompt(Place(frame=2), 2, mask="memory://far/p/more/a.png"),)
    assert run_job(job(prompts=timed, resume=True), bright_engine).error is None
    far.rm("/far/p/more/a.png")
    lacking = run_job(job(prompts="memory://far/p/a.json", resume=True), bright_engine)
    assert "memory://far/p/more/a.png: no such file" in lacking.error


def test_a_folder_of_images_and_a_track(far, bright_engine, tmp_path):
    """A track finds its source again as it lies in the store."""
    run_job(job(outputs={"cutout": "memory://far/frames/a"}), bright_engine)
    outputs = {"track": "memory://far/tracks/a.vostrack", "composite": "memory://far/out/a.mp4"}
    options = JobOptions(background="memory://far/v/a.png")
    frames = job(source="memory://far/frames/a", outputs=outputs, options=options)
    result = run_job(frames, bright_engine)
    assert (result.error, result.frames) == (None, FRAMES)
    assert is_whole("memory://far/out/a.mp4")
    far.get_file("/far/tracks/a.vostrack", str(tmp_path / "a.vostrack"))
    with Track(tmp_path / "a.vostrack") as track:
        assert track.complete
        assert Path(track.header.path) == Path("../frames/a")


def far_request(source, output="memory://far/out"):
    return JobsRequest(source, output, parse_outputs("masks"))


@pytest.mark.parametrize("source", ["memory://far/v", "memory://far/v/*.mp4", "memory://far/v/a.mp4"])
def test_videos_with_masks_beside_them_are_found(far, bright_engine, source):
    (found,) = far_request(source).find()
    assert (found.name, found.source, found.first_mask) == ("a", "memory://far/v/a.mp4", ("memory://far/v/a.png",))
    assert found.outputs == {"masks": "memory://far/out/a/masks"}
    assert run_job(found, bright_engine).state == "done"


@pytest.mark.parametrize("source", ["memory://far/v [1]", "memory://far/v [1]/a[2].mp4"])
def test_brackets_are_a_part_of_a_name_that_is_there(far, bright_engine, source):
    for ending in ("mp4", "png"):
        far.mv(f"/far/v/a.{ending}", f"/far/v [1]/a[2].{ending}")
    (found,) = far_request(source).find()
    assert (found.name, found.source) == ("a[2]", "memory://far/v [1]/a[2].mp4")
    assert found.first_mask == ("memory://far/v [1]/a[2].png",)
    for changes in ({}, {"resume": True, "options": JobOptions(max_frames=3)}):
        assert run_job(replace(found, **changes), bright_engine).error is None
    assert len(entries("memory://far/out/a[2]/masks")) == 3 + 1


class HostedFileSystem(MemoryFileSystem):
    """Like one of a server: the host is in the address, and not in the paths."""

    protocol = "hosted"
    store = {}  # noqa: RUF012 - as in the class above
    pseudo_dirs = [""]  # noqa: RUF012

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol("/" + path.partition("://")[2].partition("/")[2] if "://" in path else path)


@pytest.mark.parametrize("source", ["v", "v/", "v/*.mp4", "v/a.mp4", ""])
def test_the_host_stays_in_addresses(far, bright_engine, source):
    fsspec.register_implementation("hosted", HostedFileSystem, clobber=True)
    files = HostedFileSystem()
    for ending in ("mp4", "png"):
        files.pipe_file(f"/v/a.{ending}", far.cat(f"/far/v/a.{ending}"))
        if not source:
            files.pipe_file(f"/a.{ending}", far.cat(f"/far/v/a.{ending}"))
    (found,) = JobsRequest(f"hosted://server/{source}", "out", parse_outputs("masks")).find()
    folder = "hosted://server/v" if source else "hosted://server"
    assert (found.source, found.first_mask) == (f"{folder}/a.mp4", (f"{folder}/a.png",))
    assert run_job(found, bright_engine).error is None


def test_what_lies_beside_them_is_found_as_in_a_folder_here(far):
    for name in ("b.mp4", "b.1.png", "b.2.png", "c.mp4", "c.prompts.json", "d.mp4", "e/1.jpg", "e.png", "f/1.jpg"):
        far.pipe_file(f"/far/v/{name}", b"")
    _, b, c, d, e = far_request("memory://far/v").find()
    assert b.first_mask == ("memory://far/v/b.1.png", "memory://far/v/b.2.png")
    assert c.prompts == "memory://far/v/c.prompts.json"
    assert d.problem.startswith("memory://far/v/d.mp4: no mask or prompts beside it")
    assert (e.source, e.first_mask) == ("memory://far/v/e", ("memory://far/v/e.png",))


@pytest.mark.parametrize("source", ["memory://far/none", "memory://far/v/none.mp4", "memory://far/v/none*.mp4"])
def test_nothing_is_found(far, source):
    with pytest.raises(UsageError, match=r"^memory://far/.*none"):
        far_request(source).find()


def test_what_is_whole_is_left_out(far, bright_engine, tmp_path):
    wanted = far_request("memory://far/v").find()
    run = BatchRun(wanted, InProcess(bright_engine), tmp_path / "results.jsonl")
    assert run.run().done == 1
    with pytest.raises(UsageError, match="memory://far/out/a/masks: there already; pass `resume=True`"):
        run.run()
    assert replace(run, resume=True).run().skipped == 1
    far.rm_file(f"/far/out/a/masks/{WHOLE}")
    assert replace(run, resume=True).run().done == 1
    assert is_whole("memory://far/out/a/masks")


def test_results_of_outputs_elsewhere_need_a_file(far):
    with pytest.raises(UsageError, match=r"`output=memory://far/out`: say with `results`"):
        vosctl.batch("memory://far/v", "memory://far/out")


def test_copies_of_a_killed_run_are_removed(far, bright_engine, tmp_path):
    left, living = (tmp_path / "temporary" / f"vosctl-batch.partial-{name}" for name in ("left", "living"))
    for folder in (left, living):
        folder.mkdir()
        (folder / "a.mp4").write_bytes(b"video")
    place = tmp_path / "temporary" / "vosctl-batch"
    claim = Claim(place, left)
    (marked,) = (path for path in left.parent.iterdir() if path.is_file())
    content = marked.read_bytes()
    claim.release()
    marked.write_bytes(content)  # as a killed run leaves it: there, and not locked
    claim = Claim(place, living)
    assert run_job(job(), bright_engine).state == "done"
    assert not left.exists()
    assert (living / "a.mp4").exists()
    claim.release()
    (living / "a.mp4").unlink()
    living.rmdir()
