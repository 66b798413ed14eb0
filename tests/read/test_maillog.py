"""Postfix logs as Messages, and real Postfix and Exim lines."""

import io
import itertools
import json
import re
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingwatch.model import Message, Skip
from thingwatch.read import postfix as postfix_module
from thingwatch.read.maillog import exim, first_year, postfix

LOGS = Path(__file__).parents[2] / "../shared/data/logs"


def moment(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000


def read(text: str, year: int | None = 2026) -> list[Message]:
    found = list(postfix(text.encode().splitlines(), "mail.log", year))
    assert all(isinstance(message, Message) for message in found)
    return found  # type: ignore[return-value]


ONE = """\
Nov 22 19:44:01 mx postfix/smtpd[101]: connect from tap-7.example.net[203.0.113.7]
Nov 22 19:44:02 mx postfix/smtpd[101]: 4FAB12C0D3: client=tap-7.example.net[203.0.113.7]
Nov 22 19:44:03 mx postfix/cleanup[102]: 4FAB12C0D3: message-id=<Lure-1@example.net>
Nov 22 19:44:03 mx postfix/qmgr[90]: 4FAB12C0D3: from=<Offers@Example.net>, size=2345, nrcpt=2 (queue active)
Nov 22 19:44:03 mx postfix/smtpd[101]: disconnect from tap-7.example.net[203.0.113.7] ehlo=1 mail=1 rcpt=2
Nov 22 19:44:04 mx postfix/lmtp[103]: 4FAB12C0D3: to=<anna@example.org>, relay=box[private/lmtp], delay=2, \
delays=1/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok)
Nov 22 19:44:04 mx postfix/lmtp[103]: 4FAB12C0D3: to=<bert.b@example.org>, orig_to=<bert@example.org>, \
relay=box[private/lmtp], delay=2, delays=1/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok)
Nov 22 19:44:05 mx postfix/qmgr[90]: 4FAB12C0D3: removed
"""


def test_one_mail_is_one_message_with_all_its_recipients() -> None:
    """What many lines say of a mail stands in one Message, whole and without a body."""
    assert read(ONE) == [
        Message(
            place="mail.log:2",
            message_id="Lure-1@example.net",
            received_at=moment(2026, 11, 22, 19, 44, 2),
            client_ip="203.0.113.7",
            ptr="tap-7.example.net",
            mail_from="offers@example.net",
            rcpt_to=("anna@example.org", "bert@example.org"),
            size=2345,
            logged=True,
        )
    ]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("Nov 22 19:44:02 mx postfix/smtpd[101]: ", moment(2026, 11, 22, 19, 44, 2)),
        ("Nov  2 19:44:02 mx postfix/smtpd[101]: ", moment(2026, 11, 2, 19, 44, 2)),
        ("<22>Nov 22 19:44:02 mx postfix/smtpd[101]: ", moment(2026, 11, 22, 19, 44, 2)),
        ("Nov 22 19:44:02 <mail.info> mx postfix/smtpd[101]: ", moment(2026, 11, 22, 19, 44, 2)),
        (
            "Nov 22 19:44:02 mx postfix-out/smtpd[101]: [ID 197553 mail.info] ",
            moment(2026, 11, 22, 19, 44, 2),
        ),
        (
            "2025-11-22T19:44:02.250000+01:00 mx postfix/smtpd[101]: ",
            moment(2025, 11, 22, 18, 44, 2) + 250_000,
        ),
        ("<22>1 2025-11-22T19:44:02Z mx postfix/smtpd 101 - - ", moment(2025, 11, 22, 19, 44, 2)),
        ('<22>1 2025-11-22T19:44:02Z mx postfix/smtpd 101 - [a@1 b="c"] ', moment(2025, 11, 22, 19, 44, 2)),
        ("1795376641.5 mx postfix/smtpd[101]: ", moment(2026, 11, 22, 19, 44, 1) + 500_000),
    ],
)
def test_every_syslog_head_is_read(head: str, expected: int) -> None:
    """RFC 3164, RFC 5424, ISO times, seconds since 1970 and their relatives lead to the same line."""
    (message,) = read(head + "4FAB12C0D3: client=unknown[2001:DB8::7]:2525")
    assert (message.received_at, message.client_ip, message.ptr) == (expected, "2001:db8::7", "")


def test_without_a_year_the_time_is_unknown() -> None:
    """An RFC 3164 time is not guessed: no year, no time, and the Message says so."""
    (message,) = read(ONE, None)
    assert message.received_at is None
    assert message.defects == ("year-unknown",)


def test_the_year_is_that_of_the_newest_line() -> None:
    """A log over New Year's begins in the year before, in a list and in a stream that can be rewound."""
    text = "".join(
        f"{day} 10:00:00 mx postfix/smtpd[1]: 4FAB12C0{n:02}: client=unknown[203.0.113.7]\n"
        for n, day in enumerate(("Dec 30", "Dec 31", "Jan  1"))
    ).encode()
    for lines in (text.splitlines(), io.BytesIO(text)):
        found = list(postfix(lines, "mail.log", 2026))
        assert [message.received_at for message in found] == [
            moment(2025, 12, 30, 10),
            moment(2025, 12, 31, 10),
            moment(2026, 1, 1, 10),
        ]
    assert first_year(io.BytesIO(text), 2026) == 2025


def test_a_refusal_is_a_message() -> None:
    """A NOQUEUE reject has client, HELO and envelope, and what one session was refused is one mail."""
    reject = (
        "Nov 22 19:44:0{} mx postfix/smtpd[{}]: NOQUEUE: reject: RCPT from unknown[203.0.113.9]: 550 5.1.1 "
        "<{}@example.org>: Recipient address rejected; from=<a@example.net> to=<{}@example.org> "
        "proto=ESMTP helo=<fridge>\n"
    )
    text = reject.format(1, 7, "x", "x") + reject.format(2, 8, "q", "q") + reject.format(3, 7, "y", "y")
    text += "Nov 22 19:44:09 mx postfix/smtpd[7]: connect from unknown[203.0.113.9]\n" + reject.format(
        9, 7, "z", "z"
    )
    found = read(text)
    assert [message.rcpt_to for message in found] == [
        ("x@example.org", "y@example.org"),
        ("q@example.org",),
        ("z@example.org",),
    ]
    assert {(m.client_ip, m.helo, m.mail_from, m.defects) for m in found} == {
        ("203.0.113.9", "fridge", "a@example.net", ("rejected",))
    }


def test_a_mail_refused_after_its_data_is_rejected() -> None:
    """A milter's refusal at the end of the data ends the mail, which keeps its queue id's facts."""
    text = "".join(ONE.splitlines(keepends=True)[:3])
    text += (
        "Nov 22 19:44:03 mx postfix/cleanup[102]: 4FAB12C0D3: milter-reject: END-OF-MESSAGE from "
        "tap-7.example.net[203.0.113.7]: 5.7.1 Spam; from=<offers@example.net> to=<anna@example.org> "
        "proto=ESMTP helo=<tap>\n"
    )
    (message,) = read(text)
    assert message.defects == ("rejected",)
    assert (message.message_id, message.helo, message.rcpt_to) == (
        "Lure-1@example.net",
        "tap",
        ("anna@example.org",),
    )


def test_postscreen_refusals_are_read() -> None:
    """postscreen sets its envelope off by commas and names no PTR."""
    (message,) = read(
        "Nov 22 19:44:01 mx postfix/postscreen[5]: NOQUEUE: reject: RCPT from [203.0.113.5]:2413: 550 5.7.1 "
        "Service unavailable; client [203.0.113.5] blocked; from=<s@example.net>, to=<r@example.org>, "
        "proto=SMTP, helo=<cam>"
    )
    assert (message.client_ip, message.helo, message.mail_from, message.rcpt_to) == (
        "203.0.113.5",
        "cam",
        "s@example.net",
        ("r@example.org",),
    )


@pytest.mark.parametrize("forwarded", [False, True])
@pytest.mark.parametrize("inner_leaves_first", [False, True])
def test_a_filter_hands_back_the_same_mail(forwarded: bool, inner_leaves_first: bool) -> None:
    """A mail that passes a filter and comes back under a new id is one Message with the outer client."""
    head = "Nov 22 19:44:02 mx postfix/"
    forward = ", orig_queue_id=4FAB12C0D3, orig_client=tap-7.example.net[203.0.113.7]" if forwarded else ""
    lines = ONE.splitlines()[:4]
    lines += [
        f"{head}smtpd[200]: 5AA00000FF: client=localhost[127.0.0.1]{forward}",
        f"{head}cleanup[102]: 5AA00000FF: message-id=<Lure-1@example.net>",
        f"{head}qmgr[90]: 5AA00000FF: from=<offers@example.net>, size=2800, nrcpt=1 (queue active)",
    ]
    outer = [
        f"{head}smtp[300]: 4FAB12C0D3: to=<anna@example.org>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, "
        "delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: "
        "queued as 5AA00000FF)",
        f"{head}qmgr[90]: 4FAB12C0D3: removed",
    ]
    inner = [
        f"{head}lmtp[301]: 5AA00000FF: to=<anna@example.org>, relay=box[private/lmtp], delay=1, "
        "delays=0/0/0/1, dsn=2.0.0, status=sent (250 Ok)",
        f"{head}qmgr[90]: 5AA00000FF: removed",
    ]
    (message,) = read("\n".join(lines + (inner + outer if inner_leaves_first else outer + inner)))
    assert (message.client_ip, message.rcpt_to, message.defects) == ("203.0.113.7", ("anna@example.org",), ())
    assert message.size == 2345


def test_submission_is_kept_and_marked() -> None:
    """Mail of an authenticated user, or through a submission service, is not from outside."""
    found = read(
        "Nov 22 19:44:02 mx postfix/smtpd[1]: 4FAB12C0D3: client=unknown[203.0.113.7], sasl_method=PLAIN, "
        "sasl_username=anna\n"
        "Nov 22 19:44:02 mx postfix/submission/smtpd[2]: 4FAB12C0D4: client=unknown[203.0.113.8]\n"
        "Nov 22 19:44:02 mx postfix-in/smtpd[3]: 4FAB12C0D5: client=unknown[203.0.113.9]\n"
        "Nov 22 19:44:02 mx postfix/pickup[4]: 4FAB12C0D6: uid=0 from=<root>\n"
    )
    assert ["submission" in message.defects for message in found] == [True, True, False, False]
    assert (found[3].client_ip, found[3].mail_from) == (None, "root")


def test_header_checks_tell_subject_and_helo() -> None:
    """A logged Subject: is read up to Postfix's own words, its encoded words decoded, folds and all."""
    (message,) = read(
        ONE + "Nov 22 19:44:03 mx postfix/cleanup[102]: 5FAB12C0D3: warning: header Subject: "
        "=?utf-8?Q?Gr=C3=BC?=? =?utf-8?Q?=C3=9Fe?= from afar from unknown[203.0.113.7]; "
        "from=<a@example.net> to=<b@example.org> proto=ESMTP helo=<tap>"
    )[1:]
    assert (message.subject, message.helo) == ("Grüße from afar", "tap")


def test_bounces_have_the_null_sender() -> None:
    """from=<> is the null sender, an unread sender is not."""
    bounce, unread = read(
        "Nov 22 19:44:02 mx postfix/smtpd[1]: 4FAB12C0D3: client=unknown[203.0.113.7]\n"
        "Nov 22 19:44:02 mx postfix/qmgr[1]: 4FAB12C0D3: from=<>, size=1, nrcpt=1 (queue active)\n"
        "Nov 22 19:44:02 mx postfix/smtpd[1]: 4FAB12C0D4: client=unknown[203.0.113.7]\n"
    )
    assert (bounce.null_sender, bounce.mail_from) == (True, "")
    assert (unread.null_sender, unread.mail_from) == (False, "")


def test_address_probes_are_no_mail() -> None:
    """Postfix asking a server whether an address exists is not counted as a mail."""
    assert not read(
        "Nov 22 19:44:02 mx postfix/cleanup[1]: 4FAB12C0D3: message-id=<1@mx>\n"
        "Nov 22 19:44:02 mx postfix/smtp[1]: 4FAB12C0D3: to=<a@example.org>, relay=none, delay=0.01, "
        "delays=0/0/0/0, dsn=5.1.1, status=undeliverable-but-not-cached (User unknown)\n"
        "Nov 22 19:44:02 mx postfix/qmgr[1]: 4FAB12C0D3: removed\n"
    )


def test_a_log_that_begins_or_ends_in_the_middle_says_so() -> None:
    """What the log holds of a mail is given out with "log-incomplete"; delay= dates an unseen arrival."""
    first, last = read("\n".join(ONE.splitlines()[5:]) + "\n" + ONE.replace("4FAB12C0D3: removed", ""))
    assert first.defects == last.defects == ("log-incomplete",)
    assert first.received_at == moment(2026, 11, 22, 19, 44, 2)
    assert (first.client_ip, last.client_ip) == (None, "203.0.113.7")


def test_open_mails_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above MAX_OPEN the oldest mail is given out as it stands; none is lost."""
    monkeypatch.setattr(postfix_module, "MAX_OPEN", 10)
    line = "Nov 22 19:44:02 mx postfix/smtpd[1]: {:010X}: client=unknown[203.0.113.7]\n"
    found = read("".join(line.format(n) for n in range(100)))
    assert [message.place for message in found] == [f"mail.log:{n}" for n in range(1, 101)]
    assert {message.defects for message in found} == {("log-incomplete",)}


def test_an_endless_line_is_a_skip() -> None:
    """A line beyond the bound is named and passed over; what follows is read."""
    found = list(postfix(io.BytesIO(b"A" * 3_000_000 + b"\n" + ONE.encode()), "mail.log", 2026))
    assert found[0] == Skip("mail.log:1", "line-too-long")
    assert len(found) == 2


names = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8)


@st.composite
def interleavings(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    sessions = []
    for n in range(draw(st.integers(1, 8))):
        queue_id = draw(st.sampled_from(["{:07X}", "4h{:013d}"])).format(n + 1)
        ip = draw(st.sampled_from(["203.0.113.{}", "2001:db8::{}", "127.0.0.{}"])).format(n + 1)
        head = f"Nov 22 19:{n:02}:00 mx postfix/"
        lines = [
            f"{head}smtpd[{n}]: connect from unknown[{ip}]",
            f"{head}smtpd[{n}]: {queue_id}: client={draw(names)}.example[{ip}]",
            f"{head}cleanup[7]: {queue_id}: message-id=<{draw(names)}@example.net>",
            f"{head}qmgr[8]: {queue_id}: from=<{draw(names)}@example.net>, size={n}, nrcpt=1 (queue active)",
        ]
        lines += [
            f"{head}smtp[9]: {queue_id}: to=<{draw(names)}@example.org>, relay=none, delay=1, "
            "status=sent (250 Ok)"
            for _ in range(draw(st.integers(0, 3)))
        ]
        sessions.append([*lines, f"{head}qmgr[8]: {queue_id}: removed"])
    order = draw(st.permutations([n for n, lines in enumerate(sessions) for _ in lines]))
    rest = [iter(lines) for lines in sessions]
    return [next(rest[n]) for n in order], sessions


@settings(deadline=None)
@given(interleavings())
def test_any_interleaving_gives_the_same_messages(drawn: tuple[list[str], list[list[str]]]) -> None:
    """However the lines of k mails are interleaved, they are the same k Messages as one after another."""
    mixed, sessions = drawn
    alone = [read("\n".join(lines))[0]._replace(place="") for lines in sessions]
    together = [message._replace(place="") for message in read("\n".join(mixed))]
    assert sorted(together) == sorted(alone)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=20), st.integers(0, 8))
def test_no_bytes_raise(tails: list[bytes], which: int) -> None:
    """Whatever follows a syslog head, or stands without one, neither reader raises."""
    heads = [b"", *(line.encode()[: line.index("]: ") + 3] for line in ONE.splitlines())]
    head = heads[which % len(heads)]
    for middle in (
        b"",
        b"4FAB12C0D3: ",
        b"4FAB12C0D3: from=<",
        b"4FAB12C0D3: to=<",
        b"NOQUEUE: reject: RCPT from x[1.2.3.4]: ",
    ):
        list(postfix([head + middle + tail for tail in tails], "x", 2026))
    for middle in (
        b"1abcde-000001-Aa <= ",
        b"1abcde-000001-Aa => ",
        b"H=",
        b"1abcde-000001-Aa <= a@b H=(x) [1.2.3.4] T=",
    ):
        list(exim([b"2026-11-22 19:44:01 " + middle + tail for tail in tails], "x"))


def members(name: str) -> dict[str, str]:
    path = LOGS / name
    if not path.exists():
        pytest.skip(f"{name} is not here")
    with tarfile.open(path) as archive:
        files = ((entry, archive.extractfile(entry)) for entry in archive.getmembers() if entry.isfile())
        return {Path(entry.name).name: file.read().decode() for entry, file in files if file}


DAEMONS = {
    "smtpd",
    "cleanup",
    "qmgr",
    "pickup",
    "postscreen",
    "local",
    "virtual",
    "lmtp",
    "pipe",
    "smtp",
    "error",
}


def test_real_postfix_lines_say_what_others_read_in_them() -> None:
    """Where a line is one we use, client, sender, recipient and HELO equal what is published beside it."""
    used = 0
    for name, text in members("postfix_grok_tests.tar.xz").items():
        daemon = re.sub(r"_\d+\.yaml$", "", name)
        found = re.search(r'^data: "(.*)"$', text, re.MULTILINE)
        if daemon not in DAEMONS or not found:
            continue
        data = found[1].replace('\\"', '"')
        fields = dict(re.findall(r"^ +([\w-]+): +\"?(.*?)\"?$", text, re.MULTILINE))
        messages = read(f"Nov 22 19:44:01 mx postfix/{daemon}[1]: {data}")
        status = fields.get("postfix_status", "")
        if not messages:
            assert not re.match(
                r"\w{5,}: (client=|message-id=|from=<[^>]*>, size|to=|reject:|milter-reject:)", data
            ) or ("VRFY" in data or "undeliverable" in data or status == "deliverable"), data
            continue
        (message,) = messages
        used += 1
        pairs = dict(
            re.findall(
                r"\b(from|to|helo|orig_to|size)=<?([^<>,]*)>?", fields.get("postfix_keyvalue_data", "")
            )
        )
        if "postfix_client_ip" in fields:
            assert message.client_ip == fields["postfix_client_ip"], data
            ptr = fields.get("postfix_client_hostname", "unknown")
            assert message.ptr == ("" if ptr == "unknown" else ptr), data
        if "from" in pairs and "filter:" not in data:
            assert message.mail_from == pairs["from"].lower(), data
        if "to" in pairs and not data.startswith(
            ("4104E3D: milter-header", "D95341E50350", "413E164734", "D8B07E3DB6")
        ):
            assert message.rcpt_to == (pairs.get("orig_to", pairs["to"]).lower(),), data
        if "helo" in pairs:
            assert message.helo == pairs["helo"], data
        if "size" in pairs:
            assert message.size == int(pairs["size"]), data
        if "postfix_message-id" in fields:
            assert message.message_id == fields["postfix_message-id"].strip("<>"), data
    assert used >= 34


@pytest.mark.parametrize(("name", "least"), [("postfix", 10), ("exim", 3)])
def test_real_log_entries_give_the_host_and_time_published_beside_them(name: str, least: int) -> None:
    """Each refusal of fail2ban's collection is a Message from the host, at the time, and is abuse there."""
    lines = members("fail2ban_logs.tar.xz")[name].splitlines()
    used = 0
    for note, line in itertools.pairwise(lines):
        if not note.startswith("# failJSON:") or line.startswith("#"):
            continue
        expected = json.loads(note.removeprefix("# failJSON:"))
        year = int(expected["time"][:4]) if "time" in expected else 2005
        reader = postfix([line.encode()], name, year) if name == "postfix" else exim([line.encode()], name)
        for message in reader:
            used += 1
            assert isinstance(message, Message)
            assert expected["match"]
            assert message.client_ip == expected["host"]
            assert message.received_at == moment(*datetime.fromisoformat(expected["time"]).timetuple()[:6])
    assert used >= least
