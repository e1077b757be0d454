"""Which masks are given in which frame of one source: prompts on a time line, resolved and checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from vosctl.errors import UsageError
from vosctl.prompts.entries import Entry, PackedMask, as_labels
from vosctl.prompts.first_objects import Tell, find_object
from vosctl.prompts.places import FIRST, begins_after, first_of, frame_at
from vosctl.prompts.prompt import Prompt
from vosctl.prompts.reading import read_prompt
from vosctl.prompts.timed import TimedPrompt
from vosctl.types import Labels, Mask, RGBImage
from vosctl.video.frames import Frame
from vosctl.video.sources import RangedSource, Source
from vosctl.video.sources.ranged import is_reached

Known = Callable[[int, int], Mask | None]
"""Gives the mask that an object has in a frame already, by both their numbers; None where it is not followed."""


class Schedule:
    """The prompts for one source, each at its frame.

    Args:
        source: not read yet.
        prompts: in their order; where masks overlap in a frame the later one lies on top.
        fix_mask: whether mask files may be repaired.
        accept_doubtful: whether to go on with doubtful masks from boxes and clicks.
        note: told of each repair of a mask and of each choice in reading it.
        warn: told of what speaks against a mask that is accepted.
        known: what was followed already; clicks alone then correct the masks of that.

    Attributes:
        first: the number of the first frame that is read; None when it is not known before.

    Raises:
        UsageError: a place that is not in the source or not read, an object that is said twice in one frame, or a mask
            that does not fit. Of a source that is not seekable not all of it is known before its frames come.
        VosctlError: a mask cannot be read.
    """

    def __init__(
        self,
        source: Source,
        prompts: Sequence[TimedPrompt],
        *,
        fix_mask: bool = False,
        accept_doubtful: bool = False,
        note: Tell,
        warn: Tell,
        known: Known | None = None,
    ) -> None:
        self._source, self._accept, self._note, self._warn = source, accept_doubtful, note, warn
        self._known = known
        self.first = first_of(source)
        self._zero: int | None = None
        self._last = -1
        self._used: set[int] = set()
        self._waiting: list[Entry] = []
        self._by_frame: dict[int, dict[int, Entry]] = {}
        self.add(prompts, fix_mask=fix_mask)

    def add(self, prompts: Iterable[TimedPrompt], *, fix_mask: bool = False) -> None:
        """Take more prompts in, before a frame is looked at or read; they lie on top of those that are there.

        Args:
            prompts: in their order.
            fix_mask: whether mask files may be repaired.

        Raises:
            UsageError, VosctlError: as for those that were there from the beginning.
        """
        entries = [
            entry for one in prompts for entry in read_prompt(one, self._source, fix_mask=fix_mask, note=self._note)
        ]
        self._waiting += [entry for entry in entries if entry.at.frame is None]
        for entry in entries:
            if entry.at.frame is not None:
                self._put(entry, entry.at.frame)
        self._check_clicks()
        for number in self._by_frame:
            self._check_covered(number)

    @property
    def ids(self) -> frozenset[int]:
        """The objects of which anything is said."""
        return frozenset(key for said in self._by_frame.values() for key in said) | {
            entry.object_id for entry in self._waiting
        }

    def look(self) -> bool:
        """Find what boxes and clicks mean now, where the source is seekable, so that what is wrong is known before.

        Returns:
            Whether frames were looked at; the source then begins at its first frame again.

        Raises:
            UsageError: one of them does not fit its frame, or that is lost in a damaged video.
            VosctlError: what was found is doubtful and that is not accepted.
        """
        if not self._source.is_seekable:
            return False
        looked = False
        for number in sorted(self._by_frame):
            wanted = [one for one in self._by_frame[number].values() if isinstance(one.said, Prompt)]
            wanted = [one for one in wanted if self._known is not None or not self.corrects(one, number)]
            if not wanted:
                continue
            frame = frame_at(self._source, number)
            looked = True
            for entry in wanted:
                if frame is None:
                    raise UsageError(f"{self._missing(entry)}; say it of another frame")
                self._settle_in(frame, entry)
            self._check_covered(number)
        if looked:
            self._source.seek(self.first or 0)
        return looked

    def _settle_in(self, frame: Frame, entry: Entry) -> None:
        """Find now what an entry means; leave it out where it corrects what is not seen."""
        known = self._known_mask(entry, frame.index)
        mask = self._found(frame.image, entry) if known is None else self.corrected(frame, entry, known)
        if mask is None:
            self.leave_out(frame.index, entry.object_id)
        else:
            self.settle(frame.index, entry.object_id, mask)

    def settle(self, number: int, object_id: int, mask: Mask) -> None:
        """Put the mask that was found, (H, W), in the place of what is said of an object in frame `number`."""
        self._by_frame[number][object_id] = self._by_frame[number][object_id].found(mask)

    def settle_as(self, known: Known) -> None:
        """Take the masks that objects have in frames already for what is said there in another way."""
        for number, said in self._by_frame.items():
            for key in [key for key, entry in said.items() if isinstance(entry.said, Prompt)]:
                mask = known(number, key)
                if mask is not None and mask.any():
                    self.settle(number, key, mask)
                elif mask is not None:
                    self.leave_out(number, key)

    def leave_out(self, number: int, object_id: int) -> None:
        """Forget what is said of an object in frame `number`."""
        del self._by_frame[number][object_id]

    def at(self, frame: Frame) -> tuple[Labels | None, dict[int, Entry]]:
        """Return what is said in a frame; frames are asked for in order.

        Returns:
            (H, W) ids of the masks that are given, None where there is none; and by object, the clicks that correct it.

        Raises:
            UsageError: what is said does not fit.
            VosctlError: what was found is doubtful and that is not accepted.
        """
        self.reach(frame)
        said = self._by_frame.get(frame.index)
        if said is None:
            return None, {}
        corrections = {key: entry for key, entry in said.items() if self.corrects(entry, frame.index)}
        masks = {
            key: entry.said.mask if isinstance(entry.said, PackedMask) else self._found(frame.image, entry)
            for key, entry in said.items()
            if key not in corrections
        }
        return as_labels(masks, said), corrections

    def reach(self, frame: Frame) -> None:
        """Take note that a frame came, where nobody asks what is said in it.

        Raises:
            UsageError: it is the first one, and what is said lies before it.
        """
        if self._zero is None:
            start = self._source.zero if isinstance(self._source, RangedSource) else None
            self._zero = frame.pts if start is None else start
        is_first = self._last < 0
        passed = [number for number in sorted(self._by_frame) if self._last < number < frame.index]
        missing = [entry for number in passed for entry in self._by_frame.pop(number).values()]
        self._last = frame.index
        for entry in list(self._waiting):
            if is_reached(frame, entry.at, self._zero, self._source.info):
                self._waiting.remove(entry)
                if is_first and entry.at is not FIRST and begins_after(frame, entry.at, self._zero):
                    missing.append(entry)
                else:
                    self._put(entry, frame.index)
        for entry in missing:
            if is_first:  # nothing is lost yet
                raise UsageError(f"{self._missing(entry)}; say it of another frame")
            self._warn(f"{self._missing(entry)}; left out")

    def pass_over(self, number: int) -> None:
        """Leave out what is said in a frame that does not come, and say so."""
        for entry in self._by_frame.pop(number, {}).values():
            self._warn(f"{self._missing(entry)}; left out")

    def _missing(self, entry: Entry) -> str:
        """Return why the frame of an entry does not come."""
        if self._source.is_seekable:
            return f"{entry.what}: the frame is lost, too damaged to be decoded"
        return f"{entry.what}: the frame is not one of those that are read"

    def corrected(self, frame: Frame, entry: Entry, mask: Mask) -> Mask | None:
        """Return an object's mask after clicks have corrected the one that it has; None where there is none to correct.

        Raises:
            UsageError: a click lies outside the frame.
            VosctlError: what was found is doubtful and that is not accepted.
        """
        assert isinstance(entry.said, Prompt)
        if not mask.any() and not any(on_object for _, _, on_object in entry.said.points):
            self._warn(f"{entry.what}: the object is not seen there, and no click is on it; left out")
            return None
        said = replace(entry.said, mask=mask.astype(np.float32)) if mask.any() else entry.said
        return find_object(frame.image, said, entry.what, self._accept, self._warn)

    def corrects(self, entry: Entry, number: int) -> bool:
        """Whether what is said in frame `number` are clicks on an object that is followed there."""
        if not entry.only_corrects:
            return False
        if self._known is not None:
            return self._known(number, entry.object_id) is not None
        return any(other < number and entry.object_id in at for other, at in self._by_frame.items())

    def _known_mask(self, entry: Entry, number: int) -> Mask | None:
        return self._known(number, entry.object_id) if self._known is not None and entry.only_corrects else None

    @property
    def prompts(self) -> tuple[TimedPrompt, ...]:
        """What is said as far as it is known by now: one object each, with its mask where that was found."""
        placed = [entry for _, said in sorted(self._by_frame.items()) for entry in said.values()]
        return tuple(entry.prompt for entry in (*placed, *self._waiting))

    @property
    def corrections(self) -> list[int]:
        """The frames in which clicks correct what is followed there, as far as they are known, rising."""
        return sorted(
            number
            for number, said in self._by_frame.items()
            if any(self.corrects(one, number) for one in said.values())
        )

    def anchors(self) -> dict[int, dict[int, PackedMask]]:
        """Return the masks that are known before the frames come, by frame, rising, and object."""
        known: dict[int, dict[int, PackedMask]] = {}
        for number, said in sorted(self._by_frame.items()):
            for key, entry in said.items():
                if isinstance(entry.said, PackedMask):
                    known.setdefault(number, {})[key] = entry.said
        return known

    def places(self) -> dict[int, list[int]]:
        """Return the frames in which anything is said of an object, rising, by object."""
        found: dict[int, list[int]] = {}
        for number, said in sorted(self._by_frame.items()):
            for key in said:
                found.setdefault(key, []).append(number)
        return found

    def said_after(self, number: int) -> list[Entry]:
        """Return what is said in frames after `number`."""
        return [entry for other, said in sorted(self._by_frame.items()) if other > number for entry in said.values()]

    def drawn(self, masks: dict[int, Mask], number: int) -> Labels | None:
        """Return masks that are said in frame `number`, by object, as ids, the later on top; None where there is none.

        Raises:
            UsageError: one of them is wholly covered.
        """
        return as_labels(masks, self._by_frame.get(number, {}))

    def use(self, number: int) -> None:
        """Take note that objects are followed backwards from frame `number`, which may lie after the last one."""
        self._used.add(number)

    def unreached(self) -> list[str]:
        """Return what was said at places that did not come, after the last frame, and not used: one line each."""
        last = self._last
        numbers = [number for number in sorted(self._by_frame) if number > last and number not in self._used]
        late = [*(entry for number in numbers for entry in self._by_frame[number].values()), *self._waiting]
        return [f"{entry.what}: was not reached; the last frame is {last}" for entry in late]

    def _found(self, image: RGBImage, entry: Entry) -> Mask:
        assert isinstance(entry.said, Prompt)
        return find_object(image, entry.said, entry.what, self._accept, self._warn)

    def _put(self, entry: Entry, number: int) -> None:
        at = self._by_frame.setdefault(number, {})
        if entry.object_id in at:
            other = at[entry.object_id].what
            raise UsageError(
                f"object {entry.object_id} is said twice in frame {number}: {other} and {entry.what}; give it once, or "
                "another number"
            )
        at[entry.object_id] = entry

    def _check_clicks(self) -> None:
        """Clicks have to be in the frame; those beside an object say nothing where it is not followed yet."""
        size = self._source.info.height, self._source.info.width
        unknown = {entry.object_id for entry in self._waiting}  # nobody knows which comes first
        for entry in self._waiting:
            if isinstance(entry.said, Prompt):
                entry.said.check_places(*size)
        for number, said in self._by_frame.items():
            for entry in said.values():
                if not isinstance(entry.said, Prompt):
                    continue
                if entry.object_id in unknown or self.corrects(entry, number):
                    entry.said.check_places(*size)
                else:
                    entry.said.check(*size)

    def _check_covered(self, number: int) -> None:
        """Of the masks that are known in a frame none may be wholly covered."""
        said = self._by_frame[number]
        known = {key: entry.said for key, entry in said.items() if isinstance(entry.said, PackedMask)}
        if len(known) > 1:
            as_labels({key: packed.mask for key, packed in known.items()}, said)
