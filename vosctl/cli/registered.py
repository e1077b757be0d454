"""Options whose words are those of a table that may change."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click


class Registered(click.Choice[str]):
    """A choice of what a table lists at the moment the command runs.

    Args:
        words: gives the words.
    """

    def __init__(self, words: Callable[[], Iterable[str]]) -> None:
        self._words = words
        super().__init__(tuple(words()))

    @property
    def choices(self) -> tuple[str, ...]:
        """The words there are now."""
        return tuple(self._words())

    @choices.setter
    def choices(self, words: Iterable[str]) -> None:
        """Ignore what click notes down when the option is made."""
