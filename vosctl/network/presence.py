"""The head that says whether what a network marks is the object that it was shown.

The object's appearance, an embedding of its reference at 1/16, is kept in the reference state. What is marked in a
frame is embedded in the same way and compared with it: as a whole, and place by place, in both directions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EMBEDDING = 48  # channels of what is compared
HIDDEN = 64  # channels between the two layers of the embedding
FIGURES = 8  # that the verdict reads besides the two embeddings
VERDICT = 32  # units between the two layers of the verdict
TINY = 1e-3  # keeps the mean over nothing finite
LEAST_LENGTH = 1e-12  # of a vector that has a direction
OUTSIDE = 2.0  # more than two cosines differ: what is lowered by it is never the largest
REFERENCE_SHARE = 0.3  # share of the object from which on a place of the reference is the object's
VECTOR_SCALE = 5.0  # brings the entries of unit vectors to the size of the other figures
AREA_SCALE = 0.3  # the same for the logarithm of the area
STRIDE = 16


@dataclass(frozen=True, slots=True, eq=False)
class Marked:
    """What a network marked in N frames, and the features it did so with, at 1/16: T places each.

    Attributes:
        places: (N, C, H/16, W/16), the features: see `places_of`.
        weight: (N, T), probability of what is marked, a mean over each place.
        guidance: (N, T), the guidance mask, likewise.
        area: (N,), share of the frame that is marked.
        score: (N,), mean probability of what is marked.
    """

    places: Tensor
    weight: Tensor
    guidance: Tensor
    area: Tensor
    score: Tensor

    @classmethod
    def of(cls, places: Tensor, guidance: Tensor, probability: Tensor) -> Marked:
        """Make them from masks at full size, (N, 1, H, W)."""
        marked = (probability > 0.5).to(probability.dtype)
        weight = F.avg_pool2d(probability * marked, STRIDE).flatten(1)
        area = marked.flatten(1).mean(1)
        return cls(places, weight, F.avg_pool2d(guidance, STRIDE).flatten(1), area, weight.mean(1) / (area + TINY / 10))


def places_of(r4: Tensor, r3: Tensor) -> Tensor:
    """Return the features that are compared, (N, C4 + C3, H/16, W/16): those at 1/16, and those at 1/8 pooled."""
    return torch.cat((r4, F.avg_pool2d(r3, 2)), dim=1)


class PresenceHead(nn.Module):
    """Compares what is marked with the object's reference.

    Args:
        channels: of the features, as `places_of` gives them.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.embed1 = nn.Conv2d(channels, HIDDEN, 1)
        self.embed2 = nn.Conv2d(HIDDEN, EMBEDDING, 1)
        self.log_sharpness = nn.Parameter(torch.tensor([2.3]))  # of the place-by-place matching
        self.verdict1 = nn.Linear(2 * EMBEDDING + FIGURES, VERDICT)
        self.verdict2 = nn.Linear(VERDICT, 1)

    def describe(self, places: Tensor, mask: Tensor) -> Tensor:
        """Return the appearance of an object in its reference, for the reference state.

        Args:
            places: the reference's features.
            mask: (N, 1, H, W), the object.

        Returns:
            (N, EMBEDDING + 1, H/16, W/16): the embedding, and the object's share of each place.
        """
        return torch.cat((self.embed(places), F.avg_pool2d(mask, STRIDE)), dim=1)

    def forward(self, marked: Marked, appearance: Tensor) -> Tensor:
        """Return the logit, (N,), of what is marked being the object of this appearance (see `describe`)."""
        found = self.embed(marked.places).flatten(2)  # (N, E, T)
        known, share = appearance[:, :-1].flatten(2), appearance[:, -1:].flatten(1)  # (N, E, R) and (N, R)
        of_object, of_rest, of_reference = (
            _normalised(marked.weight),
            _normalised(1 - marked.weight),
            _normalised(share),
        )
        whole = _unit((found * of_object[:, None]).sum(2))
        reference = _unit((known * of_reference[:, None]).sum(2))
        cosines = _unit(found).transpose(1, 2) @ _unit(known)  # (N, T, R)
        matches = cosines * self.log_sharpness.exp()
        like = (torch.softmax(matches, 2) @ share[:, :, None])[:, :, 0]  # (N, T): how much of it matches the object
        seen = (torch.softmax(matches, 1).transpose(1, 2) @ marked.weight[:, :, None])[:, :, 0]  # (N, R): and back
        nearest = (cosines - (share < REFERENCE_SHARE).to(cosines.dtype)[:, None] * OUTSIDE).amax(2)
        figures = (
            (whole * reference).sum(1),
            (like * of_object).sum(1),
            (like * of_rest).sum(1),
            (seen * of_reference).sum(1),
            (nearest * of_object).sum(1),
            (marked.guidance * of_object).sum(1),
            AREA_SCALE * (marked.area + TINY).log(),
            marked.score,
        )
        vectors = torch.cat((whole * reference, (whole - reference).abs()), dim=1) * VECTOR_SCALE
        verdict: Tensor = self.verdict2(F.relu(self.verdict1(torch.cat((torch.stack(figures, dim=1), vectors), dim=1))))
        return verdict[:, 0]

    def embed(self, places: Tensor) -> Tensor:
        """Return the embedding (N, EMBEDDING, h, w) of features (N, C, h, w)."""
        embedded: Tensor = self.embed2(F.relu(self.embed1(places)))
        return embedded


def _unit(vectors: Tensor) -> Tensor:
    """Return vectors (N, C, ...) of length one; those of nothing stay nothing, in half precision too."""
    return F.normalize(vectors, dim=1, eps=max(LEAST_LENGTH, torch.finfo(vectors.dtype).tiny))


def _normalised(weight: Tensor) -> Tensor:
    """Weights (N, P) that sum to one."""
    return weight / (weight.sum(1, keepdim=True) + TINY)
