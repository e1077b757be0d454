"""Joining a group of processes. What they say to each other is tried by `test_run`, on the CPU."""

import pytest
import torch

from vosctl.training.distributed import PATIENCE, process_group


def joined(device):
    """What is done, in order, to join a group and to leave it."""
    done = []
    with process_group(
        torch.device(device),
        use=lambda one: done.append(("use", str(one))),
        join=lambda backend, timeout: done.append((backend, timeout)),
        leave=lambda: done.append(("leave", "")),
    ):
        done.append(("train", device))
    return done


@pytest.mark.parametrize(("device", "backend"), [("cuda:1", "nccl"), ("cpu", "gloo")])
def test_each_process_speaks_through_its_own_device(device, backend, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    first = [("use", "cuda:1")] if backend == "nccl" else []
    assert joined(device) == [*first, (backend, PATIENCE), ("train", device), ("leave", "")]


def test_alone_there_is_no_group():
    assert joined("cuda:1") == [("train", "cuda:1")]
