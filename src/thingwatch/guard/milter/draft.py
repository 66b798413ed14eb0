"""Piece one mail together as a mail server hands it over: field by field, then chunk by chunk."""

from __future__ import annotations

from io import BytesIO

from thingwatch.guard.gateway import MAX_FORGED
from thingwatch.guard.milter.codec import MAX_NAME_CHARS

MAX_FIELDS = 10_000  # of one header; real mail has below 200
OWN_PREFIX = b"x-thingwatch-"


class Draft:
    """One mail in the making; holds at most *max_bytes* of it, and an eighth more while it grows.

    A field under a name of ours is the sender's attempt to write our verdict, or came from another guard: it
    is left out and listed, to be taken out of the mail itself.
    """

    def __init__(self, max_bytes: int) -> None:
        """Begin an empty mail."""
        # Not a list of chunks: one of two bytes would cost twenty times its size.
        self._kept = BytesIO()
        self._max_bytes = max_bytes
        self._field_count = 0
        self._in_body = False
        self._split_end = False  # the last chunk ended in a CR whose LF may come
        self._own: dict[bytes, int] = {}  # lower-case names of ours the sender used, and how often
        self.truncated = False
        self.forged = 0

    def add_field(self, name: bytes, value: bytes) -> None:
        """Take one header field; *value* begins behind the colon, folds are LF or CRLF with a blank behind."""
        lowered = name.lower()
        if lowered.startswith(OWN_PREFIX) and len(name) <= MAX_NAME_CHARS:
            self.forged += 1
            if self.forged <= MAX_FORGED:
                self._own[lowered] = self._own.get(lowered, 0) + 1
            return
        self._field_count += 1
        if self._field_count > MAX_FIELDS:
            self.truncated = True
        self._keep(b"%b:%b\n" % (name, value.replace(b"\r\n", b"\n")))

    def add_chunk(self, chunk: bytes) -> None:
        """Take bytes of the body as they come, cut anywhere."""
        if not self._in_body:
            self._begin_body()
        if self.truncated:
            return
        if self._split_end:
            chunk = b"\r" + chunk
        self._split_end = chunk.endswith(b"\r")
        self._keep((chunk[:-1] if self._split_end else chunk).replace(b"\r\n", b"\n"))

    def finish(self) -> bytes:
        """The whole mail, or its first part; there is no going on behind it."""
        if not self._in_body:
            self._begin_body()
        if self._split_end:
            self._keep(b"\r")
        # No copy: BytesIO gives out its own bytes, cut to size.
        return self._kept.getvalue()

    def own_fields(self) -> list[tuple[bytes, int]]:
        """What to take out: names and places among fields of that name, last first so that places hold."""
        return [(name, place) for name, count in self._own.items() for place in range(count, 0, -1)]

    def _begin_body(self) -> None:
        self._in_body = True
        self._keep(b"\n")

    def _keep(self, data: bytes) -> None:
        if self.truncated:
            return
        room = self._max_bytes - self._kept.tell()
        if len(data) > room:
            self.truncated = True
            data = data[:room]
        self._kept.write(data)
