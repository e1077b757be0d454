"""Files and folders on the command line."""

from __future__ import annotations

from typing import Any

import click


class GivenPath(click.Path):
    """A path that was not left empty, as by a variable that is not set: it would be the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        if value == "":
            self.fail("is empty; give a name", param, ctx)
        return super().convert(value, param, ctx)
