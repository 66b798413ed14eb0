"""Rspamd and SpamAssassin on a sample of the same mail, where they are installed: how long a mail takes them.

Both judge one mail at a time and know nothing of campaigns; they stand here as the measure of what a mail may
cost. They are started on loopback with folders of their own, their network checks off, and ended by their pid.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from cost import cpu_seconds_of

RSPAMC_MAILS = 250  # per call of its client, which takes files by name
START_SECONDS = 60.0  # SpamAssassin compiles its rules before it listens
RSPAMD_OPTIONS = """
dns { nameserver = ["127.0.0.1:%d"]; timeout = 0.05s; retransmits = 1; }
filters = "chartable,regexp";
"""
# Modules that ask the network or a store; what is left is rules on the mail itself.
RSPAMD_OFF = """
    antivirus arc asn bayes_expiry clickhouse dcc dkim dkim_signing dmarc elastic external_services fuzzy_check greylist
    hfilter history_redis known_senders milter_headers mx_check neural phishing ratelimit rbl replies reputation
    spamassassin spf url_redirector
"""


class Speed(NamedTuple):
    """One filter's work on the sample."""

    name: str
    mails: int
    wall_seconds: float  # with as many clients at once as there are cores
    cpu_seconds: float  # of its daemon; the clients' is not counted


def speeds_of(files: list[Path], folder: Path) -> tuple[list[Speed], list[str]]:
    """The speed of each filter on the mails in *files*, and the names of those not installed."""
    speeds, missing = [], []
    for name, needed, measure in (
        ("Rspamd", ("rspamd", "rspamc"), _rspamd),
        ("SpamAssassin", ("spamd", "spamc"), _spamassassin),
    ):
        if all(map(shutil.which, needed)):
            own = folder / name.lower()
            shutil.rmtree(own, ignore_errors=True)
            own.mkdir(parents=True)
            speeds.append(measure(files, own))
        else:
            missing.append(name)
    return speeds, missing


def _rspamd(files: list[Path], folder: Path) -> Speed:
    local = folder / "local"
    for part in ("local.d", "override.d", "maps.d", "modules.local.d"):
        (local / part).mkdir(parents=True)
    port = _free_port()
    write = (local / "local.d").joinpath
    write("options.inc").write_text(RSPAMD_OPTIONS % _free_port())
    write("worker-normal.inc").write_text(f'bind_socket = "127.0.0.1:{port}";\ncount = {_cores()};\n')
    for worker in ("controller", "proxy", "fuzzy"):
        write(f"worker-{worker}.inc").write_text(
            f'enabled = false;\ncount = 0;\nbind_socket = "127.0.0.1:{_free_port()}";\n'
        )
    for module in RSPAMD_OFF.split():
        write(f"{module}.conf").write_text("enabled = false;\n")
    command = ["rspamd", "-f", *(["-i"] if os.getuid() == 0 else [])]
    places = {"DBDIR": folder, "RUNDIR": folder, "LOGDIR": folder, "LOCAL_CONFDIR": local}
    command += [f"--var={name}={path}" for name, path in places.items()]
    with _daemon(command, port, folder) as pid:
        # One client carries many mails, several at once.
        client = ["rspamc", "-h", f"127.0.0.1:{port}", "-n", str(2 * _cores())]
        return _timed("Rspamd", files, pid, lambda batch: [*client, *map(str, batch)], RSPAMC_MAILS)


def _spamassassin(files: list[Path], folder: Path) -> Speed:
    port = _free_port()
    # As root it would change to the caller's user for each mail, and cannot.
    user = ["--username=nobody"] if os.getuid() == 0 else []
    folder.chmod(0o777)
    command = [
        "spamd", "--local", f"--listen=127.0.0.1:{port}", f"--max-children={_cores()}", f"--min-children={_cores()}",
        f"--helper-home-dir={folder}", "--nouser-config", "--syslog=stderr", f"--pidfile={folder / 'pid'}", *user,
    ]  # fmt: skip
    with _daemon(command, port, folder) as pid:
        client = ["spamc", "-d", "127.0.0.1", "-p", str(port), "-c", "-x"]
        return _timed("SpamAssassin", files, pid, lambda _: client, 0)


def _timed(
    name: str, files: list[Path], pid: int, client: Callable[[list[Path]], list[str]], most: int
) -> Speed:
    """Have *client* ask about all files, *most* in one call; 0 for one, on its standard input."""

    def ask(batch: list[Path]) -> None:
        with batch[0].open("rb") as mail:
            # spamc answers 1 for spam; any answer at all is what we need.
            command = client(batch)
            done = subprocess.run(command, stdin=None if most else mail, capture_output=True, check=False)  # noqa: S603
        if done.returncode not in (0, 1) or not done.stdout:
            raise SystemExit(
                f"{name} gave no answer for {batch[0].name}: {done.stderr.decode(errors='replace')[:200]}"
            )

    for file in files[: 4 * _cores()]:  # its workers load what they need at their first mail
        ask([file])
    size = max(1, most)
    batches = [files[at : at + size] for at in range(0, len(files), size)]
    before, started = cpu_seconds_of(pid), time.perf_counter()
    with ThreadPoolExecutor(1 if most else 2 * _cores()) as pool:
        list(pool.map(ask, batches))
    return Speed(name, len(files), time.perf_counter() - started, cpu_seconds_of(pid) - before)


@contextlib.contextmanager
def _daemon(command: list[str], port: int, folder: Path) -> Iterator[int]:
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)  # noqa: S603 our own commands
    try:
        ends = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if process.poll() is not None or time.monotonic() > ends:
                raise SystemExit(
                    f"{command[0]} did not start:\n{(folder / 'output').read_text(errors='replace')[-800:]}"
                )
            time.sleep(0.1)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _cores() -> int:
    return len(os.sched_getaffinity(0))
