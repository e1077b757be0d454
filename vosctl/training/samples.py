"""Training samples: scenes framed as tracking frames them. Each is drawn from its number alone, so runs can resume."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from vosctl.errors import VosctlError
from vosctl.training import passers, scenes
from vosctl.training.crowds import crowd_scene
from vosctl.training.framing import frame_scene
from vosctl.training.scenes import Cutout, Scene
from vosctl.training.sources import AnnotatedImage, AnnotatedSequence, Reader

ATTEMPTS = 50
CACHE_BYTES = 3 << 30
TRANSPLANTED = 0.35
"""Share of the samples cut from sequences whose object is put in front of another background."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of B samples with T targets each, S pixels a side.

    Attributes:
        reference: (B, 3, S, S) uint8 RGB.
        reference_mask: (B, 1, S, S) uint8, 0..255.
        guidance: (B, 1, S, S) uint8, 0..255: the guidance mask of the first target.
        images: (B, T, 3, S, S) uint8 RGB.
        labels: (B, T, 1, S, S) uint8: 1 the object, 0 background, 255 void.
        to_previous: (B, T, 2, 3) float32: affine_grid's matrix from a target's crop to the crop before; the first
            target's is the identity.
    """

    reference: Tensor
    reference_mask: Tensor
    guidance: Tensor
    images: Tensor
    labels: Tensor
    to_previous: Tensor

    def to(self, device: torch.device) -> Batch:
        """Return the same batch on a device."""
        return Batch(*(getattr(self, name).to(device, non_blocking=True) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class SampleSettings:
    """How samples are made.

    Attributes:
        targets: target frames in a sample.
        max_skip: largest step between a sequence's frames.
        video_share: share of samples cut from sequences; the others are made from stills.
        crowds: share of those made from stills that show several objects, see `vosctl.training.crowds`.
        screens: share of what passes by that is a whole picture, which slides in over the object.
        seed: samples are drawn from this and their number.
        cache_bytes: decoded files kept by each worker.
    """

    targets: int
    max_skip: int
    video_share: float
    seed: int
    crowds: float = 0.0
    screens: float = 0.15
    cache_bytes: int = CACHE_BYTES


class Samples(Dataset[tuple[Tensor, ...]]):
    """Samples without end: number n is always the same one, in a crop of the side that is asked for with it.

    Args:
        stills: annotated images, for made scenes (may be empty when every sample is cut from sequences).
        sequences: annotated sequences. Each folder that they lie in is drawn from as often, however many it holds.
    """

    def __init__(
        self,
        stills: Sequence[AnnotatedImage],
        sequences: Sequence[AnnotatedSequence],
        settings: SampleSettings,
    ) -> None:
        folders: dict[Path, list[AnnotatedSequence]] = defaultdict(list)
        for sequence in sequences:
            folders[sequence.root].append(sequence)
        self._folders = list(folders.values())
        # without stills, scenes are made from the sequences' frames
        self._stills = list(stills) or [frame for sequence in sequences for frame in sequence.frames if frame.ids]
        self._groups: dict[str, list[AnnotatedImage]] = defaultdict(list)
        for still in self._stills:
            self._groups[still.group].append(still)
        self._settings = settings
        self._reader = Reader(settings.cache_bytes)

    def __getitem__(self, asked: tuple[int, int]) -> tuple[Tensor, ...]:
        number, size = asked
        rng = np.random.default_rng((self._settings.seed, number))
        for _ in range(ATTEMPTS):
            scene = self._draw_scene(rng)
            framed = None if scene is None else frame_scene(scene, size, rng)
            if framed is not None:
                return framed
        raise VosctlError(
            f"no usable sample in {ATTEMPTS} draws: the objects are hidden or tiny in most of the training data"
        )

    def _draw_scene(self, rng: np.random.Generator) -> Scene | None:
        settings = self._settings
        if self._folders and rng.random() < settings.video_share:
            sequence = self._draw_sequence(rng)
            scene = scenes.sequence_scene(sequence, self._reader, settings.targets, settings.max_skip, rng)
            if scene is not None and rng.random() < TRANSPLANTED:
                scene = scenes.transplanted(scene, self._background(len(scene.images), rng))
            passed = 0.75
        elif settings.crowds and rng.random() < settings.crowds:
            return self._crowd_scene(rng)
        else:
            scene = self._made_scene(rng)
            passed = 0.85
        if scene is not None and rng.random() < passed:
            return self._with_passer(scene, rng)
        return scene

    def _draw_sequence(self, rng: np.random.Generator) -> AnnotatedSequence:
        folder = self._folders[rng.integers(len(self._folders))]
        return folder[rng.integers(len(folder))]

    def _made_scene(self, rng: np.random.Generator) -> Scene | None:
        still = self._stills[rng.integers(len(self._stills))]
        frames = self._settings.targets + 2
        image, ids = self._reader.read(still)
        image, ids = scenes.shrunk(image, ids)
        label = scenes.one_object(ids, rng, still.ids)
        if rng.random() < 0.5:
            return scenes.moved_scene(image, label, frames, rng)
        cutout = scenes.cut_out(image, label)
        if cutout is None:
            return None
        return scenes.pasted_scene(cutout, self._background(frames, rng), rng)

    def _crowd_scene(self, rng: np.random.Generator) -> Scene | None:
        """Make a scene of the instances of one still; where it has one, of copies of it and of things alike."""
        still = self._stills[rng.integers(len(self._stills))]
        image, ids = scenes.shrunk(*self._reader.read(still))
        chosen = [still.ids[index] for index in rng.permutation(len(still.ids))[: int(rng.integers(2, 6))]]
        found = [scenes.cut_out(image, (ids == value).astype(np.uint8)) for value in chosen]
        cutouts = [one for one in found if one is not None]
        if not cutouts:
            return None
        for _ in range(max(int(rng.integers(2, 5)) - len(cutouts), 0)):
            own = cutouts[0].mirrored() if rng.random() < 0.5 else cutouts[0]
            other = own if rng.random() < 0.5 else self._alike(still.group, rng)
            cutouts += [] if other is None else [other]
        behind = self._stills[rng.integers(len(self._stills))]
        picture = scenes.shrunk(*self._reader.read(behind))[0]
        scale = scenes.LARGEST_CANVAS * rng.uniform(0.6, 1.0) / max(picture.shape[:2])
        size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
        return crowd_scene(cutouts, scenes.fitted(picture, size), self._settings.targets + 2, rng)

    def _alike(self, group: str, rng: np.random.Generator) -> Cutout | None:
        """Cut a thing out of another still of the same group."""
        stills = self._groups[group]
        still = stills[rng.integers(len(stills))]
        image, ids = scenes.shrunk(*self._reader.read(still))
        return scenes.cut_out(image, (ids == still.ids[rng.integers(len(still.ids))]).astype(np.uint8))

    def _background(self, frames: int, rng: np.random.Generator) -> list[NDArray[np.uint8]]:
        if self._folders and rng.random() < 0.5:
            items = self._draw_sequence(rng).frames
        else:
            items = (self._stills[rng.integers(len(self._stills))],)
        return scenes.background_run(items, self._reader, frames, rng)

    def _with_passer(self, scene: Scene, rng: np.random.Generator) -> Scene:
        """Add a second copy of the object (mirrored half of the time), something else, bars, or a screen."""
        if rng.random() < self._settings.screens:
            return passers.with_screen(scene, self._background(1, rng)[0], rng)
        choice = rng.random()
        cutout: Cutout | None
        if choice < 0.4:  # look-alikes are what tracking fails on most
            cutout = scenes.cut_out(scene.images[1], scene.labels[1])
            if cutout is not None and rng.random() < 0.5:
                cutout = cutout.mirrored()
            in_front = False
        elif choice < 0.85:
            cutout = self._any_cutout(rng)
            in_front = rng.random() < 0.4
        else:
            texture = self._stills[rng.integers(len(self._stills))]
            cutout = passers.bars(scenes.shrunk(*self._reader.read(texture))[0], rng)
            in_front = True
        return scene if cutout is None else passers.with_passer(scene, cutout, in_front, rng)

    def _any_cutout(self, rng: np.random.Generator) -> Cutout | None:
        names = list(self._groups)
        group = self._groups[names[rng.integers(len(names))]]
        still = group[rng.integers(len(group))]
        image, ids = scenes.shrunk(*self._reader.read(still))
        return scenes.cut_out(image, scenes.one_object(ids, rng, still.ids))


def collate(samples: list[tuple[Tensor, ...]]) -> Batch:
    """Stack samples to a batch."""
    return Batch(*(torch.stack(tensors) for tensors in zip(*samples, strict=True)))


class NumberedBatches(Sampler[list[tuple[int, int]]]):
    """The numbers of the samples of each step from `first_step` on, with the side of their crops, without end.

    Each of `world` processes takes its part of a step's samples, so that they are together the batch that one process
    with `world` times the batch would take.

    Args:
        sizes: sides in pixels, of which each step draws one for all its samples, by its number.
        batch: samples a step and process.
    """

    def __init__(self, sizes: Sequence[int], batch: int, first_step: int, rank: int = 0, world: int = 1) -> None:
        self._sizes, self._batch, self._first_step = tuple(sizes), batch, first_step
        self._rank, self._world = rank, world

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        step = self._first_step
        while True:
            size = self._sizes[np.random.default_rng(step).integers(len(self._sizes))]
            start = (step * self._world + self._rank) * self._batch
            yield [(number, size) for number in range(start, start + self._batch)]
            step += 1
