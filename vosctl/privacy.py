"""No telemetry: what the runtimes would send and store about their use is turned off before they load."""

from __future__ import annotations

import os
import sys


def turn_off_telemetry() -> None:
    """Turn off the telemetry of ONNX Runtime and OpenVINO, in this process and in those that it starts.

    ONNX Runtime looks up its maker's host when it is imported, and writes a device id and a data base into the user's
    cache; a variable of the environment stops it, and one that is set already stays as it is. OpenVINO reports its
    import through a package of its own, and has a stand-in for when that package cannot be imported.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
