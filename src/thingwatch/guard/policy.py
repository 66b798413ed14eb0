"""Finding → action: the operator's table, and the guards before anything stronger than a tag.

The detector says what a mail is; this says what is done. A rule is what a campaign has earned: it can be narrowed
or disarmed by good mail (``ham``), by touching too much of the stream or too many familiar senders, by a person
(rollback), and it lapses when its campaign is silent. A disarmed rule still tags.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from thingwatch.guard.finding import Certainty, Finding
from thingwatch.guard.gateway import Action
from thingwatch.guard.ham import OWN_DIALECT, GoodMail, Reach
from thingwatch.guard.lure import Campaign
from thingwatch.guard.nascent import SERVER
from thingwatch.guard.options import Options
from thingwatch.guard.tally import SHARED_DIALECT
from thingwatch.guard.trace import Trace
from thingwatch.guard.young import Young

SEVERITY = {action: rank for rank, action in enumerate(Action)}
RETEST_SECONDS = 600.0  # a signature is tried on good mail again after so long
RETEST_GROWTH = 2.0  # or when its campaign has grown so much
MIN_TOUCHED = 50  # mails a campaign touched from which the share of familiar senders tells anything
MIN_SHARE = 10  # mails of familiar senders touched in an hour, likewise
PROBATION_MAILS = 20  # tagged only, when a campaign comes back after its rule lapsed
FEW_SERVERS = (
    0.2  # of a campaign's named sources; fewer mail servers are guests in it, whose own mail was copied
)
MAX_RULES = 10_000
_STRICTNESS = {Reach.WIDE: 0, Reach.NARROW: 1, Reach.NONE: 2}


class Ruling(NamedTuple):
    """What is done, what would be done without canary, and why the two may differ from the table."""

    action: Action
    wanted: Action  # by table and guards, canary aside
    table: Action  # by the table alone
    why: str = ""  # the guard that softened the table's action


class Rule:
    """What a campaign has earned, and what was found against it."""

    __slots__ = (
        "announced", "disarmed", "doubt_at", "familiar", "last", "probation", "reach", "said_by", "tested_at",
        "tested_good", "tested_size", "touched", "touched_hour",
    )  # fmt: skip

    def __init__(self) -> None:
        """Armed, not yet tested."""
        self.announced = False  # that its campaign is an attack
        self.reach: Reach | None = None
        self.said_by: frozenset[int] = frozenset()  # dialects of good mail that says the same
        self.tested_at = self.last = 0.0  # of the waiting clock
        self.tested_size = 0
        self.tested_good = 0  # good mails added when it was tested last
        self.touched = 0  # with more than a tag, in all
        self.touched_hour = 0  # in this hour, from familiar senders
        self.familiar = 0  # of them, from senders of other mail
        self.probation = 0
        self.doubt_at: float | None = None
        self.disarmed = ""  # why it may only tag


class Policy:
    """The table, the rules, and the good mail they are tried on."""

    def __init__(self, options: Options, young: Young) -> None:
        """Of *options*; *young* tells what a signature matches."""
        self.options = options
        self.good = GoodMail(options.good_mails)
        self.rules: dict[str, Rule] = {}
        self.counts: Counter[str] = Counter()
        self._table = options.table
        self._young = young
        self._hour = -1
        self._in_hour = 0

    def change(self, options: Options) -> None:
        """Go by *options* from now on; what campaigns have earned stays."""
        self.options, self._table = options, options.table

    def rule(self, finding: Finding, trace: Trace, now: float) -> Ruling:
        """What is done with the mail of *trace*."""
        hour = int(now // 3600)
        if hour != self._hour:
            self._hour, self._in_hour = hour, 0
            for rule in self.rules.values():
                rule.touched_hour = 0
        self._in_hour += trace.familiar
        table = self._table[finding.certainty] if finding.own else Action.ACCEPT
        wanted, why = table, ""
        if SEVERITY[table] > SEVERITY[Action.TAG]:
            why = self._objection(finding, trace, now)
            if why:
                wanted = Action.TAG
            else:
                self._touch(finding.campaign, trace)
        action = wanted
        if self.options.canary and SEVERITY[wanted] > SEVERITY[Action.TAG]:
            action = Action.TAG
        self.counts[f"wanted {wanted}"] += 1
        self.counts[f"did {action}"] += 1
        if why:
            self.counts[f"softened: {why}"] += 1
        return Ruling(action, wanted, table, why)

    def recount(self, finding: Finding, trace: Trace, action: Action, now: float) -> None:
        """*action* was done before a restart."""
        if SEVERITY[action] > SEVERITY[Action.TAG]:
            rule = self.rule_of(finding.campaign)
            rule.last = now
            if finding.certainty is Certainty.DOUBTFUL and rule.doubt_at is None:
                rule.doubt_at = now
            self._touch(finding.campaign, trace)

    def _objection(self, finding: Finding, trace: Trace, now: float) -> str:
        """Why *finding* may be tagged only, "" for no reason."""
        rule = self.rule_of(finding.campaign)
        if rule.last and now - rule.last > self.options.rule_days * 86400:
            rule.probation = PROBATION_MAILS
        rule.last = now
        if rule.disarmed:
            return rule.disarmed
        if rule.probation:
            rule.probation -= 1
            return "lapsed"
        if finding.certainty is Certainty.DOUBTFUL:
            if rule.doubt_at is None:
                rule.doubt_at = now
            if now - rule.doubt_at > self.options.defer_minutes * 60:
                return "doubted long enough"
        campaign = finding.group
        if campaign is not None:
            reach = self._reach(rule, campaign, now)
            if reach is Reach.NONE:
                return "touches good mail"
            if reach is Reach.NARROW and not _in_own_hand(campaign, trace, rule.said_by):
                return "outside its own hand"
            if trace.name_class == SERVER and not _from_servers(campaign):
                return "a mail server among lines"
        if rule.touched_hour >= MIN_SHARE and rule.touched_hour >= self.options.max_share * self._in_hour:
            return "touches too much"
        if rule.touched >= MIN_TOUCHED and rule.familiar > self.options.max_familiar * rule.touched:
            return "touches familiar senders"
        return ""

    def _reach(self, rule: Rule, campaign: Campaign, now: float) -> Reach:
        size, added = campaign.messages, self.good.added
        if rule.reach is None or size > RETEST_GROWTH * rule.tested_size:
            rule.reach, rule.said_by = self.good.reach(campaign, self._young, now)
            rule.tested_size = size
        elif now - rule.tested_at > RETEST_SECONDS and added > rule.tested_good:
            # Between whole tests only what is new among the good mail can change anything.
            new, said_by = self.good.reach(campaign, self._young, now, rule.tested_good)
            rule.said_by |= said_by
            rule.reach = max(rule.reach, new, key=_STRICTNESS.__getitem__)
        else:
            return rule.reach
        rule.tested_at, rule.tested_good = now, added
        return rule.reach

    def _touch(self, campaign: str, trace: Trace) -> None:
        rule = self.rule_of(campaign)
        rule.touched += 1
        rule.touched_hour += trace.familiar
        rule.familiar += trace.familiar

    def rule_of(self, campaign: str) -> Rule:
        """The rule of *campaign*, a new one where it has none."""
        rule = self.rules.get(campaign)
        if rule is None:
            if len(self.rules) >= MAX_RULES:
                # What was disarmed by a person or by good mail stays as long as it can.
                gone = min(self.rules, key=lambda c: (bool(self.rules[c].disarmed), self.rules[c].last))
                del self.rules[gone]
            rule = self.rules[campaign] = Rule()
        return rule

    def inherit(self, campaign: str, ended: tuple[str, ...]) -> None:
        """Campaigns *ended* became one with *campaign*: what a person said against them holds for it too."""
        for name in ended:
            rule = self.rules.pop(name, None)
            if rule is not None and rule.disarmed:
                self.rule_of(campaign).disarmed = rule.disarmed

    def as_plain(self) -> list[list[Any]]:
        """Rules as plain data, for the snapshot."""
        return [
            [name, rule.touched, rule.familiar, rule.probation, rule.last, rule.doubt_at, rule.disarmed]
            for name, rule in self.rules.items()
        ]

    def restore(self, plain: list[list[Any]], shift: float) -> None:
        """Take what ``as_plain`` gave; *shift* is added to times of the waiting clock."""
        for name, touched, familiar, probation, last, doubt_at, disarmed in plain:
            rule = self.rule_of(name)
            rule.touched, rule.familiar, rule.probation, rule.disarmed = (
                touched,
                familiar,
                probation,
                disarmed,
            )
            rule.last = last + shift if last else 0.0
            rule.doubt_at = None if doubt_at is None else doubt_at + shift


def _from_servers(campaign: Campaign) -> bool:
    """Whether mail servers, by their names, are among the sources of *campaign* at all."""
    classes = [name_class for _, name_class in campaign.tally.sources.held.values() if name_class]
    return sum(name_class == SERVER for name_class in classes) >= FEW_SERVERS * len(classes)


def _in_own_hand(campaign: Campaign, trace: Trace, said_by: frozenset[int]) -> bool:
    """Whether *trace* is written as the campaign is: in a dialect much of it is in, or one that several of its sources
    share and no good mail that says the same. An engine that changes its dialect with every wave has many."""
    row = campaign.tally.dialects.get(trace.dialect)
    if row is None or not trace.stranger:
        return False
    shared = len(row[1]) >= SHARED_DIALECT and trace.dialect not in said_by
    return bool(shared or row[0] >= OWN_DIALECT * campaign.messages)
