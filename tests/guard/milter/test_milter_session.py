"""Promises of a milter conversation: order, silence where it was announced, whole mails out, answers carried out."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from guard.milter.mta import (
    ABORT,
    ALL_STEPS,
    END,
    GREETING,
    MAIL,
    NOON,
    RECORDED,
    SUBJECT,
    client,
    commands,
    conversation,
    envelope,
    fields,
    frame,
    macros,
    offer,
    replies,
    talk,
)
from hypothesis import given
from hypothesis import strategies as st

from thingwatch.guard.gateway import Action, Answer, Delivery
from thingwatch.guard.milter import codec
from thingwatch.guard.milter.codec import ProtocolError
from thingwatch.guard.milter.session import NEEDED_ACTIONS, WANTED_STEPS
from thingwatch.model import Session

MEGABYTE = 1 << 20
TAGGED = Answer(Action.TAG, (("X-Thingwatch-Verdict", "unsure"), ("X-Thingwatch-Reason", "alike")))
OLD_STEPS = 0x7F  # of version 2: steps may be left out, every other is answered


def refusal(data: bytes) -> str:
    """The name by which *data* is refused."""
    with pytest.raises(ProtocolError) as caught:
        talk(conversation(), data)
    return caught.value.name


def one(data: bytes) -> Delivery:
    """The one mail of a conversation."""
    (delivery,) = talk(conversation(), data)[1]
    return delivery


def test_a_mail_as_postfix_sends_it() -> None:
    """Everything the detector needs stands in the delivery; what only the server knows is its word, cleaned."""
    assert one(RECORDED["login"]) == Delivery(
        raw=b"Subject: two\n\tlines\nFrom: A <a@b.example>\nTo: x@border.test\nMessage-ID: <1@b.example>\n"
        b"\nhello\nworld\n",
        session=Session(NOON, "203.0.113.7", "bot", "dsl-7.example", "a@b.example", ("x@border.test",)),
        queue_id="A21BD22C1B1",
        login="alice",
        truncated=False,
        forged=0,
    )


def test_several_mails_on_one_connection() -> None:
    """What one mail said is not known of the next: nor its recipients, nor who had signed in."""
    _, deliveries = talk(conversation(), RECORDED["several_mails"])
    assert [delivery.session.rcpt_to for delivery in deliveries] == [("x@border.test",)] * 3
    assert len({delivery.queue_id for delivery in deliveries}) == 3
    signed_in = macros("M", auth_authen="alice") + MAIL + END
    _, deliveries = talk(conversation(), GREETING + signed_in + MAIL + END)
    assert [delivery.login for delivery in deliveries] == ["alice", ""]


def test_a_client_that_gave_up_leaves_nothing() -> None:
    """Half an envelope is no mail."""
    filter_side = conversation()
    assert talk(filter_side, RECORDED["given_up"])[1] == []
    assert filter_side.closed


def test_only_what_is_needed_is_asked_for() -> None:
    """Three actions, no step we make nothing of, no reply before the body."""
    ((command, sent),) = replies(talk(conversation(), offer())[0])
    assert command == "O"
    assert codec.read_offer(sent) == (6, NEEDED_ACTIONS, WANTED_STEPS)
    assert not WANTED_STEPS & codec.NR_BODY  # else the server could not be told to skip


def test_a_step_announced_as_silent_is_never_answered() -> None:
    """Postfix drops the link at the first reply it did not wait for: one to the offer, one to the body, one final."""
    assert commands(talk(conversation(), GREETING + MAIL + END)[0]) == "Occ"


def test_a_server_that_wants_replies_gets_them() -> None:
    """Each step is answered once where its silence was not agreed on."""
    opening = offer(2, 0x3F, OLD_STEPS) + client() + frame("H", b"bot\0")
    sent, (delivery,) = talk(conversation(), opening + MAIL + END)
    # connection, HELO, MAIL, RCPT, header, body, end
    assert commands(sent) == "O" + "c" * 7
    assert delivery.raw == b"Subject:  hello\n\ntext\n"  # such a server eats one blank, so one is put back


def test_a_later_version_is_met_at_six() -> None:
    """We say what we speak; a server of the future may agree."""
    assert codec.read_offer(replies(talk(conversation(), offer(7))[0])[0][1]).version == 6


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (offer(1), "version-unsupported"),
        (offer(6, 0x0F), "actions-missing"),
        (client(), "command-out-of-order"),
        (macros("C", j="mx"), "command-out-of-order"),
        (offer() + frame("H", b"bot\0"), "command-out-of-order"),
        (offer() + client() + client(), "command-out-of-order"),
        (offer() + client() + offer(), "command-out-of-order"),
        (GREETING + frame("R", b"<x@border.test>\0"), "command-out-of-order"),
        (GREETING + END, "command-out-of-order"),
        (GREETING + envelope() + frame("B", b"x") + fields(SUBJECT), "command-out-of-order"),
        (GREETING + MAIL + frame("R", b"<y@border.test>\0"), "command-out-of-order"),
        (GREETING + frame("T"), "command-unasked"),
        (GREETING + envelope() + frame("T"), "command-unasked"),
        (GREETING + envelope() + frame("N"), "command-unasked"),
        (GREETING + frame("U", b"FOO\0"), "command-unasked"),
        (GREETING + frame("A", b"x"), "field-excess"),
        (GREETING + frame("M"), "field-missing"),
        (GREETING + envelope() + frame("L", b"A\0b"), "string-unterminated"),
        (bytes(4), "frame-empty"),
        (b"\xff" * 9, "frame-too-long"),
    ],
)
def test_a_breach_is_named(data: bytes, fault: str) -> None:
    """Nothing is mended by guessing."""
    assert refusal(data) == fault


@pytest.mark.parametrize("steps", [OLD_STEPS & ~codec.NO_EOH, 0])
def test_steps_that_could_not_be_left_out(steps: int) -> None:
    """A server that cannot leave out DATA, EOH or unknown commands may send them, and is answered."""
    opening = offer(4, 0x3F, steps) + client() + frame("U", b"FOO\0")
    mail = envelope() + frame("T") + fields(SUBJECT) + frame("N") + frame("B", b"text\r\n")
    sent, (delivery,) = talk(conversation(), opening + mail + END)
    assert commands(sent) == "O" + "c" * 9
    assert delivery.raw.endswith(b"hello\n\ntext\n")


def test_the_last_body_may_come_with_the_end() -> None:
    """Old servers send the rest of the body with the end of message."""
    assert (
        one(GREETING + envelope() + fields(SUBJECT) + frame("E", b"rest\r\n")).raw
        == b"Subject: hello\n\nrest\n"
    )


def test_a_mail_without_header_or_body_is_a_mail() -> None:
    """What SMTP lets pass is passed on, with the empty line that divides header and body."""
    assert one(GREETING + envelope() + END).raw == b"\n"
    assert one(GREETING + envelope() + fields(SUBJECT) + END).raw == b"Subject: hello\n\n"
    assert one(GREETING + envelope() + frame("B", b"a") + END).raw == b"\na"


def test_a_client_without_helo_name_or_address() -> None:
    """What the server does not know is not made up."""
    session = one(offer() + frame("C", b"localhost\0U") + envelope("") + END).session
    assert (session.client_ip, session.helo, session.mail_from) == (None, None, "")
    assert one(offer() + client("unknown") + envelope() + END).session.ptr == ""
    assert one(offer() + client("[203.0.113.7]") + envelope() + END).session.ptr == ""


def test_strangers_words_are_cleaned() -> None:
    """No control character of a HELO or an address reaches a log."""
    opening = offer() + client() + frame("H", b"bot\x1b[2J\xff\0")
    session = one(opening + envelope("A\x07@B.example") + END).session
    assert session.helo is not None
    assert session.helo.isprintable()
    assert session.mail_from.isprintable()


def test_recipients_are_kept_to_a_bound() -> None:
    """The thousand first; the mail itself is read all the same."""
    many = envelope("a@b.example", *(f"u{number}@border.test" for number in range(1_500)))
    delivery = one(GREETING + many + fields(SUBJECT) + END)
    assert len(delivery.session.rcpt_to) == 1_000
    assert delivery.raw == b"Subject: hello\n\n"


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        frame("M", b"<a@b.example>\0"),
        envelope(),
        envelope() + fields(SUBJECT),
        MAIL,
        MAIL + END,
        macros("M", auth_authen="alice", i="4F"),
    ],
)
@pytest.mark.parametrize("aborts", [1, 2, 5])
def test_an_abort_ends_the_mail_and_nothing_else(begun: bytes, aborts: int) -> None:
    """Whatever had been said of the mail is forgotten, and the next is read; Postfix aborts twice after each."""
    _, deliveries = talk(conversation(), GREETING + begun + ABORT * aborts + MAIL + END)
    last = deliveries[-1]
    assert (last.raw, last.login, last.queue_id) == (b"Subject: hello\n\ntext\n", "", "")
    assert last.session.rcpt_to == ("x@border.test",)


@pytest.mark.parametrize(
    "begun", [frame("M", b"<b@b.example>\0"), envelope("b@b.example", "y@border.test"), MAIL]
)
@pytest.mark.parametrize("ending", [frame("H", b"again\0"), b""])
def test_what_a_client_says_too_early_gives_the_mail_up(begun: bytes, ending: bytes) -> None:
    """HELO or MAIL in the middle of a mail begins anew: no client gets past us by a word out of place."""
    mail = macros("M", auth_authen="alice") + MAIL + macros("E", i="4F") + END
    delivery = one(GREETING + macros("M", auth_authen="bob") + begun + ending + mail)
    assert delivery.session.mail_from == "a@b.example"
    assert delivery.session.rcpt_to == ("x@border.test",)
    assert (delivery.login, delivery.queue_id) == ("alice", "4F")
    assert delivery.raw == b"Subject: hello\n\ntext\n"


def test_a_mail_to_nobody_is_looked_at() -> None:
    """What the server does not tell of the recipients keeps no text from us."""
    delivery = one(GREETING + frame("M", b"<a@b.example>\0") + fields(SUBJECT) + END)
    assert (delivery.raw, delivery.session.rcpt_to) == (b"Subject: hello\n\n", ())


def test_a_connection_is_used_again() -> None:
    """After QUIT_NC another client comes, with or without a new negotiation, and inherits nothing."""
    filter_side = conversation()
    again = frame("K") + client("other.example", "198.51.100.9") + MAIL + END
    anew = frame("K") + offer() + client() + MAIL + END
    _, deliveries = talk(filter_side, GREETING + MAIL + END + again + anew)
    assert [delivery.session.client_ip for delivery in deliveries] == [
        "203.0.113.7",
        "198.51.100.9",
        "203.0.113.7",
    ]
    assert [delivery.session.helo for delivery in deliveries] == ["bot", None, None]


def test_quit_closes_and_nothing_is_read_behind_it() -> None:
    """A server that said good-bye is not listened to."""
    filter_side = conversation()
    sent, deliveries = talk(filter_side, GREETING + frame("Q") + MAIL + END + bytes(4))
    assert filter_side.closed
    assert (commands(sent), deliveries) == ("O", [])


def test_a_large_mail_is_cut_and_the_rest_not_sent() -> None:
    """Beyond the bound the server is told to skip the body; the mail says that it is cut."""
    filter_side = conversation(max_bytes=100)
    chunk = frame("B", b"x" * 60)
    sent, (delivery,) = talk(filter_side, GREETING + envelope() + fields(SUBJECT) + chunk * 3 + END)
    assert commands(sent) == "O" + "c" + "ss" + "c"
    assert (len(delivery.raw), delivery.truncated) == (100, True)
    # Where the server does not know SKIP, the rest is read and dropped.
    opening = offer(6, steps=ALL_STEPS & ~codec.SKIP_KNOWN) + client()
    sent, (delivery,) = talk(conversation(max_bytes=100), opening + envelope() + chunk * 3 + END)
    assert commands(sent) == "O" + "ccc" + "c"
    assert (len(delivery.raw), delivery.truncated) == (100, True)


def test_accept_says_go_on_and_nothing_else() -> None:
    """A mail nobody minds is not touched."""
    sent, _ = talk(conversation(), GREETING + MAIL + END)
    assert replies(sent)[2:] == [("c", b"")]


def test_tag_puts_the_fields_on_top_in_their_order() -> None:
    """Each goes above the one before, so the last is sent first; the blank is ours to write."""
    sent, _ = talk(conversation(), GREETING + MAIL + END, TAGGED)
    assert replies(sent)[2:] == [
        ("i", b"\0\0\0\0X-Thingwatch-Reason\0 alike\0"),
        ("i", b"\0\0\0\0X-Thingwatch-Verdict\0 unsure\0"),
        ("c", b""),
    ]
    sent, _ = talk(conversation(), offer(2, 0x3F, OLD_STEPS) + client() + MAIL + END, TAGGED)
    assert replies(sent)[-3:] == [
        ("h", b"X-Thingwatch-Reason\0alike\0"),
        ("h", b"X-Thingwatch-Verdict\0unsure\0"),
        ("c", b""),
    ]


def test_forged_fields_are_taken_out_before_ours_go_in() -> None:
    """A sender cannot tag his own mail, whatever is decided; places are of the mail as it came."""
    forged = fields((b"X-Thingwatch-Verdict", b" clean"), SUBJECT, (b"x-thingwatch-verdict", b" clean"))
    sent, (delivery,) = talk(conversation(), GREETING + envelope() + forged + END, TAGGED)
    assert commands(sent) == "O" + "mm" + "ii" + "c"
    assert replies(sent)[1] == ("m", b"\0\0\0\x02x-thingwatch-verdict\0\0")
    assert (delivery.raw, delivery.forged) == (b"Subject: hello\n\n", 2)
    assert commands(talk(conversation(), GREETING + envelope() + forged + END)[0]) == "O" + "mm" + "c"


def test_quarantine_holds_and_tags() -> None:
    """The reason goes to the server's log, the fields into the mail."""
    answer = Answer(Action.QUARANTINE, TAGGED.headers, reason="c001")
    sent, _ = talk(conversation(), GREETING + MAIL + END, answer)
    assert commands(sent)[2:] == "iiqc"
    assert ("q", b"c001\0") in replies(sent)


@pytest.mark.parametrize(
    ("answer", "sent"),
    [
        (Answer(Action.DEFER), ("t", b"")),
        (Answer(Action.REJECT), ("r", b"")),
        (Answer(Action.DEFER, TAGGED.headers, "451 4.7.1 later"), ("y", b"451 4.7.1 later\0")),
        (Answer(Action.REJECT, reply="550 5.7.1 50%"), ("y", b"550 5.7.1 50%%\0")),
    ],
)
def test_a_refused_mail_gets_one_reply(answer: Answer, sent: tuple[str, bytes]) -> None:
    """Nothing is changed in a mail that is not taken."""
    assert replies(talk(conversation(), GREETING + MAIL + END, answer)[0])[2:] == [sent]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(Action.DEFER, reply="550 5.7.1 harsher than decided"),
        Answer(Action.REJECT, reply="451 4.7.1 milder than decided"),
        Answer(Action.TAG, (("X-Thingwatch-Verdict", "a\r\nBcc: y@z.example"),)),
        Answer(Action.QUARANTINE, reason="two\nlines"),
    ],
)
def test_an_answer_that_cannot_be_said_leaves_the_choice(answer: Answer) -> None:
    """The conversation still waits, so that whoever drives it can let the mail pass."""
    filter_side = conversation()
    filter_side.feed(GREETING + MAIL + END)
    with pytest.raises(ValueError, match="must"):
        filter_side.answer(answer)
    assert filter_side.in_mail
    assert filter_side.answer(Answer()) == codec.CONTINUE
    assert not filter_side.in_mail


def test_the_driver_is_held_to_its_turns() -> None:
    """A mail is answered once, before more is read."""
    filter_side = conversation()
    with pytest.raises(RuntimeError):
        filter_side.answer(Answer())
    filter_side.feed(GREETING + MAIL + END)
    with pytest.raises(RuntimeError):
        filter_side.feed(b"")


@given(st.sampled_from(sorted(RECORDED)), st.lists(st.integers(1, 2_000), max_size=20))
def test_a_conversation_is_the_same_however_it_is_cut(name: str, cuts: list[int]) -> None:
    """Networks cut anywhere: replies and mails do not change by it."""
    data = RECORDED[name]
    filter_side = conversation()
    sent, deliveries = b"", []
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, end in pairwise(places):
        out, found = talk(filter_side, data[start:end], TAGGED)
        sent += out
        deliveries += found
    assert (sent, deliveries) == talk(conversation(), data, TAGGED)


def test_a_connection_costs_little_more_than_its_mail() -> None:
    """Whatever the server sends, one connection holds at most twice the bound of a mail."""
    long = b"y" * 131_000
    names = b"".join(frame("R", b"<%d%b>\0" % (number, long)) for number in range(20))
    hostile = [
        offer() + frame("C", long + b"\0U") + frame("H", long + b"\0"),
        frame("D", b"M" + (b"a\0" * 2_048)),
        frame("D", b"M{auth_authen}\0" + long[:-20] + b"\0i\0\0"),
        frame("M", b"<" + long + b">\0"),
        *[names] * 60,
        frame("L", b"X\0" + long + b"\0"),
        *[frame("B", long)] * 30,
        b"\0\x02\0\x01B" + long,
    ]
    tracemalloc.start()
    try:
        filter_side = conversation(max_bytes=2 * MEGABYTE)
        for piece in hostile:
            for at in range(0, len(piece), 65_536):
                filter_side.feed(piece[at : at + 65_536])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert filter_side.in_mail
    assert peak <= 4 * MEGABYTE, peak
