"""Attack: a stranger writes log lines of their own into HELO, addresses, subjects and replies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingwatch.model import Message
from thingwatch.read.maillog import exim, postfix

HEAD = "Nov 22 19:44:01 mx postfix/"
LURES = [
    "Nov 22 19:44:01 mx postfix/smtpd[1]: 5BB00000FF: client=evil[9.9.9.9]",
    "postfix/smtpd[1]: 4AA00000FF: client=evil[9.9.9.9]",
    "x: 4AA00000FF: client=evil[9.9.9.9], orig_client=evil[9.9.9.9]",
    "a>, size=1, nrcpt=1 (queue active)",
    "a>, relay=127.0.0.1[127.0.0.1]:25, delay=1, status=sent (250 Ok: queued as 4AA00000FF)",
    "a> to=<evil@example.net> proto=ESMTP helo=<evil>",
    "; from=<evil@example.net> to=<evil@example.net> proto=ESMTP helo=<evil>",
    " status=sent (250 Ok: queued as 4AA00000FF)",
    "4AA00000FF: removed",
    "NOQUEUE: reject: RCPT from evil[9.9.9.9]: 550 no; from=<e@x> to=<e@x> proto=ESMTP helo=<evil>",
    "#0124AA00000FF: removed",
    "\\n" + HEAD + "qmgr[1]: 4AA00000FF: removed",
]


def mail(
    queue_id: str, ip: str, sender: str, recipient: str, response: str = "250 Ok", subject: str = ""
) -> list[str]:
    lines = [
        f"{HEAD}smtpd[1]: {queue_id}: client=unknown[{ip}]",
        f"{HEAD}cleanup[2]: {queue_id}: message-id=<{subject}>",
        f"{HEAD}cleanup[2]: {queue_id}: info: header Subject: {subject} from unknown[{ip}]; from=<{sender}> "
        f"to=<{recipient}> proto=ESMTP helo=<tap>",
        f"{HEAD}qmgr[3]: {queue_id}: from=<{sender}>, size=77, nrcpt=1 (queue active)",
        f"{HEAD}smtp[4]: {queue_id}: to=<{recipient}>, relay=mx.example.net[198.51.100.9]:25, delay=1, "
        f"delays=0/0/0/1, dsn=2.0.0, status=sent ({response})",
    ]
    return [*lines, f"{HEAD}qmgr[3]: {queue_id}: removed"]


def read(lines: list[str]) -> dict[str, Message]:
    found = list(postfix([line.encode() for line in lines], "mail.log", 2026))
    assert all(isinstance(message, Message) for message in found)
    return {message.place: message for message in found if isinstance(message, Message)}


VICTIM = mail("4AA00000FF", "203.0.113.1", "good@example.com", "anna@example.org")


@pytest.mark.parametrize("lure", LURES)
def test_a_forged_field_makes_and_changes_no_record(lure: str) -> None:
    """Two mails go in and two come out: the victim's as it was, the attacker's with its true client."""
    quoted = '"' + lure + '"@example.net'
    attack = mail("7CC00000FF", "203.0.113.66", quoted, quoted, lure, lure)
    # In the middle of the victim's mail, where a forged line would hurt most.
    found = read(VICTIM[:3] + attack + VICTIM[3:])
    assert len(found) == 2
    (alone,) = read(VICTIM).values()
    assert found.pop("mail.log:1") == alone
    (attacker,) = found.values()
    assert (attacker.client_ip, attacker.helo, attacker.size) == ("203.0.113.66", "tap", 77)
    assert attacker.mail_from == attacker.rcpt_to[0] == quoted.lower()
    assert attacker.defects == ()


@pytest.mark.parametrize("lure", LURES)
def test_a_forged_refusal_keeps_its_client_and_envelope(lure: str) -> None:
    """A refused sender address cannot replace the client, the recipient or HELO of its own refusal."""
    sender = '"' + lure + '"@example.net'
    line = (
        f"{HEAD}smtpd[1]: NOQUEUE: reject: RCPT from unknown[203.0.113.66]: 554 5.7.1 <{sender}>: Sender "
        f"address rejected: Access denied; from=<{sender}> to=<anna@example.org> proto=ESMTP helo=<tap>"
    )
    (message,) = read([line]).values()
    assert (message.client_ip, message.helo, message.rcpt_to) == (
        "203.0.113.66",
        "tap",
        ("anna@example.org",),
    )
    assert message.mail_from == sender.lower()


def test_a_stranger_s_reply_hides_no_mail() -> None:
    """ "queued as ..." from a server out there does not make another mail part of the one it answers."""
    answer = mail(
        "7CC00000FF", "203.0.113.66", "a@example.com", "b@example.net", "250 Ok: queued as 4AA00000FF"
    )
    assert len(read(VICTIM[:4] + answer + VICTIM[4:])) == 2
    # Nor does a relay of ours that repeats it, for the victim's client is no machine of ours.
    ours = [line.replace("mx.example.net[198.51.100.9]", "127.0.0.1[127.0.0.1]") for line in answer]
    assert len(read(VICTIM[:4] + ours + VICTIM[4:])) == 2


def test_only_our_own_filter_may_name_another_client() -> None:
    """orig_client= from a client out there is not believed."""
    line = f"{HEAD}smtpd[1]: 4AA00000FF: client=unknown[203.0.113.66], orig_client=good[198.51.100.1]"
    (message,) = read([line]).values()
    assert message.client_ip == "203.0.113.66"


@given(st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=80))
def test_no_sender_text_makes_a_record(text: str) -> None:
    """Whatever stands inside a quoted local part, as many mails come out as went in."""
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"@example.net'
    found = read(VICTIM[:3] + mail("7CC00000FF", "203.0.113.66", quoted, quoted) + VICTIM[3:])
    assert [message.client_ip for message in found.values()] == ["203.0.113.66", "203.0.113.1"]
    assert {message.size for message in found.values()} == {77}


ARRIVAL = (
    "2026-11-22 19:44:01 1abcde-000001-Aa <= {} H=({}) [203.0.113.66] P=esmtps SNI={} S=77 id={} "
    'T="{}" for a@b.example'
)


@pytest.mark.parametrize(
    "lure",
    [
        "x A=login:anna P=esmtpa H=evil [9.9.9.9] S=1",
        "2026-11-22 19:44:01 1abcde-000002-Bb <= evil@example.net H=evil [9.9.9.9] P=smtp S=1",
        "1abcde-000001-Aa Completed",
        'x\\" for evil@example.net H=evil [9.9.9.9]',
    ],
)
def test_forged_exim_fields_change_nothing_that_counts(lure: str) -> None:
    """Text in SNI, Message-ID or subject moves neither client nor size, nor does it fake a login."""
    for fields in ((lure, "x", "x"), ("x", lure, "x"), ("x", "x", lure)):
        line = ARRIVAL.format("s@example.net", "tap", *fields)
        (message,) = exim([line.encode()], "mainlog")
        assert isinstance(message, Message)
        assert (message.client_ip, message.helo, message.mail_from) == (
            "203.0.113.66",
            "tap",
            "s@example.net",
        )
        assert message.defects == ("log-incomplete",)
