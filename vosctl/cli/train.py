"""`vosctl train`: train a network on annotated stills or sequences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vosctl.cli.command import VosctlCommand
from vosctl.cli.completion import complete_devices, complete_weights
from vosctl.cli.groups import repeatable
from vosctl.cli.paths import GivenPath
from vosctl.cli.registered import Registered
from vosctl.errors import UsageError
from vosctl.extras import require
from vosctl.network.table import networks

FOLDER = GivenPath(path_type=Path, file_okay=False)
NAMED_FOLDER = GivenPath(file_okay=False)


@click.command(short_help="Train a network on your own objects.", cls=VosctlCommand)
@click.option("--stage", type=click.IntRange(1, 2), metavar="1|2", help="1: on stills. 2: on sequences, through time.")
@repeatable(
    "--images",
    type=NAMED_FOLDER,
    metavar="DIR",
    help="Stills, DIR/images and DIR/masks. May be repeated.",
)
@repeatable(
    "--videos",
    type=NAMED_FOLDER,
    metavar="DIR",
    help="Sequences in the DAVIS layout. May be repeated; each folder is drawn from as often.",
)
@click.option(
    "--val",
    type=NAMED_FOLDER,
    metavar="DIR",
    help="Whole sequences (DAVIS layout) to validate on; the best weights are kept.",
)
@click.option("-o", "--output", type=FOLDER, metavar="RUN", help="Folder of the new run.")
@click.option("--resume", type=FOLDER, metavar="RUN", help="Continue a run from its last checkpoint.")
@click.option("--network", type=Registered(lambda: networks("follow")), help="Network to train.  [default: lite]")
@click.option(
    "--init",
    metavar="NAME|FILE",
    shell_complete=complete_weights,
    help="Weights to start from; lite's also fit lite-plus.  [default: none]",
)
@repeatable(
    "--only",
    metavar="PART",
    help="Train this part of the network alone, such as lite's outline. May be repeated.  [default: all of it]",
)
@click.option("--hours", type=float, metavar="N", help="Length of the run in hours spent training.")
@click.option("--steps", type=int, metavar="N", help="Length of the run in steps, instead of --hours.")
@click.option("--batch", type=int, metavar="N", help="Samples per step and process.  [default: 6]")
@click.option("--size", type=int, metavar="PIXELS", help="Side of the crop, a multiple of 32.  [default: 256]")
@click.option("--lr", type=float, metavar="N", help="Largest learning rate.  [default: 0.0003]")
@click.option("--targets", type=int, metavar="N", help="Target frames per sample in stage 2.  [default: 3]")
@click.option("--max-skip", type=int, metavar="N", help="Largest step between a sequence's frames.  [default: 3]")
@click.option(
    "--video-share", type=float, metavar="N", help="Share of stage 2's samples cut from sequences.  [default: 0.6]"
)
@click.option("--workers", type=int, metavar="N", help="Processes that make samples.  [default: 1]")
@click.option("--seed", type=int, metavar="N", help="Seed of the random samples.  [default: 1]")
@click.option(
    "--device",
    metavar="auto|cpu|cuda|cuda:N|mps",
    shell_complete=complete_devices,
    help="Where to train.  [default: auto]",
)
@click.option(
    "--precision", type=click.Choice(["auto", "fp32", "bf16"]), help="Precision to train in.  [default: auto]"
)
@click.option("--strict", is_flag=True, default=None, help="Refuse bad data instead of skipping it.")
@click.option(
    "--settings",
    type=GivenPath(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="TOML file of settings, such as a run's settings.toml; the options above override it.",
)
def train(output: Path | None, resume: Path | None, settings: Path | None, **given: Any) -> None:
    """Train a network: stage 1 on stills, then stage 2 on sequences.

    A run has a folder with its settings, logs (log.csv, validation.csv), preview.png of what it is trained on, and
    weights: last.safetensors, and best.safetensors by mean J&F on --val. Interrupt it at any moment; --resume goes on.
    To use several GPUs or machines, start it by torchrun.

    \b
    Examples:
      vosctl train --stage 1 --images stills -o run1 --size 256 --batch 8 --lr 6e-4 --hours 1
      vosctl train --stage 2 --videos DAVIS --init run1/last.safetensors --val held-out -o run2 --hours 2
      vosctl train --resume run2
      torchrun --nproc-per-node 2 -m vosctl train --stage 2 --videos DAVIS --init lite -o run3 --steps 5000
    """
    changes = {key: value for key, value in given.items() if value not in (None, ())}
    if resume is not None and (output is not None or settings is not None):
        raise UsageError("--resume: goes on in the run's folder with its settings; leave --output and --settings out")

    if given["init"] == "":
        raise UsageError("--init '': names no weights; leave it out to begin with random ones")
    require("train", "training")

    from rich.console import Console

    from vosctl.training import run
    from vosctl.training.display import TerminalDisplay
    from vosctl.training.settings import TrainingSettings, settings_from_toml

    def screen() -> TerminalDisplay:
        return TerminalDisplay(Console(stderr=True))

    if resume is not None:
        run.resume(resume, changes, screen)
        return
    if output is None:
        raise UsageError("give the folder of a new run as -o RUN, or go on with one by --resume RUN")
    merged = {**(settings_from_toml(settings) if settings is not None else {}), **changes}
    if "stage" not in merged:
        raise UsageError("give --stage 1 (stills) or --stage 2 (sequences)")
    if "hours" in changes or "steps" in changes:
        merged = {**merged, "hours": changes.get("hours", 0.0), "steps": changes.get("steps", 0)}
    run.start(TrainingSettings(**merged), output, screen)
