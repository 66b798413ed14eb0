"""The milter's door: open before the guard is awake, so that who comes meanwhile waits instead of passing unseen.

Restoring memory and reading cases takes up to seconds. The kernel takes connections in that time, and the mail
server waits for the first word as long as its own timeout says.
"""

from __future__ import annotations

import socket
from pathlib import Path

from thingwatch.errors import OutputError
from thingwatch.guard.milter.address import bind_unix
from thingwatch.guard.milter.server import BACKLOG


def opened(where: tuple[str, int] | Path) -> socket.socket:
    """A socket that listens *where*; raises OutputError where it cannot."""
    if isinstance(where, Path):
        bound = bind_unix(where)
        bound.listen(BACKLOG)
        return bound
    host, port = where
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server(where, family=family, backlog=BACKLOG)
    except OSError as error:
        raise OutputError(f"{host}:{port}: {error.strerror}; give another --milter") from error
