"""guard.toml, addresses, outlets' tables, several cases: read as meant, or refused with the cure."""

from __future__ import annotations

import hashlib
import mailbox
from pathlib import Path

import pytest
from guard.service.botwave import client_ip, mail_of
from guard.service.running import ARMED, Running

from thingwatch.config import Settings
from thingwatch.errors import InputError, SettingError
from thingwatch.guard import Guard, Known, Options
from thingwatch.guard.service.equip import checked
from thingwatch.guard.service.settings import Service, Setup, is_loopback
from thingwatch.identify import Networks
from thingwatch.uncover import uncover


def test_a_file_and_a_command_line_make_a_setup(tmp_path: Path) -> None:
    """Options on top, the process in its table, outlets unread; the command line wins."""
    path = tmp_path / "guard.toml"
    path.write_text(
        'canary = false\n[service]\nmilter = "unix:/run/x"\ndeadline_seconds = 2\nknown = ["a"]\n'
        '[outlets.maps]\nfolder = "m"\n[actions]\nsure = "reject"\n'
    )
    found = Setup.load(path, known=("b",), state=None, http="[::1]:9")
    assert not found.options.canary
    assert found.options.actions == (("sure", "reject"),)
    assert found.service.milter_address == Path("/run/x")
    assert found.service.http_address == ("::1", 9)
    assert found.service.known == ("b",)
    assert found.service.deadline_seconds == 2.0
    assert found.outlets == {"maps": {"folder": "m"}}
    assert Setup.load(None).service == Service()


@pytest.mark.parametrize(
    "text",
    ["nonsense", "[service]\nwrong = 1", "[service]\ndeadline_seconds = 0", "[service]\nmilter = 'inet:here'",
     "[service]\nhttp = '127.0.0.1'", "service = 3", "canary = 3", "[service]\nmilter = 'unix:here'",
     "[service]\nmax_connections = 'many'"],
)  # fmt: skip
def test_what_cannot_be_is_refused(tmp_path: Path, text: str) -> None:
    """With the name of the setting."""
    (tmp_path / "guard.toml").write_text(text)
    with pytest.raises(SettingError):
        Setup.load(tmp_path / "guard.toml")


@pytest.mark.parametrize(
    ("said", "meant"),
    [("inet:127.0.0.1:8893", ("127.0.0.1", 8893)), ("inet:8893@127.0.0.1", ("127.0.0.1", 8893)),
     ("inet:[::1]:8893", ("::1", 8893)), ("unix:/run/a", Path("/run/a")), ("local:/run/a", Path("/run/a"))],
)  # fmt: skip
def test_addresses_are_written_as_postfix_and_sendmail_do(said: str, meant: object) -> None:
    """Both servers' words for one thing."""
    assert Service().changed(milter=said).milter_address == meant


def test_what_is_loopback() -> None:
    """Only what no other machine reaches."""
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.0.2.1", "localhost.example", "")))  # noqa: S104


@pytest.mark.parametrize(
    "tables",
    [{"none": {}}, {"maps": {}}, {"maps": {"folder": 3}}, {"maps": {"folder": "m", "x": 1}}, {"maps": "m"},
     {"publish": {"hold_hours": "12"}}],
)  # fmt: skip
def test_outlets_tables_are_checked(tables: dict[str, object]) -> None:
    """Before anything listens."""
    with pytest.raises(SettingError, match="outlets"):
        checked(tables)


def test_without_tables_the_guard_is_plain() -> None:
    """Nothing of the outlets is loaded for who has none."""


def case_of(folder: Path, seed: int) -> Path:
    """A case of one wave among other mail."""
    inbox = mailbox.mbox(folder / f"{seed}.mbox")
    for number in range(60):
        line = (
            f"Received: from bot (dsl-{number}.example [{client_ip(number)}])\r\n\tby mx.border.test (Postfix)"
            f" with ESMTP id 4X{number}\r\n\tfor <u{number}@border.test>; Mon, 23 Nov 2026 10:{number:02}:00 +0000\r\n"
        )
        inbox.add(line.encode() + mail_of(number, seed))
        inbox.add(line.replace("Mon, 23", "Tue, 24").encode() + _other(number))
    inbox.flush()
    uncover([folder / f"{seed}.mbox"], folder / f"case{seed}", Settings(workers=1), Networks.load(None))
    return folder / f"case{seed}"


def _other(number: int) -> bytes:
    """Mail of its own."""
    words = [f"{digest_of(f'{number}/{word}')}" for word in range(40)]
    return (
        f"Message-ID: <{number}@host{number}.example>\r\nSubject: {words[0]} {words[1]}\r\nX-Mailer: {words[2]}\r\n"
        f"From: a{number}@host{number}.example\r\n\r\n{' '.join(words)}\r\n"
    ).encode()


def digest_of(text: str) -> str:
    """A word made of letters."""
    return "".join(chr(97 + int(char, 16)) for char in hashlib.sha256(text.encode()).hexdigest()[:8])


def test_several_cases_are_known_together(tmp_path: Path) -> None:
    """What each knows alone; the same case twice adds nothing."""
    one, two = (case_of(tmp_path, seed) for seed in (1, 2))
    alone = [Known.load(case) for case in (one, two)]
    both = Known.load(one, two, one)
    assert all(known.campaigns for known in alone)
    ids = [{campaign.id for campaign in known.campaigns} for known in (*alone, both)]
    assert ids[2] == ids[0] | ids[1]
    assert both.nbytes == alone[0].nbytes + alone[1].nbytes > 0
    assert Known.load().campaigns == []
    with pytest.raises(InputError):
        Known.load(one, tmp_path)


def test_options_change_while_the_guard_runs() -> None:
    """All but what memory is laid out by."""
    guard = Guard(Options(max_messages=2000, max_sources=2000))
    kept = guard.reload(
        Known(), Options().changed(canary=False, traps=["t@x.example"], actions={"sure": "reject"})
    )
    assert sorted(kept) == ["max_messages", "max_sources"]
    assert not guard.options.canary
    assert guard.options.max_messages == 2000
    assert guard.state.policy.options is guard.options is guard.state.options


def test_outlets_hang_on_the_daemon(tmp_path: Path) -> None:
    """Maps and a zone are written, Rspamd's tap is answered, and status tells of them."""
    (tmp_path / "maps").mkdir()
    tables = f'[outlets.maps]\nfolder = "{tmp_path}/maps"\n[outlets.zone]\nfile = "{tmp_path}/zone"\n[outlets.rspamd]\n'
    with Running(tmp_path, ARMED + tables) as daemon:
        daemon.wait_until(lambda: (tmp_path / "zone").exists())
        for number in range(10):
            status, found = daemon.ask(
                "/rspamd", mail_of(number),
                {
                    "X-Rspamd-Ip": client_ip(number), "X-Rspamd-From": f"p{number}@sender.example",
                    "X-Rspamd-Rcpt": f'["u{number}@border.test"]', "X-Rspamd-Qid": f"4X{number}",
                },
            )  # fmt: skip
            assert status == 200, found
            assert [one["action"] for one in found] == ["accept"]
        assert "publisher" in daemon.status()["outlets"]
        assert daemon.status()["guard"]["counts"]["mails"] == 10
        assert daemon.ask("/rspamd", b"{}")[0] == 400
        assert daemon.stop() == 0
