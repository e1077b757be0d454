"""The loop: steps, learning rate, averaged weights, and when to log, save and validate."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from math import inf
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from vosctl.datasets import Sequence
from vosctl.engine.devices import Placement
from vosctl.errors import VosctlError
from vosctl.evaluation.grid import PLAIN, QUICK
from vosctl.interrupts import Interrupted
from vosctl.network.base import PropagationNetwork
from vosctl.network.table import create_network
from vosctl.training import distributed
from vosctl.training.interruption import Interruption, ignore_in_worker
from vosctl.training.objective import Objective, Propagated
from vosctl.training.optimisation import Optimisation
from vosctl.training.precision import keep_depthwise_in_fp32
from vosctl.training.reporting import Reporter
from vosctl.training.run_folder import BEST, LAST, STATE, Position, RunFolder
from vosctl.training.samples import Batch, NumberedBatches, Samples, collate
from vosctl.training.settings import TrainingSettings
from vosctl.training.validation import validate
from vosctl.weights.networks import save_network


class Trainer:
    """One run of training.

    Args:
        network: what is trained, on the CPU.
        samples: where its samples come from.
        validation: sequences to try the tracker on; none for no validation.
        settings: the run's settings.
        placement: device and precision, as resolved.
        folder: where everything is written; only the first process writes.
        reporter: receives everything that happens.
    """

    def __init__(
        self,
        network: PropagationNetwork,
        samples: Samples,
        validation: list[Sequence],
        settings: TrainingSettings,
        placement: Placement,
        folder: RunFolder,
        reporter: Reporter,
    ) -> None:
        self._settings, self._placement, self._folder, self._reporter = settings, placement, folder, reporter
        self._samples, self._validation = samples, validation
        self._network = network.to(placement.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network.train()
        if placement.device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # crops are of a few sizes, each of which is seen many times
        if placement.precision == "bf16" and placement.device.type == "cpu":
            keep_depthwise_in_fp32(self._network)
        # parts that learn alone are few and see no later target: nothing flows back through the rest
        objective = Objective(self._network, settings.dice, settings.outline, through_time=not settings.only)
        self._objective: nn.Module = DistributedDataParallel(objective) if distributed.world() > 1 else objective
        self._optimisation = Optimisation(
            self._network, settings, is_slow=lambda name: name.lower().startswith("encoder.")
        )
        self._position = Position()

    def resume(self, *, other_measure: bool = False) -> None:
        """Go on from the folder's state.

        Args:
            other_measure: validation measures something else than before: what was best then says nothing now.

        Raises:
            VosctlError: it is damaged, or of another network.
        """
        state = self._folder.load_state()
        try:
            self._optimisation.load(state)
            torch.set_rng_state(state["random"])
            self._position = Position(**state["position"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise VosctlError(
                f"`resume={str(self._folder.path)!r}`: {STATE} is not of the {self._network.name} network as it is "
                "now; start a new run with `init`"
            ) from error
        self._position.resumed += 1
        if other_measure:
            self._position.best = Position().best

    def save(self) -> None:
        """Write the state to resume from, and the averaged weights."""
        if distributed.rank() != 0:
            return
        self._folder.save_state(
            self._optimisation.state() | {"random": torch.get_rng_state(), "position": asdict(self._position)}
        )
        self._export(LAST)
        self._reporter.saved(self._position)

    def _export(self, name: str) -> None:
        """Write the averaged weights, as they will be used."""
        copy = create_network(self._network.name)
        copy.load_state_dict(self._optimisation.average)
        save_network(copy, self._folder.path / name, {"step": str(self._position.step)})

    def run(self) -> None:
        """Train to the end of the run.

        Raises:
            KeyboardInterrupt: interrupted; the step under way was finished and the state saved.
        """
        if self._position.step == 0:
            self.validate()
        batches = self._batches()
        clocks = {
            self.save: Clock(self._settings.checkpoint_minutes, self._position.seconds),
            self.validate: Clock(self._settings.val_minutes, self._position.seconds),
        }
        previews = Clock(self._settings.preview_minutes, -inf)
        with Interruption() as interruption:
            while (progress := self._progress()) < 1 and not distributed.any_of(interruption.asked):
                outcome, batch = self._step(batches, progress)
                if previews.due(self._position.seconds):
                    self._reporter.preview(batch, outcome.probabilities)
                for action, clock in clocks.items():
                    if clock.due(self._position.seconds):
                        action()
            self.save()
        self._reporter.ended(self._position)
        if interruption.number is not None:
            raise Interrupted(interruption.number)
        self.validate()

    def _progress(self) -> float:
        """Return the share of the run that is done, the same in every process."""
        if self._settings.steps:
            return self._position.step / self._settings.steps
        return distributed.same(self._position.seconds / (3600 * self._settings.hours))

    def _batches(self) -> Iterator[Batch]:
        settings = self._settings
        numbers = NumberedBatches(
            settings.sizes, settings.batch, self._position.step, distributed.rank(), distributed.world()
        )
        workers = settings.workers
        loader: DataLoader[Any] = DataLoader(
            self._samples,
            batch_sampler=numbers,
            num_workers=workers,
            collate_fn=collate,
            worker_init_fn=prepare_worker if workers else None,
            pin_memory=self._placement.device.type == "cuda",
            persistent_workers=workers > 0,
            prefetch_factor=4 if workers else None,
            # a forked process would hang in OpenCV or OpenMP, whose threads do not come along
            multiprocessing_context="spawn" if workers else None,
        )
        return iter(loader)

    def _step(self, batches: Iterator[Batch], progress: float) -> tuple[Propagated, Batch]:
        began = time.monotonic()
        batch = _next_of(batches).to(self._placement.device)
        waited = time.monotonic() - began
        rate = self._optimisation.begin(progress)
        with torch.autocast(self._placement.device.type, torch.bfloat16, self._placement.precision == "bf16"):
            outcome: Propagated = self._objective(batch)
        outcome.loss.backward()  # type: ignore[no-untyped-call]
        position = self._position
        norm = self._optimisation.end(position.step + 1, lambda: self._diverged(float(outcome.loss.detach())))
        position.step += 1
        took = time.monotonic() - began
        position.seconds += took
        self._reporter.step(position, progress, self._values(outcome, rate, norm, took, waited))
        return outcome, batch

    def _diverged(self, loss: float) -> str:
        """Say that the run is over, and which weights are left: those of the last checkpoint, from before."""
        kept = [str(self._folder.path / name) for name in (LAST, BEST) if (self._folder.path / name).exists()]
        left = f"kept: {', '.join(kept)}" if kept else "no weights were saved"
        return (
            f"training diverged at step {self._position.step + 1} (loss {loss:.3g}, its gradient is not finite); "
            f"{left}; start anew with a smaller `lr` than {self._settings.lr:g}"
        )

    def _values(self, outcome: Propagated, rate: float, norm: float, took: float, waited: float) -> dict[str, float]:
        numbers = distributed.mean(
            torch.stack([outcome.loss.detach(), outcome.cross_entropy, outcome.dice, outcome.iou[0], outcome.iou[-1]])
        ).tolist()
        return dict(
            zip(("loss", "cross_entropy", "dice", "iou_first", "iou_last"), numbers, strict=True),
            gradient=norm,
            lr=rate,
            samples_per_second=self._settings.batch * distributed.world() / took,
            waiting=waited / took,
        )

    def validate(self) -> None:
        """Try the tracker with the averaged weights; the best are kept as best.safetensors, and the state knows it."""
        if not self._validation or distributed.rank() != 0:
            return
        grid = PLAIN if self._settings.val_full else QUICK
        result = validate(self._network.name, self._optimisation.average, self._validation, self._placement, grid)
        better = result.mean > self._position.best
        if better:
            self._position.best = result.mean
            self._export(BEST)
            if self._position.step > 0:  # or a run that is resumed would put worse ones in their place
                self.save()
        self._reporter.validated(self._position, result, better)


class Clock:
    """Tells when something that is done every few minutes is due.

    Args:
        minutes: time between two times.
        last: when it was done last, seconds.
    """

    def __init__(self, minutes: float, last: float) -> None:
        self._seconds, self._last = 60 * minutes, last

    def due(self, now: float) -> bool:
        """Return whether it is due; if so, it counts as done at `now`."""
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True


def _next_of(batches: Iterator[Batch]) -> Batch:
    """Return the next batch. What a worker raises comes with its traceback for text: it is told in its own line."""
    try:
        return next(batches)
    except VosctlError as error:
        last = str(error).strip().splitlines()[-1]
        own = last.removeprefix(f"{type(error).__module__}.{type(error).__name__}: ")
        raise type(error)(own) from error


def prepare_worker(_number: int) -> None:
    """Keep a worker to one thread, as there are as many workers as are wanted, and leave signals to its parent."""
    import cv2

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    ignore_in_worker()
