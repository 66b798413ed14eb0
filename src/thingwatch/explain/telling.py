"""An explanation as lines of text: weights as a waterfall, aligned, strangers' words made harmless."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from thingwatch.act.clean import defang, safe
from thingwatch.act.wording import plural
from thingwatch.model import Family

BAR = 24  # columns of the widest bar
KEYS_SHOWN = 6  # of each family; --json has all
ROWS_SHOWN = 24  # of a signature, of joins, of waves
TEXT_CHARS = 72  # of one key's text

_UP, _DOWN, _CAPPED = "▇", "░", "·"


def lines(found: dict[str, Any]) -> list[str]:
    """What ``explain`` gave, for a terminal; every line is clean, indentation carries meaning."""
    return {"campaign": _campaign, "lure": _lure, "message": _message}[found["what"]](found)


def _bar(before: float, after: float, full: float) -> str:
    """One step of a waterfall: blanks up to where it starts, blocks for what it adds or takes."""
    first, last = sorted((before, after))
    start = min(BAR - 1, round(max(0.0, first) / full * BAR))
    end = min(BAR, max(start + 1, round(max(0.0, last) / full * BAR)))
    sign = _CAPPED if before == after else _UP if after > before else _DOWN
    return (" " * start + sign * (end - start)).ljust(BAR)


def _steps(weights: list[float]) -> list[str]:
    """The bars of *weights* one after the other, to one scale."""
    sums = [0.0]
    for weight in weights:
        sums.append(sums[-1] + weight)
    full = max(*sums, 1.0)
    return [_bar(before, after, full) for before, after in pairwise(sums)]


def _campaign(found: dict[str, Any]) -> list[str]:
    kind = f" ({safe(found['kind'])})" if found.get("kind") else ""
    out = [f"{safe(found['id'])}: {safe(found['verdict'] or 'not judged')}{kind}", safe(found["headline"])]
    if found["reasons"]:
        out += ["", "Why it was judged so, in bits (one bit doubles the odds)"]
        weights = [reason["weight"] for reason in found["reasons"]]
        for reason, bar in zip(found["reasons"], _steps(weights), strict=True):
            out.append(
                f"  {reason['weight']:+6.1f}  {bar}  {safe(reason['name'])}: {safe(reason['sentence'])}"
            )
        out.append(f"  {sum(weights):+6.1f}  in all")
    if found["signature"]:
        out += ["", "Its signature: bits, its messages with the key, others with it"]
        for row in found["signature"][:ROWS_SHOWN]:
            counts = f"{row['messages']:>9,} {row['others']:>7,}"
            text = f"{safe(row['family']):10} {_key_text(row['family'], row['key'])}"
            out.append(f"  {row['weight']:+6.1f} {counts}  {text}")
        out += _rest(found["signature"], "keys")
    if found["lures"]:
        out += ["", "Its lures"]
        for lure in found["lures"][:ROWS_SHOWN]:
            out.append(
                f"  {safe(lure['id']):8} {lure['messages']:>9,}  {defang(lure['subject'], TEXT_CHARS)}"
            )
        out += _rest(found["lures"], "lures")
    out += _joins(found["joined"])
    if found["waves"]:
        out += ["", "Its waves"]
        for wave in found["waves"][:ROWS_SHOWN]:
            out.append(
                f"  {wave['number']:>3}  {wave['start']} to {wave['end']}  {wave['messages']:>9,} messages"
            )
        out += _rest(found["waves"], "waves")
    return out


def _joins(joins: list[dict[str, Any]]) -> list[str]:
    out = ["", "What joins its lures, in bits"] if joins else []
    for join in joins[:ROWS_SHOWN]:
        bits = sum(reason["weight"] for reason in join["reasons"])
        out.append(f"  {bits:+6.1f}  {safe(join['from'])} and {safe(join['to'])}")
        weights = [reason["weight"] for reason in join["reasons"]]
        for reason, bar in zip(join["reasons"], _steps(weights), strict=True):
            out.append(
                f"    {reason['weight']:+6.1f}  {bar}  {safe(reason['name'])}: {safe(reason['sentence'])}"
            )
    return out + _rest(joins, "joins")


def _rest(rows: list[Any], noun: str, shown: int = ROWS_SHOWN) -> list[str]:
    return [f"  and {len(rows) - shown:,} more {noun}; --json has them all"] if len(rows) > shown else []


def _lure(found: dict[str, Any]) -> list[str]:
    where = (
        f"of {safe(found['campaign_id'])} ({safe(found['verdict'] or 'not judged')})"
        if found["campaign_id"]
        else "in no campaign"
    )
    out = [
        f"{safe(found['id'])}: a lure {where}",
        f"{plural(found['messages'], 'message')} from {plural(found['sources'], 'source')},"
        f" {found['first_seen']} to {found['last_seen']}",
    ]
    if found.get("subject"):
        out.append(f"Subject: {defang(found['subject'], TEXT_CHARS)}")
    if found.get("specimen"):
        out += ["", "A specimen, redacted"]
        out += [f"  {line}" for line in defang(found["specimen"], 1200, lines=True).split("\n")]
    return out + _joins(found["joined"])


def _message(found: dict[str, Any]) -> list[str]:
    out = [
        f"{safe(found['place'])}",
        f"Message-ID {safe(found['message_id']) or 'none'}",
        f"Subject: {defang(found['subject'], TEXT_CHARS)}",
    ]
    if found.get("read_earlier"):
        out.append(
            "An earlier run read it; it stands here because only now it came to another campaign or left its own."
        )
    if found["copies"] > 1:
        out.append(
            f"{found['copies']:,} messages have this Message-ID; this is the first. Give a place for another."
        )
    if found["campaign_id"]:
        lure = f", lure {safe(found['lure_id'])}" if found["lure_id"] else ""
        wave = f", wave {found['wave']}" if found["wave"] is not None else ""
        out.append(f"In {safe(found['campaign_id'])} ({safe(found['verdict'] or 'not judged')}){lure}{wave}")
    elif found["nearest"]:
        out.append(f"In no campaign. The nearest is {safe(found['nearest'])}, and this is what they share.")
    else:
        out.append("In no campaign, and no campaign holds any of its keys.")
    if found["headline"]:
        out.append(safe(found["headline"]))
    shared = f"{found['keys_shared']} of its {found['keys']} keys are in the signature"
    out += ["", f"What it says, in bits, each family up to its cap: {shared}"]
    before = 0.0
    full = max(found["likeness"], found["needed"], 1.0)
    for family in found["families"]:
        for key in family["keys"][:KEYS_SHOWN]:
            bar = _bar(before, key["sum"], full)
            text = f"{safe(key['kind'])}: {_key_text(family['family'], key['text'])}"
            out.append(f"  {key['counted']:+6.1f}  {bar}  {key['sum']:5.1f}  {text}")
            before = key["sum"]
        out += _rest(family["keys"], "keys", KEYS_SHOWN)
        capped = f", counted up to {family['cap']:.0f}" if family["sum"] > family["cap"] else ""
        text = f"{safe(family['family'])}: {family['sum']:.1f}{capped}"
        out.append(f"= {family['counted']:+6.1f}  {'':{BAR}}  {family['running']:5.1f}  {text}")
        before = family["running"]
    out.append(f"  {found['likeness']:+6.1f}  in all; {found['needed']:.0f} are enough by content alone")
    if found["campaign_id"] and found["likeness"] < found["needed"]:
        out.append(
            "  What it says is not all: lures are joined by hand, sources and clock."
            f" See: explain CASE {safe(found['campaign_id'])}"
        )
    out += _hand(found["hand"])
    if found["against"]:
        out += ["", "What speaks against it"]
        out += [f"  {defang(sentence, bare=False)}" for sentence in found["against"]]
    return out


def _hand(hand: dict[str, Any] | None) -> list[str]:
    if hand is None:
        return []
    out = ["", "Its hand (how the sender's program writes)", f"  {defang(hand['dialect'], 300, bare=False)}"]
    if hand["known"]:
        out.append(
            f"  {hand['weight']:+.1f} bits: {hand['messages']:,} messages of the campaign"
            f" are written so, {hand['others']:,} others"
        )
    return out


def _key_text(family: str, text: str) -> str:
    """A key's text, short and without a link anyone could follow."""
    whole = 240 if family == Family.CLIENT else TEXT_CHARS
    return defang(text, whole, bare=family == Family.LINK)
