"""Options of a Ray cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vosctl.cli.groups import grouped
from vosctl.cli.options import EngineRequest
from vosctl.errors import UsageError

if TYPE_CHECKING:
    from vosctl.batching.cluster import OnCluster


@dataclass(frozen=True, slots=True)
class RayRequest:
    """A Ray cluster that is to run the jobs, and what each of them is to have of it; none where `ray` is None."""

    ray: str | None
    ray_cpus: int
    ray_gpus: float
    ray_retries: int

    def executor(self, engine: EngineRequest) -> OnCluster:
        """Return what runs jobs on the cluster.

        Raises:
            UsageError: the address is none, or no machine can have so many GPUs.
            VosctlError: Ray is not installed.
        """
        from vosctl.batching.ray_cluster import RaySettings, on_ray

        address = self.ray or "auto"
        if Path(address).exists():
            raise UsageError(
                f"--ray {address}: is a file or folder, not an address; put --ray last, or --ray=HOST:PORT"
            )
        return on_ray(engine.settings(), RaySettings(address, self.ray_cpus, self.ray_gpus, self.ray_retries))


ray_options = grouped(
    "cluster",
    RayRequest,
    click.option(
        "--ray",
        is_flag=False,
        flag_value="auto",
        metavar="[ADDRESS]",
        help="Run the jobs on the Ray cluster at HOST:PORT; alone: on the one that this machine is part of; local: on "
        "one that is started here. See docs/scale.md.",
    ),
    click.option(
        "--ray-cpus", type=click.IntRange(min=1), default=1, metavar="N", help="Cores for each job.", show_default=True
    ),
    click.option(
        "--ray-gpus", type=float, default=0.0, metavar="N", help="GPUs for each job; 0.25 lets four share one."
    ),
    click.option(
        "--ray-retries",
        type=click.IntRange(0, 100),
        default=3,
        metavar="N",
        help="How often a job is run again whose worker or machine was lost.",
        show_default=True,
    ),
)
"""As a `RayRequest` named `cluster`."""
