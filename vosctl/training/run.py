"""A run from end to end: data found and checked, network made or loaded, trained, or taken up again."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch

from vosctl.errors import UsageError, VosctlError
from vosctl.network.base import PropagationNetwork
from vosctl.network.table import find_network, imported, part_of
from vosctl.training import distributed
from vosctl.training.precision import training_placement
from vosctl.training.reporting import Display, Reporter
from vosctl.training.run_folder import BEST, LAST, SETTINGS, RunFolder
from vosctl.training.samples import CACHE_BYTES, Samples, SampleSettings
from vosctl.training.settings import TrainingSettings, settings_from_toml
from vosctl.training.sources import AnnotatedImage, AnnotatedSequence, Problem, find_sequences, find_stills
from vosctl.training.trainer import Trainer
from vosctl.training.validation import find_validation
from vosctl.weights.networks import load_network

CHANGEABLE = frozenset(
    {
        "hours",
        "steps",
        "lr",
        "workers",
        "device",
        "precision",
        "val",
        "val_full",
        "log_steps",
        "checkpoint_minutes",
        "preview_minutes",
        "val_minutes",
    }
)
"""Settings that may be given anew when a run is resumed."""

PROBLEMS_SHOWN = 20


class Screen(Display, Protocol):
    """A display that can also say a line."""

    def note(self, line: str) -> None:
        """Say something that stays in sight."""
        ...


def start(settings: TrainingSettings, output: Path, screen: Callable[[], AbstractContextManager[Screen]]) -> None:
    """Start a run in a new folder and train to its end.

    Raises:
        VosctlError: the settings ask for what is not there, or the data is bad and `strict` is set.
        KeyboardInterrupt: interrupted; the run can be resumed.
    """
    _train(settings, output, lambda: RunFolder.create(output, settings.saved()), screen)


def resume(path: Path, changes: dict[str, Any], screen: Callable[[], AbstractContextManager[Screen]]) -> None:
    """Take up a run where its last checkpoint was written, and train to its end.

    Args:
        path: the run's folder.
        changes: settings given anew, among `CHANGEABLE`.
        screen: opens what shows the run's progress.

    Raises:
        VosctlError: no run is there, or one of its parts is gone or damaged.
        KeyboardInterrupt: interrupted; the run can be resumed.
    """
    folder = RunFolder.existing(path)
    settings = TrainingSettings(**settings_from_toml(path / SETTINGS))
    for name in changes:
        if name not in CHANGEABLE:
            raise UsageError(f"`{name}` cannot change when a run is resumed; start another run for it")
    if "hours" in changes or "steps" in changes:
        changes = {"hours": 0.0, "steps": 0, **changes}
    before, settings = settings, replace(settings, **changes)
    other_measure = (before.val, before.val_full) != (settings.val, settings.val_full)

    def open_folder() -> RunFolder:
        folder.save_settings(settings.saved())
        return folder

    _train(settings, path, open_folder, screen, go_on=lambda trainer: trainer.resume(other_measure=other_measure))


def _train(
    settings: TrainingSettings,
    path: Path,
    open_folder: Callable[[], RunFolder],
    screen: Callable[[], AbstractContextManager[Screen]],
    go_on: Callable[[Trainer], None] | None = None,
) -> None:
    placement = training_placement(settings.device, settings.precision)
    torch.manual_seed(settings.seed)
    network = _network(settings, begins=go_on is None)
    validation = find_validation(Path(settings.val)) if settings.val else []
    with distributed.process_group(placement.device), screen() as shown:
        first = distributed.rank() == 0
        stills, sequences = _data(settings, shown if first else None)
        folder = open_folder() if first else RunFolder(path)  # the others only read in it
        samples = Samples(stills, sequences, _sample_settings(settings))
        reporter = Reporter(folder, settings.log_steps, shown if first else None)
        trainer = Trainer(network, samples, validation, settings, placement, folder, reporter)
        if go_on is not None:
            go_on(trainer)
        if first:
            shown.note(
                f"{settings.network}: {len(stills)} stills and {len(sequences)} sequences; "
                f"{placement}, {placement.precision}; run folder {folder.path}"
            )
        try:
            trainer.run()
        finally:
            if first:
                _tell_weights(folder, shown)


def _tell_weights(folder: RunFolder, screen: Screen) -> None:
    """Say where the weights are, at the end of a run or where it stopped."""
    for name, what in ((LAST, "weights"), (BEST, "best weights in validation")):
        if (folder.path / name).is_file():
            screen.note(f"{what}: {folder.path / name}")


def _network(settings: TrainingSettings, *, begins: bool) -> PropagationNetwork:
    """Make the network. That of a run that goes on gets its weights from its state: those it began with may be gone."""
    network = _whole_network(settings) if begins else find_network(settings.network).create()
    if settings.only:
        _leave_as_it_is(network, settings.only)
    return network


def _leave_as_it_is(network: PropagationNetwork, only: tuple[str, ...]) -> None:
    """Let only these parts of a network learn, each named as its weights begin: "outline", "decoder.refine2"."""
    parameters = dict(network.named_parameters())
    for part in only:
        if not any(name.startswith(f"{part}.") for name in parameters):
            known = ", ".join(sorted({part_of(name) for name in parameters}))
            raise UsageError(f"`only={part!r}`: the {network.name} network has no such part; give one of {known}")
    for name, parameter in parameters.items():
        parameter.requires_grad_(any(name.startswith(f"{part}.") for part in only))


def _whole_network(settings: TrainingSettings) -> PropagationNetwork:
    wanted = find_network(settings.network)
    if not settings.init:
        return wanted.create()
    network = load_network(settings.init)
    network.remove_presence()  # it reads features that are about to change
    if wanted.grown_from and network.name == wanted.grown_from:
        grown: PropagationNetwork = imported(wanted.grow)(network)
        return grown
    if network.name != settings.network:
        raise UsageError(f"`init={settings.init!r}`: is a {network.name} network; add `network={network.name!r}`")
    return network


def _data(settings: TrainingSettings, screen: Screen | None) -> tuple[list[AnnotatedImage], list[AnnotatedSequence]]:
    """Find and check the data; what is bad is told and left out, or refused."""
    stills, problems = find_stills(Path(folder) for folder in settings.images)
    sequences: list[AnnotatedSequence] = []
    if settings.stage == 2:
        sequences, more = find_sequences(Path(folder) for folder in settings.videos)
        problems += more
    if screen is not None:
        _tell(problems, screen)
    if problems and settings.strict:
        raise VosctlError(
            f"`strict=True`: {len(problems)} files of the training data are bad, the first is {problems[0]}"
        )
    if settings.stage == 1 and not stills:
        raise VosctlError(f"`images={settings.images}`: nothing there can be trained on")
    if settings.stage == 2 and not sequences:
        raise VosctlError(f"`videos={settings.videos}`: nothing there can be trained on")
    return stills, sequences


def _tell(problems: list[Problem], screen: Screen) -> None:
    for problem in problems[:PROBLEMS_SHOWN]:
        screen.note(f"Left out: {problem}")
    if len(problems) > PROBLEMS_SHOWN:
        screen.note(f"Left out: {len(problems) - PROBLEMS_SHOWN} more")


def _sample_settings(settings: TrainingSettings) -> SampleSettings:
    kept = CACHE_BYTES
    if sys.platform == "linux":  # the workers of a machine of many cores must not fill its memory
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        kept = min(kept, memory // (2 * max(settings.workers, 1)))
    return SampleSettings(
        targets=settings.targets if settings.stage == 2 else 1,
        max_skip=settings.max_skip,
        video_share=settings.video_share if settings.stage == 2 else 0.0,
        seed=settings.seed,
        crowds=settings.crowds,
        cache_bytes=kept,
    )
