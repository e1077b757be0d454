"""The fuzzer's command line; see the package."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests import fuzz as package
from tests.fuzz.campaign import plan, run_campaign
from tests.fuzz.kinds import KINDS
from tests.fuzz.samples import write_samples
from tests.fuzz.worker import FINE, Outcome, use_input


def main() -> int:
    """Run a campaign and print its table and its faults; the status says whether there were any."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=package.__doc__)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--kinds", help=f"of {', '.join(KINDS)}", type=lambda text: text.split(","))
    parser.add_argument("--only", metavar="KIND:NUMBER", help="one input, in this process")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the input of --only here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vosctl-fuzz-samples-") as folder:
        samples = Path(folder)
        write_samples(samples)
        if given.only:
            kind, _, number = given.only.rpartition(":")
            if given.keep is not None:
                given.keep.mkdir(parents=True)
            print(use_input(kind, int(number), given.seed, samples, given.keep))
            return 0
        began, done = time.monotonic(), 0

        def tell(outcome: Outcome) -> None:
            nonlocal done
            done += 1
            if outcome.outcome not in FINE:
                print(f"{outcome.kind}:{outcome.number} {outcome.outcome}: {outcome.detail}", flush=True)
            if done % 500 == 0:
                print(f"{done} inputs, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)

        report = run_campaign(plan(given.inputs, given.kinds), given.seed, samples, given.workers, tell=tell)
    print(report.table())
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
