"""What is counted while a video is read and told at its end: frames lost or damaged, times that were corrected."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from vosctl.video.sources.containers import ContinuousPackets
from vosctl.video.sources.decoding import Decoder


def tallies(
    label: str,
    frames: int,
    packets: ContinuousPackets,
    decoder: Decoder,
    *,
    lacking: tuple[Fraction, Fraction] | None,
    corrected: int,
    known_troubles: Sequence[str],
) -> list[str]:
    """Return a line for each thing that went wrong without stopping the reading.

    Args:
        label: the video's name in messages.
        frames: how many were given out.
        packets: what was read of it.
        decoder: what decoded it.
        lacking: what the file lacks of what its header claims, see `completeness.missing`.
        corrected: timestamps that did not rise.
        known_troubles: damage that showed in the packets when they were looked through before.
    """
    lines = []
    steps, lost = packets.continuity.steps, decoder.lost
    if steps:
        lines.append(
            f"{label}: its clock steps {steps} time(s), as in joined recordings; picture and sound go on without a gap"
        )
    if lacking is not None:
        end, claim = map(float, lacking)
        more = f", {lost} more are too damaged to be decoded" if lost else ""
        lines.append(
            f"{label}: ends after {frames} frames and {end:.2f} s of the {claim:.2f} s its header claims"
            f"{more}; it may be cut off or damaged"
        )
    elif lost:
        lines.append(f"{label}: {lost} frame(s) are missing, too damaged to be decoded")
    if decoder.damaged:
        lines.append(f"{label}: {decoder.damaged} damaged frame(s) shown as far as they decode")
    if not (lacking or lost or decoder.damaged or steps):
        lines += [f"{label}: {trouble}" for trouble in packets.troubles() or known_troubles]
    if corrected:
        lines.append(f"{label}: {corrected} timestamp(s) that did not rise were corrected")
    return lines
