"""A mail by HTTP is the same mail as by milter; and what can be asked, who may, what is answered."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from guard.service.botwave import client_ip, mail_of
from guard.service.running import ARMED, Running

from thingwatch.errors import UsageError
from thingwatch.guard.gateway import Action, Answer
from thingwatch.guard.service.check import answer_of, delivery_of
from thingwatch.guard.service.http import Request
from thingwatch.guard.service.secret import is_bearer, own_token

MAIL = b"From: a@b.example\r\nSubject: hello\r\n there\r\n\r\ntext\r\n.\r\n"


def request(body: bytes = MAIL, fields: dict[str, list[str]] | None = None, **query: str) -> Request:
    """A POST of *body*."""
    said = {name: value.split(",") for name, value in query.items()}
    return Request("POST", "/check", said, fields or {}, body, False, "127.0.0.1")


def test_a_mail_by_http_is_as_by_milter() -> None:
    """Line ends of a Maildir, the connection's facts as a milter would have them."""
    found = delivery_of(
        request(
            client_ip="2001:DB8::7", helo="bot", ptr="Dsl.Example", mail_from="<A@b.example>", login="me",
            rcpt_to="x@c.example,Y@c.example", queue_id="4Xq", received_at="1795000000.5",
        )
    )  # fmt: skip
    assert found.raw == MAIL.replace(b"\r\n", b"\n")
    assert found.session.client_ip == "2001:db8::7"
    assert found.session.ptr == "dsl.example"
    assert found.session.mail_from == "a@b.example"
    assert found.session.rcpt_to == ("x@c.example", "y@c.example")
    assert found.session.received_at == 1_795_000_000_500_000
    assert (found.queue_id, found.login, found.truncated) == ("4Xq", "me", False)


def test_facts_may_come_in_fields() -> None:
    """For programs whose HTTP client is clumsy with queries."""
    fields = {"client-ip": ["192.0.2.7"], "rcpt-to": ["x@c.example", "y@c.example"], "mail-from": [""]}
    found = delivery_of(request(fields=fields))
    assert found.session.client_ip == "192.0.2.7"
    assert len(found.session.rcpt_to) == 2


def test_the_server_s_own_lines_and_ours_are_left_out() -> None:
    """Received lines the asking server wrote, and fields under our names that the sender forged."""
    own = b"Received: from bot by mx\r\n\tfor x\r\nX-Thingwatch-Verdict: clean\r\nReceived: his own\r\n"
    found = delivery_of(request(own + MAIL, own_received="1"))
    assert found.raw == b"Received: his own\n" + MAIL.replace(b"\r\n", b"\n")
    assert found.forged == 1


@pytest.mark.parametrize(
    "wrong",
    [{"client_ip": "localhost"}, {"client_ip": "1.2.3"}, {"received_at": "yesterday"}, {"received_at": "nan"},
     {"received_at": "-1"}, {"own_received": "99"}],
)  # fmt: skip
def test_what_cannot_be_is_refused(wrong: dict[str, str]) -> None:
    """A wrong fact is said, not guessed around: the verdict would rest on it."""
    with pytest.raises(UsageError):
        delivery_of(request(**wrong))


@pytest.mark.parametrize(
    "body", [b"", b"\n", b"no header", b"A: b", b"\xff\x00\r\r\n", b": x\n\n", b"A:\n b\n\n"]
)
def test_any_body_makes_a_mail(body: bytes) -> None:
    """Hostile mail never raises."""
    assert isinstance(delivery_of(request(body)).raw, bytes)


def test_an_answer_says_all_that_is_known() -> None:
    """Action, campaign, verdict, confidence, and what to put into the mail."""
    said = {"certainty": "sure", "campaign": "c1", "wanted": "quarantine", "bits": 9.5}
    found = answer_of(Answer(Action.QUARANTINE, (("X-A", "b"),), reason="why"), said)
    assert found["action"] == "quarantine"
    assert (found["campaign"], found["verdict"], found["confidence"]) == ("c1", "attack", "sure")
    assert found["headers"] == [["X-A", "b"]]
    assert answer_of(Answer(), None)["verdict"] == "none"


def test_the_token_is_for_its_owner(tmp_path: Path) -> None:
    """Made once, mode 0600, long; anything but it is refused."""
    token = own_token(tmp_path)
    assert token == own_token(tmp_path)
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
    assert len(token) >= 32
    assert is_bearer(f"Bearer {token}", token)
    for wrong in (
        "",
        token,
        f"Basic {token}",
        f"Bearer {token[:-1]}",
        f"Bearer {token}x",
        "Bearer ",
        "Bearer é",
    ):
        assert not is_bearer(wrong, token)
    assert not is_bearer("Bearer ", "")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One daemon for the tests below."""
    with Running(tmp_path_factory.mktemp("daemon"), ARMED) as running:
        yield running


def feed(daemon: Running, mails: int, seed: int, first: int = 0) -> None:
    """Show it the beginning of wave *seed*."""
    for number in range(first, first + mails):
        daemon.check(mail_of(number, seed), client_ip=client_ip(number), rcpt_to=f"u{number}@border.test")


def test_a_mark_holds_from_the_next_mail_on(daemon: Running) -> None:
    """Met by HTTP, marked, quarantined; rolled back, tagged again."""
    feed(daemon, 20, 1)
    campaign = daemon.campaigns()[0]["id"]
    mark = json.dumps({"campaign": campaign, "verdict": "attack", "by": "test"}).encode()
    assert daemon.ask("/mark", mark)[0] == 200
    held = daemon.check(mail_of(50, 1), client_ip=client_ip(50), queue_id="4XHELD", rcpt_to="a@border.test")
    assert (held["action"], held["campaign"], held["confidence"]) == ("quarantine", campaign, "known")
    assert held["headers"][0][0] == "X-Thingwatch-Verdict"
    status, back = daemon.ask("/rollback", json.dumps({"campaign": campaign}).encode())
    assert status == 200
    assert [one["queue_id"] for one in back["released"]] == ["4XHELD"]
    assert daemon.check(mail_of(51, 1), client_ip=client_ip(51))["action"] == "tag"


@pytest.mark.parametrize("path", ["/mark", "/rollback", "/labels", "/passed", "/rescanned"])
def test_deeds_need_the_token(daemon: Running, path: str) -> None:
    """On loopback too: anyone on this machine can connect there (S9)."""
    for said in ("", "Bearer x", "Basic eA=="):
        assert daemon.ask(path, b"{}", {"Authorization": said})[0] == 401
    assert daemon.ask("/delivered?campaign=c1", None, {"Authorization": ""})[0] == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::2]:80"])
def test_a_name_from_outside_is_not_answered(daemon: Running, host: str) -> None:
    """A page in a browser of this machine, under a name that was made to lead here, learns nothing."""
    assert daemon.ask("/status", None, {"Host": host})[0] == 403


def test_no_request_names_a_file(daemon: Running) -> None:
    """Paths are of a fixed list, and what looks like one in a value stays a value (S11)."""
    for path in ("/../etc/passwd", "/status/../token", "/token", "/%2e%2e/token", "//etc/passwd"):
        assert daemon.ask(path)[0] in (400, 404)
    wrong = json.dumps({"campaign": "../../etc/passwd", "verdict": "attack"}).encode()
    assert daemon.ask("/mark", wrong)[0] == 400


def test_the_token_is_in_no_log_and_no_answer(daemon: Running) -> None:
    """A canary for secrets (S12)."""
    token = (daemon.state / "token").read_text().strip()
    daemon.ask("/mark", b"not json")
    daemon.ask("/nowhere")
    said = json.dumps([daemon.status(), daemon.campaigns()]) + daemon.ask("/metrics")[1].decode()
    assert token not in daemon.log_path.read_text() + said


def test_a_label_is_noted_without_the_address(daemon: Running) -> None:
    """What users report is kept; of a mail nobody remembers it changes nothing, and the answer says so."""
    before = daemon.campaigns()
    row = {
        "label": "spam",
        "message_id": "none@sender.example",
        "recipient": "u7@border.test",
        "by": "webmail",
    }
    assert daemon.ask("/labels", json.dumps(row).encode()) == (
        200, {"noted": "spam", "campaign": "", "effect": ""},
    )  # fmt: skip
    assert daemon.ask("/labels", b'{"label": "spam"}')[0] == 400
    assert daemon.ask("/labels", b'{"label": "evil", "campaign": "c"}')[0] == 400
    kept = (daemon.state / "labels.jsonl").read_text()
    assert "none@sender.example" in kept
    assert "u7@border.test" not in kept
    assert daemon.campaigns() == before
    assert daemon.status()["service"]["labels"] == {"spam": 1}


def test_metrics_are_in_the_text_format(daemon: Running) -> None:
    """Every line a comment or a name with a number; every name ours."""
    status, text = daemon.ask("/metrics")
    assert status == 200
    lines = text.decode().splitlines()
    assert lines
    for line in lines:
        assert line.startswith(("# HELP thingwatch_", "# TYPE thingwatch_", "thingwatch_"))
        if not line.startswith("#"):
            float(line.rpartition(" ")[2])
    names = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(names) == len(set(names))


def test_wrong_methods_and_bodies_are_refused(daemon: Running) -> None:
    """With the code that says what is wrong."""
    assert daemon.ask("/status", b"")[0] == 405
    assert daemon.ask("/check")[0] == 405
    assert daemon.ask("/check?client_ip=nowhere", MAIL)[0] == 400
    assert daemon.ask("/mark", b"[]")[0] == 400
    assert daemon.ask("/passed?form=log", b"{}")[0] == 400


def test_a_clean_stop_writes_all_down(tmp_path: Path) -> None:
    """SIGTERM: exit code 0; the next start knows the campaign, and names no gap but the time between."""
    daemon = Running(tmp_path, ARMED)
    with daemon:
        feed(daemon, 12, 3)
        assert daemon.stop() == 0
        assert json.loads((daemon.state / "service.json").read_text())["stopped"]
        daemon.start()
        assert daemon.campaigns()[0]["messages"] == 12
        assert [gap["how"] for gap in daemon.status()["gaps"]] == ["stopped"]
        assert [event["event"] for event in daemon.events if event["event"].startswith("stop")] == [
            "stopping",
            "stopped",
        ]


def test_beyond_loopback_everything_needs_the_token(tmp_path: Path) -> None:
    """0.0.0.0 without a state folder is refused at the start."""
    from typer.testing import CliRunner

    from thingwatch.cli import app
    from thingwatch.errors import OutputError

    given = ["guard", "run", "--http", "0.0.0.0:0", "--milter", "inet:127.0.0.1:0"]
    found = CliRunner().invoke(app, given, catch_exceptions=True)
    assert isinstance(found.exception, OutputError)
    assert "token" in str(found.exception)
