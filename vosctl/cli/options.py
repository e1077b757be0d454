"""Options that several commands share, as decorators; each group reaches the command as one request object."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import click
from click.core import ParameterSource

from vosctl.cli.completion import complete_devices, complete_weights
from vosctl.cli.groups import grouped
from vosctl.cli.registered import Registered
from vosctl.engine.providers import PROVIDERS
from vosctl.engine.table import engine_words, precision_words
from vosctl.errors import UsageError
from vosctl.network.table import networks

if TYPE_CHECKING:
    from vosctl.cli.reporting import Reporter
    from vosctl.engine.backend import PrecisionWord, ProviderWord
    from vosctl.engine.settings import EngineSettings
    from vosctl.tracking import Tracker, TrackingSettings


def frame_rate(context: click.Context, parameter: click.Parameter, value: str | None) -> Fraction | None:
    """Read frames per second, see `parse_rate`. A click callback."""
    if value is None:
        return None
    from vosctl.time_line import parse_rate

    rate = parse_rate(value)
    if rate is None:
        raise UsageError(f"--fps {value}: give frames per second, such as 25 or 30000/1001")
    return rate


decoder_option = click.option(
    "--decoder",
    type=click.Choice(["auto", "cpu", "nvdec"]),
    default="auto",
    show_default=True,
    help="What decodes the video: the CPU (auto, cpu), or an NVIDIA GPU.",
)
"""--decoder, as a `DecoderWord` named `decoder`."""


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """What the user asked for with the options of `engine_options`; see `vosctl.engine.settings.EngineSettings`."""

    weights: str
    engine: str
    device: str
    precision: PrecisionWord
    provider: ProviderWord
    threads: int
    compiled: bool = False

    def settings(self) -> EngineSettings:
        """Return the engine to be made."""
        from vosctl.engine.settings import EngineSettings

        return EngineSettings(**asdict(self))

    def tracker(self, settings: TrackingSettings) -> Tracker:
        """Load the weights into the engine and put a tracker on it."""
        from vosctl.tracking import Tracker

        return Tracker.load(**asdict(self), settings=settings)


weights_option = click.option(
    "--weights",
    default="lite",
    show_default=True,
    metavar="NAME|FILE",
    shell_complete=complete_weights,
    help="Registered weights, a .safetensors file, an official RGMP weights.pth or a folder of ONNX graphs.",
)

engine_options = grouped(
    "engine",
    EngineRequest,
    weights_option,
    click.option(
        "--engine",
        type=Registered(engine_words),
        default="auto",
        show_default=True,
        help="Library that runs the network.",
    ),
    click.option(
        "--device",
        default="auto",
        show_default=True,
        metavar="auto|cpu|cuda|cuda:N|mps",
        shell_complete=complete_devices,
        help="Where it runs.",
    ),
    click.option(
        "--precision",
        type=Registered(precision_words),
        default="auto",
        show_default=True,
        help="Number format; auto takes the fastest that is accurate enough there.",
    ),
    click.option(
        "--provider",
        type=click.Choice(["auto", *PROVIDERS]),
        default="auto",
        show_default=True,
        help="ONNX Runtime's execution provider.",
    ),
    click.option(
        "--threads",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="CPU threads of the network  [default: one for each core that may be used]",
    ),
    click.option(
        "--compile",
        "compiled",
        is_flag=True,
        help="Have torch compile the network first, which takes a while at the start; it is kept in the cache folder.",
    ),
)
"""--weights, --engine, --device, --precision, --provider, --threads, --compile: the `EngineRequest` named `engine`."""


@dataclass(frozen=True, slots=True)
class TrackingRequest:
    """What the user asked for with the options of `tracking_options`."""

    window: Literal["on", "off"] | None = None
    window_size: int = 0
    scales: str | None = None
    paper_protocol: bool = False
    on_device: bool = False
    references: Literal["1", "2"] = "2"
    temporal_smoothing: Literal["on", "off"] | None = None

    def settings(self) -> TrackingSettings:
        """Return how objects are to be followed.

        Raises:
            UsageError: options that do not go together.
        """
        from vosctl.tracking import TrackingSettings

        if self.paper_protocol:
            if self.window == "on" or self.scales or self.window_size:
                raise UsageError(
                    "--paper-protocol: leave --window, --window-size and --scales out, it sets them itself"
                )
            self._check_smoothing("--paper-protocol")
            return TrackingSettings.paper(on_device=self.on_device)
        if self.window == "off" and self.window_size:
            raise UsageError("--window-size: has no meaning with --window off")
        if self.window == "off":
            self._check_smoothing("--window off")
        if self.on_device:
            self._check_smoothing("--on-device")
        try:
            numbers = tuple(float(part) for part in self.scales.split(",")) if self.scales else (1.0,)
        except ValueError:
            raise UsageError(
                f"--scales {self.scales}: give numbers separated by commas, such as 0.5,0.75,1.0"
            ) from None
        return TrackingSettings(
            window=self.window != "off",
            window_size=self.window_size,
            scales=numbers,
            on_device=self.on_device,
            references=1 if self.references == "1" else 2,
            temporal_smoothing=None if self.temporal_smoothing is None else self.temporal_smoothing == "on",
        )

    def _check_smoothing(self, beside: str) -> None:
        if self.temporal_smoothing == "on":
            raise UsageError(f"--temporal-smoothing on: is done in crops on the CPU; leave it or {beside} out")


on_device_option = click.option(
    "--on-device",
    is_flag=True,
    help="Cut, merge and label where the network computes, with --engine torch or onnx: for a GPU.",
)
smoothing_option = click.option(
    "--temporal-smoothing",
    type=click.Choice(["on", "off"]),
    help="Average each mask with that of the frame before, carried along with the motion: less flicker, better masks.  "
    "[default: on, in crops without --on-device]",
)
_TRACKING = (
    click.option(
        "--window",
        type=click.Choice(["on", "off"]),
        help="Follow each object in a square crop around it [default: on], or run on the full frame.",
    ),
    click.option(
        "--window-size",
        type=int,
        default=0,
        metavar="PIXELS",
        help="Size of the crop for the network, a multiple of 32: smaller is faster, larger is finer; below 192 "
        "thin parts, and now and then whole objects, are lost.  "
        f"[default: {', '.join(f'{one.name} {one.crop_size}' for one in networks('follow').values())}]",
    ),
    click.option(
        "--scales",
        metavar="S[,S...]",
        help="Full frame: scales whose probabilities are averaged  [default: 1.0]",
    ),
    click.option(
        "--paper-protocol",
        is_flag=True,
        help="Full frame exactly as in the paper's tables: its padding, scales and merging.",
    ),
    on_device_option,
    smoothing_option,
)
_REFERENCES = click.option(
    "--references",
    type=click.Choice(["1", "2"]),
    default="2",
    show_default=True,
    help="Masks that an object is known by once it is corrected: the first beside the last one, or the last alone.",
)
tracking_options = grouped("tracking", TrackingRequest, *_TRACKING)
"""--window, --window-size, --scales, --paper-protocol, --on-device, --temporal-smoothing: the `TrackingRequest` named
`tracking`."""
correcting_options = grouped("tracking", TrackingRequest, *_TRACKING, _REFERENCES)
"""The same, and --references, where objects may be corrected."""


@dataclass(frozen=True, slots=True)
class ReportingRequest:
    """What the user asked for with the options of `reporting_options`."""

    quiet: bool
    verbose: bool
    as_json: bool

    def reporter(self) -> Reporter:
        """Return what tells the user of a run."""
        from vosctl.cli.reporting import Reporter

        return Reporter(self.quiet, self.verbose, self.as_json)


def _unless_quiet(context: click.Context, parameter: click.Parameter, value: bool) -> bool:
    """Refuse -v beside -q; of one that is typed and one that is a variable's, the one that is typed counts."""
    if not (value and context.params["quiet"]):
        return value
    typed = [context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in ("quiet", "verbose")]
    if typed[0] == typed[1]:
        raise UsageError("--quiet and --verbose: one prints less, the other more; give one of them")
    context.params["quiet"] = typed[0]
    return typed[1]


reporting_options = grouped(
    "reporting",
    ReportingRequest,
    click.option("-q", "--quiet", is_flag=True, is_eager=True, help="Print only warnings and errors."),
    click.option(
        "-v",
        "--verbose",
        is_flag=True,
        callback=_unless_quiet,
        help="Print more, such as when each object is lost and found.",
    ),
    click.option(
        "--json", "as_json", is_flag=True, help="Print JSON events (docs/json.md), one per line, on standard output."
    ),
)
"""-q, -v, --json, as a `ReportingRequest` named `reporting`."""
