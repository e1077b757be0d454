import numpy as np

from tests.helpers.prompts import ColourPromptEngine
from vosctl.prompts.mirrored import MirroredEngine


class Leaning(ColourPromptEngine):
    """Finds the left half of everything."""

    def segment(self, maps, features):
        found = np.zeros((self.size, self.size), np.float32)
        found[:, : self.size // 2] = features[0, 0, 0] / 255
        return found, float(maps[0].argmax())


def test_both_views_are_asked_and_laid_over_each_other():
    engine = MirroredEngine(Leaning())
    region = np.zeros((64, 64, 3), np.uint8)
    region[0, 0], region[0, -1] = 255, 51
    maps = np.zeros((5, 64, 64), np.float32)
    maps[0, 0, 10] = 1
    probability, score = engine.segment(maps, engine.encode(region))
    assert np.allclose(probability[:, :32], 0.5)
    assert np.allclose(probability[:, 32:], 0.1)
    assert score == (10 + 53) / 2
