"""What a shell offers when Tab is pressed; imports nothing heavy."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem


def complete_weights(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the registered names, and files."""
    from vosctl.errors import VosctlError
    from vosctl.weights.registry import registered_weights

    try:
        entries = registered_weights()
    except VosctlError:  # a damaged registry is told by the command, not here
        entries = {}
    named = [CompletionItem(name, help=one.network) for name, one in entries.items() if name.startswith(incomplete)]
    return [CompletionItem(incomplete, type="file"), *named]  # the file first: in bash it clears what came before


def complete_devices(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the words for a device."""
    words = ("auto", "cpu", "cuda", "cuda:0", "cuda:1", "mps")
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]
