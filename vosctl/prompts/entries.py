"""What is said of one object in one frame, as a schedule keeps it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np

from vosctl.errors import UsageError
from vosctl.prompts.prompt import Prompt
from vosctl.prompts.timed import TimedPrompt
from vosctl.time_line import Place
from vosctl.types import Labels, Mask


@dataclass(frozen=True, slots=True, eq=False)
class PackedMask:
    """A mask that waits for its frame in a few bytes."""

    data: bytes
    size: tuple[int, int]

    @classmethod
    def of(cls, mask: Mask) -> PackedMask:
        """Pack a mask, (H, W)."""
        return cls(zlib.compress(np.packbits(mask).tobytes(), 1), (mask.shape[0], mask.shape[1]))

    @property
    def mask(self) -> Mask:
        """(H, W)."""
        height, width = self.size
        bits = np.unpackbits(np.frombuffer(zlib.decompress(self.data), np.uint8), count=height * width)
        return bits.astype(np.bool_).reshape(self.size)


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """What is said of one object in one frame.

    Attributes:
        at: the frame's number where it is known before the frame comes, or its place.
        object_id: 1..255.
        said: the object's mask, or what it is to be found by.
        what: names it, for messages.
    """

    at: Place
    object_id: int
    said: PackedMask | Prompt
    what: str

    @property
    def only_corrects(self) -> bool:
        """Whether it says only what is wrong with a mask: clicks alone."""
        said = self.said
        return isinstance(said, Prompt) and said.box is None and said.mask is None and not said.strokes

    def found(self, mask: Mask) -> Entry:
        """Return the entry with the mask that was found for it."""
        return replace(self, said=PackedMask.of(mask))

    @property
    def prompt(self) -> TimedPrompt:
        """The entry as a prompt."""
        if isinstance(self.said, PackedMask):
            return TimedPrompt(self.at, self.object_id, mask=self.said.mask)
        return TimedPrompt(self.at, self.object_id, prompt=self.said)


def as_labels(masks: dict[int, Mask], said: dict[int, Entry]) -> Labels | None:
    """Return masks, by object, as ids, the later on top; None where there is none.

    Raises:
        UsageError: one of them is wholly covered; `said` names it.
    """
    if not masks:
        return None
    labels = np.zeros(next(iter(masks.values())).shape, np.uint8)
    for key, mask in masks.items():
        labels[mask] = key
    for key in masks:
        if not (labels == key).any():
            raise UsageError(f"{said[key].what}: is wholly covered by a later one; give it later, or leave it out")
    return labels
