"""Whether an object is followed or lost, decided from the presence that the network gives, with hysteresis."""

from __future__ import annotations

from dataclasses import dataclass, replace

# Presence below which what is marked is doubtful, when it is also below a share of what it lately was: an object that
# turns away from its reference fades slowly, one that is hidden or has left does so at once.
LOST_BELOW = 0.4
FADED = 0.6
USUAL_MEMORY = 0.9  # share kept, from frame to frame, of what the presence lately was
GONE_BELOW = 0.1  # presence below which it is lost at once
PATIENCE = 4  # doubtful frames in a row that make an object lost
# What it takes to be found: less in its own place, guided by its own mask, than anywhere, where many things are.
FOUND_ABOVE = 0.8
FOUND_IN_PLACE_ABOVE = 0.6
FOUND_AFTER_CHANGE_ABOVE = (
    0.5  # in its place, in the frames after a change of scene: a cut back, an end of black frames
)
CONFIRMED_ABOVE = 0.5  # on a second look at what was found without guidance
# What is found in another scene is lost at once below this presence, for so many frames.
TRIAL_BELOW = 0.5
TRIAL_FRAMES = 8
SURE_ABOVE = 0.8  # presence from which on what is seen is worth remembering


@dataclass(frozen=True, slots=True)
class Belief:
    """What is believed of an object after a frame.

    Attributes:
        lost: whether it is lost.
        doubtful: frames in a row in which its presence was low, though not low enough to call it lost.
        usual: what its presence lately was.
        trial: for how many frames more it is on trial, after it was found in another scene.
    """

    lost: bool = False
    doubtful: int = 0
    usual: float = 1.0
    trial: int = 0

    def after(
        self,
        presence: float,
        *,
        guided: bool = True,
        scene_changed: bool = False,
        searching: bool = False,
        elsewhere: bool = False,
    ) -> Belief:
        """After one more frame.

        Args:
            presence: of what is marked in it, 0..1.
            guided: whether a mask of the object said where it might be.
            scene_changed: the frame is another picture than the one before: what is followed has to be found in it.
            searching: the scene has changed lately.
            elsewhere: it is another scene than the one in which the object was last seen, where its place is nowhere.
        """
        if self.lost or scene_changed:
            found_above, usual = FOUND_ABOVE, presence
            if guided and not elsewhere:  # in its place, where it may be as faint as it was
                found_above = FOUND_AFTER_CHANGE_ABOVE if searching or scene_changed else FOUND_IN_PLACE_ABOVE
                usual = min(self.usual, presence)
            if presence < found_above:
                return Belief(lost=True, usual=self.usual)
            return Belief(usual=usual, trial=TRIAL_FRAMES if elsewhere else 0)
        if self.trial and presence < TRIAL_BELOW:
            return Belief(lost=True, usual=self.usual)
        usual = USUAL_MEMORY * self.usual + (1 - USUAL_MEMORY) * presence
        if presence >= min(LOST_BELOW, FADED * self.usual):
            return Belief(usual=usual, trial=max(self.trial - 1, 0))
        doubtful = self.doubtful + 1
        lost = presence < GONE_BELOW or doubtful >= PATIENCE
        trial = 0 if lost else max(self.trial - 1, 0)
        return Belief(lost=lost, doubtful=0 if lost else doubtful, usual=usual, trial=trial)

    def confirmed(self, presence: float) -> Belief:
        """After a second look, at what was found without guidance, that gave this presence, 0..1."""
        return replace(self, lost=presence < CONFIRMED_ABOVE, usual=presence)
