"""What a network marked, the features it did so with, and whether it was the object: what the head learns from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vosctl.engine.base import EngineInfo, Step
from vosctl.evaluation.absences import AbsenceClip
from vosctl.network.base import State
from vosctl.network.lite import Lite
from vosctl.network.presence import STRIDE, Marked, places_of
from vosctl.tracking.crop_follower import SEEN_PIXELS, CropFollower
from vosctl.tracking.cropped_object import CroppedObject, Sighting
from vosctl.tracking.presence import Belief
from vosctl.tracking.references import FirstReferences
from vosctl.tracking.search import View
from vosctl.training.samples import Batch
from vosctl.types import Mask
from vosctl.video.planar import Picture

PRESENT = 0.5  # share of what is marked that is the object: from here on it is present
ABSENT = 0.1  # up to here it is not; what lies between is learned from by nobody
PLAIN_STRIDE = 3  # of the frames in which nothing happens, every third is learned from
SEARCHED = 2  # views more that are learned from when the whole frame is searched
EVENTFUL = 8  # frames before and after an absence, of which every one is

Half = NDArray[np.float16]


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The object as it was shown: features (C, h, w) at 1/16, and its share (h, w) of each place."""

    places: Half
    share: Half


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One view of one object.

    Attributes:
        reference: the object.
        places: (C, h, w), features at 1/16.
        weight: (h * w,), see `Marked`.
        guidance: (h * w,), the same.
        area: the same.
        score: the same.
        present: whether what is marked is the object.
        group: the kind of clip, and the clip's name.
    """

    reference: Reference
    places: Half
    weight: Half
    guidance: Half
    area: float
    score: float
    present: bool
    group: tuple[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """The network's reference state, and what examples need of the reference."""

    tensors: State
    reference: Reference


class RecordingEngine:
    """A network that keeps what it marked last, with the features: an `Engine`, whose presence is always 1.

    Args:
        network: in evaluation mode, without a head; its type is what it computes in.
    """

    takes_float = False

    def __init__(self, network: Lite) -> None:
        self.stride, self.crop_size = network.stride, network.crop_size
        self.info = EngineInfo("torch", network.name, network.name, "cpu", "fp32")
        self._network = network
        self._dtype = next(network.parameters()).dtype
        self.last: Marked | None = None

    @torch.inference_mode()
    def encode_reference(self, image: NDArray[Any], mask: NDArray[np.float32]) -> _State:
        """See `Engine.encode_reference`."""
        return self.encode(_image(image[None]), torch.from_numpy(mask)[None, None])[0]

    def encode(self, images: Tensor, masks: Tensor) -> list[_State]:
        """Encode references (N, 3, H, W) in [0, 1] with their masks (N, 1, H, W)."""
        images, masks = images.to(self._dtype), masks.to(self._dtype)
        r5, r4, r3, *_ = self._network.encoder(images, masks)
        tensors = (*self._network.reading.memorise(r4, masks), r5)
        places, share = _half(places_of(r4, r3)), _half(F.avg_pool2d(masks.float(), STRIDE))[:, 0]
        return [
            _State(tuple(tensor[index, None] for tensor in tensors), Reference(places[index], share[index]))
            for index in range(len(images))
        ]

    @torch.inference_mode()
    def propagate(self, images: NDArray[Any], masks: NDArray[np.float32], states: Sequence[_State]) -> Step[_State]:
        """See `Engine.propagate`."""
        probability = self.mark(_image(images), torch.from_numpy(masks)[:, None], states)
        return Step(probability[:, 0].numpy(), tuple(states), np.ones(len(images), np.float32))

    def mark(self, images: Tensor, guidance: Tensor, states: Sequence[_State]) -> Tensor:
        """Propagate (N, 3, H, W) in [0, 1] with guidance (N, 1, H, W); return (N, 1, H, W) float32."""
        features = self._network.encoder(images.to(self._dtype), guidance.to(self._dtype))
        state = tuple(torch.cat(tensors) for tensors in zip(*(one.tensors for one in states), strict=True))
        probability = torch.sigmoid(self._network._decode(images.to(self._dtype), features, state)[0]).float()
        _, r4, r3, *_ = features
        self.last = Marked.of(places_of(r4, r3), guidance, probability)
        return probability

    def examples(
        self, states: Sequence[_State], precision: Sequence[float], least_area: float, group: tuple[str, str]
    ) -> Iterator[Example]:
        """Examples of what was marked last.

        Args:
            states: what was given to `mark`.
            precision: share of what was marked that is the object.
            least_area: share of the view that must be marked.
            group: of all of them.
        """
        if self.last is None:
            return
        places, weight, guidance = (_half(x) for x in (self.last.places, self.last.weight, self.last.guidance))
        for index, (state, share) in enumerate(zip(states, precision, strict=True)):
            area, score = float(self.last.area[index]), float(self.last.score[index])
            if area < least_area or ABSENT < share < PRESENT:
                continue
            yield Example(
                state.reference, places[index], weight[index], guidance[index], area, score, share >= PRESENT, group
            )


class WatchedFollower(CropFollower):
    """Follows one object and is told by the truth whether it is lost, after some frames; keeps examples of all views.

    Args:
        engine: records what it marks.
        height: height of the frames in pixels.
        width: width of the frames in pixels.
        size: side in pixels the crops are resampled to.
        late: frames in which what is wrong is still followed.
    """

    def __init__(self, engine: RecordingEngine, height: int, width: int, size: int, late: int) -> None:
        super().__init__(engine, height, width, size, FirstReferences(engine, 1, {}))
        self._recorder = engine
        self._late, self._wrong = late, 0
        self.truth: Mask = np.zeros((height, width), np.bool_)
        self.group: tuple[str, str] | None = None
        self.examples: list[Example] = []

    def _sight(
        self, frame: Picture, followed: Sequence[CroppedObject], views: Sequence[View], scene_changed: bool
    ) -> list[Sighting]:
        sightings = super()._sight(frame, followed, views, scene_changed)
        shares = [self._precision(sighting) for sighting in sightings]
        if self.group is not None:
            states = [one.state for one in followed]
            least = SEEN_PIXELS / self._size**2
            self.examples += self._recorder.examples(states, shares, least, self.group)
        judged = []
        for one, sighting, share in zip(followed, sightings, shares, strict=True):
            right = share >= PRESENT if one.lost else share > ABSENT
            self._wrong = 0 if right else self._wrong + 1
            lost = not right and (one.lost or self._wrong > self._late)
            judged.append(replace(sighting, belief=Belief(lost=lost), presence=float(right)))
        return judged

    def _views_all_over(self, one: CroppedObject) -> Iterator[View]:
        yield from islice(super()._views_all_over(one), SEARCHED)  # many of them would teach the same again

    def _precision(self, sighting: Sighting) -> float:
        marked = sighting.probability > 0.5
        truth = sighting.crop.cut_mask(self.truth.astype(np.float32)) > 0.5
        return float((marked & truth).sum() / max(marked.sum(), 1))


def examples_of_clip(engine: RecordingEngine, clip: AbsenceClip, size: int, late: int) -> list[Example]:
    """Follow the object of a clip, told by the truth when it is lost, and return what can be learned from it.

    Args:
        engine: of the network.
        clip: in which the object leaves, or in which nothing happens.
        size: side in pixels of the crops.
        late: frames in which what is not the object is still followed when it has left.
    """
    height, width = clip.masks[0].shape
    follower = WatchedFollower(engine, height, width, size, late)
    follower.add(clip.frames[0], {1: clip.masks[0]})
    absent = [index for index, mask in enumerate(clip.masks) if not mask.any()]
    for index in range(1, len(clip.frames)):
        near = bool(absent) and absent[0] - EVENTFUL <= index < clip.back + EVENTFUL
        follower.group = (clip.kind, clip.name) if near or index % PLAIN_STRIDE == 0 else None
        follower.truth = clip.masks[index]
        follower.step(clip.frames[index])
    return follower.examples


@torch.inference_mode()
def examples_of_batch(engine: RecordingEngine, batch: Batch, shift: int) -> Iterable[Example]:
    """Every object of a batch of training samples in its own frames, and in those of another sample.

    Each is looked for with the guidance of the sample, for all targets, with none, and, in the other's frames, with the
    object's own mask of the reference.

    Args:
        engine: of the network.
        batch: of samples with one target or more.
        shift: how far the other sample is away in the batch.
    """
    count = len(batch.reference)
    reference_masks = batch.reference_mask.float() / 255
    states = engine.encode(batch.reference.float() / 255, reference_masks)
    for roll in (0, shift % count):
        order = torch.arange(count).roll(-roll)
        guidance = batch.guidance[order].float() / 255
        truth = (batch.labels[order] == 1).float() * (roll == 0)
        kinds = {"guided": guidance, "unguided": torch.zeros_like(guidance)}
        if roll:
            kinds["misguided"] = reference_masks
        for kind, mask in kinds.items():
            targets = batch.images.shape[1] if kind == "guided" else 1
            for target in range(targets):
                probability = engine.mark(batch.images[order, target].float() / 255, mask, states)
                marked = (probability > 0.5).float()
                shares = (marked * truth[:, target]).sum((1, 2, 3)) / marked.sum((1, 2, 3)).clamp(min=1)
                least = SEEN_PIXELS / marked[0].numel()
                group = ("own " if roll == 0 else "other ") + kind
                yield from engine.examples(states, shares.tolist(), least, ("still", group))
                if target + 1 < targets:
                    grid = F.affine_grid(
                        batch.to_previous[order, target + 1], list(probability.shape), align_corners=False
                    )
                    mask = F.grid_sample(probability, grid, align_corners=False)


def _image(images: NDArray[Any]) -> Tensor:
    """Return (N, H, W, 3) bytes to (N, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255


def _half(tensor: Tensor) -> Half:
    return tensor.to(torch.float16).numpy()
