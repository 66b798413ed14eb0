"""A real Postfix of one's own: private folders, loopback only, nothing leaves the machine.

It knows how to take mail in, to hold it, and to put it into Maildirs below its own folder. There is no SMTP
client in it, and no look-up of names: what is not for ``DOMAIN`` is refused or fails.
"""

from __future__ import annotations

import os
import pwd
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

import pytest

DOMAIN = "border.test"
MAX_MAIL_BYTES = 64 << 20

# Daemons by name; nothing here can speak to the outside.
_MASTER = """\
{endpoint} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""

_MAIN = {
    "compatibility_level": "3.6",
    "queue_directory": "{folder}/queue",
    "data_directory": "{folder}/data",
    "maillog_file": "{folder}/log/mail.log",
    "maillog_file_prefixes": "{folder}/log",
    "inet_interfaces": "loopback-only",
    "inet_protocols": "ipv4",
    "myhostname": "mx.{domain}",
    "mydestination": "",
    "mynetworks": "127.0.0.0/8",
    "alias_maps": "",
    "alias_database": "",
    "virtual_mailbox_domains": "{domain}",
    "virtual_mailbox_base": "{folder}/mail",
    "virtual_mailbox_maps": "static:inbox/",
    "virtual_uid_maps": "static:{uid}",
    "virtual_gid_maps": "static:{gid}",
    "virtual_mailbox_limit": "0",
    "message_size_limit": str(MAX_MAIL_BYTES),
    "virtual_transport": "virtual",
    "local_transport": "error:no local delivery",
    "relay_transport": "error:no relaying",
    "default_transport": "error:nothing leaves this machine",
    "smtpd_relay_restrictions": "reject_unauth_destination",
    "smtpd_peername_lookup": "no",
    "smtp_dns_support_level": "disabled",
    "local_header_rewrite_clients": "",
    "smtpd_authorized_xclient_hosts": "127.0.0.1",
    "smtpd_tls_security_level": "none",
    "smtpd_error_sleep_time": "0",
    "smtpd_hard_error_limit": "1000",
    "milter_protocol": "6",
    "milter_default_action": "accept",
    "milter_connect_timeout": "5s",
    "milter_command_timeout": "5s",
    "milter_content_timeout": "20s",
}


def why_not() -> str:
    """Why there can be no Postfix here; "" when there can."""
    if shutil.which("postfix") is None:
        return "Postfix is not installed (Debian: apt-get install postfix)"
    if os.geteuid() != 0:
        return "Postfix has to be started by root"
    return ""


needs_postfix = pytest.mark.skipif(bool(why_not()), reason=why_not() or "Postfix is here")


def free_port() -> int:
    """A port on loopback nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Postfix:
    """One instance, running within ``with``; its folder is gone afterwards."""

    def __init__(self, **settings: str) -> None:
        """Take lines of main.cf that differ from the ones above, as ``smtpd_milters="inet:127.0.0.1:8899"``."""
        # Not pytest's own folder: its owner alone may enter it, and Postfix's daemons are not its owner.
        self.folder = Path(tempfile.mkdtemp(prefix="thingwatch-postfix-"))
        self.folder.chmod(0o755)
        self.port = free_port()
        self.settings = {**_MAIN, **settings}

    @property
    def log(self) -> str:
        """The mail log so far."""
        path = self.folder / "log" / "mail.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    @property
    def inbox(self) -> list[bytes]:
        """The mails delivered, in the order of delivery, as they lie in the Maildir."""
        found = sorted(
            (self.folder / "mail" / "inbox" / "new").glob("*"), key=lambda path: path.stat().st_mtime_ns
        )
        return [path.read_bytes() for path in found]

    def settle(self, seconds: float = 20.0) -> None:
        """Wait until no mail is on its way to the inbox."""
        deadline = time.monotonic() + seconds
        queues = [self.folder / "queue" / name for name in ("incoming", "active", "deferred")]
        # A queue file that is complete may be executed; one of a client that vanished never is.
        while any(
            path.is_file() and os.access(path, os.X_OK) for queue in queues for path in queue.rglob("*")
        ):
            assert time.monotonic() < deadline, self.log[-4000:]
            time.sleep(0.02)

    def empty_inbox(self) -> None:
        """Take away what was delivered."""
        for path in (self.folder / "mail" / "inbox" / "new").glob("*"):
            path.unlink()

    @property
    def held(self) -> list[str]:
        """Queue ids of the mails on hold."""
        return sorted(path.name for path in (self.folder / "queue" / "hold").rglob("*") if path.is_file())

    def held_mail(self, queue_id: str) -> bytes:
        """Header and body of a mail on hold."""
        return self._run("postcat", "-c", str(self.folder / "etc"), "-q", "-hb", queue_id)

    def wait_for(self, deliveries: int, seconds: float = 20.0) -> list[bytes]:
        """The inbox, once it has so many mails."""
        deadline = time.monotonic() + seconds
        while len(self.inbox) < deliveries:
            assert time.monotonic() < deadline, f"{len(self.inbox)} of {deliveries} mails\n{self.log[-4000:]}"
            time.sleep(0.02)
        return self.inbox

    def reload(self) -> None:
        """As an operator does after a change."""
        self._run("postfix", "-c", str(self.folder / "etc"), "reload")

    def submit(self, content: bytes) -> None:
        """Take in a mail as a program of this machine would send it, recipients from its header."""
        command = ["sendmail", "-C", str(self.folder / "etc"), "-t"]
        subprocess.run(command, input=content, capture_output=True, timeout=60, check=True)

    def smtp(self) -> smtplib.SMTP:
        """An SMTP client of this server."""
        return smtplib.SMTP("127.0.0.1", self.port, local_hostname="client.test", timeout=30)

    def __enter__(self) -> Postfix:
        folder = self.folder
        postfix, nobody = pwd.getpwnam("postfix"), pwd.getpwnam("nobody")
        for name in ("etc", "queue", "data", "log", "mail"):
            (folder / name).mkdir()
        os.chown(folder / "data", postfix.pw_uid, postfix.pw_gid)
        os.chown(folder / "mail", nobody.pw_uid, nobody.pw_gid)
        words = {"folder": folder, "domain": DOMAIN, "uid": nobody.pw_uid, "gid": nobody.pw_gid}
        lines = (f"{name} = {value.format_map(words)}" for name, value in self.settings.items())
        (folder / "etc" / "main.cf").write_text("\n".join(lines) + "\n")
        (folder / "etc" / "master.cf").write_text(_MASTER.format(endpoint=f"127.0.0.1:{self.port}"))
        try:
            # Comes back when Postfix listens.
            self._run("postfix", "-c", str(folder / "etc"), "start")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        # Postfix ends the process named in the pid file of its own queue, and no other.
        if (self.folder / "queue" / "pid" / "master.pid").exists():
            subprocess.run(
                ["postfix", "-c", str(self.folder / "etc"), "stop"],
                capture_output=True,
                timeout=60,
                check=False,
            )
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, *command: str) -> bytes:
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, f"{command}: {(done.stdout + done.stderr).decode()}\n{self.log[-4000:]}"
        return done.stdout
