"""Several processes started by torchrun, through PyTorch's own process groups."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

PATIENCE = timedelta(hours=6)
"""How long the processes wait for each other: the first one validates, and writes, alone."""


@contextmanager
def process_group(
    device: torch.device,
    use: Callable[[torch.device], None] = torch.cuda.set_device,
    join: Callable[..., None] = dist.init_process_group,
    leave: Callable[[], None] = dist.destroy_process_group,
) -> Iterator[None]:
    """Join the group that torchrun announces in the environment; alone, there is none and nothing happens.

    Args:
        device: that this process trains on.
        use: makes a CUDA device the one that tensors are put on where none is named.
        join: joins the group of a backend.
        leave: leaves it.
    """
    if planned_world() == 1:
        yield
        return
    on_gpu = device.type == "cuda"
    if on_gpu:  # or each process would exchange what it says through the first one's
        use(device)
    join("nccl" if on_gpu else "gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        leave()


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
