"""Runs of one hand in mail that is known from a log only."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pyarrow.parquet as pq

from thingwatch.config import Settings
from thingwatch.identify import Networks
from thingwatch.uncover import uncover

DAY = "2014-01-0{day}T{hour:02d}:{minute:02d}:{second:02d}+00:00 mx1"


class Log:
    """Writes the lines Postfix writes for a delivery, in the order of time."""

    def __init__(self) -> None:
        self.dice = Random(12)  # noqa: S311 a test wants the same mail every time
        self.lines: list[tuple[float, str]] = []
        self.count = 0

    def deliver(self, when: float, ip: str, ptr: str, message_id: str, sender: str, size: int) -> None:
        """One mail handed over *when* (seconds after 1 January)."""
        self.count += 1
        queue = f"{self.count:010X}"
        day, rest = divmod(int(when), 86400)
        stamp = DAY.format(day=day + 1, hour=rest // 3600, minute=rest // 60 % 60, second=rest % 60)
        rcpt = f"r{self.dice.randrange(500)}@corp.example"
        for text in (
            f"smtpd[7]: {queue}: client={ptr or 'unknown'}[{ip}]",
            f"cleanup[8]: {queue}: message-id=<{message_id}>",
            f"qmgr[9]: {queue}: from=<{sender}>, size={size}, nrcpt=1 (queue active)",
            f"lmtp[5]: {queue}: to=<{rcpt}>, relay=store[10.0.0.3]:24, delay=1, dsn=2.0.0, status=sent (250 ok)",
            f"qmgr[9]: {queue}: removed",
        ):
            self.lines.append((when, f"{stamp} postfix/{text}"))

    def write(self, path: Path) -> Path:
        """The log as a file."""
        self.lines.sort(key=lambda line: line[0])
        path.write_text("\n".join(text for _, text in self.lines) + "\n", encoding="utf-8")
        return path


def wave(log: Log, start: float, pool: list[str], mails: int) -> None:
    """A wave of half an hour from *pool*, its Message-IDs all of one form."""
    for _ in range(mails):
        ip = log.dice.choice(pool)
        ptr = f"h{ip.replace('.', '-')}.dyn.isp.example"
        key = "".join(log.dice.choice("0123456789abcdef") for _ in range(12))
        log.deliver(
            start + log.dice.random() * 1800, ip, ptr, f"{key}.x@forged.example", "a@forged.example", 2000
        )


def offices(log: Log, days: int) -> None:
    """Ordinary mail of forty servers, day and night, in the mail programs' own forms."""
    for number in range(40):
        ip, name = f"198.51.100.{number + 1}", f"mail{number}.office{number}.example"
        for day in range(days):
            for _ in range(6):
                when = day * 86400 + log.dice.random() * 86400
                log.deliver(
                    when,
                    ip,
                    name,
                    f"{log.dice.randrange(10**9)}.{log.dice.randrange(10**6)}@{name}",
                    f"p@{name}",
                    3000,
                )


def found(log: Log, tmp_path: Path) -> tuple[dict, list[dict]]:
    """The report and the rows of messages.parquet."""
    path = log.write(tmp_path / "mail.log")
    report = uncover([path], tmp_path / "case", Settings().changed(workers=1), Networks.load(tmp_path)).report
    return report, pq.read_table(tmp_path / "case" / "messages.parquet").to_pylist()


def test_a_campaign_is_found_without_any_text(tmp_path: Path) -> None:
    """Two waves of homes are one attack, whole, and no server's mail is in it."""
    log = Log()
    pool = [f"203.0.113.{n}" for n in range(1, 120)]
    offices(log, 5)
    wave(log, 8 * 3600, pool, 150)
    wave(log, 2 * 86400 + 7 * 3600, pool, 150)
    report, rows = found(log, tmp_path)
    (attack,) = [c for c in report["campaigns"] if c["verdict"] == "attack"]
    mine = [row for row in rows if row["campaign_id"] == attack["id"]]
    assert len(mine) == 300
    assert all(row["client_ip"].startswith("203.0.113.") for row in mine)
    assert len(attack["waves"]) == 2
    assert all(lure["specimen"] == "" for lure in attack["lures"])
    assert report["totals"]["logged_only"] == report["totals"]["messages"]


def test_servers_that_burst_are_no_run(tmp_path: Path) -> None:
    """A newsletter of fifty servers within ten minutes, twenty mails each, makes no attack."""
    log = Log()
    offices(log, 3)
    for number in range(50):
        for _ in range(4):
            key = f"{log.dice.randrange(10**12)}.news@house.example"
            when = 86400 + 9 * 3600 + log.dice.random() * 600
            log.deliver(
                when, f"192.0.2.{number + 1}", f"out{number}.house.example", key, "news@house.example", 9000
            )
    report, _ = found(log, tmp_path)
    assert not [c for c in report["campaigns"] if c["verdict"] == "attack"]
