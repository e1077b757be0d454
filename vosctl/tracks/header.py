"""What a track says before its frames: of which source it is, and how its masks came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from dataclasses import fields as dataclass_fields
from fractions import Fraction

from vosctl.errors import VosctlError
from vosctl.tracks.identity import SourceIdentity
from vosctl.video.frames import SourceInfo
from vosctl.weights.text import printable

TRACK_SUFFIX = ".vostrack"
"""Extension of a track file."""

_KINDS: dict[tuple[str, ...], type] = {
    ("source", "path", "direction"): str,
    ("prompts", "tracking", "engine", "span", "said"): dict,
    ("live",): bool,
}
"""What fields that are used as they are written have to be."""

JSON = dict[str, "JSON"] | list["JSON"] | str | int | float | bool | None
"""What can be written as JSON."""


@dataclass(frozen=True, slots=True)
class TrackHeader:
    """What a track says before its frames.

    Attributes:
        source: short name of the video.
        path: where it lay: relative to the track's folder where that is possible, "" for a stream.
        identity: what it is known again by.
        width: of its frames in pixels.
        height: of its frames in pixels.
        time_base: seconds per unit of the frames' `pts`.
        frame_rate: nominal frames per second; None when unknown.
        frame_count: frames that the source claims to have; None when unknown.
        image_rate: images per second that were asked for, where the source is images; None otherwise.
        prompts: what said where the objects are, as it was asked for, as JSON.
        tracking: the settings of the tracker, as JSON.
        engine: what was asked of the engine and what was really used, as JSON.
        span: the part of the source that it is of, as JSON: start, end, every; empty for all of it.
        max_frames: after how many frames the run was to stop; None for all.
        live: whether it is of a live run, which leaves out frames that came too fast.
        said: what is said of which object in which frame, masks where they are known, as JSON: prompts, direction,
            accept_doubtful; empty where all is said in the first frame.
        direction: which ways objects are followed from what is said of them, where `said` does not tell: both, forward.
    """

    source: str
    path: str
    identity: SourceIdentity
    width: int
    height: int
    time_base: Fraction
    frame_rate: Fraction | None
    frame_count: int | None = None
    image_rate: Fraction | None = None
    prompts: dict[str, JSON] = field(default_factory=dict)
    tracking: dict[str, JSON] = field(default_factory=dict)
    engine: dict[str, JSON] = field(default_factory=dict)
    span: dict[str, JSON] = field(default_factory=dict)
    max_frames: int | None = None
    live: bool = False
    said: dict[str, JSON] = field(default_factory=dict)
    direction: str = "both"

    @classmethod
    def of(cls, info: SourceInfo, identity: SourceIdentity | None = None, path: str = "") -> TrackHeader:
        """Return the header for a source, without prompts and settings."""
        return cls(
            info.name,
            path,
            identity or SourceIdentity.of(()),
            info.width,
            info.height,
            info.time_base,
            info.frame_rate,
            info.frame_count,
        )

    def to_json(self) -> dict[str, JSON]:
        """As it is written; fractions become text."""
        fields = asdict(self)
        for name in ("time_base", "frame_rate", "image_rate"):
            fields[name] = None if fields[name] is None else str(fields[name])
        return fields

    @classmethod
    def from_json(cls, fields: Mapping[str, JSON]) -> TrackHeader:
        """Read what `to_json` wrote; what a later vosctl says beyond it in the same format is left aside.

        Raises:
            ValueError: something is missing or of another kind.
        """
        try:
            for names, kind in _KINDS.items():
                if wrong := [name for name in names if not isinstance(fields.get(name, kind()), kind)]:
                    raise ValueError(f"{wrong[0]} is none")
            known = [field.name for field in dataclass_fields(cls)]
            made = cls(**{name: fields[name] for name in known if name in fields})  # type: ignore[arg-type]  # checked below
            made = replace(
                made,
                identity=SourceIdentity(**fields["identity"]),  # type: ignore[arg-type]
                time_base=Fraction(made.time_base),
                frame_rate=None if made.frame_rate is None else Fraction(made.frame_rate),
                image_rate=None if made.image_rate is None else Fraction(made.image_rate),
            )
            sides = (made.width, made.height)
            if not all(isinstance(side, int) and 0 < side < 1 << 16 for side in sides) or made.time_base <= 0:
                raise ValueError("of no size")
            if made.max_frames is not None and not (isinstance(made.max_frames, int) and made.max_frames > 0):
                raise ValueError("of no number of frames")
        except (KeyError, TypeError, OverflowError, ZeroDivisionError) as error:
            raise ValueError(str(error)) from error
        return made

    def check_source(self, info: SourceInfo, identity: SourceIdentity, track: str) -> None:
        """Make sure that a source is the one that the track is of.

        Raises:
            VosctlError: it is another one.
        """
        if (info.width, info.height) != (self.width, self.height):
            raise VosctlError(
                f"{track}: is of a video of {self.width}x{self.height}, and {info.name} is "
                f"{info.width}x{info.height}; give the video that it was made from, {printable(self.source)}"
            )
        if not self.identity.matches(identity):
            raise VosctlError(
                f"{track}: is of another video than {info.name}; give the one that it was made from, "
                f"{printable(self.source)}"
            )
