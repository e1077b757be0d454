"""Kill a machine of a Ray cluster in the middle of a batch, and look at what becomes of the jobs.

    python benchmarks/ray_cluster.py --videos 24 --nodes 3 --kill-after 6
    python benchmarks/ray_cluster.py --videos 24 --nodes 3 --kill-after 6 --s3

Needs ray (`vosctl[ray]`); with `--s3` also s3fs (`vosctl[s3]`) and moto[server], an S3 server that runs in this
process. The cluster's nodes are processes of this machine (`ray.cluster_utils`), one core each; once so many jobs have
ended, one of them is killed (SIGKILL) while it runs a job, which is stopped before, so that it cannot end first. The
videos are copies of the demo's clip, so that every output must have the bytes of the one that is made without a
cluster. Meanwhile all that can be seen under the outputs' names is looked at again and again: a file there that is not
one of those bytes was seen half-written.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import vosctl
from vosctl.batching import BatchEvents, BatchJob, InProcess, JobOptions, JobResult
from vosctl.batching.ray_cluster import RaySettings, on_ray
from vosctl.batching.run import BatchRun
from vosctl.demo import scene
from vosctl.engine.settings import EngineSettings
from vosctl.remote import WHOLE

OUTPUTS = {"overlay": "overlay.mp4", "masks": "masks"}
BUCKET = "made"
LOOK_SECONDS = 0.1
MOST_SECONDS = 60  # until a job comes to a node that is to be killed
DEMO = Path(scene.__file__).parent


def job(name: str, source: str, mask: str, out: str, frames: int) -> BatchJob:
    """Return the job of a video."""
    outputs = {output: f"{out}/{name}/{file}" for output, file in OUTPUTS.items()}
    return BatchJob(name, source, outputs, first_mask=(mask,), options=JobOptions(max_frames=frames))


class Folder:
    """Outputs in a folder that all nodes see."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, path: Path, name: str) -> str:
        """Have a file where the jobs can read it."""
        place = self._root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
        return str(place)

    def place(self, name: str) -> str:
        """Return what a place is called."""
        return str(self._root / name)

    def seen(self, name: str) -> dict[str, str]:
        """Return the digests of all that lies below a place, by name."""
        found, start = {}, self._root / name
        for folder, _, files in os.walk(start):  # passes over folders that are renamed meanwhile
            for path in (Path(folder) / file for file in files):
                with suppress(FileNotFoundError):
                    found[path.relative_to(start).as_posix()] = hashlib.md5(path.read_bytes()).hexdigest()
        return found


class Bucket:
    """Outputs in a bucket of an S3 server; it gives the digests of what it has itself."""

    def __init__(self) -> None:
        import fsspec

        self._files: Any = fsspec.filesystem("s3", use_listings_cache=False, skip_instance_cache=True)
        self._files.mkdir(BUCKET)

    def put(self, path: Path, name: str) -> str:
        """Have a file where the jobs can read it."""
        self._files.put_file(str(path), f"{BUCKET}/{name}")
        return self.place(name)

    def place(self, name: str) -> str:
        """Return what a place is called."""
        return f"s3://{BUCKET}/{name}"

    def seen(self, name: str) -> dict[str, str]:
        """Return the digests of all that lies below a place, by name."""
        prefix = f"{BUCKET}/{name}/"
        found = self._files.find(prefix, detail=True)
        return {key.removeprefix(prefix): one["ETag"].strip('"') for key, one in found.items()}


@contextmanager
def s3_server() -> Iterator[None]:
    """Have an S3 server run, and this process and its children talk to it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        yield
    finally:
        server.stop()


class Watcher:
    """Looks at the outputs until it is told to stop, and notes what should not have been seen."""

    def __init__(self, files: Folder | Bucket, wanted: dict[str, str]) -> None:
        self._files, self._wanted = files, wanted
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.looks = 0
        self.wrong: set[str] = set()

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            self.looks += 1
            self.wrong |= {name for name, digest in self._files.seen("out").items() if self.half(name, digest)}

    def half(self, name: str, digest: str) -> bool:
        """Return whether a file has an output's name and not its bytes."""
        _, _, rest = name.partition("/")
        return rest in self._wanted and digest != self._wanted[rest]


def job_on(node: Any) -> int | None:
    """Return the process that runs a job on a node: one of its raylet's with a task's name, not `ray::IDLE`."""
    raylet = node.all_processes["raylet"][0].process.pid
    for entry in Path("/proc").iterdir():
        with suppress(OSError, IndexError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == raylet and (entry / "cmdline").read_bytes().startswith(b"ray::vosctl"):
                return int(entry.name)
    return None


def stopped_job_on(node: Any) -> int | None:
    """Stop the job on a node, and return its process; None where there is none, or it has just ended."""
    found = job_on(node)
    if found is None:
        return None
    os.kill(found, signal.SIGSTOP)
    while Path(f"/proc/{found}/stat").read_text().rpartition(")")[2].split()[0] not in "TtZX":
        time.sleep(0.001)
    if job_on(node) == found:
        return found
    os.kill(found, signal.SIGCONT)
    return None


class Killer(BatchEvents):
    """Kills a node on which a job runs, when so many jobs have ended."""

    def __init__(self, cluster: Any, nodes: list[Any], after: int) -> None:
        self._cluster, self._nodes, self._after = cluster, nodes, after
        self._ended = 0
        self.lost: list[str] = []

    def finished(self, job: BatchJob, result: JobResult) -> None:
        """See `BatchEvents.finished`."""
        self._ended += 1
        if self._ended == self._after:
            self._kill()

    def _kill(self) -> None:
        """Kill a node as soon as a job runs on one; others are on their way there."""
        deadline = time.monotonic() + MOST_SECONDS
        while time.monotonic() < deadline:
            for node in self._nodes:
                if (running := stopped_job_on(node)) is not None:
                    self._cluster.remove_node(node, allow_graceful=False)
                    os.kill(running, signal.SIGKILL)  # what is stopped does not notice that its node is gone
                    print(f"a node was killed after {self._ended} results", flush=True)
                    return
            time.sleep(0.01)

    def note(self, line: str) -> None:
        """See `BatchEvents.note`."""
        print(line, flush=True)

    def warning(self, line: str) -> None:
        """See `BatchEvents.warning`."""
        self.lost.append(line)
        print(line, flush=True)


def main() -> int:
    """Run the benchmark; returns 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=24)
    parser.add_argument("--frames", type=int, default=20, help="of each video")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--kill-after", type=int, default=6, metavar="RESULTS")
    parser.add_argument("--s3", action="store_true", help="files in a bucket instead of a shared folder")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vosctl-ray-")))
        (folder / "tmp").mkdir()
        os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "TMPDIR": str(folder / "tmp")}
        if arguments.s3:
            stack.enter_context(s3_server())
        files = Bucket() if arguments.s3 else Folder(folder / "shared")
        return run(arguments, files, folder)


def run(arguments: argparse.Namespace, files: Folder | Bucket, folder: Path) -> int:
    """Run the jobs, and say what is wrong."""
    from ray.cluster_utils import Cluster

    engine = EngineSettings(threads=1)
    clip, mask = DEMO / "clip.mp4", DEMO / "first-mask.png"
    one = job("one", str(clip), str(mask), str(folder / "reference"), arguments.frames)
    if failed := BatchRun([one], InProcess(engine)).run().failed:
        print(failed[0].error)
        return 1
    wanted = {
        path.relative_to(folder / "reference" / "one").as_posix(): hashlib.md5(path.read_bytes()).hexdigest()
        for path in (folder / "reference" / "one").rglob("*")
        if path.is_file()
    }
    names = [f"video{number:03}" for number in range(arguments.videos)]
    jobs = [
        job(
            name,
            files.put(clip, f"v/{name}.mp4"),
            files.put(mask, f"v/{name}.png"),
            files.place("out"),
            arguments.frames,
        )
        for name in names
    ]
    node = {"num_cpus": 1, "object_store_memory": 80 << 20}
    cluster = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
    try:
        others = [cluster.add_node(**node) for _ in range(arguments.nodes - 1)]
        heard = Killer(cluster, others, arguments.kill_after)
        begun = time.perf_counter()
        executor = on_ray(engine, RaySettings(cluster.address))
        with Watcher(files, wanted) as watcher:
            summary = vosctl.batch(jobs, results=folder / "results.jsonl", executor=executor, events=heard)
        seconds = time.perf_counter() - begun
    finally:
        cluster.shutdown()
    results = [JobResult.from_line(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    ends = Counter(result.name for result in results)
    there = files.seen("out")
    whole = {f"{name}/{file}": digest for name in names for file, digest in wanted.items()}
    extra = {name for name in there.keys() - whole.keys() if not name.endswith(f"/masks/{WHOLE}")}
    wrong = {
        "jobs that should have been lost and were not": [] if heard.lost else ["that of the node"],
        "jobs that did not end exactly once": [name for name in names if ends[name] != 1],
        "jobs that are not done": [result.name for result in results if result.state != "done"],
        "outputs that lack or differ from those without a cluster": [
            name for name, digest in whole.items() if there.get(name) != digest
        ],
        "files seen half-written": sorted(watcher.wrong),
        "other files among the outputs": sorted(extra),
        "copies left in the temporary folder": [path.name for path in (folder / "tmp").glob("vosctl-batch*")],
    }
    print(
        f"{len(jobs)} videos of {arguments.frames} frames, {len(whole)} files; {summary.done} done in {seconds:.1f} s, "
        f"{summary.frames / seconds:.1f} frames a second; {len(heard.lost)} run again; looked {watcher.looks} times"
    )
    for what, found in wrong.items():
        print(f"{what}: {len(found)}{' ' + ', '.join(found[:5]) if found else ''}")
    return int(any(wrong.values()))


if __name__ == "__main__":
    sys.exit(main())
