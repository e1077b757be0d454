"""Public names of a package that are imported on first use."""

from __future__ import annotations

import sys
from importlib import import_module

TYPE_CHECKING = False  # see `vosctl`
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazily(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """Return the `__getattr__` of a package, which imports a name when it is first asked for, and keeps it.

    Args:
        package: its `__name__`.
        homes: the public names, and the modules that define them.
    """

    def get(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(import_module(homes[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return get
