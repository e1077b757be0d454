"""Train the head that tells presence for weights that have none, on clips and stills.

    python tools/train_presence.py --weights lite --videos video/train --images static/duts --images static/cats \
        --val video/val --sizes 256,320,384 --stills 1000 -o lite-presence.safetensors

The network does not change: it follows objects through clips in which they leave (made from annotated ones by
`vosctl.evaluation.absences`), told by the truth when they are lost, and looks for objects of stills in their own and in
other pictures; what it marked, with the features, is what the head learns from. `--val` clips are only judged on.
`--examples FILE` keeps the examples, for another try. Prints a log as CSV.
"""

from __future__ import annotations

import argparse
import pickle
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from vosctl.errors import told_in_a_line
from vosctl.evaluation.absences import AbsenceClip, AnnotatedClip, Kind, make_absences, read_clips
from vosctl.network.folding import fold_batch_norms
from vosctl.network.lite import Lite
from vosctl.network.presence import PresenceHead
from vosctl.training.presence.examples import Example, RecordingEngine, examples_of_batch, examples_of_clip
from vosctl.training.presence.fitting import FitSettings, fit, passing_absent, presences
from vosctl.training.samples import Samples, SampleSettings, collate
from vosctl.training.sources import find_sequences, find_stills
from vosctl.weights.checkpoint import load_checkpoint, write_head
from vosctl.weights.files import make_folder_of
from vosctl.weights.networks import build_network

DEFAULTS = FitSettings()
ONCE: tuple[Kind, ...] = ("pan", "occlusion", "look-alike")  # made of each clip once; cuts twice
LATE = (0, 3, 1, 2)  # frames in which the wrong thing is still followed, clip by clip
STILLS_BATCH = 8
PARTNERS = (1, 3, 7)  # how far away the other clip is in the list


@told_in_a_line()
def main() -> None:
    """Collect examples, or read them, fit the head, judge it, write it."""
    arguments = _arguments()
    for path in filter(None, (arguments.output, arguments.examples)):
        make_folder_of(path)  # before hours are spent on what goes there
    torch.set_num_threads(arguments.threads)
    checkpoint = load_checkpoint(arguments.weights)
    examples, judged = _examples(arguments)
    if arguments.more_examples:
        with arguments.more_examples.open("rb") as file:
            examples += pickle.load(file)[0]
    print(f"# {len(examples)} examples, {sum(e.present for e in examples)} of them present; judged on {len(judged)}")
    print("step,loss")
    began, losses = time.monotonic(), []

    def tell(step: int, loss: float) -> None:
        losses.append(loss)
        if step % 20 == 19:
            print(f"{step + 1},{np.mean(losses[-20:]):.4f}", flush=True)

    head = fit(examples, FitSettings(arguments.steps, arguments.batch, arguments.lr, arguments.seed), tell)
    print(f"# fitted in {time.monotonic() - began:.0f} s")
    if judged:
        _judge(head, judged)
    state = {f"presence.{key}": value.half().contiguous().numpy() for key, value in head.state_dict().items()}
    write_head(arguments.output, state, checkpoint.network, checkpoint.sha256)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--val", type=Path)
    parser.add_argument("--images", type=Path, action="append", default=[])
    parser.add_argument("--every", type=int, default=1, help="of the clips to learn from, take every so many")
    parser.add_argument("--stills", type=int, default=1000, help="samples made of stills and clips")
    parser.add_argument("--screens", type=int, default=0, help="the same in which a picture slides in over the object")
    parser.add_argument("--sizes", type=lambda text: [int(part) for part in text.split(",")], default=[256, 320])
    parser.add_argument("--examples", type=Path, help="file that keeps the examples; read when it is there")
    parser.add_argument(
        "--more-examples", type=Path, help="examples kept of a network with features of the same kind: learned from too"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=DEFAULTS.steps)
    parser.add_argument("--batch", type=int, default=DEFAULTS.batch)
    parser.add_argument("--lr", type=float, default=DEFAULTS.lr)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, required=True)
    return parser.parse_args()


def _examples(arguments: argparse.Namespace) -> tuple[list[Example], list[Example]]:
    kept: Path | None = arguments.examples
    if kept is not None and kept.is_file():
        with kept.open("rb") as file:
            return pickle.load(file)
    network = build_network(load_checkpoint(arguments.weights))
    if not isinstance(network, Lite):
        raise SystemExit(f"the {network.name} network has no head for presence")
    network.remove_presence()  # a head that is there plays no part
    engine = RecordingEngine(fold_batch_norms(network.eval()).to(torch.bfloat16, memory_format=torch.channels_last))
    examples = list(_of_clips(engine, read_clips(arguments.videos)[:: arguments.every], arguments.sizes))
    examples += _of_stills(engine, arguments)
    judged = list(_of_clips(engine, read_clips(arguments.val), arguments.sizes)) if arguments.val else []
    if kept is not None:
        with kept.open("wb") as file:
            pickle.dump((examples, judged), file)
    return examples, judged


def _of_clips(engine: RecordingEngine, clips: Sequence[AnnotatedClip], sizes: Sequence[int]) -> Iterator[Example]:
    for index, clip in enumerate(clips):
        held = AnnotatedClip(clip.name, list(clip.frames), clip.masks)
        others = [clips[(index + step) % len(clips)] for step in PARTNERS]
        first, second = others[index % 3], others[(index + 1) % 3]
        plain = AbsenceClip("plain", clip.name, list(held.frames), list(held.masks), [], 0, [])
        made = [plain, *make_absences(held, [first], (*ONCE, "cut")), *make_absences(held, [second], ("cut",))]
        for number, one in enumerate(made):
            late = LATE[(index + number) % len(LATE)]
            yield from examples_of_clip(engine, one, sizes[(index + number) % len(sizes)], late)
        print(f"# {clip.name}", flush=True)


def _of_stills(engine: RecordingEngine, arguments: argparse.Namespace) -> Iterator[Example]:
    stills, _ = find_stills(arguments.images)
    sequences, _ = find_sequences([arguments.videos])
    plain = SampleSettings(targets=2, max_skip=3, video_share=0.3, seed=7)
    screened = SampleSettings(targets=3, max_skip=2, video_share=0.3, seed=11, screens=1.0)
    rng = np.random.default_rng(arguments.seed)
    for name, count, settings in (("stills", arguments.stills, plain), ("screens", arguments.screens, screened)):
        samples = Samples(stills, sequences, settings)
        for start in range(0, count, STILLS_BATCH):
            size = int(rng.choice(arguments.sizes))
            batch = collate([samples[number, size] for number in range(start, start + STILLS_BATCH)])
            yield from examples_of_batch(engine, batch, int(rng.integers(1, STILLS_BATCH)))
            if start % (10 * STILLS_BATCH) == 0:
                print(f"# {name}: {start} of {count}", flush=True)


def _judge(head: PresenceHead, judged: Sequence[Example]) -> None:
    """Print what share of the absent examples passes where nearly all present ones do, by kind of clip."""
    told = presences(head, judged)
    present = np.array([example.present for example in judged])
    kinds = np.array([example.group[0] for example in judged])
    for kind in ("all", *sorted(set(kinds[~present]))):
        chosen = present | (kind == "all") | (kinds == kind)
        passing = [passing_absent(told[chosen], present[chosen], kept) for kept in (0.99, 0.98, 0.95)]
        print(
            f"# {kind}: {(~present[chosen]).sum()} absent, passing at 99/98/95 %: "
            + " / ".join(f"{p:.1%}" for p in passing)
        )
    levels = np.quantile(told[present], (0.005, 0.01, 0.02, 0.05, 0.1))
    print("# presence that 99.5/99/98/95/90 % of the present have: " + " / ".join(f"{level:.3f}" for level in levels))


if __name__ == "__main__":
    main()
