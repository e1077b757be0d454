"""The process one case is measured in: `python -m vosctl.benchmark.worker`, the request on standard input as JSON.

The request is {"probe": settings} or {"case": case}; the answer is one line of JSON on standard output.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vosctl.benchmark.cases import Backend, BenchmarkSettings, Case
from vosctl.errors import VosctlError


def answer(request: dict[str, Any]) -> Any:
    """Do what was asked for."""
    if "probe" in request:
        from vosctl.benchmark.backends import find_backends
        from vosctl.video.hardware import hardware_decoder

        settings = BenchmarkSettings(**request["probe"])
        for decoder in settings.decoders:
            hardware_decoder(decoder)  # raises where it cannot be had
        return [asdict(one) for one in find_backends(settings)]
    from vosctl.benchmark.measure import measure

    fields = request["case"]
    fields |= {"backend": Backend(**fields["backend"]), "clip": Path(fields["clip"]), "mask": Path(fields["mask"])}
    return asdict(measure(Case(**fields)))


def main() -> int:
    """Return the exit status; an error is one line on standard error."""
    try:
        print(json.dumps(answer(json.load(sys.stdin))))
    except VosctlError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
