"""Ways to damage valid inputs, each drawn from a generator and nothing else."""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Callable

import numpy as np

Rng = np.random.Generator

NASTY_NUMBERS = (
    *(0, -1, 1, 2, 255, 256, 65535, 65536),
    *(2**31 - 1, 2**31, 2**32, 2**63, 10**24, -(2**63)),
    *(0.5, -0.0, 1e308),
)
NASTY_TEXTS = (
    *("", " ", "-", "--", ":", ",", "=", "'", '"', "~", "*", "../..", "C:\\x"),
    *("\x00", "\x1b[31m", "a\nb", "é", "\udcff", "🎬", "a" * 300),
    *("[red]", "[/x]", "%05d", "%s", "{}", "`x=1`"),
    *("nan", "inf", "-inf", "1e400", "0x10", "1_000", "٣", "None", "true"),
)
_NASTY_BYTES = (
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\x00\x00\x00\x00",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\n",
)


def pick(rng: Rng, items):
    """One of a sequence, without NumPy's conversion of it."""
    return items[int(rng.integers(len(items)))]


def _flip(rng: Rng, data: bytearray) -> None:
    for _ in range(int(2 ** rng.uniform(0, 6))):
        data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))


def _overwrite(rng: Rng, data: bytearray) -> None:
    value = pick(rng, _NASTY_BYTES)
    place = int(rng.integers(len(data)))
    data[place : place + len(value)] = value


def _number(rng: Rng, data: bytearray) -> None:
    """A field of 2, 4 or 8 bytes becomes a nasty number, most often near the beginning, where headers are."""
    width, code = pick(rng, ((2, "H"), (4, "I"), (8, "Q")))
    place = int(len(data) * rng.random() ** 3)
    value = int(pick(rng, (0, 1, 2 ** (8 * width) - 1, 2 ** (8 * width - 1), 2 ** (8 * width - 1) - 1, len(data))))
    data[place : place + width] = struct.pack(pick(rng, "<>") + code, value % 2 ** (8 * width))


def _cut(rng: Rng, data: bytearray) -> None:
    del data[int(len(data) * rng.random()) :]


def _remove(rng: Rng, data: bytearray) -> None:
    start = int(rng.integers(len(data)))
    del data[start : start + int(2 ** rng.uniform(0, 9))]


def _repeat(rng: Rng, data: bytearray) -> None:
    start = int(rng.integers(len(data)))
    data[start:start] = data[start : start + int(2 ** rng.uniform(0, 9))]


def _noise(rng: Rng, data: bytearray) -> None:
    start = int(rng.integers(len(data)))
    data[start : start + 32] = rng.bytes(int(rng.integers(1, 33)))


def _zeros(rng: Rng, data: bytearray) -> None:
    start = int(rng.integers(len(data)))
    end = min(start + int(2 ** rng.uniform(3, 10)), len(data))
    data[start:end] = bytes(end - start)


_DAMAGE: tuple[Callable[[Rng, bytearray], None], ...] = (
    _flip, _flip, _overwrite, _number, _number, _cut, _remove, _repeat, _noise, _zeros,
)  # fmt: skip


def damage(rng: Rng, data: bytes, donor: bytes = b"") -> bytes:
    """Damage bytes in one to four ways; sometimes a piece comes from another sample."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        if not changed:
            break
        pick(rng, _DAMAGE)(rng, changed)
    if donor and rng.random() < 0.1:
        middle = int(rng.integers(len(changed) + 1))
        changed[middle:] = donor[int(rng.integers(len(donor))) :]
    return bytes(changed)


def damage_png(rng: Rng, data: bytes) -> bytes:
    """Damage the inside of a PNG's chunks and make their checksums right again, so that the damage is read."""
    parts, place = [data[:8]], 8
    while place + 12 <= len(data):
        length = struct.unpack(">I", data[place : place + 4])[0]
        name, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        place += 12 + length
        if body and rng.random() < 0.4:
            body = (
                damage(rng, zlib.decompress(body), b"") if name == b"IDAT" and rng.random() < 0.5 else damage(rng, body)
            )
            body = zlib.compress(body) if name == b"IDAT" and rng.random() < 0.5 else body
        for _ in range(2 if rng.random() < 0.05 else 1):
            parts.append(struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)))
    return b"".join(parts)


def damage_text(rng: Rng, text: str) -> bytes:
    """Damage text: words go, come twice, change places, or become nasty; then perhaps its bytes."""
    lines = text.splitlines() or [""]
    for _ in range(int(rng.integers(1, 4))):
        number = int(rng.integers(len(lines)))
        words = lines[number].split(" ")
        place = int(rng.integers(len(words)))
        choice = int(rng.integers(5))
        if choice == 0:
            words[place] = str(pick(rng, NASTY_NUMBERS))
        elif choice == 1:
            words[place] = pick(rng, NASTY_TEXTS)
        elif choice == 2:
            words[place] = words[place] * int(rng.integers(2, 200))
        elif choice == 3:
            del words[place]
        else:
            lines.insert(int(rng.integers(len(lines))), lines[number])
            continue
        lines[number] = " ".join(words)
    data = "\n".join(lines).encode("utf-8", "surrogatepass")
    return damage(rng, data) if data and rng.random() < 0.4 else data


def damage_json(rng: Rng, value: object) -> object:
    """Replace, drop, repeat or deepen parts of what JSON can hold."""
    if rng.random() < 0.15:
        return _nasty(rng, value)
    if isinstance(value, dict) and value:
        items = list(value.items())
        key, part = pick(rng, items)
        changed = dict(value)
        if rng.random() < 0.15:
            del changed[key]
        elif rng.random() < 0.1:
            changed[pick(rng, NASTY_TEXTS)] = changed.pop(key)
        else:
            changed[key] = damage_json(rng, part)
        return changed
    if isinstance(value, list) and value:
        place = int(rng.integers(len(value)))
        if rng.random() < 0.1:
            return value * int(rng.integers(2, 20))
        return [*value[:place], damage_json(rng, value[place]), *value[place + 1 :]]
    return _nasty(rng, value)


def _nasty(rng: Rng, value: object) -> object:
    choices = (
        None,
        True,
        False,
        [],
        {},
        [value],
        {"a": value},
        pick(rng, NASTY_NUMBERS),
        pick(rng, NASTY_TEXTS),
        math.nan,
    )
    return pick(rng, choices)


def json_bytes(rng: Rng, value: object) -> bytes:
    """Damaged JSON; sometimes nested thousands deep, with endless numbers, or damaged as text."""
    for _ in range(int(rng.integers(1, 4))):
        value = damage_json(rng, value)
    text = json.dumps(value)
    choice = rng.random()
    if choice < 0.03:
        text = text.replace("1", "[" * 5000 + "1" + "]" * 5000, 1)
    elif choice < 0.06:
        text = text.replace("1", "1" * 5000, 1)
    data = text.encode("utf-8", "surrogatepass")
    return damage(rng, data) if rng.random() < 0.15 else data
