"""Read MessagePack that a stranger may have had a hand in: bounded in depth, in items and in bytes.

By hand, because a library builds whatever the bytes ask for before one can say no; we read maps of a dozen fields.
"""

from __future__ import annotations

import struct
from typing import Any

MAX_DEPTH = 8  # Rspamd nests four deep
MAX_ITEMS = 50_000  # values in all; a mail with a hundred links and its symbols has two thousand

_FIXED = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i",
    0xD3: ">q",
}  # fmt: skip
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
_BYTES = {
    0xC4: ">B",
    0xC5: ">H",
    0xC6: ">I",
    0xD9: ">B",
    0xDA: ">H",
    0xDB: ">I",
}  # bin and str, by their length
_ARRAYS = {0xDC: ">H", 0xDD: ">I"}
_MAPS = {0xDE: ">H", 0xDF: ">I"}


def is_map(data: bytes) -> bool:
    """Whether *data* begins as a map does; no text does."""
    return data[:1] != b"" and (0x80 <= data[0] <= 0x8F or data[0] in _MAPS)


def unpacked(data: bytes) -> Any:
    """The value that *data* is; texts and binaries both as bytes. Raises ValueError for anything else."""
    reader = _Reader(data)
    value = reader.value(MAX_DEPTH)
    if reader.at != len(data):
        raise ValueError("bytes behind the value")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self._left = MAX_ITEMS

    def _take(self, count: int) -> bytes:
        piece = self.data[self.at : self.at + count]
        if len(piece) != count:
            raise ValueError("cut short")
        self.at += count
        return piece

    def _number(self, form: str) -> Any:
        (number,) = struct.unpack(form, self._take(struct.calcsize(form)))
        return number

    def value(self, depth: int) -> Any:
        self._left -= 1
        if depth < 0 or self._left < 0:
            raise ValueError("too deep or too many values")
        first = self._take(1)[0]
        if first < 0x80:
            return first
        if first >= 0xE0:
            return first - 0x100
        if first in _CONSTANTS:
            return _CONSTANTS[first]
        if first in _FIXED:
            return self._number(_FIXED[first])
        if first < 0x90 or first in _MAPS:
            return self._map(first & 0x0F if first < 0x90 else self._number(_MAPS[first]), depth)
        if first < 0xA0 or first in _ARRAYS:
            count = first & 0x0F if first < 0xA0 else self._number(_ARRAYS[first])
            return [self.value(depth - 1) for _ in range(self._fair(count))]
        if first < 0xC0:
            return self._take(first & 0x1F)
        if first in _BYTES:
            return self._take(self._number(_BYTES[first]))
        raise ValueError("an extension type")

    def _fair(self, count: int) -> int:
        # Each takes a byte at least.
        if count > len(self.data) - self.at:
            raise ValueError("cut short")
        return count

    def _map(self, count: int, depth: int) -> dict[bytes, Any]:
        found: dict[bytes, Any] = {}
        for _ in range(self._fair(count)):
            name = self.value(depth - 1)
            value = self.value(depth - 1)
            # Maps of Rspamd are named by texts; whatever else one is named by is nothing we look for.
            if isinstance(name, bytes):
                found[name] = value
        return found
