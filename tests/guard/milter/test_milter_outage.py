"""What becomes of mail while the milter is killed, gone, full or asleep: nothing is lost, nobody waits for long.

Rows R2 and R4 of the reliability checklist, with a real Postfix and the milter as a process of its own.
"""

from __future__ import annotations

import re
import signal
import smtplib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from guard.milter.border import OWN_LINE, PLAIN
from guard.milter.serving import ANSWERS, Serving, ServingProcess
from guard.postfix import DOMAIN, Postfix, free_port, needs_postfix

from thingwatch.guard.gateway import Action, Answer, Delivery
from thingwatch.guard.milter import Limits

pytestmark = needs_postfix

SENDERS = 4
MAILS_EACH = 60
GAP_SECONDS = 1.0
TIMEOUT_SECONDS = 1  # of Postfix, for each step of the milter
MAX_BACK_SECONDS = 20.0  # measured: below 1; the bound allows for a busy machine
MAX_WAIT_SECONDS = 10.0  # measured: 1.0


@contextmanager
def serving_process() -> Iterator[tuple[int, ServingProcess]]:
    """A milter that tags every mail, and its port."""
    port = free_port()
    process = ServingProcess(port)
    process.start()
    try:
        yield port, process
    finally:
        process.kill()


def send(postfix: Postfix, number: int) -> int:
    """Send one mail with its number in the Message-ID, on a connection of its own; the reply's code."""
    content = f"Message-ID: <{number}@b.example>\r\nSubject: hello\r\n\r\ntext\r\n".encode()
    try:
        with postfix.smtp() as client:
            client.sendmail("a@b.example", [f"x@{DOMAIN}"], content)
    except smtplib.SMTPResponseException as error:
        return error.smtp_code
    except smtplib.SMTPRecipientsRefused as error:
        return next(iter(error.recipients.values()))[0]
    return 250


def numbers_in(mails: list[bytes]) -> list[int]:
    """The numbers of *mails*, sorted."""
    found = (re.search(rb"Message-ID: <(\d+)@", mail) for mail in mails)
    return sorted(int(match[1]) for match in found if match)


@pytest.mark.parametrize("default_action", ["accept", "tempfail", "quarantine"])
def test_a_killed_milter_loses_no_mail(default_action: str) -> None:
    """Killed in a burst and started again: what was accepted is delivered or held, each mail once (R2)."""
    accepted: list[int] = []
    codes: list[int] = []
    with (
        serving_process() as (port, process),
        Postfix(smtpd_milters=f"inet:127.0.0.1:{port}", milter_default_action=default_action) as postfix,
    ):
        second_half = threading.Event()

        def burst(sender: int) -> None:
            for number in range(sender * MAILS_EACH, (sender + 1) * MAILS_EACH):
                code = send(postfix, number)
                codes.append(code)
                if code == 250:
                    accepted.append(number)
                if len(codes) > SENDERS * MAILS_EACH * 3 // 4:
                    second_half.wait(60)  # the last quarter comes when the milter is back

        senders = [threading.Thread(target=burst, args=(sender,)) for sender in range(SENDERS)]
        for sender in senders:
            sender.start()
        while len(codes) < SENDERS * MAILS_EACH // 4:
            time.sleep(0.001)
        process.kill()
        time.sleep(GAP_SECONDS)
        back_seconds = process.start()
        second_half.set()
        for sender in senders:
            sender.join(60)
        postfix.settle()
        delivered = postfix.inbox
        held = [postfix.held_mail(queue_id) for queue_id in postfix.held]
    tagged = sum(OWN_LINE in mail for mail in delivered)
    print(
        f"{default_action}: {len(accepted)} accepted, {len(delivered)} delivered ({tagged} tagged), {len(held)} held, "
        f"{len(codes) - len(accepted)} refused; back after {back_seconds:.2f} s"
    )
    assert sorted(accepted) == numbers_in(delivered + held)
    assert back_seconds <= MAX_BACK_SECONDS
    assert set(codes) <= ({250, 451} if default_action == "tempfail" else {250})
    # The first quarter was answered before, the last one after; a mail or two of each sender lay between.
    assert tagged >= SENDERS * MAILS_EACH // 2 - 2 * SENDERS
    # Only what the milter could not be asked about goes another way.
    assert (len(held) > 0) == (default_action == "quarantine")
    assert (len(delivered) > tagged) == (default_action == "accept")


@pytest.mark.parametrize("asleep_from", ["connection", "text"])
def test_nobody_waits_for_a_milter_that_sleeps(asleep_from: str) -> None:
    """Stopped before a client came, or in the middle of its mail: after Postfix's own timeout the mail passes (R4)."""
    timeouts = {f"milter_{step}_timeout": f"{TIMEOUT_SECONDS}s" for step in ("connect", "command", "content")}
    with (
        serving_process() as (port, process),
        Postfix(smtpd_milters=f"inet:127.0.0.1:{port}", **timeouts) as postfix,
    ):
        assert send(postfix, 1) == 250
        if asleep_from == "connection":
            process.signal(signal.SIGSTOP)
            began = time.monotonic()
            assert send(postfix, 2) == 250
        else:
            with postfix.smtp() as client:
                client.ehlo()
                client.mail("a@b.example")
                client.rcpt(f"x@{DOMAIN}")
                process.signal(signal.SIGSTOP)
                began = time.monotonic()
                assert client.data(b"Message-ID: <2@b.example>\r\n\r\ntext\r\n")[0] == 250
        waited = time.monotonic() - began
        process.signal(signal.SIGCONT)
        print(f"asleep from {asleep_from}: the client waited {waited:.2f} s")
        assert waited < MAX_WAIT_SECONDS
        assert send(postfix, 3) == 250
        mails = postfix.wait_for(3)
        assert numbers_in([mail for mail in mails if OWN_LINE in mail]) == [1, 3]
        assert numbers_in(mails) == [1, 2, 3]


def test_mail_flows_on_when_the_milter_dies() -> None:
    """With ``accept``, in mid-mail and afterwards: nothing is refused, what was not seen is not tagged."""
    with Serving() as serving, Postfix(smtpd_milters=serving.address) as postfix:
        with postfix.smtp() as client:
            client.sendmail("a@b.example", [f"x@{DOMAIN}"], PLAIN)
            client.mail("a@b.example")
            client.rcpt(f"x@{DOMAIN}")
            serving.run(serving.server.stop(grace_seconds=0))
            assert client.data(PLAIN)[0] == 250
            client.sendmail("a@b.example", [f"x@{DOMAIN}"], PLAIN)
        with postfix.smtp() as client:
            client.sendmail("a@b.example", [f"x@{DOMAIN}"], PLAIN)
        assert [OWN_LINE in mail for mail in postfix.wait_for(4)] == [True, False, False, False]
        serving.run(serving.listen(serving.port))
        with postfix.smtp() as client:
            client.sendmail("a@b.example", [f"x@{DOMAIN}"], PLAIN)
        assert OWN_LINE in postfix.wait_for(5)[4]


def test_a_stop_answers_the_mail_in_hand() -> None:
    """A graceful stop while a mail is decided on: that mail is tagged, later ones pass."""
    gate = threading.Event()

    def decide(delivery: Delivery) -> Answer:
        gate.wait(20)
        return ANSWERS[Action.TAG]

    with (
        ThreadPoolExecutor(1) as pool,
        Serving(decide, executor=pool) as serving,
        Postfix(smtpd_milters=serving.address) as postfix,
    ):
        sending = threading.Thread(target=send_twice, args=(postfix,))
        sending.start()
        serving.wait_for(lambda: len(serving.deliveries) == 1)
        stopping = serving.begin(serving.server.stop(grace_seconds=20))
        time.sleep(0.1)
        gate.set()
        stopping.result(20)
        sending.join(20)
        assert [OWN_LINE in mail for mail in postfix.wait_for(2)] == [True, False]


def send_twice(postfix: Postfix) -> None:
    """Two mails on one connection."""
    with postfix.smtp() as client:
        for _ in range(2):
            client.sendmail("a@b.example", [f"x@{DOMAIN}"], PLAIN)


def test_a_full_milter_lets_mail_pass_at_once() -> None:
    """Beyond our connections Postfix does not wait, it does what ``milter_default_action`` says."""
    with (
        Serving(limits=Limits(max_connections=1)) as serving,
        Postfix(smtpd_milters=serving.address) as postfix,
    ):
        with postfix.smtp() as first:
            first.ehlo()
            began = time.monotonic()
            with postfix.smtp() as second:
                second.sendmail("a@b.example", [f"x@{DOMAIN}"], PLAIN)
            assert time.monotonic() - began < 5
            first.sendmail("a@b.example", [f"x@{DOMAIN}"], PLAIN)
        assert [OWN_LINE in mail for mail in postfix.wait_for(2)] == [False, True]
