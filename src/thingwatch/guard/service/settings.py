"""Where the guard listens and what it grants its peers: the [service] table of guard.toml, and the command line.

The rest of the file are the options of the guard itself; tables of outlets go to them unread.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from thingwatch.config import checked, read_toml, setting
from thingwatch.errors import SettingError
from thingwatch.guard.options import Options

OUTLETS = "outlets"  # [outlets.NAME]: read by the outlets


@dataclass(frozen=True, slots=True)
class Service:
    """All settings of the daemon."""

    milter: str = setting(
        "inet:127.0.0.1:8893", "where the mail server asks: inet:HOST:PORT or unix:PATH", "address"
    )
    http: str = setting(
        "127.0.0.1:8894",
        "where programs ask, HOST:PORT; empty: nowhere, and commands cannot ask either",
        "address",
    )
    state: str = setting("", "folder in which memory outlives us; empty: nowhere", "path")
    known: tuple[str, ...] = setting((), "case folders whose attacks are known from the start", "path")
    log: str = setting("", "file for events; empty: standard error", "path")
    deadline_seconds: float = setting(
        4.0, "after which a mail is let pass undecided; less than the mail server waits", "seconds", 0.1, 300
    )
    grace_seconds: float = setting(10.0, "in which a stop finishes the mails in hand", "seconds", 0, 300)
    max_mail_bytes: int = setting(4 << 20, "of one mail that are looked at", "bytes", 1 << 16, 1 << 28)
    max_connections: int = setting(
        1000, "of mail servers at a time; more than those have processes", "connections", 1, 1 << 16
    )
    max_http_connections: int = setting(
        200, "of other programs; beyond, who has been silent longest must go", "connections", 1, 1 << 14
    )

    def changed(self, **values: Any) -> Service:
        """A copy with *values* set; raises SettingError for a value that cannot be."""
        made = replace(self, **checked(self, values, "see docs/guard-settings.md", "service."))
        _ = made.milter_address, made.http_address
        return made

    @property
    def milter_address(self) -> tuple[str, int] | Path:
        """Host and port, or the path of a Unix socket; in Postfix's words and in Sendmail's."""
        kind, _, rest = self.milter.partition(":")
        if kind in ("unix", "local") and rest.startswith("/"):
            return Path(rest)
        if kind == "inet" and "@" in rest:
            port, _, host = rest.partition("@")
            rest = f"{host}:{port}"
        if kind == "inet" and (found := _host_port(rest)):
            return found
        raise SettingError(
            f"milter = {self.milter!r}: write inet:127.0.0.1:8893 or unix:/run/thingwatch/milter"
        )

    @property
    def http_address(self) -> tuple[str, int] | None:
        """Host and port; None for nowhere."""
        if not self.http:
            return None
        if found := _host_port(self.http):
            return found
        raise SettingError(f"http = {self.http!r}: write 127.0.0.1:8894")


def _host_port(text: str) -> tuple[str, int] | None:
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    if not (host and port.isascii() and port.isdigit() and int(port) < 1 << 16):
        return None
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach *host*."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True)
class Setup:
    """A whole guard.toml."""

    service: Service = Service()
    options: Options = field(default_factory=Options)
    outlets: dict[str, Any] = field(default_factory=dict)  # tables by name

    @classmethod
    def load(cls, path: Path | None, **given: Any) -> Setup:
        """Read *path* (None: the defaults); what is *given* on the command line wins over [service], None does not.

        Raises InputError when the file cannot be read, SettingError for what it says.
        """
        values = read_toml(path, "canary = true")
        tables = {name: values.pop(name, {}) for name in ("service", OUTLETS)}
        for name, table in tables.items():
            if not isinstance(table, dict):
                raise SettingError(f"{name} = {table!r}: must be a table; write [{name}]")
        wanted = {**tables["service"], **{name: value for name, value in given.items() if value is not None}}
        return cls(Service().changed(**wanted), Options().changed(**values), tables[OUTLETS])
