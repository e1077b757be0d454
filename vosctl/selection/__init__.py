"""Choosing objects: masks from boxes, strokes and points, and the window in which they are drawn."""

from vosctl.selection.grabcut import mask_from_box, mask_from_points, mask_from_stroke, refine_mask

__all__ = ["mask_from_box", "mask_from_points", "mask_from_stroke", "refine_mask"]
