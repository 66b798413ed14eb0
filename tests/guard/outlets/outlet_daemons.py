"""Real daemons of one's own: Rspamd, rbldnsd and Redis, each in a folder of its own, on loopback, ended by its pid."""

from __future__ import annotations

import http.client
import json
import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

PACKAGING = Path(__file__).parents[3] / "packaging" / "rspamd"
_SAID = ("output", "rspamd.log")
_PROGRAMS = {"rspamd": "_rspamd", "rbldnsd": "rbldns", "redis-server": ""}  # name → user it runs under


def needs(program: str) -> pytest.MarkDecorator:
    """Skip where *program* cannot be run."""
    why = ""
    if shutil.which(program) is None and not Path("/usr/sbin", program).exists():
        why = f"{program} is not installed (Debian: apt-get install {program})"
    elif _PROGRAMS[program] and os.geteuid() != 0:
        why = f"{program} has to be started by root"
    return pytest.mark.skipif(bool(why), reason=why or f"{program} is here")


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port on loopback nobody listens on just now."""
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(seen: Callable[[], Any], seconds: float = 10.0, every: float = 0.02) -> float:
    """Seconds until *seen* gives something true; fails when it does not."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if seen():
            return time.monotonic() - began
        time.sleep(every)
    raise AssertionError(f"not within {seconds} s")


class Daemon(ABC):
    """A process of ours and its folder; within ``with``."""

    def __init__(self, user: str = "") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="thingwatch-outlet-"))
        self.folder.chmod(0o755)
        if user:
            entry = pwd.getpwnam(user)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """What to run."""

    @abstractmethod
    def is_up(self) -> bool:
        """Whether it answers."""

    def start(self) -> None:
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(self.command(), stdout=output, stderr=output, cwd=self.folder)
        try:
            eventually(self.is_up, 60)
        except AssertionError as error:
            self.stop()
            said = "".join(
                p.read_text("utf-8", "replace")[-3000:] for p in self.folder.glob("*") if p.name in _SAID
            )
            shutil.rmtree(self.folder, ignore_errors=True)
            raise AssertionError(said) from error

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
            self.process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


# Compiling all public suffixes takes Rspamd ten seconds; these do.
_SUFFIXES = "com\nexample\ntest\nuk\nco.uk\n"
# What Rspamd's own rules give to plugins, without the rules.
_LUA = """
local lua_redis = require "lua_redis"
rspamd_parse_redis_server = lua_redis.parse_redis_server
rspamd_redis_make_request = lua_redis.redis_make_request
"""
_RSPAMD = """
lua = "{folder}/start.lua";
options {{ pidfile = "{folder}/rspamd.pid"; filters = ""; dns {{ nameserver = ["127.0.0.1:{dns}"]; timeout = 0.5; }}
  control_socket = "{folder}/control.sock mode=0600"; tempdir = "{folder}"; local_networks = []; explicit_modules = [];
  disable_hyperscan = true; hs_cache_dir = "{folder}"; url_tld = "{folder}/suffixes"; }}
logging {{ type = "file"; filename = "{folder}/rspamd.log"; level = "info"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
lang_detection {{ languages = "{folder}/none"; }}
actions {{ reject = 15; add_header = 6; greylist = 4; }}
modules {{ path = "{folder}/plugins"; }}
{parts}
"""


class Rspamd(Daemon):
    """Rspamd with our snippets and nothing else."""

    def __init__(
        self, replaced: Mapping[str, str], parts: tuple[str, ...], redis: int = 0, dns: int = 9
    ) -> None:
        """*parts*: names of our snippets; *replaced*: what to write in them in place of what."""
        super().__init__("_rspamd")
        self.port = free_port()
        (self.folder / "plugins").mkdir()
        texts = []
        for part in parts:
            text = (PACKAGING / f"{part}.conf").read_text("utf-8")
            for old, new in replaced.items():
                text = text.replace(old, new)
            texts.append(text if part == "groups" else f"{part} {{\n{text}\n}}")
            plugin = Path(f"/usr/share/rspamd/plugins/{part}.lua")
            if plugin.exists():
                shutil.copy(plugin, self.folder / "plugins")
        if redis:
            texts.append(f'redis {{ servers = "127.0.0.1:{redis}"; timeout = 0.5; }}')
        config = _RSPAMD.format(folder=self.folder, port=self.port, dns=dns, parts="\n".join(texts))
        (self.folder / "rspamd.conf").write_text(config)
        (self.folder / "suffixes").write_text(_SUFFIXES)
        (self.folder / "start.lua").write_text(_LUA)

    def command(self) -> list[str]:
        return ["rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd", "-c", str(self.folder / "rspamd.conf")]

    def is_up(self) -> bool:
        try:
            return self._ask("GET", "/ping")[0] == 200
        except OSError:
            return False

    def _ask(self, method: str, path: str, body: bytes = b"", fields: Mapping[str, str] | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, dict(fields or {}))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def symbols(self, raw: bytes, ip: str = "203.0.113.9") -> dict[str, float]:
        """Our symbols on a mail, and their scores."""
        fields = {
            "IP": ip,
            "From": "<a@sender.example>",
            "Rcpt": "<user@border.test>",
            "Helo": "host.example",
        }
        status, body = self._ask("POST", "/checkv2", raw, fields)
        assert status == 200, body
        found = json.loads(body)["symbols"]
        return {name: row["score"] for name, row in found.items() if name.startswith("THINGWATCH_")}

    @property
    def log(self) -> str:
        """What it wrote down."""
        return (self.folder / "rspamd.log").read_text("utf-8", "replace")


class Rbldnsd(Daemon):
    """rbldnsd with one zone, whose file is ``zone_file``."""

    def __init__(self, zone: str, text: str, check: str = "1s") -> None:
        super().__init__("rbldns")
        self.zone = zone
        self.check = check
        self.port = free_port(socket.SOCK_DGRAM)
        self.zone_file = self.folder / "campaigns.zone"
        self.zone_file.write_text(text)

    def command(self) -> list[str]:
        where = ["-b", f"127.0.0.1/{self.port}", "-c", self.check]
        return ["/usr/sbin/rbldnsd", "-n", "-u", "rbldns", *where, f"{self.zone}:combined:{self.zone_file}"]

    def is_up(self) -> bool:
        try:
            return self.query(self.zone, 6)[0] == 0
        except OSError:
            return False

    def query(self, name: str, kind: int = 1) -> tuple[int, list[bytes], int]:
        """Response code, the data of the answers, and the least TTL of any record; RFC 1035, 4.1."""
        labels = b"".join(bytes((len(part),)) + part.encode() for part in name.split("."))
        asked = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", kind, 1)
        with socket.socket(type=socket.SOCK_DGRAM) as line:
            line.settimeout(5)
            line.connect(("127.0.0.1", self.port))
            line.send(asked)
            reply = line.recv(4096)
        _, flags, _, answers, authority, _ = struct.unpack_from(">6H", reply)
        at, found, ttls = len(asked), [], []
        for number in range(answers + authority):
            while reply[at] and reply[at] < 0xC0:
                at += reply[at] + 1
            at += 2 if reply[at] else 1
            _, _, ttl, length = struct.unpack_from(">2HIH", reply, at)
            at += 10
            if number < answers:
                found.append(reply[at : at + length])
            ttls.append(ttl)
            at += length
        return flags & 0xF, found, min(ttls, default=0)


class RedisServer(Daemon):
    """Redis without persistence; its port stays when it is started again."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        return [
            "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--dir", str(self.folder), "--daemonize", "no",
        ]  # fmt: skip

    def is_up(self) -> bool:
        try:
            return self.say("PING") == b"+PONG"
        except OSError:
            return False

    def say(self, *words: str) -> bytes:
        """The first line of the reply to one command."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as line:
            line.sendall(b"*%d\r\n" % len(words))
            line.sendall(b"".join(b"$%d\r\n%b\r\n" % (len(w.encode()), w.encode()) for w in words))
            return line.recv(65536).split(b"\r\n")[0]
