"""Fitting the head that tells presence to examples, and judging it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from vosctl.network.presence import Marked, PresenceHead
from vosctl.training.presence.examples import Example, Half, Reference

COMPONENTS = 64  # that the features are reduced to before anything is learned
SAMPLED_PLACES = 8  # of each example, to find the components
FLOOR = 1e-2  # of a feature's deviation
SMOOTHING = 0.02  # of the labels: the head is not to be surer than its examples
DROPPED = 0.1  # share of the components dropped in training
WARM_UP = 0.1  # share of the steps in which the learning rate rises
WEIGHT_DECAY = 1e-2


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How the head is fitted.

    Attributes:
        steps: of AdamW.
        batch: examples a step, as many present as absent ones.
        lr: largest learning rate.
        seed: of everything that is drawn.
    """

    steps: int = 400
    batch: int = 48
    lr: float = 3e-3
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Whitening:
    """The principal components of features, each of variance one: `matrix @ (features - mean)`."""

    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]

    @classmethod
    def of(cls, examples: Sequence[Example], rng: np.random.Generator) -> Whitening:
        """Find them in a few places of each example."""
        places = np.concatenate([_some_places(example.places, rng) for example in examples]).astype(np.float32)
        mean, deviation = places.mean(axis=0), places.std(axis=0) + FLOOR
        scaled = (places - mean) / deviation
        directions, variances, _ = np.linalg.svd(scaled.T @ scaled / len(scaled))
        count = min(COMPONENTS, len(mean))
        matrix = (directions[:, :count] / np.sqrt(variances[:count] + FLOOR**2)).T / deviation
        return cls(mean, matrix.astype(np.float32))

    def apply(self, places: Half) -> Half:
        """Return (C, h, w) features to (COMPONENTS, h, w)."""
        flat = places.reshape(len(self.mean), -1).astype(np.float32)
        return (self.matrix @ (flat - self.mean[:, None])).reshape(-1, *places.shape[1:]).astype(np.float16)

    def folded_into(self, head: PresenceHead) -> PresenceHead:
        """Return the head that takes the features as they are, and says what `head` says of their components."""
        whole = PresenceHead(len(self.mean))
        state = head.state_dict()
        weight = state["embed1.weight"][:, :, 0, 0] @ torch.from_numpy(self.matrix)
        state["embed1.bias"] = state["embed1.bias"] - weight @ torch.from_numpy(self.mean)
        state["embed1.weight"] = weight[:, :, None, None]
        whole.load_state_dict(state)
        return whole.eval()


def _some_places(places: Half, rng: np.random.Generator) -> Half:
    flat = places.reshape(len(places), -1)
    return flat[:, rng.integers(0, flat.shape[1], SAMPLED_PLACES)].T


def fit(
    examples: Sequence[Example], settings: FitSettings, tell: Callable[[int, float], None] = lambda step, loss: None
) -> PresenceHead:
    """Fit a head.

    Args:
        examples: of crops of any sizes.
        settings: how.
        tell: takes the number of each step and its loss.

    Returns:
        In evaluation mode.
    """
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    whitening = Whitening.of(examples, rng)
    reduced = _Reduced(whitening)
    by_shape: dict[tuple[int, ...], list[Example]] = defaultdict(list)
    for example in examples:
        by_shape[example.places.shape].append(reduced.example(example))
    pools = [_Pool(some) for some in by_shape.values()]
    sizes = np.array([len(some) for some in by_shape.values()], np.float64)
    head = PresenceHead(len(whitening.matrix)).train()
    optimiser = torch.optim.AdamW(head.parameters(), settings.lr, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.lr, settings.steps, pct_start=WARM_UP)
    for step in range(settings.steps):
        pool = pools[rng.choice(len(pools), p=sizes / sizes.sum())]  # crops of one size a step
        loss = _loss(head, pool.draw(settings.batch, rng))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        tell(step, loss.item())
    return whitening.folded_into(head)


class _Pool:
    """Examples of crops of one size.

    Half of what is drawn is as it was recorded, in equal parts from stills and from clips, present and absent. A
    quarter are objects in the place of others: what is marked in one example with the reference of another object. A
    quarter are objects that were found, with another frame in which they were found for the reference.
    """

    def __init__(self, examples: Sequence[Example]) -> None:
        self._recorded: dict[tuple[bool, bool], list[Example]] = defaultdict(list)
        self._found: dict[object, list[Example]] = defaultdict(list)
        for example in examples:
            self._recorded[example.group[0] == "still", example.present].append(example)
            if example.present:
                self._found[_object_of(example)].append(example)
        self._objects = list(self._found)

    def draw(self, count: int, rng: np.random.Generator) -> list[Example]:
        """Draw about so many examples."""
        groups = list(self._recorded.values())
        share = max(count // 2 // len(groups), 1)
        drawn = [_any(group, rng) for group in groups for _ in range(share)]
        for _ in range(count // 4):
            drawn += self._swapped(rng)
            same = self._found[self._objects[int(rng.integers(0, len(self._objects)))]]
            drawn.append(replace(_any(same, rng), reference=_seen_as_reference(_any(same, rng))))
        return drawn

    def _swapped(self, rng: np.random.Generator) -> Iterator[Example]:
        """Yield what is marked in one example with the reference of another object, unless the same one is drawn."""
        one, other = (self._objects[index] for index in rng.integers(0, len(self._objects), 2))
        if one != other:
            yield replace(_any(self._found[one], rng), reference=_any(self._found[other], rng).reference, present=False)


def _object_of(example: Example) -> object:
    """Return what object an example is of: a clip's, or that of one still."""
    return id(example.reference) if example.group[0] == "still" else example.group[1].split(" ")[0]


def _seen_as_reference(example: Example) -> Reference:
    return Reference(example.places, example.weight.reshape(example.places.shape[1:]))


def _any(examples: Sequence[Example], rng: np.random.Generator) -> Example:
    return examples[int(rng.integers(0, len(examples)))]


class _Reduced:
    """Examples with their features reduced to components, each reference once."""

    def __init__(self, whitening: Whitening) -> None:
        self._whitening = whitening
        self._references: dict[int, Reference] = {}

    def example(self, example: Example) -> Example:
        known = self._references.get(id(example.reference))
        if known is None:
            known = Reference(self._whitening.apply(example.reference.places), example.reference.share)
            self._references[id(example.reference)] = known
        return Example(
            known,
            self._whitening.apply(example.places),
            example.weight,
            example.guidance,
            example.area,
            example.score,
            example.present,
            example.group,
        )


def _loss(head: PresenceHead, examples: Sequence[Example]) -> Tensor:
    present = torch.tensor([float(example.present) for example in examples])
    target = present * (1 - 2 * SMOOTHING) + SMOOTHING
    return F.binary_cross_entropy_with_logits(_logits(head, examples, DROPPED), target)


def _logits(head: PresenceHead, examples: Sequence[Example], dropped: float = 0.0) -> Tensor:
    def stacked(arrays: list[Half]) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).float()

    places = stacked([example.places for example in examples])
    known = stacked([example.reference.places for example in examples])
    share = stacked([example.reference.share for example in examples])
    if dropped:
        places, known = F.dropout2d(places, dropped), F.dropout2d(known, dropped)
    marked = Marked(
        places,
        stacked([example.weight for example in examples]),
        stacked([example.guidance for example in examples]),
        torch.tensor([example.area for example in examples]),
        torch.tensor([example.score for example in examples]),
    )
    logits: Tensor = head(marked, torch.cat((head.embed(known), share[:, None]), dim=1))
    return logits


@torch.inference_mode()
def presences(head: PresenceHead, examples: Sequence[Example], batch: int = 64) -> NDArray[np.float32]:
    """Return what a head says of examples: (N,), 0..1."""
    told = np.zeros(len(examples), np.float32)
    by_shape: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, example in enumerate(examples):
        by_shape[example.places.shape].append(index)
    for indices in by_shape.values():
        for start in range(0, len(indices), batch):
            part = indices[start : start + batch]
            told[part] = torch.sigmoid(_logits(head, [examples[index] for index in part])).numpy()
    return told


def passing_absent(told: NDArray[np.float32], present: NDArray[np.bool_], kept: float = 0.99) -> float:
    """Return the share of the absent examples that pass at the level that `kept` of the present ones pass."""
    level = np.quantile(told[present], 1 - kept)
    return float(np.mean(told[~present] > level))
