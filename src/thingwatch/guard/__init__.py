"""One mail in flight: what a gateway asks about it, and what is answered.

The front door is ``Guard``: ``decide`` for every mail, ``mark`` and ``rollback`` for people, ``status`` for whoever
watches. It knows the order: read, fingerprint, look up, place, judge (``detector``), then act (``policy``). The same
code reads and judges mail at rest; see docs/guard.md.
"""

from __future__ import annotations

import atexit
import gc
import time
from collections import Counter
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from thingwatch.config import Settings
from thingwatch.errors import UsageError
from thingwatch.guard.breaker import Breaker
from thingwatch.guard.deferral import Deferrals
from thingwatch.guard.finding import Certainty, Finding
from thingwatch.guard.gateway import MAX_FORGED, Action, Answer, Delivery
from thingwatch.guard.journal import Event, Journal
from thingwatch.guard.known import Known
from thingwatch.guard.labels import ENOUGH
from thingwatch.guard.ledger import Entry, entry_of
from thingwatch.guard.options import Options
from thingwatch.guard.policy import SEVERITY, Ruling
from thingwatch.guard.record import Mail, pack, word
from thingwatch.guard.sketch import text_hash
from thingwatch.guard.state import ROLLED_BACK, State
from thingwatch.guard.trace import Trace, read_delivery, trace_of
from thingwatch.guard.witness import MARKS, found_by, witness_of
from thingwatch.guard.wording import FORGED_REPLY, headers_of, reason_of, reply_of
from thingwatch.model import Message, Session, Verdict

__all__ = ["Action", "Answer", "Certainty", "Delivery", "Entry", "Guard", "Known", "Options"]

PASSED_UNSEEN = "passed unseen"  # stands where the ledger has the queue id, which nobody knows
REPORTED = "reported as wanted"
FIXED = ("max_messages", "max_sources")  # memory is laid out by these when the guard starts


def _ignore(event: dict[str, Any]) -> None:
    """Nobody listens."""


class Guard:
    """Decides on mail in flight, one at a time, and remembers. Not for use by two threads at once."""

    def __init__(
        self,
        options: Options | None = None,
        known: Known | None = None,
        folder: Path | None = None,
        settings: Settings | None = None,
        events: Event = _ignore,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """*known*: campaigns of a case; *folder*: where memory outlives us, None for nowhere.

        *events* is told what happens, a plain dict each. Raises OutputError or InputError for a *folder* that
        cannot be used or read.
        """
        self._go_by(options or Options())
        self.settings = settings or Settings()
        self.counts: Counter[str] = Counter()
        # Guards that remember as one: handed every record others should hear, by whoever calls ``decide``.
        self.outgoing: Callable[[bytes], None] | None = None
        self._hearing = False
        self._listener = events
        self.state = State(self.options, known or Known(), self.settings, monotonic, self._tell)
        self._wall = wall
        self.deferrals = Deferrals()
        self.breaker = Breaker()
        self._steps = 0
        self._last_snapshot = self.state.clock.now()
        self.journal = None if folder is None else Journal(folder, self.options.fsync_seconds, self._tell)
        if self.journal is not None:
            try:
                replayed = self.state.restore(self.journal, wall())
            except Exception:
                self.journal.close()
                raise
            self.journal.begin()
            clock = self.state.clock
            self._say({"op": "clock", "clock": clock.as_plain(clock.now()), "wall": wall()})
            if replayed or self.journal.torn:
                self._tell({"event": "restored", "replayed": replayed, "torn_bytes": self.journal.torn})

    def _go_by(self, options: Options) -> None:
        self.options = options
        self._authserv_ids = tuple(name.lower().encode() for name in options.authserv_ids)
        self._networks = options.networks

    def warm(self) -> None:
        """Do now what would make the first mails wait; a server calls it before it listens.

        Compiled code is loaded, by another guard with a mail of its own; memory set aside is laid in place; and what
        lives as long as the process is taken out of the garbage collector's rounds, which it would make last 0.1 s.
        """
        raw = b"From: a@warm.invalid\nTo: b@warm.invalid\nSubject: warm\n\nWarm words http://warm.invalid/a/1 here.\n"
        session = Session(1, "192.0.2.1", "warm.invalid", "", "a@warm.invalid", ("b@warm.invalid",))
        other = Guard(Options().changed(max_messages=1000, max_sources=1000))
        for _ in range(8):
            other.decide(Delivery(raw, session, "", "", False))
        self.state.young.memory.lay()
        gc.collect()
        gc.freeze()
        atexit.register(gc.unfreeze)  # others look for leaks at the end

    # -- One mail.

    def decide(self, delivery: Delivery) -> Answer:
        """What to do with *delivery*. Always answers; what fails inside is counted, and the mail accepted."""
        now = self.state.clock.now()
        if not self.breaker.lets(now):
            return Answer()
        try:
            answer = self._decide(delivery, now)
        except Exception as error:
            self.counts["failed"] += 1
            self._tell(
                {
                    "event": "failed",
                    "error": f"{type(error).__name__}: {error}",
                    "queue_id": delivery.queue_id,
                }
            )
            if self.breaker.failed(now):
                self._tell({"event": "breaker-open", "alert": True, "failures": self.breaker.failures})
            return Answer()
        if self.breaker.succeeded():
            self._tell({"event": "breaker-closed"})
        return answer

    def _decide(self, delivery: Delivery, now: float) -> Answer:
        self.counts["mails"] += 1
        at = self.state.clock.stamp(delivery.session.received_at, now)
        if self.state.clock.steps != self._steps:
            if not self._steps:
                self._tell({"event": "clock-step", "alert": True})
            self._steps = self.state.clock.steps
        message = read_delivery(delivery, self._authserv_ids)
        trace = trace_of(message, at)
        exempt = self._exemption(delivery, message)
        if exempt:
            self.counts[f"exempt: {exempt}"] += 1
            self.state.add_good(trace, now, trusted=True)
            self._note(Mail(now, trace, True, None))
            return Answer()
        if delivery.forged > MAX_FORGED:
            return self._refuse_forgery(delivery)
        ticket = text_hash(f"{trace.source} {message.mail_from} {message.rcpt_to} {message.message_id}")
        waiting = self.deferrals.find(ticket)
        if waiting is not None:
            # It was observed when it first came; only what its campaign is has changed.
            group = self.state.young.campaigns.get(waiting.campaign)
            finding = Finding() if group is None else self.state.detector.review(group)
            ruling = self.state.policy.rule(finding, trace, now)
        else:
            finding, trace = self.state.observe(trace, now)
            ruling = self.state.policy.rule(finding, trace, now)
        if ruling.action is Action.DEFER:
            self.deferrals.put(ticket, now, finding.group.number if finding.group is not None else 0)
        elif waiting is not None:
            self.deferrals.settle(ticket, now, ruling.action is not Action.REJECT)
        entry = self._entry(delivery, message, trace, ruling.action)
        if entry is not None:
            place = finding.place or f"c{finding.campaign}"
            self.state.ledger.note(place, entry)
            if waiting is not None:
                self._say({"op": "entry", "place": place, "entry": list(entry)})
        if waiting is None:
            self._note(Mail(now, trace, False, entry))
        return self._answer(finding, ruling, delivery)

    def _refuse_forgery(self, delivery: Delivery) -> Answer:
        """A mail full of fields under our names: what cannot be taken out of it would speak for us behind us."""
        self.counts["forged beyond counting"] += 1
        action = Action.ACCEPT if self.options.canary else Action.REJECT
        self._tell(
            {
                "event": "forged",
                "action": str(action),
                "fields": delivery.forged,
                "queue_id": delivery.queue_id,
            }
        )
        return Answer(action, (), FORGED_REPLY if action is Action.REJECT else "")

    def _exemption(self, delivery: Delivery, message: Message) -> str:
        if delivery.login:
            return "login"
        if self._networks and message.client_ip:
            address = ip_address(message.client_ip)
            if any(address in network for network in self._networks):
                return "network"
        # A List-Id or a domain is anybody's claim until a check has passed.
        domain = message.authentication.domain
        if domain and domain in self.options.allow_names:
            return "name"
        if domain and message.list_id and message.list_id in self.options.allow_lists:
            return "list"
        return ""

    def _entry(self, delivery: Delivery, message: Message, trace: Trace, action: Action) -> Entry | None:
        """What the ledger notes of a stranger's mail, and of every mail that is not simply accepted."""
        if action is Action.ACCEPT and not trace.stranger:
            return None
        return entry_of(delivery.queue_id, message, delivery.session.received_at or 0, action)

    def _answer(self, finding: Finding, ruling: Ruling, delivery: Delivery) -> Answer:
        if ruling.action is Action.ACCEPT:
            return Answer()
        self._tell(
            {
                "event": "decision", "action": str(ruling.action), "wanted": str(ruling.wanted),
                "softened": ruling.why, "campaign": finding.campaign,
                "verdict": str(finding.verdict or Verdict.UNSURE), "certainty": str(finding.certainty),
                "bits": finding.bits, "queue_id": delivery.queue_id, "client_ip": delivery.session.client_ip,
            }
        )  # fmt: skip
        headers = (
            headers_of(finding, ruling) if SEVERITY[ruling.action] <= SEVERITY[Action.QUARANTINE] else ()
        )
        return Answer(
            ruling.action,
            headers,
            reply_of(finding, ruling.action, self.options.defer_minutes),
            reason_of(finding) if ruling.action is Action.QUARANTINE else "",
        )

    # -- People.

    def mark(self, campaign: str, verdict: str, by: str = "") -> None:
        """A person says what *campaign* is: attack, bulk or good. It holds from the next mail on."""
        if verdict not in MARKS:
            raise UsageError(f"{verdict!r}: must be one of {', '.join(MARKS)}")
        self.state.mark(campaign, verdict)
        self._say({"op": "mark", "campaign": campaign, "mark": verdict, "by": by})
        self._tell({"event": "marked", "campaign": campaign, "mark": verdict, "by": by})

    def rollback(self, campaign: str, by: str = "") -> list[Entry]:
        """Disarm *campaign*: from the next mail on it is tagged at most. Gives what it held, to be released."""
        self.state.disarm(campaign, ROLLED_BACK)
        released = self.state.release(campaign)
        self._say({"op": "rollback", "campaign": campaign, "by": by})
        self._tell({"event": "rollback", "campaign": campaign, "released": len(released), "by": by})
        return released

    def label(
        self, label: str, reporter: str, campaign: str = "", message_id: str = "", queue_id: str = ""
    ) -> tuple[str, str]:
        """Somebody says spam, ham or trap of a mail, or of a *campaign*; *reporter*: whom to count once.

        Gives the campaign that was meant, "" when it is not remembered, and what followed: "marked attack", when
        enough have said spam of it or it hit enough traps and no name stands behind it; "disarmed", when enough have
        said that its mail was wanted. Raises UsageError for another word.
        """
        if label not in ENOUGH:
            raise UsageError(f"label = {label[:40]!r}: must be one of {', '.join(ENOUGH)}")
        state = self.state
        campaign = campaign or state.campaign_of(message_id, queue_id)
        groups = state.groups(campaign)
        if not campaign or not (groups or state.is_known(campaign)):
            return "", ""
        who = text_hash(reporter.lower())
        state.labels.note(label, campaign, who)
        self._say({"op": "label", "label": label, "campaign": campaign, "reporter": who})
        names = [campaign, *(name for group in groups for name in group.ids)]
        marked = any(group.mark for group in groups) or campaign in state.detector.marks
        if marked or not state.labels.is_enough(label, names):
            return campaign, ""
        if label == "ham":
            if not state.policy.rule_of(campaign).disarmed:
                state.disarm(campaign, REPORTED)
                self._say({"op": "disarm", "campaign": campaign, "why": REPORTED})
                self._tell({"event": "disarmed", "alert": True, "campaign": campaign, "why": REPORTED})
            return campaign, "disarmed"
        if state.is_named(campaign):
            return campaign, ""
        self.mark(campaign, "attack", "reports")
        return campaign, "marked attack"

    def delivered(self, campaign: str) -> list[Entry]:
        """Mails of *campaign* that were let through, tagged or not: what to look for in mailboxes."""
        entries = self.state.ledger.of(self.state.places(campaign))
        return [entry for entry in entries if entry.action in (Action.ACCEPT, Action.TAG)]

    def held(self, campaign: str) -> list[Entry]:
        """Mails of *campaign* that are held."""
        return [e for e in self.state.ledger.of(self.state.places(campaign)) if e.action is Action.QUARANTINE]

    def campaigns(self, least: int = 5) -> list[dict[str, Any]]:
        """What is remembered of campaigns with *least* mails or more, attacks first, then the largest."""
        return self.state.campaigns(least)

    def status(self) -> dict[str, Any]:
        """How the guard is, as plain data."""
        journal, deferrals = self.journal, self.deferrals
        return {
            "canary": self.options.canary,
            "counts": dict(self.counts),
            "policy": dict(self.state.policy.counts),
            "breaker": {
                "open": self.breaker.is_open, "failures": self.breaker.failures, "passed": self.breaker.passed,
            },
            "clock_steps": self.state.clock.steps,
            "memory": {
                "remembered": self.state.young.memory.used, "capacity": self.state.young.memory.capacity,
                "lures": len(self.state.young.by_number), "campaigns": len(self.state.young.campaigns),
                "forgotten": self.state.young.forgotten, "bytes_set_aside": self.state.young.memory.nbytes,
                "known_campaigns": len(self.state.detector.known.campaigns),
                "ledger": len(self.state.ledger), "ledger_lost": self.state.ledger.lost,
            },
            "deferrals": {
                "deferred": deferrals.deferred, "returned": deferrals.returned,
                "mean_seconds": deferrals.waited_seconds / max(1, deferrals.returned),
                "longest_seconds": deferrals.longest_seconds,
            },
            "journal": None if journal is None else {
                "saved": journal.saved, "lost": journal.lost, "torn_bytes": journal.torn,
                "since_snapshot": journal.since_snapshot,
            },
        }  # fmt: skip

    def reload(self, known: Known, options: Options | None = None) -> list[str]:
        """Take another case's campaigns and other *options*, between two mails.

        Gives the names of options that only a new start would change; they stay as they are.
        """
        kept: list[str] = []
        if options is not None:
            kept = [name for name in FIXED if getattr(options, name) != getattr(self.options, name)]
            self._go_by(options.changed(**{name: getattr(self.options, name) for name in kept}))
            self.state.change(self.options)
        self.state.detector.known = known
        return kept

    # -- Mail that was not asked about.

    def passed(self, message: Message) -> Finding:
        """Remember *message*, which was let in while nobody looked, and note it as delivered."""
        now = self.state.clock.now()
        at = message.received_at or 0
        finding, trace = self.state.observe(trace_of(message, at), now)
        entry = entry_of(PASSED_UNSEEN, message, at, Action.ACCEPT)
        if finding.place or finding.campaign:
            self.state.ledger.note(finding.place or f"c{finding.campaign}", entry)
        self._note(Mail(now, trace, False, entry))
        self.counts[PASSED_UNSEEN] += 1
        return finding

    def hear(self, traces: Sequence[Trace]) -> None:
        """Other guards observed *traces*: remember them as if they had come here. Nothing is done with them."""
        self._hearing = True
        try:
            for trace in traces:
                now = self.state.clock.now()
                try:
                    self.state.observe(trace, now)
                except Exception as error:
                    self.counts["hearsay failed"] += 1
                    self._tell(
                        {"event": "failed", "error": f"{type(error).__name__}: {error}", "queue_id": ""}
                    )
                    continue
                self.counts["heard"] += 1
                self._note(Mail(now, trace, False, None))
        finally:
            self._hearing = False

    def hear_word(self, op: dict[str, Any]) -> bool:
        """Somebody told another guard *op*, see ``witness``; whether a campaign here is the one that was meant."""
        name = op["campaign"]
        if not self.state.is_known(name):
            found = found_by(op["witness"], self.state.young.campaigns.values())
            if found is None:
                return False
            name = found.id
        self._hearing = True
        try:
            if op["op"] == "mark":
                self.mark(name, op["mark"], op["by"])
            else:
                self.state.disarm(name, ROLLED_BACK)
                self._say({"op": "disarm", "campaign": name, "why": ROLLED_BACK})
                # What is held here is let go by a command here: the mail server's queue is not ours to touch.
                held = len(self.held(name))
                self._tell(
                    {
                        "event": "rollback-heard",
                        "alert": held > 0,
                        "campaign": name,
                        "held": held,
                        "by": op["by"],
                    }
                )
        finally:
            self._hearing = False
        return True

    # -- What outlives us.

    def _tell(self, event: dict[str, Any]) -> None:
        try:
            self._listener(event)
        except Exception:
            self.counts["listener failed"] += 1

    def _say(self, op: dict[str, Any]) -> None:
        if self.journal is not None:
            self.journal.append(word(op))
        if self.outgoing is not None and not self._hearing and op["op"] in ("mark", "rollback"):
            self.outgoing(word({**op, "witness": witness_of(self.state.groups(op["campaign"]))}))

    def _note(self, mail: Mail) -> None:
        if self.outgoing is not None and not self._hearing and not mail.exempt:
            # What was done with it, and for whom, is nobody else's business: no entry.
            self.outgoing(pack(mail._replace(entry=None)))
        journal = self.journal
        if journal is None:
            return
        journal.append(pack(mail))
        journal.poll()
        now = mail.now
        due = (
            journal.since_snapshot >= self.options.snapshot_mails
            or now - self._last_snapshot >= self.options.snapshot_minutes * 60
            or not journal.saved
        )
        if due and journal.snapshot(self._plain, self.state.young.arrays):
            self._last_snapshot = now

    def _plain(self) -> dict[str, Any]:
        return self.state.as_plain(self.state.clock.now(), self._wall())

    def close(self) -> None:
        """Write all down and let go of the folder."""
        if self.journal is not None:
            self.journal.poll(wait=True)
            self.journal.snapshot(self._plain, self.state.young.arrays, wait=True)
            self.journal.close()
