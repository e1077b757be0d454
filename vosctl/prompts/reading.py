"""What a prompt on a time line says of each object: its place resolved, its mask read and taken apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from vosctl.errors import UsageError
from vosctl.prompts.entries import Entry, PackedMask
from vosctl.prompts.first_objects import Tell, array_labels
from vosctl.prompts.mask_file import read_first_mask
from vosctl.prompts.places import resolved
from vosctl.prompts.timed import TimedPrompt, ids_of
from vosctl.types import Labels
from vosctl.video.sources import Source


def read_prompt(prompt: TimedPrompt, source: Source, *, fix_mask: bool, note: Tell) -> Iterator[Entry]:
    """Give what a prompt says, an entry an object.

    Args:
        prompt: the prompt.
        source: what it is of, not read yet.
        fix_mask: whether a mask file may be repaired.
        note: told of each repair of a mask and of each choice in reading it.

    Raises:
        UsageError: a place that is not in the source or not read, or a mask that does not fit.
        VosctlError: a mask cannot be read.
    """
    at = resolved(prompt.at, source, str(prompt))
    if prompt.prompt is not None and prompt.object_id is not None:
        yield Entry(at, prompt.object_id, prompt.prompt, str(prompt))
        return
    labels = _labels(prompt, (source.info.height, source.info.width), fix_mask, note)
    ids = ids_of(labels)
    if prompt.object_id is None:
        for one in ids:
            yield Entry(at, one, PackedMask.of(labels == one), str(replace(prompt, object_id=one)))
        return
    if len(ids) > 1:
        raise UsageError(f"{prompt}: its mask holds {len(ids)} objects; leave the number out, or give one object")
    yield Entry(at, prompt.object_id, PackedMask.of(labels > 0), str(prompt))


def _labels(prompt: TimedPrompt, size: tuple[int, int], fix_mask: bool, note: Tell) -> Labels:
    if prompt.mask is None or isinstance(prompt.mask, np.ndarray):
        return array_labels(np.zeros(0) if prompt.mask is None else prompt.mask, size, str(prompt))
    read = read_first_mask(prompt.mask, size, fix=fix_mask)
    for line in read.notes:
        note(line)
    return read.labels
