"""The README of an exported folder."""

from __future__ import annotations

from vosctl.engine.graph_metadata import GraphMetadata
from vosctl.export.graphs import context_in_views
from vosctl.tracking.crop import FILL
from vosctl.tracking.framing import CONTEXT, MIN_SIDE, REFERENCE_CONTEXT
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
nothing but NumPy and ONNX Runtime. Where several objects claim a pixel, give it to the likeliest, in what is fed back
too.

What vosctl does besides: it moves the crop on along the object's path, smoothed, and makes it wider the less the
object was where it was expected, or while a part of it is hidden; it leaves specks out of it that are far from the
object; it feeds back what the network marks beyond the frame, too; it compares a lost object with how it looked last,
and searches the frame for it; and it averages what it gives out with the frame before, along the motion of the picture.
Without the last (`TrackingSettings(temporal_smoothing=False)`), while an object is in sight and smaller than the frame,
the masks are nearly the same: with `lite` in 99.9 % of the pixels of each of 16 frames of `vosctl demo`'s clips. Of one
that fills two thirds of the frame it was 94.9 % in the worst frame: so large, its outline depends on where exactly the
crop lies.

```python
import numpy as np
import onnxruntime

reference, step = onnxruntime.InferenceSession("reference.onnx"), onnxruntime.InferenceSession("step.onnx")
HEIGHT, WIDTH, OBJECTS = {view_height}, {view_width}, {view_objects}
FILL = {fill}  # beyond the frame: the mean colour of the pictures that the network was made for


def crop(mask, context):  # top, left: where in the frame to look; scale: of its pixels to one of the crop
    ys, xs = np.nonzero(mask > 0.5)
    height, width = np.ptp(ys) + 1, np.ptp(xs) + 1
    scale = max(context * height / HEIGHT, context * width / WIDTH, {least_side} / HEIGHT)
    return ys.min() + (height - scale * HEIGHT) / 2, xs.min() + (width - scale * WIDTH) / 2, scale


def shares(start, scale, count, length):  # (count, length): of pixels in places so far apart; linear, without aliasing
    def near(distance):
        return (1 - np.abs(distance) / max(scale, 1)).clip(0)

    places = start + (np.arange(count) + 0.5) * scale - 0.5
    whole = near(places[:, None] % 1 - np.arange(-int(scale) - 1, int(scale) + 3)).sum(1, keepdims=True)
    return (near(places[:, None] - np.arange(length)) / whole).astype(np.float32)


def look(array, top, left, scale, fill):  # the crop of (H, W, C), which is `fill` beyond the frame: (HEIGHT, WIDTH, C)
    y, x = shares(top, scale, HEIGHT, array.shape[0]), shares(left, scale, WIDTH, array.shape[1])
    seen = np.tensordot(np.tensordot(y, array.astype(np.float32), 1), x, (1, 1)).swapaxes(1, 2)
    return seen + np.float32(fill) * (1 - np.outer(y.sum(1), x.sum(1)))[..., None]


def inputs_of(frame, mask, *place):
    image, mask = look(frame, *place, FILL), look(mask[..., None], *place, 0)
    return {{"image": np.stack([image.round().astype(np.uint8)]), "mask": np.stack([mask[..., 0].clip(0, 1)])}}


def follow(frames, first_mask):  # (H, W, 3) uint8 RGB each, (H, W) bool; yields (H, W) float32, 0..1
    frames, mask = iter(frames), first_mask.astype(np.float32)
    first = inputs_of(next(frames), mask, *crop(mask, {reference_context}))
    state = dict(zip([output.name for output in reference.get_outputs()], reference.run(None, first)))
    for frame in frames:
        if (mask > 0.5).any():  # else the object is lost: keep looking where it was
            top, left, scale = crop(mask, {context})
        inputs = {{**inputs_of(frame, mask, top, left, scale), **state}}
        inputs = {{name: np.concatenate([tensor] * OBJECTS) for name, tensor in inputs.items()}}
        {outputs}
        y = shares(-top / scale, 1 / scale, frame.shape[0], HEIGHT)
        x = shares(-left / scale, 1 / scale, frame.shape[1], WIDTH)
        mask = y @ probability[0] @ x.T  # zero beyond the crop
        yield mask
```

## Other runtimes

The graphs need ONNX opset {opset} and nothing else: no operators of their own, no normalisation. The loop is the same
everywhere. Give inputs and take outputs by name; in OpenVINO that is `results["probability"]`, as `any_name` of an
output may be another one. onnxruntime-node finds the weights by itself. In a browser there are no files: give them to
onnxruntime-web beside each graph, as here. It was run with onnxruntime-web (WASM) and onnxruntime-node 1.30 in Node 20,
and the graphs in OpenVINO 2026.4.

```js
const read = async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer())
const externalData = [{{ path: 'weights.bin', data: await read('weights.bin') }}]
const reference = await ort.InferenceSession.create(await read('reference.onnx'), {{ externalData }})
const step = await ort.InferenceSession.create(await read('step.onnx'), {{ externalData }})
const tensors = (image, mask, n) => ({{ // Uint8Array, Float32Array
  image: new ort.Tensor('uint8', image, [n, {view_height}, {view_width}, 3]),
  mask: new ort.Tensor('float32', mask, [n, {view_height}, {view_width}]),
}})
const state = await reference.run(tensors(firstImage, firstMask, 1))
const {{ probability{js_presence} }} = await step.run({{ ...tensors(image, mask, {view_objects}), ...state }})
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


def readme(metadata: GraphMetadata, opset: int) -> str:
    """Return the README, in Markdown, with a loop that runs the graphs."""
    height, width = metadata.size or ("H", "W")
    objects = metadata.objects or "N"
    view_height, view_width = metadata.view_size
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
        fill=FILL,
        opset=opset,
        js_presence=", presence" if metadata.tells_presence else "",
        least_side=int(MIN_SIDE),
        context=context_in_views(CONTEXT, metadata),
        reference_context=context_in_views(REFERENCE_CONTEXT, metadata),
        view_height=view_height,
        view_width=view_width,
        view_objects=metadata.objects or 1,
    )
