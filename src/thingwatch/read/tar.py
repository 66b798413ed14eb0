"""List the files of a tar archive as a stream, without believing what its headers promise.

The standard library's ``tarfile`` reads an extended header of any stated size into memory, and has looped on
forged ones; here each header costs at most ``MAX_EXTENSION_BYTES``, and nothing is ever written to disk.
POSIX.1-2017, pax, "ustar Interchange Format"; GNU's long names are understood too.
"""

from __future__ import annotations

from collections.abc import Iterator

from thingwatch.read.stream import Readable, read_up_to

MAX_EXTENSION_BYTES = 1 << 20  # a name, and a few numbers; real ones stay below 2 kB
_BLOCK = 512


class TarFile:
    """One file inside an archive; read it before asking for the next."""

    def __init__(self, source: Readable, name: str, size: int) -> None:
        self.name = name
        self.size = size
        self.truncated = False
        self._source = source
        self._missing = size

    def read(self, size: int, /) -> bytes:
        data = self._source.read(min(size, self._missing))
        self._missing -= len(data)
        self.truncated = not data and self._missing > 0
        return data

    def drain(self) -> None:
        while self.read(1 << 20):
            pass


def tar_files(source: Readable) -> Iterator[TarFile | tuple[str, str]]:
    """Yield the files in *source* in order, and (name, reason) for what is no file or cannot be read."""
    extended: dict[str, str] = {}
    while True:
        header = read_up_to(source, _BLOCK)
        if not header.strip(b"\0"):
            return
        size = _size_of(header)
        if size is None:
            yield "", "truncated-tar" if len(header) < _BLOCK else "damaged-tar"
            return
        kind = header[156:157]
        if kind in b"xgLK":
            if size > MAX_EXTENSION_BYTES:
                yield "", "damaged-tar"
                return
            content = read_up_to(source, size + -size % _BLOCK)[:size]
            if kind == b"L":
                extended["path"] = _text(content)
            elif kind == b"x":
                extended |= _records(content)
            continue
        name = extended.get("path") or _name_of(header)
        stated = extended.get("size", "")
        size = int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 19 else size
        extended = {}
        # Only files have content; a stray size on the others is not to be skipped over (as GNU tar has it).
        if kind in (b"0", b"\0", b"7") and not name.endswith("/"):
            file = TarFile(source, name, size)
            yield file
            file.drain()
            if file.truncated:
                yield name, "truncated-tar"
                return
            read_up_to(source, -size % _BLOCK)
        elif kind in (b"1", b"2"):
            yield name, "symlink"
        elif kind not in (b"5", b"0", b"\0", b"7"):
            yield name, "not-a-file"
            if kind not in (b"3", b"4", b"6"):  # devices and pipes
                TarFile(source, name, size + -size % _BLOCK).drain()


def _size_of(header: bytes) -> int | None:
    """Return the size of the content behind *header*; None where the header is none."""
    if len(header) < _BLOCK:
        return None
    checksum = _number(header[148:156])
    if checksum != sum(header[:148]) + 8 * 0x20 + sum(header[156:]):
        return None
    return _number(header[124:136])


def _number(field: bytes) -> int | None:
    if field[0] == 0x80:  # GNU: base 256 where octal is too short
        return int.from_bytes(field[1:], "big")
    try:
        number = int(field.strip(b"\0 ") or b"0", 8)
    except ValueError:
        return None
    return number if number >= 0 else None


def _name_of(header: bytes) -> str:
    name, prefix = _text(header[:100]), _text(header[345:500])
    return f"{prefix}/{name}" if header[257:263] == b"ustar\0" and prefix else name


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")


def _records(content: bytes) -> dict[str, str]:
    """Read pax records, "LENGTH KEY=VALUE\\n", as far as they make sense."""
    records: dict[str, str] = {}
    while content:
        length, _, _ = content.partition(b" ")
        if len(length) > 7 or not length.isdigit() or not len(length) < int(length) <= len(content):
            break
        key, _, value = content[len(length) + 1 : int(length)].rstrip(b"\n").partition(b"=")
        if key in (b"path", b"size"):
            records[key.decode()] = _text(value)
        content = content[int(length) :]
    return records
