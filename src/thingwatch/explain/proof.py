"""Why one message is in its campaign, or in none: its keys against the campaign's signature, in bits.

The weights are the campaign's own: how many times likelier its mail holds a key than other mail does, as a
logarithm. Grouping counts them by lure and before the campaign stands, so that its sums may differ by a few
bits; the keys, the caps and the order of worth are the same.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from thingwatch.act.wording import plural
from thingwatch.errors import InputError
from thingwatch.explain.case import Case
from thingwatch.explain.rereading import message_at
from thingwatch.fingerprint import KINDS
from thingwatch.fingerprint.readable import readable_hand, readable_keys
from thingwatch.group.lures import CAPS, KIND_BITS, MIN_VOTES
from thingwatch.model import Family, Message

LEAST_BITS = 1.0  # a key worth less says nothing; grouping leaves it out as well
_CAP_NAMES = {
    Family.TEXT: "cap_text",
    Family.SUBJECT: "cap_subject",
    Family.LINK: "cap_link",
    Family.ATTACHMENT: "cap_file",
}


def proof_of(case: Case, row: dict[str, Any]) -> dict[str, Any]:
    """What speaks for and against the message of *row* being in its campaign, or in the nearest one.

    Raises InputError where the mail itself is gone.
    """
    try:
        message = message_at(case, row["place"], row["message_id"] or "")
    except InputError as error:
        where = f"in campaign {row['campaign_id']}" if row["campaign_id"] else "in no campaign"
        lure = f", lure {row['lure_id']}" if row["lure_id"] else ""
        raise InputError(f"{error} (the case alone says: {where}{lure})") from error
    keys = {key.key: (key.kind, key.text) for key in reversed(readable_keys(message))}
    held: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for found in case.keys_like(list(keys)):
        held[found["campaign_id"]].append(found)
    sums = {campaign: _waterfall(rows, keys)[1] for campaign, rows in held.items()}
    own = row["campaign_id"]
    ranked = sorted((name for name in sums if name != own), key=lambda name: (-sums[name], name))
    against = own or (ranked[0] if ranked else None)
    families, likeness = _waterfall(held[against], keys) if against in held else ([], 0.0)
    document = case.campaigns.get(against or "")
    hand = _hand(message, document)
    other = ranked[0] if own and ranked else None
    return {
        "what": "message",
        **{
            name: row[name]
            for name in ("message_id", "place", "received_at", "client_ip", "campaign_id", "lure_id", "wave")
        },
        "copies": row["copies"],
        "read_earlier": row["seq"] is None,  # by a run that this case continues
        "subject": message.subject,
        "nearest": None if own else against,
        "verdict": document["verdict"] if document else None,
        "headline": document["headline"] if document else None,
        "families": families,
        "likeness": likeness,
        "needed": MIN_VOTES,
        "keys": len(keys),
        "keys_shared": sum(len(family["keys"]) for family in families),
        "other": {"campaign_id": other, "likeness": sums[other]} if other else None,
        "hand": hand,
        "against": _against(message, families, hand, (other, sums[other]) if other else None, likeness),
    }


def _waterfall(
    rows: list[dict[str, Any]], keys: dict[int, tuple[int, str]]
) -> tuple[list[dict[str, Any]], float]:
    """The shared keys by family, the heaviest first, each with the sum so far; and the sum over all."""
    families: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        kind, text = keys[row["key"]]
        family, name = KINDS[kind]
        weight = row["weight"]
        families[family.value].append(
            {
                "kind": name,
                "text": text,
                "weight": round(weight, 2),
                "counted": round(min(weight, KIND_BITS[kind]), 2) if weight > LEAST_BITS else 0.0,
                "messages": row["messages"],
                "others": row["others"],
            }
        )
    told = []
    running = 0.0
    for family, cap_name in _CAP_NAMES.items():
        found = sorted(
            families[family.value],
            key=lambda key: (-key["counted"], -key["messages"], key["kind"], key["text"]),
        )
        if not found:
            continue
        cap = CAPS[cap_name]
        total = 0.0
        for key in found:
            total += key["counted"]
            key["sum"] = round(running + min(total, cap), 2)
        running += min(total, cap)
        told.append(
            {
                "family": family.value,
                "keys": found,
                "sum": round(total, 2),
                "cap": cap,
                "counted": round(min(total, cap), 2),
                "running": round(running, 2),
            }
        )
    return told, round(running, 2)


def _hand(message: Message, document: dict[str, Any] | None) -> dict[str, Any] | None:
    """The dialect of *message*, and the campaign's count of it where the report tells; None for a log."""
    if not message.headers:
        return None
    dialect = readable_hand(message)["dialect"]
    told = [row for row in document["signature"] if row["family"] == Family.CLIENT] if document else []
    # Two dialects may read alike (what only their hash tells apart); they are one hand to the reader.
    rows = [row for row in told if row["key"] == f"dialect: {dialect}"]
    return {
        "dialect": dialect,
        "known": bool(rows) if told else None,  # None: the report tells none of the campaign's dialects
        "weight": max((row["weight"] for row in rows), default=None),
        "messages": sum(row["messages"] for row in rows),
        "others": sum(row["others"] for row in rows),
    }


def _against(
    message: Message,
    families: list[dict[str, Any]],
    hand: dict[str, Any] | None,
    other: tuple[str, float] | None,
    likeness: float,
) -> list[str]:
    """What speaks against *message* belonging where it is compared, a sentence each."""
    said = []
    weak = sum(1 for family in families for key in family["keys"] if not key["counted"])
    if weak:
        said.append(f"{plural(weak, 'shared key')} counted for nothing: other mail holds such keys as often.")
    if message.logged:
        said.append("Only a log line is known: there was no text, subject or link to compare.")
    elif likeness < MIN_VOTES:
        said.append(
            f"What it says gives {likeness:.1f} bits; {MIN_VOTES:.0f} are asked for by content alone."
        )
    if other and other[1] >= LEAST_BITS:
        said.append(f"Campaign {other[0]} holds keys of it as well, worth {other[1]:.1f} bits.")
    if hand and hand["known"] is False:
        said.append("Its dialect is none of the campaign's common ones.")
    if message.list_id:
        said.append(f"It comes through the mailing list {message.list_id}.")
    if message.authentication.domain:
        said.append(f"The domain {message.authentication.domain} authenticated it.")
    if message.reply:
        said.append("It says it answers another mail.")
    if message.automatic:
        said.append("It is an automatic answer or a delivery report.")
    return said
