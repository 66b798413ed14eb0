"""A border for tests: a real Postfix with its milter beside it, a client for it, and what came of the mail."""

from __future__ import annotations

import re
import socket
from io import BufferedReader
from typing import NamedTuple

from guard.milter.serving import OWN_FIELD, Serving
from guard.postfix import DOMAIN, Postfix

from thingwatch.guard.gateway import Delivery

MAX_MAIL_BYTES = 1 << 20  # the milter of this border holds
OWN_LINE = f"{OWN_FIELD[0]}: {OWN_FIELD[1]}".encode()
PLAIN = b"Subject: hello\r\nFrom: a@b.example\r\n\r\ntext\r\n"


class Border(NamedTuple):
    """A Postfix and its milter."""

    postfix: Postfix
    serving: Serving

    def send(self, content: bytes, *options: str) -> str:
        """Send one mail, CRLF line ends and dots as on the wire, on a connection of its own; the last reply."""
        steps = [
            "EHLO client.test",
            f"MAIL FROM:<a@b.example> {' '.join(options)}",
            f"RCPT TO:<x@{DOMAIN}>",
            "DATA",
        ]
        with socket.create_connection(("127.0.0.1", self.postfix.port), 30) as connection:
            lines = connection.makefile("rb")
            last_line(lines)
            for step in (
                *(step.strip().encode() + b"\r\n" for step in steps),
                content + b".\r\n",
                b"QUIT\r\n",
            ):
                connection.sendall(step)
                if step != b"QUIT\r\n":
                    reply = last_line(lines)
            return reply

    def delivered(self) -> bytes:
        """The next mail in the inbox, which is then empty again."""
        (found,) = self.postfix.wait_for(1)
        self.postfix.empty_inbox()
        return found

    def asked(self) -> Delivery:
        """The one mail the milter was asked about since the last time."""
        (found,) = self.serving.deliveries
        self.serving.deliveries.clear()
        return found


def last_line(lines: BufferedReader) -> str:
    """The last line of an SMTP reply; "" when the connection was closed."""
    while True:
        line = lines.readline()
        if line[3:4] != b"-":
            return line.decode().strip()


def below_received(mail: bytes) -> bytes:
    """What the sender wrote of a mail in the Maildir: all below the line Postfix wrote on top of it."""
    found = re.search(rb"^Received: .*\n(?:[ \t].*\n)+", mail, re.M)
    assert found is not None
    return mail[found.end() :]
