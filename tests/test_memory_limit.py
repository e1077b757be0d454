"""A process whose memory is limited (`ulimit -v`) says so, whatever it was that found none."""

import sys
from pathlib import Path

import click
import pytest

from vosctl.cli.command import CommandError
from vosctl.cli.wording import Wording
from vosctl.errors import UsageError, VosctlError
from vosctl.memory_limit import reached_limit
from vosctl.unforeseen import explained

resource = pytest.importorskip("resource")  # not on Windows
LIMIT = 1 << 45
"""Bytes: more than there is, so that nothing of the tests itself fails."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much was used")


@pytest.fixture
def limited():
    """Limit the memory of this process to so many bytes, until the test ends."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    yield lambda size: resource.setrlimit(resource.RLIMIT_AS, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_AS, before)


def status(folder, used):
    (folder / "status").write_text(f"Name:\tpython\nVmPeak:\t {used >> 10} kB\nVmSize:\t 1000 kB\n")
    return folder / "status"


def used_by_now():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmPeak"))


def test_only_a_limit_that_was_reached_counts(limited, tmp_path):
    nearly = status(tmp_path, LIMIT - (1 << 20))
    if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        assert reached_limit(nearly) is None
    limited(LIMIT)
    assert reached_limit(nearly) == LIMIT
    assert reached_limit(status(tmp_path, LIMIT // 2)) is None
    assert reached_limit(tmp_path / "missing") is None
    assert reached_limit() is None


def test_an_error_of_a_run_says_that_the_limit_was_reached(limited):
    limited(int(used_by_now() * 1.05))
    context = click.Context(click.Command("segment"))
    failed = CommandError(context, VosctlError("clip.mp4: not one frame of it can be decoded"), Wording())
    assert "(all the memory that this process may have is used: " in failed.message
    assert failed.message.endswith(" MiB, `ulimit -v`)")
    assert CommandError(context, UsageError("no.mp4: no such file"), Wording()).message == "no.mp4: no such file"


def test_a_library_that_does_not_fit_is_not_damaged(limited):
    error = ImportError("libx265.so.216: failed to map segment from shared object", name="av._core")
    assert "not properly installed" in str(explained(error))
    limited(int(used_by_now() * 1.05))
    assert str(explained(error)).startswith("out of memory, loading a library (libx265.so.216: failed to map")


def test_opencv_without_memory_is_no_bug():
    error = Exception("alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 7441984 bytes")
    assert str(explained(error)).startswith("out of memory; ")
