"""One mail after another → what it is: look up, place, judge. The same judge and likeness as at rest."""

from __future__ import annotations

from thingwatch.config import Settings
from thingwatch.guard.finding import Certainty, Finding, Placing
from thingwatch.guard.known import Known, Recognition
from thingwatch.guard.lure import Campaign
from thingwatch.guard.trace import Trace
from thingwatch.guard.young import Young
from thingwatch.judge.reasons import ATTACK_BITS
from thingwatch.model import Verdict

SURE_BITS = 3.0  # over the judge's threshold
CONFIRMED_MESSAGES = 50  # of a sure attack: from here its lures are remembered for months
_DAY = 86_400_000_000


class Detector:
    """Remembers the stream and says of each mail what it belongs to."""

    def __init__(self, known: Known, young: Young, settings: Settings) -> None:
        """*known*: campaigns of a case; *young*: what is remembered of the stream."""
        self.known = known
        self.young = young
        self.settings = settings
        self.marks: dict[str, str] = {}  # what people said of the case's campaigns, by id

    def observe(self, trace: Trace, now: float) -> tuple[Finding, Trace]:
        """Remember *trace* and judge it; *now* is of the waiting clock. A repeat of it would count again.

        Gives the trace as well, with what is known of its sender.
        """
        row, sender = self.young.senders.meet(trace.source, trace.at // _DAY, bool(trace.name))
        trace = trace._replace(
            fresh=sender.messages == 0,
            familiar=sender.familiar,
            # A mail without a client came from inside: nobody's attack.
            house=sender.house or not trace.source,
        )
        recognised = self.known.recognise(trace)
        placing = self.young.place(trace, row, sender, now)
        campaign = placing.campaign
        if recognised is not None and not self._is_own(recognised, trace):
            recognised = None
        if campaign is not None and placing.own and recognised is not None:
            campaign.known = recognised.campaign.id
            if not campaign.confirmed:
                self.young.keep(campaign)
        finding = self._found(placing, recognised)
        if campaign is not None and placing.own and campaign.is_attack:
            self.young.attacked(campaign, row)
            self.young.gather(campaign, now)
            if (
                not campaign.confirmed
                and finding.certainty is Certainty.SURE
                and campaign.messages >= CONFIRMED_MESSAGES
            ):
                self.young.keep(campaign)
        return finding, trace

    def review(self, campaign: Campaign) -> Finding:
        """What *campaign* is by now, for a mail of its own that was observed before."""
        return self._found(Placing(campaign, own=True), None)

    def _is_own(self, recognised: Recognition, trace: Trace) -> bool:
        """Whether a mail that says what a known attack says is by its hand, not a quotation of it."""
        campaign = recognised.campaign
        if (
            self.marks.get(campaign.id, campaign.verdict) != Verdict.ATTACK
            or trace.automatic
            or trace.listed
            or trace.answer
        ):
            return False
        return trace.stranger or (campaign.signed >= 0.5 and not trace.house)

    def _found(self, placing: Placing, recognised: Recognition | None) -> Finding:
        campaign = placing.campaign
        if campaign is None:
            if recognised is None:
                return Finding(place=placing.place)
            known = recognised.campaign
            return Finding(
                Verdict.ATTACK,
                Certainty.KNOWN,
                known.id,
                known.kind,
                known.bits,
                True,
                ("known campaign",),
                place=placing.place,
            )
        found = campaign.judged(self.settings) if campaign.messages else None
        verdict, bits, kind = None, 0.0, ""
        reasons: tuple[str, ...] = ()
        if found is not None and campaign.messages >= self.settings.min_messages:
            verdict, kind, bits, reasons = found
        certainty = self._certainty(campaign, verdict, bits)
        if recognised is not None and not campaign.mark:
            certainty = Certainty.KNOWN
        if certainty is Certainty.KNOWN:
            verdict = Verdict.ATTACK
        elif campaign.mark in ("good", "bulk"):
            verdict, certainty = Verdict.BULK, Certainty.NONE
        elif certainty is Certainty.DOUBTFUL:
            bits = campaign.doubt_bits
        return Finding(
            verdict, certainty, campaign.id, kind, round(bits, 1), placing.own, reasons, campaign, placing.doubt,
            placing.joined, placing.place,
        )  # fmt: skip

    def _certainty(self, campaign: Campaign, verdict: Verdict | None, bits: float) -> Certainty:
        if campaign.mark:
            return Certainty.KNOWN if campaign.mark == "attack" else Certainty.NONE
        if campaign.known:
            return Certainty.KNOWN
        if verdict is Verdict.ATTACK:
            is_sure = bits >= ATTACK_BITS + SURE_BITS and not campaign.wordless
            return Certainty.SURE if is_sure else Certainty.LIKELY
        if verdict is not Verdict.BULK and campaign.doubtful:
            return Certainty.DOUBTFUL
        return Certainty.NONE
