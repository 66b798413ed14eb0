"""A Unix socket to listen on: made with its mode, never over a living one."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

from thingwatch.errors import OutputError

DEFAULT_MODE = 0o660  # the mail server must be in the socket's group
PROBE_SECONDS = 1.0


def bind_unix(path: Path, mode: int = DEFAULT_MODE) -> socket.socket:
    """A bound stream socket at *path* with *mode*; one left behind by a process that died is replaced.

    Raises OutputError where another process listens there, where *path* is something else than a socket, and
    where it cannot be made.
    """
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        # Nobody may connect before the mode is set. The mask is of the whole process: this is for its start.
        mask = os.umask(0o177)
        try:
            bound.bind(str(path))
        finally:
            os.umask(mask)
        path.chmod(mode)
    except OSError as error:
        bound.close()
        raise OutputError(f"{path}: {error}; give a path in a folder that may be written to") from error
    except OutputError:
        bound.close()
        raise
    return bound


def remove_own(path: Path, inode: int) -> None:
    """Take away the socket file we made, unless another process has put its own there since."""
    try:
        if path.stat().st_ino == inode:
            path.unlink()
    except FileNotFoundError:
        pass


def _remove_stale(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise OutputError(f"{path}: is no socket; give another path, or remove it")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except (TimeoutError, BlockingIOError):
            pass  # somebody listens and is busy
    raise OutputError(f"{path}: another process listens here; stop it, or give another path")
