"""Clips made from annotated ones, in which the object leaves and comes back, or something else comes close to it.

What is made depends on the clips alone: the same ones give the same frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from vosctl.datasets import find_sequences, read_annotation
from vosctl.errors import VosctlError
from vosctl.types import Mask, RGBImage
from vosctl.video.sources.pictures import read_image

Kind = Literal["plain", "pan", "cut", "black", "occlusion", "look-alike", "bystander"]

LEAD = 12  # frames before anything happens
SWEEP = 8  # frames in which the view pans away, or back
PAN_HOLD = 14  # frames that the view rests away from the object
CUT_HOLD = 10  # frames of another clip, or of black
SLIDE = 6  # frames in which an occluder comes in front of the object, or goes
OCCLUSION_HOLD = 10  # frames that the object is hidden for
AFTER = 16  # frames that are looked at once the object is back
PASSING = 24  # frames in which something passes
FAR = 1.5  # from where it comes: the distance of the middles, in units of that at which the two touch
CLOSE = 1.05  # where a bystander stops
VIEW_SHARES = (0.7, 0.6, 0.5, 0.4)  # of the frame's sides: the largest view that can look away from the object
LEAST_IN_VIEW = 0.6  # share of the object that a view must show before it pans away
LARGEST_HIDDEN = 0.6  # of the frame's width: an object any wider is not hidden by something that slides in


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedClip:
    """One object in one clip.

    Attributes:
        name: the clip's.
        frames: (H, W, 3) uint8 RGB each, at least two.
        masks: (H, W) each, the object.
    """

    name: str
    frames: Sequence[RGBImage]
    masks: Sequence[Mask]

    def at(self, time: int) -> int:
        """Return the frame to show at a time: forwards to the last frame, then backwards, and so on."""
        last = len(self.frames) - 1
        return last - abs(time % (2 * last) - last)


def read_clips(root: Path) -> list[AnnotatedClip]:
    """Return the clips of a data set in the DAVIS layout; all ids are one object. Frames are read when needed.

    Raises:
        VosctlError: an annotation cannot be read, or a clip has fewer than two annotated images.
    """
    clips = []
    for sequence in find_sequences(root):
        stems = [stem for stem in sequence.images if stem in sequence.annotations]
        if len(stems) < 2:
            raise VosctlError(f"sequence {sequence.name!r} has {len(stems)} annotated image(s), at least 2 are needed")
        masks = [read_annotation(sequence.annotations[stem]) > 0 for stem in stems]
        clips.append(AnnotatedClip(sequence.name, _Files([sequence.images[stem] for stem in stems]), masks))
    return clips


class _Files(Sequence[RGBImage]):
    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> RGBImage:  # type: ignore[override]
        return read_image(self._paths[index])


@dataclass(frozen=True, slots=True, eq=False)
class AbsenceClip:
    """A made clip.

    Attributes:
        kind: what happens in it.
        name: of the clip it was made from, and of the other one.
        frames: (H, W, 3) uint8 RGB each.
        masks: (H, W) each, what is to be seen of the object.
        others: (H, W) each, what is to be seen of the thing that passes.
        back: the first frame in which what happened is over.
        plain: for each frame the original one, where the view is the same; empty where it is not.
    """

    kind: Kind
    name: str
    frames: list[RGBImage]
    masks: list[Mask]
    others: list[Mask]
    back: int
    plain: list[int]


def make_absences(clip: AnnotatedClip, others: Sequence[AnnotatedClip], kinds: Sequence[Kind]) -> Iterator[AbsenceClip]:
    """Make the clips of some kinds.

    Args:
        clip: the one whose object leaves.
        others: clips that are cut to, and whose objects pass by: each makes one clip of those kinds.
        kinds: what to make. A kind that does not suit the clip (no view without the object, an object that is too
            large to be hidden) is left out.
    """
    for kind in kinds:
        if kind == "pan":
            yield from _some(panned(clip))
        elif kind == "black":
            yield interrupted(clip, None)
        elif kind == "occlusion":
            yield from _some(hidden(clip, others[0]))
        else:
            make = _OF_TWO[kind]
            for other in others:
                yield from _some(make(clip, other))


def _some(made: AbsenceClip | None) -> Iterator[AbsenceClip]:
    if made is not None:
        yield made


def panned(clip: AnnotatedClip) -> AbsenceClip | None:
    """Make a view that pans away from the object, rests and pans back; None when no view can look away from it."""
    height, width = clip.masks[0].shape
    count = LEAD + 2 * SWEEP + PAN_HOLD + AFTER
    times = [clip.at(time) for time in range(count)]
    resting = range(LEAD + SWEEP, LEAD + SWEEP + PAN_HOLD)
    for share in VIEW_SHARES:
        view_height, view_width = int(height * share) // 2 * 2, int(width * share) // 2 * 2

        def towards(mask: Mask, rows: int = view_height, columns: int = view_width) -> tuple[int, int]:
            x, y, box_width, box_height = cv2.boundingRect(mask.view(np.uint8))
            left, top = x + box_width // 2 - columns // 2, y + box_height // 2 - rows // 2
            return min(max(left, 0), width - columns), min(max(top, 0), height - rows)

        def seen(mask: Mask, place: tuple[int, int], rows: int = view_height, columns: int = view_width) -> Mask:
            left, top = place
            return mask[top : top + rows, left : left + columns]

        first = clip.masks[times[0]]
        if seen(first, towards(first)).sum() < LEAST_IN_VIEW * first.sum():
            continue
        corners = [(left, top) for left in (0, width - view_width) for top in (0, height - view_height)]
        free = [c for c in corners if not any(seen(clip.masks[times[time]], c).any() for time in resting)]
        if not free:
            continue
        away = min(free, key=lambda corner: abs(corner[0] - towards(first)[0]) + abs(corner[1] - towards(first)[1]))
        places = []
        for time, index in enumerate(times):
            part = _ramp(time, LEAD, SWEEP, PAN_HOLD)
            home = towards(clip.masks[index])
            places.append(tuple(round(h + part * (a - h)) for h, a in zip(home, away, strict=True)))
        frames = [
            np.ascontiguousarray(clip.frames[index][y : y + view_height, x : x + view_width])
            for index, (x, y) in zip(times, places, strict=True)
        ]
        masks = [
            np.ascontiguousarray(seen(clip.masks[index], (place[0], place[1])))
            for index, place in zip(times, places, strict=True)
        ]
        back = LEAD + 2 * SWEEP + PAN_HOLD
        return AbsenceClip("pan", clip.name, frames, masks, [np.zeros_like(mask) for mask in masks], back, [])
    return None


def _ramp(time: int, start: int, rise: int, hold: int) -> float:
    """0 up to `start`, then up to 1, which is held, and down again, smoothly."""
    linear = min((time - start) / rise, (start + 2 * rise + hold - time) / rise)
    clipped = min(max(linear, 0.0), 1.0)
    return clipped * clipped * (3 - 2 * clipped)


def interrupted(clip: AnnotatedClip, other: AnnotatedClip | None) -> AbsenceClip:
    """Make a cut to another clip, or to black, and back; time goes on meanwhile."""
    size = clip.masks[0].shape[::-1]
    nothing = np.zeros_like(clip.masks[0])
    frames, masks, plain = [], [], []
    for time in range(LEAD + CUT_HOLD + AFTER):
        index = clip.at(time)
        frame, mask = clip.frames[index], clip.masks[index]
        if LEAD <= time < LEAD + CUT_HOLD:
            shown = None if other is None else other.frames[other.at(time - LEAD)]
            frame = np.zeros_like(frame) if shown is None else _resized(shown, size)
            mask = nothing
        frames.append(frame)
        masks.append(mask)
        plain.append(index)
    kind: Kind = "black" if other is None else "cut"
    name = clip.name if other is None else f"{clip.name} > {other.name}"
    return AbsenceClip(kind, name, frames, masks, [nothing] * len(frames), LEAD + CUT_HOLD, plain)


def _resized(frame: RGBImage, size: tuple[int, ...]) -> RGBImage:
    if frame.shape[1::-1] == size:
        return frame
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def hidden(clip: AnnotatedClip, other: AnnotatedClip) -> AbsenceClip | None:
    """Slide a picture of something else in front of the object; it hides all of it for a while and slides away."""
    width = clip.masks[0].shape[1]
    count = LEAD + 2 * SLIDE + OCCLUSION_HOLD + AFTER
    times = [clip.at(time) for time in range(count)]
    boxes = [cv2.boundingRect(clip.masks[index].view(np.uint8)) for index in times]
    panel_width, panel_height = (int(1.2 * max(box[side] for box in boxes)) + 8 for side in (2, 3))
    if panel_width > LARGEST_HIDDEN * width:
        return None
    panel = _resized(other.frames[0], (panel_width, panel_height))
    frames, masks = [], []
    for time, (index, (x, y, box_width, box_height)) in enumerate(zip(times, boxes, strict=True)):
        left, top = x + box_width // 2 - panel_width // 2, y + box_height // 2 - panel_height // 2
        from_left = x + box_width // 2 < width / 2
        outside = -panel_width if from_left else width
        place = round(outside + _ramp(time, LEAD, SLIDE, OCCLUSION_HOLD) * (left - outside))
        frame, mask = clip.frames[index].copy(), clip.masks[index].copy()
        rows, columns = (
            slice(max(top, 0), max(top + panel_height, 0)),
            slice(max(place, 0), max(place + panel_width, 0)),
        )
        target = frame[rows, columns]
        target[:] = panel[rows.start - top :, columns.start - place :][: target.shape[0], : target.shape[1]]
        mask[rows, columns] = False
        frames.append(frame)
        masks.append(mask)
    back = LEAD + 2 * SLIDE + OCCLUSION_HOLD
    return AbsenceClip("occlusion", clip.name, frames, masks, [np.zeros_like(mask) for mask in masks], back, times)


def passed(clip: AnnotatedClip, other: AnnotatedClip) -> AbsenceClip | None:
    """Move another clip's object, enlarged to this one's height, past the front of this one's; it stays in sight."""
    return _with_passer("look-alike", clip, other, ends=FAR, behind=False)


def joined(clip: AnnotatedClip, other: AnnotatedClip) -> AbsenceClip | None:
    """Move another clip's object, enlarged to this one's height, past the back of this one's; it stops beside it."""
    return _with_passer("bystander", clip, other, ends=CLOSE, behind=True)


def _with_passer(
    kind: Kind, clip: AnnotatedClip, other: AnnotatedClip, *, ends: float, behind: bool
) -> AbsenceClip | None:
    """Move another clip's object past this one's, from afar to a place on the side where there is more room."""
    height, width = clip.masks[0].shape
    count = LEAD + PASSING + AFTER
    frames, masks, others, times = [], [], [], []
    for time in range(count):
        index, passing = clip.at(time), other.at(time)
        frame, mask = clip.frames[index].copy(), clip.masks[index].copy()
        x, y, box_width, box_height = cv2.boundingRect(mask.view(np.uint8))
        cut_x, cut_y, cut_width, cut_height = cv2.boundingRect(other.masks[passing].view(np.uint8))
        if not box_height or not cut_height:
            return None
        zoom = min(box_height / cut_height, LARGEST_HIDDEN * width / cut_width)
        size = (max(int(cut_width * zoom), 1), max(int(cut_height * zoom), 1))
        part = slice(cut_y, cut_y + cut_height), slice(cut_x, cut_x + cut_width)
        cutout = cv2.resize(other.frames[passing][part], size, interpolation=cv2.INTER_AREA)
        shape = cv2.resize(other.masks[passing][part].astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        touching = (box_width + size[0]) / 2
        offset = touching * ((FAR + ends) * min(max((time - LEAD) / PASSING, 0.0), 1.0) - FAR)
        if x + box_width / 2 > width / 2:  # ends on the side where there is more room
            offset = -offset
        left, top = round(x + box_width / 2 + offset - size[0] / 2), y + box_height - size[1]
        clipped = _clipped(left, top, size, width, height)
        seen = np.zeros_like(mask)
        if clipped is not None:
            (rows, columns), (own_rows, own_columns) = clipped
            pasted = shape[own_rows, own_columns]
            if behind:
                pasted = pasted & ~mask[rows, columns]
            frame[rows, columns][pasted] = cutout[own_rows, own_columns][pasted]
            seen[rows, columns] = pasted
        frames.append(frame)
        masks.append(mask & ~seen)
        others.append(seen)
        times.append(index)
    return AbsenceClip(kind, f"{clip.name} < {other.name}", frames, masks, others, LEAD + PASSING, times)


def _clipped(
    left: int, top: int, size: tuple[int, int], width: int, height: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
    """Return where a cut-out lies in the frame, and which part of it that is; None when it lies outside."""
    right, bottom = min(left + size[0], width), min(top + size[1], height)
    begin_x, begin_y = max(left, 0), max(top, 0)
    if right <= begin_x or bottom <= begin_y:
        return None
    inside = slice(begin_y, bottom), slice(begin_x, right)
    return inside, (slice(begin_y - top, bottom - top), slice(begin_x - left, right - left))


_OF_TWO: dict[Kind, Callable[[AnnotatedClip, AnnotatedClip], AbsenceClip | None]] = {
    "cut": interrupted,
    "look-alike": passed,
    "bystander": joined,
}

KINDS: tuple[Kind, ...] = ("pan", "cut", "black", "occlusion", "look-alike", "bystander")
