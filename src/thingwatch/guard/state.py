"""All that is remembered of the stream, and what people said of it: from an equal past, an equal state.

Everything here changes by three things only: a mail observed, a mail taken as good, a person's word. They are what
the journal holds, and played again they give the same state.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterable
from typing import Any

from thingwatch.config import Settings
from thingwatch.errors import UsageError
from thingwatch.guard.clock import StreamClock
from thingwatch.guard.detector import Detector
from thingwatch.guard.finding import Certainty, Finding
from thingwatch.guard.journal import Event, Journal
from thingwatch.guard.known import Known
from thingwatch.guard.labels import Labels
from thingwatch.guard.ledger import Entry, Ledger
from thingwatch.guard.lure import Campaign
from thingwatch.guard.nascent import SERVER
from thingwatch.guard.options import Options
from thingwatch.guard.policy import Policy
from thingwatch.guard.record import MAIL, unpack
from thingwatch.guard.sketch import text_hash
from thingwatch.guard.trace import Trace
from thingwatch.guard.young import Ages, Young
from thingwatch.model import Verdict

ROLLED_BACK = "rolled back"
GOOD_SECONDS = 20.0  # between two good mails remembered, once there are enough: a day or two of mail
_DAY, _HOUR = 86_400.0, 3_600.0


class State:
    """Campaigns, rules, good mail, ledger and clock of one guard."""

    def __init__(
        self, options: Options, known: Known, settings: Settings, monotonic: Callable[[], float], tell: Event
    ) -> None:
        """Nothing remembered yet; *tell* hears what happens."""
        ages = Ages(options.single_hours * _HOUR, options.lure_days * _DAY, options.campaign_days * _DAY)
        self.options = options
        self.clock = StreamClock(monotonic)
        self.young = Young(options.max_messages, ages, settings, options.max_sources, options.max_lures)
        self.detector = Detector(known, self.young, settings)
        self.policy = Policy(options, self.young)
        self.ledger = Ledger()
        self._tell = tell
        self._traps = _hashes(options.traps)
        self.labels = Labels()
        self._good_at = float("-inf")

    def change(self, options: Options) -> None:
        """Go by *options* from the next mail on."""
        self.options = options
        self.policy.change(options)
        self.young.max_lures = options.max_lures
        self._traps = _hashes(options.traps)

    # -- What changes it.

    def observe(self, trace: Trace, now: float) -> tuple[Finding, Trace]:
        """Remember a stranger's *trace*, and say what it is."""
        finding, trace = self.detector.observe(trace, now)
        self._after(finding, trace, now)
        return finding, trace

    def _after(self, finding: Finding, trace: Trace, now: float) -> None:
        """What follows from a finding besides its action."""
        group = finding.group
        if finding.joined:
            self.policy.inherit(finding.campaign, finding.joined)
            self._tell({"event": "joined", "campaign": finding.campaign, "ended": list(finding.joined)})
        if finding.doubt_begins:
            self._tell({"event": "doubt", "campaign": finding.campaign, "bits": finding.bits})
        if group is not None and finding.own and finding.certainty in (Certainty.SURE, Certainty.LIKELY):
            rule = self.policy.rule_of(finding.campaign)
            if not rule.announced:
                rule.announced = True
                self._tell(
                    {
                        "event": "attack", "alert": True, "campaign": finding.campaign, "bits": finding.bits,
                        "messages": group.messages, "sources": group.tally.distinct.count(),
                        "reasons": list(finding.reasons),
                    }
                )  # fmt: skip
        if trace.recipient in self._traps and group is not None and finding.own and trace.stranger:
            self._trap(group, trace)
        if finding.certainty is Certainty.NONE:
            self.add_good(trace, now)

    def _trap(self, group: Campaign, trace: Trace) -> None:
        self.labels.note("trap", group.id, trace.recipient)
        if not group.mark and self.labels.is_enough("trap", group.ids):
            group.mark = "attack"
            self.young.keep(group)
            self._tell({"event": "marked", "campaign": group.id, "mark": "attack", "by": "spamtrap"})

    def add_good(self, trace: Trace, now: float, trusted: bool = False) -> None:
        """Remember *trace* as good mail, if it is time for one; *trusted*: of a user or network of ours.

        A stranger's is taken for good only under a mail server's name: what a campaign sent from lines before it
        was known, or was missed of it, would speak for it else.
        """
        if trace.stranger and trace.name_class != SERVER and not trusted:
            return
        if len(self.policy.good) < self.options.good_mails or now - self._good_at >= GOOD_SECONDS:
            self.policy.good.add(trace, now)
            self._good_at = now

    def mark(self, campaign: str, verdict: str) -> None:
        """A person says what *campaign* is; raises UsageError when it is not remembered."""
        groups = self.groups(campaign)
        if self.is_known(campaign):
            self.detector.marks[campaign] = verdict
        elif not groups:
            raise UsageError(f"{campaign}: no such campaign is remembered; see: thingwatch guard campaigns")
        for group in groups:
            group.mark = verdict
            if verdict == "attack":
                self.young.keep(group)
        rule = self.policy.rule_of(campaign)
        rule.disarmed = "" if verdict == "attack" else f"marked {verdict}"

    def disarm(self, campaign: str, why: str) -> None:
        """From now on *campaign* may tag, no more. Raises UsageError when it is not remembered."""
        if not self.groups(campaign) and campaign not in self.policy.rules and not self.is_known(campaign):
            raise UsageError(f"{campaign}: no such campaign is remembered; see: thingwatch guard campaigns")
        self.policy.rule_of(campaign).disarmed = why

    def release(self, campaign: str) -> list[Entry]:
        """Note what *campaign* held as delivered, and give it."""
        return self.ledger.release(self.places(campaign))

    # -- What is asked of it.

    def groups(self, campaign: str) -> list[Campaign]:
        """Remembered campaigns of that id: several, when they were recognised as one of a case."""
        return [group for group in self.young.campaigns.values() if group.id == campaign]

    def campaign_of(self, message_id: str, queue_id: str) -> str:
        """The id of the campaign a mail was put to that the ledger knows by either id; "" for none."""
        place = self.ledger.place_of(message_id, queue_id)
        if not place:
            return ""
        group = next((g for g in self.young.campaigns.values() if place in self.young.places_of(g)), None)
        return group.id if group is not None else place[1:] if self.is_known(place[1:]) else ""

    def is_named(self, campaign: str) -> bool:
        """Whether somebody's name stands behind *campaign*, so that reports alone call it no attack."""
        known = [one for one in self.detector.known.campaigns if one.id == campaign]
        groups = self.groups(campaign)
        if groups:
            return any(self.detector.review(group).verdict is Verdict.BULK for group in groups)
        return any(one.verdict == Verdict.BULK for one in known)

    def is_known(self, campaign: str) -> bool:
        """Whether a case knows *campaign* by that id."""
        return any(known.id == campaign for known in self.detector.known.campaigns)

    def campaigns(self, least: int) -> list[dict[str, Any]]:
        """What is remembered of campaigns with *least* mails or more, attacks first, then the largest."""
        found = []
        for group in self.young.campaigns.values():
            if group.messages < least:
                continue
            finding = self.detector.review(group)
            rule = self.policy.rules.get(group.id)
            found.append(
                {
                    "id": group.id, "verdict": str(finding.verdict or Verdict.UNSURE),
                    "certainty": str(finding.certainty), "bits": finding.bits, "messages": group.messages,
                    "sources": group.tally.distinct.count(), "recipients": group.tally.recipients.count(),
                    "lures": len(group.lures), "kind": finding.kind, "mark": group.mark,
                    "first_at": group.tally.first_at, "last_at": group.tally.last_at,
                    "touched": rule.touched if rule else 0, "disarmed": rule.disarmed if rule else "",
                    "reasons": list(finding.reasons),
                }
            )  # fmt: skip
        return sorted(found, key=lambda row: (row["verdict"] != "attack", -row["messages"], row["id"]))

    def places(self, campaign: str) -> list[str]:
        """Where the ledger notes its mails."""
        places = [f"c{campaign}"]
        for group in self.groups(campaign):
            places += self.young.places_of(group)
        return list(dict.fromkeys(places))  # a single mail it took in may have become one of its lures

    # -- What outlives us.

    def as_plain(self, now: float, wall: float) -> dict[str, Any]:
        """Plain data for the snapshot."""
        return {
            "clock": self.clock.as_plain(now),
            "wall": wall,
            "young": self.young.as_plain(),
            "rules": self.policy.as_plain(),
            "good": self.policy.good.as_plain(),
            "marks": self.detector.marks,
            "ledger": self.ledger.as_plain(),
            "labels": self.labels.as_plain(),
        }

    def restore(self, journal: Journal, wall: float) -> int:
        """Take up what *journal* holds; gives how many records were played again behind the snapshot."""
        gc.disable()  # a million small things are read; none of them is garbage
        try:
            plain = journal.read_snapshot(self.young.arrays())
            shift = 0.0
            now = self.clock.now()
            if plain is not None:
                downtime = max(0.0, wall - plain["wall"])
                shift = self.clock.resume(plain["clock"], now, downtime)
                self.young.restore(plain["young"], shift)
                self.policy.restore(plain["rules"], shift)
                self.policy.good.restore(plain["good"], shift)
                self.detector.marks = plain["marks"]
                self.ledger.restore(plain["ledger"])
                self.labels.restore(plain["labels"])
            return self._redo(journal, shift, plain is not None, wall)
        finally:
            gc.enable()

    def _redo(self, journal: Journal, shift: float, shifted: bool, wall: float) -> int:
        replayed = 0
        for kind, payload in journal.tail():
            replayed += 1
            if kind != MAIL:
                op = json.loads(payload)
                if op["op"] == "clock" and not shifted:
                    # The first journal of all has no snapshot before it to count the time from.
                    downtime = max(0.0, wall - op["wall"])
                    shift, shifted = self.clock.resume(op["clock"], self.clock.now(), downtime), True
                self._redo_word(op)
                continue
            mail = unpack(payload)
            now = mail.now + shift
            if mail.exempt:
                self.add_good(mail.trace, now, trusted=True)
                continue
            finding, trace = self.observe(mail.trace, now)
            if mail.entry is not None:
                self.policy.recount(finding, trace, mail.entry.action, now)
                self.ledger.note(finding.place or f"c{finding.campaign}", mail.entry)
        return replayed

    def _redo_word(self, op: dict[str, Any]) -> None:
        try:
            if op["op"] == "mark":
                self.mark(op["campaign"], op["mark"])
            elif op["op"] in ("rollback", "disarm"):
                self.disarm(op["campaign"], op.get("why", ROLLED_BACK))
                if op["op"] == "rollback":
                    self.release(op["campaign"])
            elif op["op"] == "label":
                self.labels.note(op["label"], op["campaign"], op["reporter"])
            elif op["op"] == "entry":
                self.ledger.restore([[op["place"], *op["entry"]]])
        except UsageError:
            # The campaign was forgotten since; so is what was said of it.
            return


def _hashes(addresses: Iterable[str]) -> frozenset[int]:
    return frozenset(text_hash(address.lower()) for address in addresses)
