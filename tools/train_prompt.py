"""Train the prompt network: `python tools/train_prompt.py --data FOLDER --out FOLDER --hours 1.5`."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from vosctl.errors import told_in_a_line
from vosctl.network.folding import fold_batch_norms
from vosctl.network.lite import Lite
from vosctl.network.prompt import PromptNetwork
from vosctl.training.prompt.samples import Pool, PromptSamples
from vosctl.training.prompt.trainer import PromptSettings, PromptTrainer
from vosctl.training.sources import AnnotatedImage, find_sequences, find_stills
from vosctl.weights.networks import load_network

# folder of stills, weight, whether one mask may be a group
STILLS = (
    ("duts", 0.34, True),
    ("cats", 0.09, False),
    ("coco-things", 0.08, False),
    ("pennfudan", 0.05, False),
    ("davis17-first", 0.04, False),
    ("voc-instances", 0.03, False),
    ("people", 0.06, False),
    ("humans", 0.06, False),
    ("horses", 0.05, False),
)
VIDEO_WEIGHT = 0.20
HELD_OUT_EVERY = 40
"""Every so manieth image of each folder decides only whether the training gets better."""
HELD_OUT_SEQUENCES = frozenset({"hike", "surf"})


def start_from(lite: Lite) -> PromptNetwork:
    """Return a prompt network whose trunk is lite's, with an empty mask."""
    network = PromptNetwork()
    lite.encoder.stem_mask.weight.data.zero_()
    fold_batch_norms(lite)
    trunk = lite.encoder.state_dict()
    trunk["stem.bias"] = trunk.pop("stem_mask.bias")
    del trunk["stem_mask.weight"]
    missing, unknown = network.encoder.load_state_dict(trunk, strict=False)
    if unknown or any(not key.startswith("lateral") for key in missing):
        raise ValueError(f"the trunks differ: {missing}, {unknown}")
    return network


@torch.no_grad()
def even_out(network: PromptNetwork, samples: PromptSamples) -> None:
    """Scale the projections of the trunk so that features begin with a standard deviation of 1 on some pictures."""
    images = torch.from_numpy(np.stack([samples[number, 192][0] for number in range(16)])).permute(0, 3, 1, 2)
    encoder = network.encoder
    first, second, third, fourth = (feature.std() for feature in network.encode(images.float() / 255))
    projections = {
        encoder.lateral1: first,
        encoder.lateral2: second,
        encoder.lateral3: third,
        encoder.lateral4: fourth,
        encoder.lateral5: fourth,
    }
    for projection, deviation in projections.items():
        for parameter in projection.parameters():
            parameter /= deviation


def pools_of(data: Path) -> tuple[tuple[Pool, ...], tuple[Pool, ...]]:
    """Pools to train on, and pools held out."""
    train, held = [], []
    for folder, weight, grouped in STILLS:
        items, _ = find_stills([data / "static" / folder])
        kept = tuple(item for index, item in enumerate(items) if index % HELD_OUT_EVERY)
        aside = tuple(item for index, item in enumerate(items) if index % HELD_OUT_EVERY == 0)
        train.append(Pool(kept, weight, grouped))
        held.append(Pool(aside, weight, grouped))
    sequences, _ = find_sequences([data / "video" / "train"])
    for chosen, target in ((False, train), (True, held)):
        frames: tuple[AnnotatedImage, ...] = tuple(
            frame
            for sequence in sequences
            if (sequence.name in HELD_OUT_SEQUENCES) == chosen
            for frame in sequence.frames
            if frame.ids
        )
        target.append(Pool(frames, VIDEO_WEIGHT, False))
    return tuple(train), tuple(held)


@told_in_a_line()
def main() -> None:
    """Train, or go on where the folder's state ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with static/ and video/train/")
    parser.add_argument("--out", type=Path, required=True, help="folder for state, weights and logs")
    parser.add_argument("--hours", type=float, required=True, help="length of the run, over all its resumptions")
    parser.add_argument("--init", default="lite", help="weights of lite to start from")
    parser.add_argument("--size", type=int, default=192, help="side of the regions, pixels")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pause", type=Path, help="a file; training sleeps while it exists")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    lite = load_network(options.init)
    if not isinstance(lite, Lite):
        parser.error(f"--init {options.init}: not weights of lite")
    options.out.mkdir(parents=True, exist_ok=True)
    pools, held_out = pools_of(options.data)
    network = start_from(lite)
    even_out(network, PromptSamples(pools, 0))
    settings = PromptSettings(options.hours, size=options.size)
    trainer = PromptTrainer(network, pools, held_out, settings, options.out, options.pause)
    if (options.out / "state.pt").exists():
        trainer.resume()
    trainer.run()


if __name__ == "__main__":
    main()
