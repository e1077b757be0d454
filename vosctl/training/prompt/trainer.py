"""The training of the prompt network: rounds of clicks on features that are computed once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from vosctl.network.prompt import Features, PromptNetwork
from vosctl.training.optimisation import Optimisation
from vosctl.training.precision import keep_depthwise_in_fp32
from vosctl.training.prompt.clicks import add_clicks
from vosctl.training.prompt.objective import PromptLoss, prompt_loss
from vosctl.training.prompt.samples import Pool, PromptBatch, PromptSamples, collate_prompts
from vosctl.training.run_folder import BEST, LAST, RunFolder
from vosctl.training.samples import NumberedBatches
from vosctl.training.trainer import Clock, prepare_worker
from vosctl.weights.networks import save_network

ROUNDS = ((1, 0.2), (2, 0.35), (3, 0.25), (4, 0.2))
"""How many rounds of prompts a step has, and how often."""
SILENT_SHARE = 0.15
"""Of the later rounds of a sample: no click is added, only its own last mask."""
FORGET_SHARE = 0.1
"""Of the later rounds of a sample: the last mask is not given, only clicks."""
VALIDATION_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class PromptSettings:
    """Everything that decides what a run does.

    Attributes:
        hours: length of the run, over all its resumptions.
        batch: samples a step.
        size: side of the regions that are trained on, pixels.
        lr: largest learning rate.
        encoder_lr: the trunk's, in units of `lr`.
        frozen_blocks: how many blocks of the trunk stay as they are, with the stem.
        weight_decay: AdamW's.
        warm_up: share of the run in which the learning rate rises.
        clip: largest norm of the gradient.
        ema: decay of the averaged weights, a step.
        seed: of samples and clicks.
        precision: "fp32" or "bf16".
        log_steps: steps between two lines of the log.
        checkpoint_minutes: minutes between two states to resume from.
        val_minutes: minutes between two validations.
        val_samples: held-out samples that are answered, a multiple of 8.
    """

    hours: float
    batch: int = 8
    size: int = 192
    lr: float = 6e-4
    encoder_lr: float = 0.15
    frozen_blocks: int = 5
    weight_decay: float = 0.01
    warm_up: float = 0.03
    clip: float = 3.0
    ema: float = 0.997
    seed: int = 1
    precision: Literal["auto", "fp32", "bf16"] = "bf16"
    log_steps: int = 20
    checkpoint_minutes: float = 4.0
    val_minutes: float = 12.0
    val_samples: int = 160


class PromptTrainer:
    """One run.

    Args:
        network: what is trained, on the CPU.
        pools: images to train on.
        held_out: images that decide whether it gets better.
        settings: the run's settings.
        folder: where state, weights and logs go.
        pause: a file; while it exists, training sleeps.
    """

    def __init__(
        self,
        network: PromptNetwork,
        pools: tuple[Pool, ...],
        held_out: tuple[Pool, ...],
        settings: PromptSettings,
        folder: Path,
        pause: Path | None = None,
    ) -> None:
        self._settings, self._folder, self._pause = settings, folder, pause
        self._samples = PromptSamples(pools, settings.seed)
        self._held_out = PromptSamples(held_out, 0)
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network.train()
        if settings.precision == "bf16":
            keep_depthwise_in_fp32(self._network)
        for module in (self._network.encoder.stem, *self._network.encoder.blocks[: settings.frozen_blocks]):
            module.requires_grad_(False)
        self._optimisation = Optimisation(
            self._network, settings, is_slow=lambda name: name.startswith(("encoder.stem", "encoder.blocks"))
        )
        self._step, self._seconds, self._best = 0, 0.0, 0.0
        self._rng = np.random.default_rng(settings.seed)

    def resume(self) -> None:
        """Go on from the folder's state."""
        state = RunFolder(self._folder).load_state()
        self._optimisation.load(state)
        self._step, self._seconds, self._best = state["step"], state["seconds"], state["best"]
        self._rng = np.random.default_rng((self._settings.seed, self._step))

    def save(self) -> None:
        """Write the state to resume from."""
        position = {"step": self._step, "seconds": self._seconds, "best": self._best}
        RunFolder(self._folder).save_state(self._optimisation.state() | position)

    def run(self) -> None:
        """Train to the end of the run."""
        settings = self._settings
        saving = Clock(settings.checkpoint_minutes, self._seconds)
        validating = Clock(settings.val_minutes, self._seconds if self._step else -inf)
        rows: list[dict[str, float]] = []
        for batch in self._batches():
            rows.append(self._one_step(batch))
            if len(rows) == settings.log_steps:
                self._log("log", {key: float(np.mean([row[key] for row in rows])) for key in rows[0]})
                rows = []
            if saving.due(self._seconds):
                self.save()
            if validating.due(self._seconds):
                self._validate()
            if self.progress >= 1:
                break
        self.save()
        self._validate()

    @property
    def progress(self) -> float:
        """Share of the run that is done."""
        return self._seconds / (3600 * self._settings.hours)

    def _batches(self) -> DataLoader[Any]:
        """Return batches without end, made in a process of their own."""
        return DataLoader(
            self._samples,
            batch_sampler=NumberedBatches((self._settings.size,), self._settings.batch, self._step),
            num_workers=1,
            collate_fn=collate_prompts,
            worker_init_fn=prepare_worker,
            prefetch_factor=6,
            multiprocessing_context="spawn",  # a forked one would hang in OpenCV, whose threads do not come along
        )

    def _one_step(self, batch: PromptBatch) -> dict[str, float]:
        while self._pause is not None and self._pause.exists():
            time.sleep(5)
        began = time.monotonic()
        rate = self._optimisation.begin(self.progress)
        rounds = int(self._rng.choice([n for n, _ in ROUNDS], p=[share for _, share in ROUNDS]))
        with torch.autocast("cpu", torch.bfloat16, self._settings.precision == "bf16"):
            features = self._features(batch.images)
        losses = self._answers(batch, features, rounds)
        total = torch.stack([answer.loss for answer in losses]).sum() / len(losses)
        total.backward()  # type: ignore[no-untyped-call]
        norm = self._optimisation.end(self._step + 1, self._diverged)
        self._step += 1
        self._seconds += time.monotonic() - began
        return {
            "step": self._step,
            "minutes": self._seconds / 60,
            "loss": float(total.detach()),
            "first_iou": float(losses[0].iou.mean()),
            "last_iou": float(losses[-1].iou.mean()),
            "score_error": float(losses[-1].score_error),
            "ignored_clicks": float(losses[-1].ignored),
            "gradient": norm,
            "lr": rate,
            "samples_per_second": self._settings.batch / (time.monotonic() - began),
        }

    def _diverged(self) -> str:
        return (
            f"training diverged at step {self._step + 1}, its gradient is not finite; what was saved is kept in "
            f"{self._folder}; start anew with a smaller `lr` than {self._settings.lr:g}"
        )

    def _features(self, images: Tensor) -> Features:
        pixels = (images.float() / 255).contiguous(memory_format=torch.channels_last)
        features: Features = self._network.encode(pixels)
        return features

    def _answers(self, batch: PromptBatch, features: Features, rounds: int) -> list[PromptLoss]:
        prompts, count = batch.prompts.clone(), batch.prompts.shape[0]
        wanted = batch.clicks.numpy()
        found = batch.prompts[:, 3:4] > 0.5
        answers = []
        for number in range(rounds):
            add_clicks(prompts, batch.labels, found & False if number == 0 else found, wanted, self._rng)
            with torch.autocast("cpu", torch.bfloat16, self._settings.precision == "bf16"):
                fine, coarse, score = self._network.head(
                    prompts.contiguous(memory_format=torch.channels_last), *features
                )
            answers.append(prompt_loss(fine.float(), coarse.float(), score.float(), batch.labels, prompts))
            if number + 1 == rounds:
                break
            probability = torch.sigmoid(
                nn.functional.interpolate(fine.detach().float(), scale_factor=2, mode="bilinear")
            )
            found = probability > 0.5
            kept = torch.from_numpy(self._rng.random((count, 1, 1, 1)) >= FORGET_SHARE)
            prompts = prompts.clone()
            prompts[:, 3:4] = probability * kept
            wanted = self._rng.random(count) >= SILENT_SHARE
        return answers

    @torch.no_grad()
    def _validate(self) -> None:
        """Answer the held-out samples; the averaged weights are written, and kept apart when they are the best."""
        network = PromptNetwork()
        network.load_state_dict(self._optimisation.average)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        boxes: list[NDArray[np.float64]] = []
        clicks: list[NDArray[np.float64]] = []
        rng = np.random.default_rng(0)
        for first in range(0, self._settings.val_samples, 8):
            batch = collate_prompts([self._held_out[number, 256] for number in range(first, first + 8)])
            ious = self._simulated(network, batch, rng)
            clicked = batch.clicks.numpy()
            boxes.append(ious[~clicked])
            clicks.append(ious[clicked])
        box, click = np.concatenate(boxes).mean(0), np.concatenate(clicks).mean(0)
        row = {"step": self._step, "minutes": self._seconds / 60, "box": float(box[0]), "box_2_clicks": float(box[2])}
        row |= {f"clicks_{number + 1}": float(click[number]) for number in (0, 1, 2, 4)}
        self._log("validation", row)
        save_network(network, self._folder / LAST)
        if (mean := float(box[0] + click[0] + click[2] + click[4])) > self._best:
            self._best = mean
            save_network(network, self._folder / BEST)
            self.save()  # or a run that is resumed would put worse ones in their place

    def _simulated(self, network: PromptNetwork, batch: PromptBatch, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return (N, rounds) IoU after each round; every round after the first adds a click."""
        with torch.autocast("cpu", torch.bfloat16, self._settings.precision == "bf16"):
            features = network.encode((batch.images.float() / 255).contiguous(memory_format=torch.channels_last))
            prompts, found, columns = batch.prompts.clone(), torch.zeros_like(batch.labels, dtype=torch.bool), []
            wanted = batch.clicks.numpy()
            for _ in range(VALIDATION_ROUNDS):
                add_clicks(prompts, batch.labels, found, wanted, rng)
                probability, _score = network.segment(prompts.contiguous(memory_format=torch.channels_last), *features)
                prompts[:, 3:4] = probability.float()
                found = (probability > 0.5) & (batch.labels != 255)
                true = batch.labels == 1
                overlap, total = (found & true).sum((1, 2, 3)), (found | true).sum((1, 2, 3))
                columns.append((overlap / total.clamp(min=1)).numpy().astype(np.float64))
                wanted = np.ones(len(wanted), bool)
        return np.stack(columns, axis=1)

    def _log(self, name: str, row: dict[str, float]) -> None:
        RunFolder(self._folder).log(name, row)
        print(" ".join(f"{key}={value:.4g}" for key, value in row.items()), flush=True)
