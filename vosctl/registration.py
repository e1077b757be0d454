"""Tables of what there is to choose from, and how a program or a test puts something else into one for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

Value = TypeVar("Value")


@contextmanager
def registered(table: dict[str, Value], name: str, value: Value) -> Iterator[Value]:
    """Put a value into a table, in the place of one of the same name, for as long as the block lasts."""
    before = dict(table)
    table[name] = value
    try:
        yield value
    finally:
        table.clear()
        table.update(before)
