"""Presentation times that always rise, and the nominal frame rate."""

from __future__ import annotations

from fractions import Fraction

_DISCONTINUITY_SECONDS = 10


class PresentationClock:
    """Passes a source's timestamps on untouched, and corrects only what no player could show.

    A frame without one follows the frame before it by that frame's duration. One that does not rise is put one tick
    after its predecessor; a jump back by more than ten seconds is a new start of the source's clock (joined
    recordings), so the frames after it are shifted to go on from there.

    Args:
        time_base: seconds per unit of the timestamps.
        frame_rate: used for the step where a frame's duration is not known.
    """

    def __init__(self, time_base: Fraction, frame_rate: Fraction | None) -> None:
        self._step = max(1, round(1 / ((frame_rate or Fraction(25)) * time_base)))
        self._discontinuity = round(_DISCONTINUITY_SECONDS / time_base)
        self._offset = 0
        self._last: int | None = None
        self._last_duration = 0
        self.corrected = 0

    def stamp(self, pts: int | None, duration: int) -> int:
        """Return the timestamp to use for the next frame, in the units of `pts` and `duration` (0 when unknown)."""
        stamped = self._follow(self._last, pts)
        self._last, self._last_duration = stamped, duration
        return stamped

    def _follow(self, last: int | None, pts: int | None) -> int:
        if last is None:
            return 0 if pts is None else pts
        due = last + (self._last_duration or self._step)
        if pts is None:
            return due
        shifted = pts + self._offset
        if shifted > last:
            return shifted
        self.corrected += 1
        if last - shifted <= self._discontinuity:
            return last + 1
        self._offset = due - pts
        return due


def nominal_frame_rate(guessed: Fraction | None, average: Fraction | None) -> Fraction | None:
    """Return frames per second as an exact fraction, None when neither claim is usable.

    Args:
        guessed: the rate the timestamps fit on. Exact for constant rates (30000/1001), but a multiple of the real rate
            for some variable ones, and a part of it where not every frame has a time of its own.
        average: frames divided by duration. Rounded in containers with coarse timestamps.
    """
    if guessed and (not average or average / 2 <= guessed <= 2 * average):
        return guessed
    return average or None
