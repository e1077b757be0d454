"""Whether an object is followed or lost, decided from the presence that the network gives, with hysteresis."""

from __future__ import annotations

from dataclasses import dataclass

LOST_BELOW = 0.4  # presence below which what is marked is doubtful: lost when it stays so
GONE_BELOW = 0.1  # presence below which it is lost at once
PATIENCE = 4  # doubtful frames in a row that make an object lost
# What it takes to be found: less in its own place, guided by its own mask, than anywhere, where many things are.
FOUND_ABOVE = 0.8
FOUND_IN_PLACE_ABOVE = 0.6
SURE_ABOVE = 0.8  # presence from which on what is seen is worth remembering


@dataclass(frozen=True, slots=True)
class Belief:
    """What is believed of an object after a frame.

    Attributes:
        lost: whether it is lost.
        doubtful: frames in a row in which its presence was low, though not low enough to call it lost.
    """

    lost: bool = False
    doubtful: int = 0

    def after(self, presence: float, *, guided: bool = True, scene_changed: bool = False) -> Belief:
        """After one more frame.

        Args:
            presence: of what is marked in it, 0..1.
            guided: whether a mask of the object said where it might be.
            scene_changed: the frame is another picture than the one before: what is followed has to be found in it.
        """
        if self.lost or scene_changed:
            return Belief(lost=presence < (FOUND_IN_PLACE_ABOVE if guided else FOUND_ABOVE))
        if presence >= LOST_BELOW:
            return Belief()
        doubtful = self.doubtful + 1
        if presence < GONE_BELOW or doubtful >= PATIENCE:
            return Belief(lost=True)
        return Belief(doubtful=doubtful)
