"""Tell systemd that we are ready and alive; nothing where it did not start us. See sd_notify(3)."""

from __future__ import annotations

import os
import socket


def notify(words: str) -> None:
    """Send *words*, such as ``READY=1``; never raises."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.setblocking(False)
            out.sendto(words.encode(), address)
    except OSError:
        return
