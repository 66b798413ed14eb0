"""One milter connection as a conversation: bytes in, bytes and whole mails out; no input or output of its own.

The order of commands is that of libmilter's engine.c, and so is one mending: HELO or MAIL in the middle of a
mail gives that mail up. Postfix shows a HELO so when a client says it, without an abort before, and a breach
that a client can bring about would have his mail passed unread. Any other wrong order ends the conversation:
the server then does what its operator wrote under ``milter_default_action``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from thingwatch.guard.gateway import Action, Answer, Delivery
from thingwatch.guard.milter import codec
from thingwatch.guard.milter.codec import ProtocolError
from thingwatch.guard.milter.draft import Draft
from thingwatch.model import Session
from thingwatch.read.field import MAX_RECIPIENTS, address_of, cleaned

DEFAULT_MAX_BYTES = 4 << 20  # of one mail; what is compared lies in the first megabyte of nearly every mail

NEEDED_ACTIONS = codec.ADD_HEADERS | codec.CHANGE_HEADERS | codec.QUARANTINE

# A step without reply costs the server no waiting. NR_BODY is left out: who does not reply to a chunk cannot
# say SKIP either, and would be sent the 50 MB of which it keeps four.
_LEFT_OUT = codec.NO_EOH | codec.NO_DATA | codec.NO_UNKNOWN
_NO_REPLY_OUTSIDE = codec.NR_CONNECT | codec.NR_HELO | codec.NR_MAIL | codec.NR_RCPT | codec.NR_UNKNOWN
_NO_REPLY_INSIDE = codec.NR_DATA | codec.NR_HEADER | codec.NR_EOH
WANTED_STEPS = _LEFT_OUT | _NO_REPLY_OUTSIDE | _NO_REPLY_INSIDE | codec.SKIP_KNOWN | codec.LEADING_SPACE

# Where a conversation stands: what was said last. Plain numbers, for each frame is tested against them, and a
# test of an IntFlag costs seven times as much.
_OPENED = 1  # nothing yet
_AGREED = 2  # negotiated, no client yet
_IDLE = 4  # a client, no mail
_MAIL = 8
_RCPT = 16
_DATA = 32
_HEADER = 64
_EOH = 128
_BODY = 256
_ASKED = 512  # the whole mail is with the detector
_CLOSED = 1024
_ENVELOPE = _MAIL | _RCPT | _DATA
_CONTENT = _HEADER | _EOH | _BODY
_IN_MAIL = _ENVELOPE | _CONTENT
_TALKING = _AGREED | _IDLE | _IN_MAIL


class _Rule(NamedTuple):
    """When a command may come and what follows."""

    allowed: int  # states
    then: int  # state; 0 for no change
    no_reply: int  # the step that says it is not answered; 0 where it never is
    unasked: int = 0  # the step by which we asked for it to be left out


_RULES = {
    ord(command): rule
    for command, rule in {
        "O": _Rule(_OPENED | _AGREED, _AGREED, 0),
        "C": _Rule(_AGREED, _IDLE, codec.NR_CONNECT),
        "H": _Rule(_IDLE | _IN_MAIL, _IDLE, codec.NR_HELO),
        "M": _Rule(_IDLE | _IN_MAIL, _MAIL, codec.NR_MAIL),
        "R": _Rule(_MAIL | _RCPT, _RCPT, codec.NR_RCPT),
        "T": _Rule(_RCPT, _DATA, codec.NR_DATA, codec.NO_DATA),
        # Content without a recipient is read too: better a mail to nobody we know of than one not looked at.
        "L": _Rule(_ENVELOPE | _HEADER, _HEADER, codec.NR_HEADER),
        "N": _Rule(_ENVELOPE | _HEADER, _EOH, codec.NR_EOH, codec.NO_EOH),
        "B": _Rule(_IN_MAIL, _BODY, codec.NR_BODY),
        "E": _Rule(_IN_MAIL, _ASKED, 0),
        "U": _Rule(_TALKING, 0, codec.NR_UNKNOWN, codec.NO_UNKNOWN),
        "A": _Rule(_TALKING, 0, 0),
        "D": _Rule(_TALKING, 0, 0),
        "K": _Rule(_TALKING, _AGREED, 0),
        "Q": _Rule(_OPENED | _TALKING, _CLOSED, 0),
    }.items()
}


class Step(NamedTuple):
    """What came of some bytes."""

    out: bytes  # to send
    delivery: Delivery | None = None  # a whole mail; ``answer`` must be called before more is fed


class Conversation:
    """The filter's side of one connection."""

    def __init__(
        self,
        now: Callable[[], int],
        max_bytes: int = DEFAULT_MAX_BYTES,
        max_frame_bytes: int = codec.MAX_FRAME_BYTES,
    ) -> None:
        """Take a clock (microseconds since 1970, UTC), and how much of a mail and of a frame is held."""
        self._now = now
        self._max_bytes = max_bytes
        self._frames = codec.Frames(max_frame_bytes)
        self._state = _OPENED
        self._version = self._steps = 0
        self._client_ip: str | None = None
        self._ptr = ""
        self._helo: str | None = None
        self._login = self._queue_id = ""
        self._forget_mail()
        self._read = {
            ord("C"): self._read_client,
            ord("H"): self._read_helo,
            ord("M"): self._read_mail,
            ord("R"): self._read_rcpt,
            ord("L"): self._read_header,
            ord("B"): self._read_chunk,
            ord("E"): self._read_end,
            ord("D"): self._read_macros,
            ord("U"): codec.read_string,
            ord("A"): self._read_abort,
            ord("K"): self._read_quit,
            ord("Q"): self._read_quit,
            ord("N"): codec.read_nothing,
            ord("T"): codec.read_nothing,
        }

    @property
    def closed(self) -> bool:
        """Whether the server said good-bye."""
        return self._state == _CLOSED

    @property
    def in_mail(self) -> bool:
        """Whether the server waits, or will wait, for our answer to a mail."""
        return bool(self._state & (_IN_MAIL | _ASKED))

    @property
    def frames_taken(self) -> int:
        """Frames so far."""
        return self._frames.taken

    @property
    def hurried(self) -> bool:
        """Whether more must come soon: the opening, and the text of a mail once it has begun.

        Elsewhere even the rest of a frame may take its time. Steps without reply lie in the server's buffer
        until it is full or an answer is needed, and when that is, the SMTP client decides: were we to close
        first, the mail would pass unread.
        """
        return bool(self._state & (_OPENED | _CONTENT))

    def feed(self, data: bytes) -> Step:
        """Take bytes from the server, cut anywhere; stop at the first whole mail.

        After a mail, call ``answer``, then ``feed(b"")``: more may have come. Raises ProtocolError where the
        server breaks the protocol; the connection is then to be closed.
        """
        if self._state == _ASKED:
            raise RuntimeError("milter conversation fed before the last mail was answered")
        self._frames.feed(data)
        out = b""
        while self._state != _CLOSED:
            frame = self._frames.take()
            if frame is None:
                break
            out += self._take(*frame)
            if self._state == _ASKED:
                return Step(out, self._delivery())
        return Step(out)

    def answer(self, answer: Answer) -> bytes:
        """What to send for the mail last given out.

        Raises ValueError, and still waits for an answer, where this one cannot be said in the protocol: see
        ``codec.reply_code``, ``codec.insert_header``, ``codec.quarantine``.
        """
        if self._state != _ASKED:
            raise RuntimeError("milter conversation has no mail to answer")
        out = self._refused(answer) if answer.action in (Action.DEFER, Action.REJECT) else self._taken(answer)
        self._forget_mail()
        self._state = _IDLE
        return out

    def _refused(self, answer: Answer) -> bytes:
        deferred = answer.action is Action.DEFER
        if not answer.reply:
            return codec.TEMPFAIL if deferred else codec.REJECT
        if answer.reply[0] != ("4" if deferred else "5"):
            raise ValueError(f"reply {answer.reply!r}: must begin with 4 to defer and with 5 to reject")
        return codec.reply_code(answer.reply)

    def _taken(self, answer: Answer) -> bytes:
        out = [codec.delete_header(name, place) for name, place in self._draft.own_fields()]
        space = " " if self._steps & codec.LEADING_SPACE else ""
        # The fields of the sender go first: Postfix counts places anew once a field stands above its own line.
        # Each goes on top of the one before. Servers of version 2 may not know how to put one on top.
        put = codec.insert_header if self._version > codec.MIN_VERSION else codec.add_header
        out += [put(name, space + value) for name, value in reversed(answer.headers)]
        if answer.action is Action.QUARANTINE:
            out.append(codec.quarantine(answer.reason))
        return b"".join((*out, codec.CONTINUE))

    def _take(self, command: int, fields: bytes) -> bytes:
        rule = _RULES[command]
        if rule.unasked & self._steps:
            raise ProtocolError("command-unasked")
        if not self._state & rule.allowed:
            raise ProtocolError("command-out-of-order")
        if command == ord("O"):
            self._state = _AGREED
            return self._negotiated(codec.read_offer(fields))
        self._read[command](fields)
        if rule.then:
            self._state = rule.then
        if not rule.no_reply or rule.no_reply & self._steps:
            return b""
        if command == ord("B") and self._draft.truncated and self._steps & codec.SKIP_KNOWN:
            return codec.SKIP
        return codec.CONTINUE

    def _negotiated(self, offer: codec.Offer) -> bytes:
        if offer.version < codec.MIN_VERSION:
            raise ProtocolError("version-unsupported")
        if NEEDED_ACTIONS & ~offer.actions:
            raise ProtocolError("actions-missing")
        self._version = min(offer.version, codec.MAX_VERSION)
        self._steps = WANTED_STEPS & offer.steps
        return codec.offer(self._version, NEEDED_ACTIONS, self._steps)

    def _read_client(self, fields: bytes) -> None:
        client = codec.read_client(fields)
        name = cleaned(client.name).lower()
        self._client_ip = client.address
        # Postfix says "unknown", Sendmail the address in brackets, where no name leads back to the address.
        self._ptr = "" if name == "unknown" or name[:1] == "[" else name
        self._helo = None

    def _read_helo(self, fields: bytes) -> None:
        self._helo = cleaned(codec.read_string(fields))
        self._forget_mail()

    def _read_mail(self, fields: bytes) -> None:
        strings = codec.read_strings(fields)
        login, queue_id = self._login, self._queue_id  # of this mail: macros come before their command
        self._forget_mail()
        self._login, self._queue_id = login, queue_id
        self._mail_from = address_of(strings[0])  # what follows are ESMTP parameters
        self._received_at = self._now()

    def _read_rcpt(self, fields: bytes) -> None:
        recipient = codec.read_strings(fields)[0]
        if len(self._rcpt_to) < MAX_RECIPIENTS:
            self._rcpt_to.append(address_of(recipient))

    def _read_header(self, fields: bytes) -> None:
        name, value = codec.read_pair(fields)
        # Without that step the server eats one blank behind the colon, which nearly every field has.
        self._draft.add_field(name, value if self._steps & codec.LEADING_SPACE else b" " + value)

    def _read_chunk(self, fields: bytes) -> None:
        self._draft.add_chunk(fields)

    def _read_end(self, fields: bytes) -> None:
        if fields:
            self._draft.add_chunk(fields)

    def _read_macros(self, fields: bytes) -> None:
        macros = codec.read_macros(fields)
        if b"i" in macros:
            self._queue_id = cleaned(macros[b"i"])
        if b"auth_authen" in macros:
            self._login = cleaned(macros[b"auth_authen"])

    def _read_abort(self, fields: bytes) -> None:
        codec.read_nothing(fields)
        self._forget_mail()
        # An abort ends the mail, not the session; servers send it where there is no mail, too.
        if self._state & _IN_MAIL:
            self._state = _IDLE

    def _read_quit(self, fields: bytes) -> None:
        codec.read_nothing(fields)
        self._forget_mail()

    def _forget_mail(self) -> None:
        self._draft = Draft(self._max_bytes)
        self._rcpt_to: list[str] = []
        self._mail_from = self._queue_id = self._login = ""
        self._received_at = 0

    def _delivery(self) -> Delivery:
        session = Session(
            self._received_at, self._client_ip, self._helo, self._ptr, self._mail_from, tuple(self._rcpt_to)
        )
        draft = self._draft
        raw = draft.finish()
        return Delivery(raw, session, self._queue_id, self._login, draft.truncated, draft.forged)
