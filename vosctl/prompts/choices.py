"""Somebody who is asked what the objects are in a later frame: what is shown of it, and what is said there then."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from vosctl.errors import UsageError
from vosctl.prompts.places import first_of, frame_at
from vosctl.prompts.timed import TimedPrompt, ids_of
from vosctl.time_line import Place
from vosctl.types import Labels, RGBImage
from vosctl.video.sources import RangedSource, Source
from vosctl.video.sources.base import NOT_SEEKABLE


@dataclass(frozen=True, slots=True, eq=False)
class ShownFrame:
    """A frame in which somebody is asked.

    Attributes:
        number: in the source, from 0.
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) uint8, the ids of the objects that are known there already.
        ids: of the objects that are known in any frame, rising.
    """

    number: int
    image: RGBImage
    labels: Labels
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceAt:
    """A frame in which somebody is to be asked what the objects are.

    Attributes:
        at: the frame.
        choose: asks; gives the ids, (H, W) uint8, of what was drawn alone: new objects, and those that are corrected.
    """

    at: Place
    choose: Callable[[ShownFrame], Labels]

    def __str__(self) -> str:
        """Return the parameter, for messages."""
        return f"`choose_at={self.at}`"


def frames_asked(source: Source, choices: Sequence[ChoiceAt], said: Iterable[Place | None]) -> dict[int, ChoiceAt]:
    """Return in which frames of a source somebody is to be asked, rising.

    Args:
        source: not read yet.
        choices: who is asked, and where.
        said: the places where something is said in another way; None for the first frame.

    Raises:
        UsageError: the source is read once, or has no such frame, or more than one way says what is in it.
    """
    found: dict[int, ChoiceAt] = {}
    for choice in choices:
        if not source.is_seekable:
            raise UsageError(f"{choice}: {source.info.name} {NOT_SEEKABLE}")
        number = source.times().index_of(choice.at, str(choice))
        if isinstance(source, RangedSource):
            source.check_reads(number, str(choice))
        if number in found:
            raise UsageError(f"{choice}: is frame {number}, which {found[number]} shows already; leave one out")
        found[number] = choice
    for place in said if found else ():
        number = (first_of(source) or 0) if place is None else source.times().bound_of(place)
        if number in found:
            raise UsageError(f"{found[number]}: something is said in frame {number} in another way too; give one")
    return dict(sorted(found.items()))


def chosen(
    source: Source, asked: Mapping[int, ChoiceAt], known: Callable[[int], Labels], ids: Collection[int]
) -> tuple[TimedPrompt, ...]:
    """Ask in each frame, one after the other; the source is at its first frame again afterwards.

    Args:
        source: seekable.
        asked: see `frames_asked`.
        known: gives the objects, (H, W) uint8 ids, that are known in a frame already.
        ids: of the objects that are known in any frame.

    Raises:
        UsageError: a frame is lost in a damaged video.
        VosctlError: nothing was chosen.
    """
    prompts: list[TimedPrompt] = []
    ids = set(ids)
    for number, choice in asked.items():
        frame = frame_at(source, number)
        if frame is None:
            raise UsageError(f"{choice}: frame {number} is lost, too damaged to be decoded; give another")
        labels = choice.choose(ShownFrame(number, frame.image, known(number), tuple(sorted(ids))))
        ids.update(ids_of(labels))
        prompts.append(TimedPrompt(Place(frame=number), mask=labels))
    if prompts:
        source.seek(first_of(source) or 0)
    return tuple(prompts)
