"""The README of an exported folder."""

from __future__ import annotations

from vosctl.engine.graph_metadata import GraphMetadata
from vosctl.tracking.framing import CONTEXT, REFERENCE_CONTEXT
from vosctl.tracking.presence import LOST_BELOW

TEMPLATE = """\
# {weights}: video object segmentation in two ONNX graphs

Made by vosctl {version} from `{weights}` (network {network}, sha256 `{sha256}`), {precision}.
Terms of the weights: {licence}.

`reference.onnx` is run once an object, on a frame whose mask is known. `step.onnx` is run once a frame. Both read their
weights from `weights.bin`, which must lie beside them. All of this is also in the graphs' metadata.

| graph | | name | shape | type and range |
|---|---|---|---|---|
| reference | in | `image` | ({one}, {height}, {width}, 3) | uint8, RGB |
| | in | `mask` | ({one}, {height}, {width}) | float32, 0..1: the object |
| | out | {state} | fixed for a given size | float32: the reference state |
| step | in | `image` | ({objects}, {height}, {width}, 3) | uint8, RGB: the frame now |
| | in | `mask` | ({objects}, {height}, {width}) | float32, 0..1: the last probability, not thresholded |
| | in | {state} | as they came | float32 |
| | out | `probability` | ({objects}, {height}, {width}) | float32, 0..1: the object |
{presence_row}
Of the state only the mask changes from frame to frame: feed `probability` back as the next `mask`; the tensors of the
reference stay as they are, and nothing grows. Height and width are {sizes}; a reference and the steps that use it have
the same size. Several objects are a batch: concatenate their images, masks and states along the first axis{fixed}.

The network is made for square crops around the object, {context} times as wide as it ({reference_context} times
for the reference), resampled to {crop_size}x{crop_size}, and sees small objects best that way. This runs it so, with
nothing but NumPy and ONNX Runtime (vosctl itself also moves the crop on along the object's path, and keeps it wide for
a while when a part of the object is hidden):

```python
import numpy as np
import onnxruntime

reference, step = onnxruntime.InferenceSession("reference.onnx"), onnxruntime.InferenceSession("step.onnx")
HEIGHT, WIDTH, OBJECTS = {view_height}, {view_width}, {view_objects}


def crop(mask, context):  # rows and columns of the frame to look at, and their distance in pixels
    ys, xs = np.nonzero(mask > 0.5)
    scale = context * max(np.ptp(ys) / HEIGHT, np.ptp(xs) / WIDTH, 48 / HEIGHT)
    rows = ys.min() + np.ptp(ys) / 2 + (np.arange(HEIGHT) - HEIGHT / 2) * scale
    return rows, xs.min() + np.ptp(xs) / 2 + (np.arange(WIDTH) - WIDTH / 2) * scale, scale


def look(array, rows, columns):  # the crop of a frame or mask, its border continued
    rows, columns = rows.astype(int).clip(0, len(array) - 1), columns.astype(int).clip(0, array.shape[1] - 1)
    return np.stack([array[rows][:, columns]] * OBJECTS)


def follow(frames, first_mask):  # (H, W, 3) uint8 RGB each, (H, W) bool; yields (H, W) float32, 0..1
    frames, mask = iter(frames), first_mask.astype(np.float32)
    rows, columns, scale = crop(mask, {reference_context})
    first = {{"image": look(next(frames), rows, columns)[:1], "mask": look(mask, rows, columns)[:1]}}
    outputs = zip(reference.get_outputs(), reference.run(None, first))
    state = {{output.name: np.concatenate([tensor] * OBJECTS) for output, tensor in outputs}}
    for frame in frames:
        if (mask > 0.5).any():  # else the object is lost: keep looking where it was
            rows, columns, scale = crop(mask, {context})
        inputs = {{"image": look(frame, rows, columns), "mask": look(mask, rows, columns), **state}}
        {outputs}
        seen = np.pad(probability[0], 1)  # nothing beyond the crop
        y, x = ((np.arange(n) - at[0]) // scale + 1 for n, at in zip(mask.shape, (rows, columns)))
        yield (mask := seen[y.clip(0, HEIGHT + 1).astype(int)][:, x.clip(0, WIDTH + 1).astype(int)])
```
"""

PRESENCE_ROW = """\
| | out | `presence` | ({objects},) | float32, 0..1: whether what is marked is the object |
"""
OUTPUTS = 'probability = step.run(["probability"], inputs)[0]'
OUTPUTS_WITH_PRESENCE = f"""\
probability, presence = step.run(["probability", "presence"], inputs)
        if presence[0] < {LOST_BELOW}:  # what is marked is something else: the object is lost
            probability = np.zeros_like(probability)"""


def readme(metadata: GraphMetadata) -> str:
    """Return the README, in Markdown, with a loop that runs the graphs."""
    height, width = metadata.size or ("H", "W")
    objects = metadata.objects or "N"
    view_height, view_width = metadata.size or (metadata.crop_size, metadata.crop_size)
    return TEMPLATE.format(
        weights=metadata.weights,
        version=metadata.version,
        network=metadata.network,
        sha256=metadata.sha256,
        precision=metadata.precision,
        licence=metadata.licence,
        state=", ".join(f"`{name}`" for name in metadata.state_names),
        one=1 if metadata.objects else "N",
        objects=objects,
        presence_row=PRESENCE_ROW.format(objects=objects) if metadata.tells_presence else "",
        outputs=OUTPUTS_WITH_PRESENCE if metadata.tells_presence else OUTPUTS,
        height=height,
        width=width,
        sizes=f"fixed to {height} and {width}" if metadata.size else f"free, multiples of {metadata.stride}",
        fixed=f" to exactly {metadata.objects}, repeating some if need be" if metadata.objects else "",
        crop_size=metadata.crop_size,
        context=CONTEXT,
        reference_context=REFERENCE_CONTEXT,
        view_height=view_height,
        view_width=view_width,
        view_objects=metadata.objects or 1,
    )
