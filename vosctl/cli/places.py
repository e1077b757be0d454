"""Options that name places on the time line of a video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from vosctl.cli.groups import grouped
from vosctl.errors import UsageError
from vosctl.time_line import Place, Span


class PlaceType(click.ParamType):  # type: ignore[type-arg]  # generic only in recent releases of click
    """The number of a frame, or a time."""

    name = "FRAME|TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        """Read a place."""
        if isinstance(value, Place):
            return value
        try:
            return Place.parse(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


@dataclass(frozen=True, slots=True)
class RangeRequest:
    """What the user asked for with the options of `range_options`."""

    start: Place | None
    end: Place | None
    every: int

    def span(self) -> Span:
        """Return the part of the video that is wanted.

        Raises:
            UsageError: it has no frame.
        """
        return Span(self.start, self.end, self.every)


range_options = grouped(
    "part",
    RangeRequest,
    click.option(
        "--start",
        type=PlaceType(),
        help="Begin with this frame: its number from 0, or a time: 12.5s, 1:23.4, 1:02:03.  [default: the first]",
    ),
    click.option("--end", type=PlaceType(), help="End before this frame, likewise.  [default: the source's end]"),
    click.option(
        "--every", type=click.IntRange(min=1), default=1, metavar="N", help="Take one in N frames.  [default: all]"
    ),
)
"""--start, --end, --every, as a `RangeRequest` named `part`."""
