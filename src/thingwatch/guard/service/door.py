"""The milter's door: open before the guard is awake, so that who comes meanwhile waits instead of passing unseen.

Restoring memory and reading cases takes up to seconds. The kernel takes connections in that time, and the mail
server waits for the first word as long as its own timeout says.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from thingwatch.errors import OutputError
from thingwatch.guard.milter import MilterServer
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


class Door(MilterServer):
    """A milter server that can take over a socket that listens already."""

    async def take_over(self, bound: socket.socket) -> str:
        """Serve who waits at *bound* and who comes; its address as Postfix writes it."""
        loop = asyncio.get_running_loop()
        if bound.family == socket.AF_UNIX:
            path = Path(bound.getsockname())
            self._listening.append(
                await loop.create_unix_server(self._connection, sock=bound, backlog=BACKLOG)
            )
            self._socket_files.append((path, path.stat().st_ino))
            return f"unix:{path}"
        self._listening.append(await loop.create_server(self._connection, sock=bound, backlog=BACKLOG))
        host, port = bound.getsockname()[:2]
        return f"inet:[{host}]:{port}" if ":" in host else f"inet:{host}:{port}"
