"""The real daemon beside a test, as a process of its own: it can be killed, stopped, put on short rations."""

from __future__ import annotations

import http.client
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

from guard.postfix import free_port

MAIN = "from thingwatch.cli import main; main()"
START_SECONDS = 180.0  # measured: 1.3 of processor time; a machine may be busy with other things
ARMED = "canary = false\n"


class Running:
    """A daemon within ``with``; its state folder outlives restarts."""

    def __init__(
        self,
        folder: Path,
        config: str = ARMED,
        *,
        before: str = "",
        env: dict[str, str] | None = None,
        max_file_bytes: int = 0,
        unix: bool = False,
    ) -> None:
        """*config*: of guard.toml; *before*: Python that runs ahead of the command; *max_file_bytes*: RLIMIT_FSIZE;
        *unix*: be asked at a Unix socket, which others must be able to reach."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.state = folder / "state"
        self._unix = folder / "milter" if unix else None
        self.log_path = folder / "events.jsonl"
        self.config = folder / "guard.toml"
        self.config.write_text(config)
        self.milter_port, self.http_port = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._before = before
        self._env = env or {}
        self._max_file_bytes = max_file_bytes

    @property
    def address(self) -> str:
        """As Postfix writes it."""
        return f"unix:{self._unix}" if self._unix else f"inet:127.0.0.1:{self.milter_port}"

    @property
    def pid(self) -> int:
        """Of the daemon."""
        assert self.process is not None
        return self.process.pid

    @property
    def cpu_seconds(self) -> float:
        """Processor time it has used up: what a start costs, however busy the machine is."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def start(self) -> float:
        """Start it; seconds until it listened."""
        began = time.monotonic()
        told = len(self.events)
        command = [
            sys.executable,
            "-c",
            self._before + "\n" + MAIN,
            "guard",
            "run",
            "--config",
            str(self.config),
        ]
        command += [
            "--state",
            str(self.state),
            "--milter",
            self.address,
            "--http",
            f"127.0.0.1:{self.http_port}",
        ]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stderr=log,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **self._env},
                preexec_fn=self._shorten if self._max_file_bytes else None,
            )
        self.wait_until(lambda: any(e["event"] == "listening" for e in self.events[told:]), START_SECONDS)
        if self._unix is not None:
            self._unix.chmod(0o666)  # Postfix is another user, and here nobody has put it into our group
        return time.monotonic() - began

    def _shorten(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._max_file_bytes, resource.RLIM_INFINITY))

    def kill(self) -> None:
        """End it as the kernel would, mid-word."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> int:
        """Tell it to stop; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def wait_until(self, met: Callable[[], bool], seconds: float = 20.0) -> None:
        """Until *met* says so."""
        deadline = time.monotonic() + seconds
        while not met():
            assert self.process is None or self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)

    @property
    def log(self) -> str:
        """Its last words."""
        return self.log_path.read_text()[-3000:] if self.log_path.exists() else ""

    @property
    def events(self) -> list[dict[str, Any]]:
        """All it told, over all its lives; whole lines only."""
        if not self.log_path.exists():
            return []
        lines = self.log_path.read_bytes().split(b"\n")[:-1]
        return [json.loads(line) for line in lines if line.startswith(b"{")]

    def told(self, name: str) -> list[dict[str, Any]]:
        """Its events of that name."""
        return [event for event in self.events if event["event"] == name]

    def ask(
        self, path: str, body: bytes | None = None, fields: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and JSON of one request; with a *body* a POST, with the token."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=20)
        token = (self.state / "token").read_text().strip() if (self.state / "token").exists() else ""
        connection.request(
            "GET" if body is None else "POST",
            path,
            body,
            {"Authorization": f"Bearer {token}", **(fields or {})},
        )
        reply = connection.getresponse()
        text = reply.read()
        connection.close()
        return reply.status, json.loads(text) if reply.getheader(
            "Content-Type"
        ) == "application/json" else text

    def check(self, raw: bytes, **connection: str) -> Any:
        """The answer to one mail."""
        status, found = self.ask("/check?" + urlencode(connection), raw)
        assert status == 200, found
        return found

    def status(self) -> Any:
        """How it is."""
        return self.ask("/status")[1]

    def campaigns(self, least: int = 5) -> Any:
        """What it remembers."""
        return self.ask(f"/campaigns?least={least}")[1]

    def __enter__(self) -> Running:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()
