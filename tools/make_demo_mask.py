"""Makes the first mask of the real demo clip (a box and clicks, as a user would give them) and the README's picture.

python tools/make_demo_mask.py            # rewrites vosctl/demo/flower-mask.png
python tools/make_demo_mask.py --picture  # rewrites docs/overlay.jpg too: four frames of the overlay
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import av
import click
import numpy as np
from PIL import Image

import vosctl
from vosctl.demo import demo_clip
from vosctl.video.masks import write_indexed_png

BOX = (390, 195, 165, 160)
CLICKS = ((450, 260, True), (530, 300, True), (545, 235, False))
SHOWN = (0, 50, 95, 149)
PICTURE = Path(__file__).parent.parent / "docs" / "overlay.jpg"


@click.command()
@click.option("--picture", is_flag=True, help="Make the picture of the README too.")
def main(picture: bool) -> None:
    """Make the mask, and the picture where it is asked for."""
    clip, mask = demo_clip()
    with av.open(str(clip)) as container:
        first = next(container.decode(video=0)).to_ndarray(format="rgb24")
    write_indexed_png(mask, vosctl.mask_from(first, box=BOX, points=CLICKS).astype(np.uint8))
    if not picture:
        return
    with tempfile.TemporaryDirectory() as folder:
        overlay = Path(folder) / "overlay.mp4"
        vosctl.segment(clip, mask, overlay=overlay)
        with av.open(str(overlay)) as container:
            frames = [frame.to_image() for frame in container.decode(video=0)]
    width, height = frames[0].width // 2, frames[0].height // 2
    sheet = Image.new("RGB", (2 * width, 2 * height))
    for place, index in enumerate(SHOWN):
        tile = frames[index].resize((width, height), Image.Resampling.LANCZOS)
        sheet.paste(tile, (place % 2 * width, place // 2 * height))
    sheet.save(PICTURE, quality=88)


if __name__ == "__main__":
    main()
