"""A file's bytes as its writer meant them, whatever it was compressed with."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import zstandard

from thingwatch.model import Skip

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_RATIO = 200  # decompressed to compressed; mail compresses 3 to 50 times, near-copies included
RATIO_FLOOR_BYTES = 1 << 20  # below this much output no ratio is a danger
MAX_LINE_BYTES = 4 << 20  # of a log, read line by line; JSON with all symbols of a mail stays below 100 kB
MAX_WINDOW_BYTES = 1 << 27  # of memory a decompressor may ask for; `xz -9` and `zstd -19` stay below
_INPUT_BYTES = 16 << 10
_OUTPUT_BYTES = 1 << 20
_ZSTD_INPUT_BYTES = 1 << 10  # its decoder has no output limit: 4 bytes can ask for 128 kB

_MAGIC = (
    (b"\x1f\x8b", "gzip"),  # RFC 1952, section 2.3.1
    (b"\xfd7zXZ\x00", "xz"),
    (b"(\xb5/\xfd", "zstd"),  # RFC 8878, section 3.1.1
)
_MAGIC_BYTES = 10


class Readable(Protocol):
    """Anything with a bounded ``read``."""

    def read(self, size: int, /) -> bytes: ...


def compression_of(head: bytes) -> str | None:
    """Name the compression that *head*, the first 10 bytes of a file, announces; None for none."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[:3] == b"BZh" and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        return "bzip2"
    return None


class _Gzip:
    """zlib with the manners of the other decoders."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data


class _Zstd:
    """Zstandard with the manners of the other decoders."""

    def __init__(self) -> None:
        self._inner = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES).decompressobj()
        self._waiting = b""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        waiting = self._waiting + data
        made: list[bytes] = []
        length = position = 0
        while position < len(waiting) and length < max_length and not self._inner.eof:
            made.append(self._inner.decompress(waiting[position : position + _ZSTD_INPUT_BYTES]))
            length += len(made[-1])
            position += _ZSTD_INPUT_BYTES
        self._waiting = waiting[position:]
        return b"".join(made)

    @property
    def needs_input(self) -> bool:
        return not self._waiting

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data) + self._waiting


def _decoder(kind: str) -> Any:
    if kind == "gzip":
        return _Gzip()
    if kind == "xz":
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_WINDOW_BYTES)
    if kind == "bzip2":
        return bz2.BZ2Decompressor()
    return _Zstd()


class Inflated(io.RawIOBase):
    """A compressed stream, decompressed in bounded steps, several members after another as one.

    It never raises for what the bytes say: it ends where they stop making sense, and ``defect`` names why:
    ``truncated-KIND``, ``damaged-KIND``, or ``archive-bomb`` above ``MAX_RATIO``.
    """

    def __init__(self, source: Readable, kind: str, closes: io.IOBase | None = None) -> None:
        self.defect: str | None = None
        self._source = source
        self._kind = kind
        self._closes = closes
        self._decoder = _decoder(kind)
        self._made = b""  # decompressed, not yet handed out
        self._position = 0  # in _made
        self._read_bytes = 0
        self._made_bytes = 0
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while self._position >= len(self._made) and not self._ended:
            self._step()
        piece = self._made[self._position : self._position + len(buffer)]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def close(self) -> None:
        if self._closes is not None:
            self._closes.close()
        super().close()

    def _fetch(self) -> bytes:
        data = self._source.read(_INPUT_BYTES)
        self._read_bytes += len(data)
        return data

    def _end(self, defect: str | None) -> None:
        self._ended = True
        self.defect = defect

    def _step(self) -> None:
        self._made, self._position = b"", 0
        data = b""
        if self._decoder.eof:
            data = self._next_member()
            if self._ended:
                return
        elif self._decoder.needs_input:
            data = self._fetch()
            if not data:
                self._end(f"truncated-{self._kind}")
                return
        try:
            made = self._decoder.decompress(data, _OUTPUT_BYTES)
        except (zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError, EOFError, ValueError):
            self._end(f"damaged-{self._kind}")
            return
        self._made_bytes += len(made)
        excess = self._made_bytes - max(RATIO_FLOOR_BYTES, MAX_RATIO * self._read_bytes)
        if excess > 0:
            self._end("archive-bomb")
            made = made[: max(len(made) - excess, 0)]
        self._made = made

    def _next_member(self) -> bytes:
        """Begin the next member and return its first bytes; end the stream where there is none."""
        rest: bytes = self._decoder.unused_data
        # Zeros between and after members are padding: tapes leave them, and xz allows them.
        while len(rest := rest.lstrip(b"\0")) < _MAGIC_BYTES and (more := self._fetch()):
            rest += more
        if not rest:
            self._end(None)
        elif compression_of(rest) != self._kind:
            self._end(f"damaged-{self._kind}")
        else:
            self._decoder = _decoder(self._kind)
        return rest


class ByteSource(io.BufferedReader):
    """A file opened by ``open_bytes``."""

    long_lines = 0  # how many lines iteration has cut

    def __next__(self) -> bytes:
        """Return the next line, cut at MAX_LINE_BYTES; what was cut off never passes for a line."""
        line = self.readline(MAX_LINE_BYTES)
        if not line:
            raise StopIteration
        if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            self.long_lines += 1
            while (rest := self.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
        return line

    def skips(self, place: str) -> list[Skip]:
        """Return what was left out of the stream at *place*, once it is read to its end."""
        reasons = ([self.defect] if self.defect else []) + (["line-too-long"] if self.long_lines else [])
        return [Skip(place, reason) for reason in reasons]

    @property
    def defect(self) -> str | None:
        """Why the stream, read to its end, ended early: "truncated-gzip", ...; None where it did not."""
        return getattr(self.raw, "defect", None)


def open_bytes(path: Path) -> ByteSource:
    """Open the file at *path* for reading, decompressing gzip, xz, bzip2 and Zstandard by their magic bytes.

    A damaged stream is read as far as it goes; see ``ByteSource.defect``. Raises OSError as ``open`` does.
    """
    file = io.FileIO(path)
    try:
        kind = compression_of(file.read(_MAGIC_BYTES) or b"")
        file.seek(0)
    except OSError:
        file.close()
        raise
    raw: io.RawIOBase = file if kind is None else Inflated(io.BufferedReader(file), kind, closes=file)
    return ByteSource(raw, 1 << 18)


def read_up_to(stream: Readable, size: int) -> bytes:
    """Read *size* bytes from *stream*, fewer only where it ends."""
    pieces: list[bytes] = []
    missing = size
    while missing > 0 and (piece := stream.read(min(missing, 1 << 20))):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def blocks_of(stream: Readable, head: bytes = b"", block_bytes: int = 4 << 20) -> Iterator[bytes]:
    """Yield *head*, already read, and then the rest of *stream* in blocks."""
    if head:
        yield head
    while block := read_up_to(stream, block_bytes):
        yield block
