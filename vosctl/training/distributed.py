"""Several processes started by torchrun, through PyTorch's own process groups."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor


@contextmanager
def process_group(device_type: str) -> Iterator[None]:
    """Join the group that torchrun announces in the environment; alone, there is none and nothing happens."""
    if planned_world() == 1:
        yield
        return
    dist.init_process_group("nccl" if device_type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def planned_world() -> int:
    """Return the number of processes that torchrun has started, 1 when it was not used."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def local_rank() -> int:
    """Return the number of this process on its machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def rank() -> int:
    """Return the number of this process, 0 when alone."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """Return the number of processes, 1 when alone."""
    return dist.get_world_size() if dist.is_initialized() else 1


def same(value: float) -> float:
    """Return the first process's value, in every process."""
    if world() == 1:
        return value
    holder = torch.tensor([value], dtype=torch.float64)
    if dist.get_backend() == "nccl":
        holder = holder.cuda()
    dist.broadcast(holder, 0)
    return float(holder)


def mean(values: Tensor) -> Tensor:
    """Return the mean over the processes."""
    if world() == 1:
        return values
    dist.all_reduce(values)
    return values / world()


def any_of(value: bool) -> bool:
    """Return whether it is true in any process."""
    if world() == 1:
        return value
    holder = torch.tensor([float(value)])
    if dist.get_backend() == "nccl":
        holder = holder.cuda()
    dist.all_reduce(holder)
    return bool(holder.item() > 0)
