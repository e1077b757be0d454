"""What says where the objects are in a frame: mask files, boxes, clicks, strokes."""

from vosctl.prompts.prediction import MaskPrediction
from vosctl.prompts.prompt import Prompt, Stroke
from vosctl.prompts.segmenter import Finder, finder_for, mask_from, predict_mask

__all__ = ["Finder", "MaskPrediction", "Prompt", "Stroke", "finder_for", "mask_from", "predict_mask"]
