"""Following objects, each in its own crop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosctl.engine.base import Engine
from vosctl.tracking.colours import colours_of
from vosctl.tracking.compositing import ObjectView, composite
from vosctl.tracking.crop import Crop, main_box, mask_box
from vosctl.tracking.cropped_object import CroppedObject, Sighting
from vosctl.tracking.follower import ObjectFollower
from vosctl.tracking.framing import Framing
from vosctl.tracking.keeping import KeptValue, Reference
from vosctl.tracking.merging import soft_aggregation
from vosctl.tracking.presence import SURE_ABOVE, Belief
from vosctl.tracking.references import FirstReferences, reference_of
from vosctl.tracking.results import TrackedFrame
from vosctl.tracking.scene_change import Change, SceneChange, is_another
from vosctl.tracking.search import AFTER_CHANGE, MOST_VIEWS, View, views_all_over
from vosctl.tracking.smoothing import smoothed
from vosctl.types import Mask, SoftMask
from vosctl.video.planar import Picture

# In crop pixels: what counts as seen, and what it takes to be found again after a loss.
SEEN_PIXELS = 16
FOUND_PIXELS = 48
# Where the network does not tell an object's presence, its mean probability and its size have to.
FOUND_SCORE = 0.75
FOUND_GROWTH = 2.0  # against the object's area; what is larger is something else


class CropFollower(ObjectFollower[CroppedObject]):
    """Follows objects in their crops; all crops of a frame go through the network together.

    Args:
        engine: the engine.
        height: height of the frames in pixels.
        width: width of the frames in pixels.
        size: side in pixels the crops are resampled to.
        references: the objects' first references.
        resumable: whether the references are kept, for `keep`.
        most_views: that are looked at together when objects are searched; fewer take less memory.
        smooths: whether what is given out is smoothed through time.
    """

    def __init__(
        self,
        engine: Engine[Any],
        height: int,
        width: int,
        size: int,
        references: FirstReferences,
        *,
        resumable: bool = False,
        most_views: int = MOST_VIEWS,
        smooths: bool = False,
    ) -> None:
        super().__init__(resumable=resumable)
        self._smooths = smooths
        self._most_views = most_views
        self._engine = engine
        self._references = references
        self._height, self._width = height, width
        self._size = size
        self._scene = SceneChange()
        self._search_frames = 0  # for how many frames more the whole frame is searched
        self._is_cut = False  # whether the frame is the first one of another scene

    @property
    def references(self) -> dict[int, int]:
        """See `Follower.references`."""
        return {object_id: 2 if one.joined else 1 for object_id, one in self._objects.items()}

    def add(self, frame: Picture, masks: Mapping[int, Mask]) -> None:
        """See `Follower.add`."""
        if self._scene.before is None:  # a cut may come with the next frame
            self._scene.between(frame)
        super().add(frame, masks)

    def remove(self, object_id: int, *, corrected: bool = False) -> None:
        """See `Follower.remove`."""
        super().remove(object_id)
        if not corrected:
            self._references.forget(object_id)

    def _referenced(self, object_id: int, frame: Picture, mask: Mask, *, alone: bool = False) -> CroppedObject:
        box = mask_box(mask)
        if box is None:
            raise ValueError("the mask is empty")
        reference, framing = reference_of(frame, mask, box, self._size), Framing.of_box(box, self._size)
        own = self._engine.encode_reference(reference.image, reference.mask)
        before = self._objects.get(object_id)
        again = before is not None and before.first is None and object_id in self._given
        state, first = self._references.take(object_id, reference, own, again=again, alone=alone)
        probability = framing.crop.cut_mask(mask.astype(np.float32))
        return CroppedObject(
            state,
            probability,
            framing,
            framing.crop,
            float(np.count_nonzero(mask)),
            colours=colours_of(reference.image, reference.mask),
            first=first,
            joined=state is not own,
            reference=reference if self._resumable else None,
            shown=smoothed(framing.crop.cut(frame), probability, None) if self._smooths else None,
        )

    def _restored(self, object_id: int, values: Mapping[str, Any]) -> CroppedObject:
        reference: Reference = values["reference"]
        recent: Reference | None = values["recent_reference"]
        first, joined = values.get("first"), values.get("joined") is True  # an earlier release did not keep them
        return CroppedObject(
            state=self._references.restore(object_id, reference, first, joined=joined),
            recent=None if recent is None else self._engine.encode_reference(recent.image, recent.mask),
            **values,
        )

    def _keep_more(self) -> dict[str, KeptValue]:
        scene = {"scene": self._scene.before, "small": self._scene.small, "moved": self._scene.moved}
        return {**scene, "search_frames": self._search_frames}

    def _restore_more(self, more: Mapping[str, Any]) -> None:
        self._scene.before, self._search_frames = more["scene"], more["search_frames"]
        self._scene.small, self._scene.moved = more.get("small"), more.get("moved")  # not kept by earlier releases

    def _as_seen(self, one: CroppedObject, mask: SoftMask) -> SoftMask:
        return one.seen_in.cut_mask(mask)

    def _cut(self, one: CroppedObject, covered: Mask) -> NDArray[np.bool_]:
        if one.shown is not None:
            cover = self._as_seen(one, covered.astype(np.float32))
            one.shown = replace(one.shown, probability=one.shown.probability * (1 - cover))
        return super()._cut(one, covered)

    def _in_frame(self, one: CroppedObject) -> Mask:
        return np.asarray(one.seen_in.to_frame(one.probability, 0, 0, self._width, self._height) > 0.5)

    def _look(self, frame: Picture, followed: list[CroppedObject]) -> list[SoftMask]:
        images = np.stack([one.seen_in.cut(frame) for one in followed])
        guidance = np.stack([one.probability for one in followed])
        return list(self._engine.propagate(images, guidance, [one.state for one in followed]).probabilities)

    def step(self, frame: Picture) -> TrackedFrame:
        """Follow every object into the next frame."""
        before, change = self._scene.before, self._scene.between(frame)
        if not self._objects:  # one may be given in this frame, which the next one is compared with
            self._given.clear()
            return composite((), self._height, self._width)
        return self._follow(frame, before, change)

    def _follow(self, frame: Picture, before: NDArray[np.int16] | None, change: Change) -> TrackedFrame:
        """Follow the objects into the next frame.

        Args:
            frame: the frame.
            before: the scene in the frame before, see `SceneChange.before`.
            change: what lies between the two.
        """
        changed, self._is_cut = change != "none", change == "cut"
        self._given.clear()
        followed = list(self._objects.values())
        self._search_frames = AFTER_CHANGE if changed else max(self._search_frames - 1, 0)
        sightings = self._sight(frame, followed, [one.next_view() for one in followed], changed)
        if self._search_frames:
            sightings = self._search(frame, followed, sightings)
        sightings = self._confirmed(frame, followed, sightings)
        # what is not the object is no mask, takes nothing from the others, and guides nothing
        claims = [
            np.zeros_like(seen.probability) if seen.belief is not None and seen.belief.lost else seen.probability
            for seen in sightings
        ]
        merged = _merge(followed, [seen.crop for seen in sightings], claims)
        if changed:  # what was shown before is of another picture
            for one in followed:
                one.shown = None
        views = [
            self._update(object_id, one, sighting, probability)
            for (object_id, one), sighting, probability in zip(self._objects.items(), sightings, merged, strict=True)
        ]
        for one in followed:
            if changed and one.scene is None and (one.frames_lost == 1 or one.belief.trial):
                one.scene = before
            one.settle()
        return composite(views, self._height, self._width)

    def _sight(
        self, frame: Picture, followed: Sequence[CroppedObject], views: Sequence[View], scene_changed: bool
    ) -> list[Sighting]:
        """Show the network one view of each of some objects."""
        images = [view.crop.cut(frame) for view in views]
        states = [one.state for one in followed]
        # in its place it is also compared with how it last looked there
        again = [index for index, (one, view) in enumerate(zip(followed, views, strict=True)) if one.remembers(view)]
        step = self._engine.propagate(
            np.stack([*images, *(images[index] for index in again)]),
            np.stack([view.guidance for view in (*views, *(views[index] for index in again))]),
            [*states, *(followed[index].recent for index in again)],
        )
        presence = np.ones(len(views), np.float32)
        if step.presence is not None:
            presence = step.presence[: len(views)].copy()
            presence[again] = (presence[again] + step.presence[len(views) :]) / 2
        sightings = []
        for index, (one, view) in enumerate(zip(followed, views, strict=True)):
            probability, belief, told = step.probabilities[index], None, float(presence[index])
            guided, likely = bool(view.guidance.any()), told
            if step.presence is not None:
                if self._is_cut or (one.lost and one.scene is not None):
                    likely = one.presence_by_colours(images[index], probability, told)
                if self._is_elsewhere(one) or not guided:
                    told = likely
                belief, told = self._judged(one, _pixels(probability), told, guided=guided, scene_changed=scene_changed)
            seen = Sighting(view.crop, probability, step.states[index], images[index], belief, told, likely, guided)
            sightings.append(seen)
        return sightings

    def _judged(
        self, one: CroppedObject, pixels: int, presence: float, *, guided: bool, scene_changed: bool = False
    ) -> tuple[Belief, float]:
        """Return what is believed of an object after one more look, and its presence, 0 where too little is marked."""
        sure = presence if pixels >= (FOUND_PIXELS if one.lost else SEEN_PIXELS) else 0.0
        belief = replace(one.belief, lost=one.lost).after(
            sure,
            guided=guided,
            scene_changed=scene_changed,
            searching=self._search_frames > 0,
            elsewhere=self._is_elsewhere(one),
        )
        return belief, sure

    def _is_elsewhere(self, one: CroppedObject) -> bool:
        """Return whether this frame shows another scene than that in which an object was last followed."""
        if not one.frames_lost and not one.belief.trial:
            return self._is_cut
        now = self._scene.before
        return now is not None and one.scene is not None and is_another(now, one.scene)

    def _search(
        self, frame: Picture, followed: Sequence[CroppedObject], sightings: Sequence[Sighting]
    ) -> list[Sighting]:
        """Look all over the frame for the objects that are not seen; return the best sighting of each."""
        best = list(sightings)
        missing = [index for index, seen in enumerate(sightings) if seen.belief is not None and seen.belief.lost]
        waiting = ((index, view) for index in missing for view in self._views_all_over(followed[index]))
        while asked := list(islice(waiting, self._most_views)):
            lost = [replace(followed[index], lost=True) for index, _ in asked]
            found = self._sight(frame, lost, [view for _, view in asked], scene_changed=False)
            for (index, _), sighting in zip(asked, found, strict=True):
                if sighting.is_better(best[index], fuller=followed[index].lost):
                    best[index] = sighting
        return best

    def _confirmed(
        self, frame: Picture, followed: Sequence[CroppedObject], sightings: Sequence[Sighting]
    ) -> list[Sighting]:
        """Look once more, as at what is followed, at objects that were found where nothing said that they might be.

        What is something else after all is lost again; of the others the second look, which shows them better, counts.
        """
        confirmed = list(sightings)
        asked = [
            (index, View(crop, crop.resample(seen.probability, seen.crop)))
            for index, (one, seen) in enumerate(zip(followed, sightings, strict=True))
            if (crop := self._crop_to_confirm(one, seen)) is not None
        ]
        if not asked:
            return confirmed
        lost = [replace(followed[index], lost=True) for index, _ in asked]
        looks = self._sight(frame, lost, [view for _, view in asked], scene_changed=False)
        for (index, _), look in zip(asked, looks, strict=True):
            belief = sightings[index].belief
            if belief is not None:
                confirmed[index] = replace(look, belief=belief.confirmed(look.presence), guided=False)
        return confirmed

    def _crop_to_confirm(self, one: CroppedObject, seen: Sighting) -> Crop | None:
        """Return the crop of what was found where nothing said that it might be; None when it was not."""
        if seen.guided or seen.belief is None or seen.belief.lost:
            return None
        box = main_box(seen.probability > 0.5)
        return None if box is None else Framing.of_box(seen.crop.box_in_frame(box), self._size).crop

    def _views_all_over(self, one: CroppedObject) -> Iterator[View]:
        side = one.framing.crop.side
        if one.sure is not None:
            yield one.sure
            side = one.sure.crop.side
        yield from views_all_over(self._height, self._width, side, self._size)

    def _update(self, object_id: int, one: CroppedObject, sighting: Sighting, probability: SoftMask) -> ObjectView:
        """Store what was seen, decide whether the object is lost, and move or widen its crop."""
        crop, mask = sighting.crop, probability > 0.5
        pixels = int(np.count_nonzero(mask))
        score = float(probability[mask].mean()) * sighting.presence if pixels else 0.0
        seen = self._is_seen(one, sighting.belief, pixels, score, pixels / crop.scale**2)
        box = main_box(mask) if seen else None
        if sighting.belief is not None:
            one.belief = sighting.belief
            self._remember(one, sighting, seen)
        one.seen_in, one.probability = crop, probability
        self._advance(one, sighting.state)
        before, one.shown = None if one.lost or not sighting.guided else one.shown, None
        one.move(crop, box, pixels, self._height, self._width)
        if self._smooths and not one.lost:
            one.shown = smoothed(sighting.image, probability, before)
            probability = one.shown.probability
        presence = None if sighting.belief is None else sighting.presence
        return ObjectView(object_id, crop, probability, score, one.lost, presence)

    def _is_seen(self, one: CroppedObject, belief: Belief | None, pixels: int, score: float, area: float) -> bool:
        """Return whether what is left to an object after merging counts as seen.

        Args:
            one: the object, as it was before this frame.
            belief: what is believed of it now; None where the network does not tell presence.
            pixels: that it has in its crop.
            score: see `TrackedObject`.
            area: in frame pixels.
        """
        if belief is not None:
            return not belief.lost and pixels >= SEEN_PIXELS  # others may have taken it
        if one.lost:
            return pixels >= FOUND_PIXELS and score >= FOUND_SCORE and area <= FOUND_GROWTH * one.area
        return pixels >= SEEN_PIXELS

    def _remember(self, one: CroppedObject, sighting: Sighting, seen: bool) -> None:
        """Keep how the object looks while it is seen; make a reference of it when it gets lost."""
        if one.sure is None:
            one.sure = View(one.seen_in, one.probability)  # the mask that was given
        if seen and sighting.presence >= SURE_ABOVE and not one.belief.trial:
            one.sure, one.sure_image = View(sighting.crop, sighting.probability), sighting.image
        elif not seen and not one.lost and one.sure_image is not None:
            one.recent = self._engine.encode_reference(one.sure_image, one.sure.guidance)
            if self._resumable:
                one.recent_reference = Reference(one.sure_image, one.sure.guidance)


def _pixels(probability: SoftMask) -> int:
    return int(np.count_nonzero(probability > 0.5))


def _merge(
    followed: Sequence[CroppedObject], crops: Sequence[Crop], probabilities: Sequence[SoftMask]
) -> list[SoftMask]:
    """Merge the objects by soft aggregation, each in its own crop, against those whose crops reach into it.

    Objects that yield take nothing away from those that do not.
    """
    merged = []
    for index, (crop, probability) in enumerate(zip(crops, probabilities, strict=True)):
        others = [
            crop.resample(probabilities[other], crops[other])
            for other in range(len(crops))
            if other != index and crop.overlaps(crops[other]) and (followed[index].yields or not followed[other].yields)
        ]
        merged.append(soft_aggregation(np.stack([probability, *others]))[1] if others else probability)
    return merged
