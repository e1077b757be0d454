"""How many cores a process may use: those it is bound to, and its share of them in a container."""

import os
import sys
from pathlib import Path

import pytest

from tests.helpers.engines import BrightObjectEngine, register_engine
from vosctl.engine import create_engine
from vosctl.errors import UsageError
from vosctl.processor import core_count, library_threads

TASKS = Path("/proc/self/task")
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux binds processes and has control groups")


@pytest.fixture
def system(tmp_path):
    """Make a tree of Linux's own folders, of texts by path."""

    def make(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return make


@pytest.fixture
def one_core():
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@linux
@pytest.mark.parametrize(
    "files",
    [
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"},
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"},
        {
            "proc/self/cgroup": "0::/pod/run\n",
            "sys/fs/cgroup/pod/cpu.max": "100000 100000\n",
            "sys/fs/cgroup/pod/run/cpu.max": "max 100000\n",
        },
        {
            "proc/self/cgroup": "9:name=systemd:/\n4:memory:/x\n2:cpu,cpuacct:/docker/1\n0::/\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
    ],
    ids=["container", "half", "above", "first version"],
)
def test_a_container_may_use_its_share(system, files):
    assert core_count(system(files)) == 1


@linux
@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "0::/\n"},
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"},
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "9900000 100000\n"},
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "?"},
        {
            "proc/self/cgroup": "1:cpu:/\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
    ],
)
def test_without_a_share_the_cores_it_is_bound_to_count(system, files):
    assert core_count(system(files)) == len(os.sched_getaffinity(0))


@linux
def test_libraries_are_told_where_fewer_cores_may_be_used(system, one_core):
    assert library_threads(0, system({})) == (1 if os.cpu_count() > 1 else 0)
    assert library_threads(3, system({})) == 3


@linux
@pytest.mark.skipif(os.cpu_count() == 1, reason="there are no cores to keep away from")
def test_a_bound_process_has_no_threads_elsewhere(one_core):
    """Told nothing, ONNX Runtime binds its threads to every core of the machine."""
    before = set(TASKS.iterdir())
    engine = create_engine("lite", engine="onnx", device="cpu")
    started = set(TASKS.iterdir()) - before
    assert engine.info.engine == "onnx"
    assert all(os.sched_getaffinity(int(thread.name)) == os.sched_getaffinity(0) for thread in started)


@linux
def test_the_limit_of_threads_is_that_of_the_cores_that_may_be_used(one_core):
    with pytest.raises(UsageError, match=r"`threads=17`: 16 are the most here \(cores that may be used: 1\)"):
        create_engine("lite", threads=17)


@linux
def test_every_engine_hears_of_it(one_core):
    heard = []

    def create(request):
        heard.append(request.threads)
        return BrightObjectEngine()

    with register_engine(create):
        create_engine("lite", engine="fake")
        create_engine("lite", engine="fake", threads=2)
    assert heard == [library_threads(0), 2]
