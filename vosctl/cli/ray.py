"""Options of a Ray cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

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

    def check_unused(self) -> None:
        """Make sure that nothing is asked of a cluster where there is none.

        Raises:
            UsageError: something is.
        """
        context = click.get_current_context()
        for name in ("ray_cpus", "ray_gpus", "ray_retries"):
            if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
                raise UsageError(f"`{name}`: is of a cluster; add --ray=HOST:PORT, or leave it out")

    def executor(self, engine: EngineRequest) -> OnCluster:
        """Return what runs jobs on the cluster.

        Raises:
            UsageError: the address is none, or no machine can have so many GPUs.
            VosctlError: Ray is not installed.
        """
        from vosctl.batching.ray_cluster import RaySettings, on_ray

        address = self.ray or ""
        if not address:
            raise UsageError("--ray: its address is empty; give HOST:PORT, or --ray alone, put last")
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
