"""What finds objects by their colour, for tests of what is around it."""

import numpy as np

from vosctl.engine.base import EngineInfo
from vosctl.prompts import MaskPrediction


def colour_finder(image, score=0.9):
    """A finder of areas of one colour: those clicked on, in the box or in the mask, less those clicked on beside."""

    def find(prompt):
        prompt.check(*image.shape[:2])
        found = np.zeros(image.shape[:2], bool)
        if prompt.mask is not None:
            found |= prompt.mask > 0.5
        elif prompt.box is not None:
            x, y, width, height = (max(round(value), 0) for value in prompt.box)
            colours, counts = np.unique(image[y : y + height, x : x + width].reshape(-1, 3), axis=0, return_counts=True)
            found |= (image == colours[counts.argmax()]).all(axis=2)
        for x, y, on_object in prompt.points:
            found[(image == image[round(y), round(x)]).all(axis=2)] = on_object
        return MaskPrediction(found.astype(np.float32), score, prompt.box)

    return find


class ColourPromptEngine:
    """A prompt engine that takes the areas of the bright colours clicked on, or the main one of the box.

    Attributes:
        regions: how many regions were encoded.
        maps: the prompt maps of every call.
    """

    info = EngineInfo("fake", "fake", "prompt", "cpu", "fp32")

    def __init__(self, size=64, tolerance=30, score=0.8):
        self.size, self.tolerance, self.score = size, tolerance, score
        self.regions = 0
        self.maps = []

    def encode(self, region):
        assert region.shape == (self.size, self.size, 3)
        self.regions += 1
        return region.astype(int)

    def segment(self, maps, features):
        self.maps.append(maps.copy())
        found = maps[3] > 0.5
        for channel, value in ((0, True), (1, False)):
            for y, x in np.argwhere(maps[channel] > 0):
                if np.ptp(features[y, x]) < 60:
                    continue
                found |= (np.abs(features - features[y, x]).max(axis=2) < self.tolerance) & value
                found &= ~((np.abs(features - features[y, x]).max(axis=2) < self.tolerance) & (not value))
        if maps[2].any():
            inside = features[maps[2] > 0]
            bright = inside[np.ptp(inside, axis=1) >= 60]
            centre = np.median(bright if len(bright) else inside, axis=0)
            found |= (np.abs(features - centre).max(axis=2) < self.tolerance) & (maps[2] > 0)
        return found.astype(np.float32), self.score
