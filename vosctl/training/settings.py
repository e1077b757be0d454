"""The settings of a training run: one dataclass, kept as TOML in the run's folder."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from vosctl.errors import UsageError
from vosctl.weights.text import printable


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Everything that decides what a run does.

    Attributes:
        stage: 1 trains on single targets made from stills, 2 on runs of frames, through time.
        network: "lite", "lite-plus" or "rgmp".
        init: weights to start from, of the same network, or of lite for lite-plus; "" starts from scratch.
        only: parts of the network that learn, such as "outline" or "decoder.refine2", as the names of its weights
            begin; the rest stays as it is. Empty: all of it learns.
        images: folders of annotated stills (`images/`, `masks/`).
        videos: folders of annotated sequences in the DAVIS layout (stage 2).
        val: folder of whole sequences in the DAVIS layout that the tracker is tried on; "" for none.
        val_full: validate in crops of 256, 320 and 384 pixels, at every frame and at every third; else in the
            network's own crop at every frame, a fifth of the time.
        hours: length of the run, over all its resumptions; 0 when `steps` decides.
        steps: length of the run; 0 when `hours` decides.
        batch: samples a step and process.
        size: pixels of a crop's side, a multiple of 32.
        smallest_size: when above 0, each step draws the side between this and `size`, in steps of 32 pixels.
        lr: largest learning rate.
        encoder_lr: the encoder's learning rate in units of `lr`.
        weight_decay: AdamW's.
        warm_up: share of the run in which the learning rate rises to `lr`; it then falls to 1 % along a cosine.
        clip: largest norm of the gradient.
        ema: decay of the averaged weights, a step.
        targets: frames a sample is propagated through in stage 2.
        max_skip: largest step between the frames taken from a sequence.
        video_share: share of stage 2's samples that are cut from sequences; the others are made from stills.
        crowds: share of the samples made from stills that show several objects moving on their own.
        dice: weight of the Dice loss against the cross-entropy.
        outline: extra weight in the cross-entropy of the pixels near the object's outline.
        workers: processes that make samples; 0 makes them in the training process.
        seed: samples are drawn from it and their number.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        precision: "auto", "fp32", or "bf16" for automatic mixed precision, which "auto" takes where it is fast.
        strict: refuse to train when a file of the data is bad, instead of leaving it out.
        log_steps: steps between two lines of the log.
        checkpoint_minutes: minutes between two checkpoints (one is also written at the end and when interrupted).
        preview_minutes: minutes between two previews.
        val_minutes: minutes between two validations (one is also done at the start and at the end).
    """

    stage: Literal[1, 2]
    network: str = "lite"
    init: str = ""
    only: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    videos: tuple[str, ...] = ()
    val: str = ""
    val_full: bool = False
    hours: float = 0.0
    steps: int = 0
    batch: int = 6
    size: int = 256
    smallest_size: int = 0
    lr: float = 3e-4
    encoder_lr: float = 0.3
    weight_decay: float = 0.01
    warm_up: float = 0.03
    clip: float = 5.0
    ema: float = 0.998
    targets: int = 3
    max_skip: int = 3
    video_share: float = 0.6
    crowds: float = 0.0
    dice: float = 0.5
    outline: float = 0.0
    workers: int = 1
    seed: int = 1
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    strict: bool = False
    log_steps: int = 20
    checkpoint_minutes: float = 5.0
    preview_minutes: float = 5.0
    val_minutes: float = 25.0

    def __post_init__(self) -> None:
        """Check what can be checked without looking at files.

        Raises:
            UsageError: a setting is out of range, or two contradict each other.
        """
        if self.stage not in (1, 2):
            raise UsageError(f"`stage={self.stage!r}`: give 1 (stills) or 2 (sequences)")
        if self.stage == 1 and not self.images:
            raise UsageError("`stage=1` trains on stills: give `images=DIR`")
        if self.stage == 2 and not self.videos:
            raise UsageError("`stage=2` trains on sequences: give `videos=DIR`")
        if self.only and not self.init:
            raise UsageError("`only` trains a part of a network whose rest stays as it is: give `init=WEIGHTS`")
        for name, length in (("hours", self.hours), ("steps", self.steps)):
            if not length >= 0:
                raise UsageError(f"`{name}={length:g}`: give a value above 0")
        if (self.hours > 0) == (self.steps > 0):
            raise UsageError("give the run's length either as `hours` or as `steps`")
        if self.size < 64 or self.size % 32:
            raise UsageError(f"`size={self.size}`: give a multiple of 32 from 64 on")
        if self.smallest_size and not (64 <= self.smallest_size <= self.size and self.smallest_size % 32 == 0):
            raise UsageError(
                f"`smallest_size={self.smallest_size}`: give a multiple of 32 from 64 to {self.size} (size)"
            )
        for name in ("dice", "outline"):
            if getattr(self, name) < 0:
                raise UsageError(f"`{name}={getattr(self, name)}`: give 0 or more")
        for name in ("batch", "lr", "targets", "max_skip", "log_steps"):
            if getattr(self, name) <= 0:
                raise UsageError(f"`{name}={getattr(self, name)}`: give a value above 0")
        for name in ("hours", "lr", "video_share", "crowds", "dice", "outline"):
            if not isfinite(getattr(self, name)):
                raise UsageError(f"`{name}={getattr(self, name)}`: give a number")
        for name in ("steps", "batch", "size", "targets", "max_skip", "workers", "seed", "log_steps"):
            if getattr(self, name) > LARGEST:
                raise UsageError(f"`{name}={getattr(self, name)}`: give {LARGEST} at most")
        for name in ("video_share", "crowds"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"`{name}={getattr(self, name)}`: give a share from 0 to 1")
        for name in ("workers", "seed"):
            if getattr(self, name) < 0:
                raise UsageError(f"`{name}={getattr(self, name)}`: give 0 or more")
        if self.precision not in ("auto", "fp32", "bf16"):
            raise UsageError(f"`precision={self.precision!r}`: give auto, fp32 or bf16")

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sides of crops that steps draw from, pixels."""
        return tuple(range(self.smallest_size or self.size, self.size + 1, 32))

    def saved(self) -> str:
        """Return the settings as TOML."""
        return "".join(f"{field.name} = {_toml(getattr(self, field.name))}\n" for field in fields(self))


LARGEST = 2**63 - 1
"""Of integers: what TOML promises, and more than any setting needs."""
KIND_NAMES = {int: "integer", float: "number", str: "string", bool: "true or false", tuple: "list of strings"}


def _toml(value: object) -> str:
    """Return a value as TOML: JSON writes strings, numbers, booleans and lists of them alike."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def settings_from_toml(path: Path) -> dict[str, Any]:
    """Read settings from a TOML file whose keys are the fields of `TrainingSettings`.

    Raises:
        UsageError: the file cannot be read, or has a key or a type that is not a setting's.
    """
    where = f"`settings={str(path)!r}`"
    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{where}: cannot be read ({error.strerror})") from error
    except RecursionError as error:
        raise UsageError(f"{where}: is nested too deep for settings") from error
    except ValueError as error:  # no TOML, no UTF-8, or an integer of thousands of digits
        raise UsageError(f"{where}: is not TOML ({printable(error)})") from error
    defaults = TrainingSettings(stage=1, images=("",), steps=1)
    result: dict[str, Any] = {}
    for key, value in given.items():
        if key not in {field.name for field in fields(TrainingSettings)}:
            raise UsageError(f"{where}: {printable(key)} is not a setting; see `vosctl train --help`")
        kind = type(getattr(defaults, key))
        if type(value) is int and abs(value) > LARGEST:
            raise UsageError(f"{where}: {key} is a number too large for any setting")
        if kind is float and type(value) is int:
            value = float(value)
        if kind is tuple and isinstance(value, list) and all(isinstance(part, str) for part in value):
            value = tuple(value)
        if type(value) is not kind:
            raise UsageError(f"{where}: {key} = {_shown(value)} should be of type {KIND_NAMES[kind]}")
        if isinstance(value, float) and not isfinite(value):
            raise UsageError(f"{where}: {key} = {value} should be a finite number")
        result[key] = value
    return result


def _shown(value: object) -> str:
    """Show a value in a message; what has parts may be of any size."""
    return printable(repr(value)) if isinstance(value, (str, int, float)) else type(value).__name__
