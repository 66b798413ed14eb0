"""The guard as a daemon: mail servers ask it by milter, programs by HTTP, people by commands.

The front door is ``serve``: it runs until it is told to stop.
"""

from __future__ import annotations

import asyncio

from thingwatch.guard.service.daemon import Daemon
from thingwatch.guard.service.settings import Service, Setup

__all__ = ["Daemon", "Service", "Setup", "serve"]


def serve(daemon: Daemon) -> None:
    """Run *daemon* until SIGTERM or SIGINT."""
    asyncio.run(daemon.run())
