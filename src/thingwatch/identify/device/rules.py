"""Which device answers there: texts a host shows to strangers → Label.

A rule that names vendor and kind of device speaks before a word for a kind ("IP camera"), and that before a
program small boxes run ("RomPager"), which tells a thing and not which. A maker of several kinds gives what all of
them are, and no class: a class must be earned. The doubtful case is a general program
(Apache, OpenSSH on Debian): it says infrastructure, weakly, and never that a thing is not there, because network
storage and cameras run some of them too.

What a label never says is that the device sent anything: it is what answers at the address.
"""

from __future__ import annotations

import logging
import re
import tomllib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from thingwatch.errors import InputError
from thingwatch.identify.device.banner import clean, texts_of
from thingwatch.identify.device.docsis import docsis_fields
from thingwatch.identify.device.patterns import MAX_MATCH_BYTES, PatternSet, check_pattern
from thingwatch.identify.device.recog import Recog
from thingwatch.identify.device.signature import (
    FAMILY_OF,
    MAX_RULES,
    PARENT_OF,
    TEXT_KINDS,
    Signature,
    our_signatures,
    signatures_of,
)
from thingwatch.identify.device.title import says_more
from thingwatch.identify.device.vocabulary import class_of_word, router_or_carrier
from thingwatch.model import MAX_SIGHTING_CHARS, Label, Skip

_log = logging.getLogger(__name__)

KNOWN_TEXTS = 1 << 15  # labels kept
MAX_KNOWN_CHARS = 512  # longer texts are judged anew: a memory of 32,768 such stays below 40 MB
MAX_LABELS = 64  # of one host, in combined()
MATCHED_CHARS = 80
NAME_CHARS = 60  # of a vendor or a model

WEAK = 0.75  # below: a general word or program; Recog may know better
BRAND = 0.95  # up to here a rule may rest on a brand or a word, which sites for people bear as well
WORD_CONFIDENCE = 0.85  # another program's own verdict, whose grounds we do not see
AGREED_CONFIDENCE = 0.93
DOCSIS_CONFIDENCE = 0.95
OBJECT_CONFIDENCE = 0.8  # makers reuse their number for all they build
RIVAL_WEIGHT = 0.5  # how much of a contradicting label's confidence is taken off

_TABLES = resources.files(__package__)
_VENDORS: dict[str, str] = tomllib.loads((_TABLES / "vendors.toml").read_text("utf-8"))["words"]
_WORD = re.compile(r"[a-z]+\d?")
# Of a number: its owner, and the class or the parent of what they build; "" where it is neither.
_ENTERPRISES: dict[str, tuple[str, str]] = {
    number: (vendor, kind)
    for number, (vendor, kind) in tomllib.loads((_TABLES / "enterprises.toml").read_text("utf-8"))[
        "numbers"
    ].items()
}
_ENTERPRISE_ROOT = "1.3.6.1.4.1."  # RFC 1155, 3.1.4: private enterprises


class Rules:
    """All rules of one run: a user's own, ours, and a folder of Recog's when given."""

    def __init__(self, signatures: Sequence[Signature], recog: Recog | None = None) -> None:
        if len(signatures) > MAX_RULES:
            raise InputError(f"{len(signatures):,} rules: at most {MAX_RULES:,}; leave some files out")
        self.signatures = tuple(signatures)
        self.skips: tuple[Skip, ...] = recog.skips if recog else ()  # rules of Recog that could not be used
        for signature in signatures:
            if why := check_pattern(signature.pattern):
                raise InputError(f"{signature.file}, rule {signature.id}: {why}; see docs/devices.md")
        self._patterns = PatternSet([signature.pattern for signature in signatures])
        self._recog = recog
        self._known = lru_cache(maxsize=KNOWN_TEXTS)(self._judge)

    def __reduce__(self) -> tuple[Any, ...]:
        """What other processes need: the rules themselves; they compile them anew."""
        return Rules, (self.signatures, self._recog)

    @classmethod
    def load(cls, recog: Path | None = None, extra: Sequence[Path] = ()) -> Rules:
        """Our rules, after those in the files *extra*, before those of the Recog folder *recog*."""
        own = [signature for path in extra for signature in signatures_of(path)]
        rules = cls([*own, *our_signatures()], Recog.load(recog) if recog else None)
        if rules.skips:
            _log.warning(
                "%d of Recog's rules cannot be used, the first at %s (%s); all others are",
                len(rules.skips), rules.skips[0].place, rules.skips[0].reason,
            )  # fmt: skip
        return rules

    def label(self, kind: str, value: str) -> Label | None:
        """What *value*, a text of *kind* (SIGHTING_KINDS), says of the device; None when it says nothing."""
        if kind not in TEXT_KINDS or not value:
            return None
        if len(value) <= MAX_KNOWN_CHARS:
            return self._known(kind, value)
        return self._judge(kind, value[:MAX_SIGHTING_CHARS])

    def _judge(self, kind: str, value: str) -> Label | None:
        if kind == "snmp.sysobjectid":
            return _object_label(value) or self._read(kind, value)
        if kind == "device.label":
            return self._other_word(value)
        texts = texts_of(kind, value)
        if len(texts) == 1:
            return self._read(*texts[0])
        return combined(label for text in texts if (label := self._read(*text)) is not None)

    def _read(self, kind: str, text: str) -> Label | None:
        label = self._rule_label(kind, text)
        if kind == "snmp.sysdescr" and (fields := docsis_fields(text)):
            return _docsis_label(fields, label)
        if self._recog is not None and (
            label is None or label.device_class is None or label.confidence < WEAK
        ):
            return self._recog.label(kind, text) or label
        return label

    def _rule_label(self, kind: str, text: str) -> Label | None:
        # "replace": half a surrogate pair cannot be written as UTF-8.
        data = text.encode("utf-8", "replace")[:MAX_MATCH_BYTES]
        for place in self._patterns.hits(data):
            rule = self.signatures[place]
            if kind not in rule.kinds:
                continue
            if rule.parent == "unknown":
                return None
            matched, groups, _ = self._patterns.read(place, data)
            model = next((text for name, text in sorted(groups.items()) if name.startswith("model")), "")
            sold = kind == "http.title" and _needs_proof(rule, model)
            if sold and says_more(self._patterns.without(place, data), rule.vendor):
                continue
            return Label(
                rule.device_class,
                rule.parent,
                _name(groups.get("vendor", "") or rule.vendor) or _maker(matched),
                _name(model),
                rule.confidence,
                rule.id,
                _shown(matched),
            )
        return None

    def _other_word(self, value: str) -> Label | None:
        """Another program's verdict: "type<TAB>vendor<TAB>model"."""
        word, vendor, model = (clean("device.label", part) for part in (value + "\t\t").split("\t")[:3])
        named = self._rule_label("device.label", f"{vendor} {model}".strip()) if vendor or model else None
        said = router_or_carrier(class_of_word(word), vendor, model)
        if said is None:
            label = named or self._rule_label("device.label", f"{word} {vendor} {model}".strip())
            if label is None:
                return None
            return label._replace(vendor=_name(vendor) or label.vendor, model=_name(model) or label.model)
        confidence = WORD_CONFIDENCE
        if named is not None and named.device_class == said:
            confidence = max(AGREED_CONFIDENCE, named.confidence)
        elif (
            named is not None
            and named.model
            and named.device_class
            and _family(named.device_class) == _family(said)
        ):
            said = named.device_class  # a model tells recorder from camera better than a word
        return Label(
            said, PARENT_OF[said], _name(vendor), _name(model), confidence, "other-program", _shown(value)
        )


def combined(labels: Iterable[Label]) -> Label | None:
    """One label for one address out of all its texts: one family, one vote.

    The most confident label that names a class wins, then one that names only a parent; agreement adds nothing,
    since five banners of one host are one observation. Each class of another family that is also claimed takes
    off half its confidence: with port forwarding several devices stand behind one address, and which of them is
    meant is then not known. Vendor and model are filled in from labels of the winner's family.
    """
    known = sorted(set(list(labels)[:MAX_LABELS]), key=_rank)
    if not known:
        return None
    best = known[0]
    if best.device_class is None:
        return best
    family = _family(best.device_class)
    rivals: dict[str, float] = {}
    vendor, model = best.vendor, best.model
    for other in known[1:]:
        if other.device_class is None:
            continue
        if _family(other.device_class) != family:
            claim = _family(other.device_class)
            rivals[claim] = max(rivals.get(claim, 0.0), other.confidence)
        elif not vendor or other.vendor == vendor:
            vendor = vendor or other.vendor
            model = model or other.model
    confidence = best.confidence
    for strength in rivals.values():
        confidence *= 1 - RIVAL_WEIGHT * strength
    return best._replace(vendor=vendor, model=model, confidence=round(confidence, 4))


def _rank(label: Label) -> tuple[bool, float, bool, bool, Label]:
    """Best first; the label itself last, so that the order of the texts decides nothing."""
    plain = label._replace(device_class=label.device_class or "")
    return (label.device_class is None, -label.confidence, not label.model, not label.vendor, plain)


def _family(device_class: str) -> str:
    return FAMILY_OF.get(device_class, device_class)


def _docsis_label(fields: dict[str, str], label: Label | None) -> Label:
    """What the standard's fields say, unless a rule knows the modem for something else."""
    vendor, model = _name(fields.get("VENDOR", "")), _name(fields.get("MODEL", ""))
    if label is not None and label.device_class not in (None, "router", "other_thing"):
        return label._replace(vendor=vendor or label.vendor, model=model or label.model)
    matched = _shown(f"VENDOR: {vendor}; MODEL: {model}")
    return Label("router", "thing", vendor, model, DOCSIS_CONFIDENCE, "docsis-fields", matched)


def _object_label(value: str) -> Label | None:
    """The longest known prefix of a sysObjectID; None where what its owner builds has no parent in common."""
    number = value.strip().partition(" ")[0].lstrip(".").removeprefix(_ENTERPRISE_ROOT)
    parts = number.split(".", 12)[:12]
    for length in range(len(parts), 0, -1):
        known = _ENTERPRISES.get(".".join(parts[:length]))
        if known is None:
            continue
        vendor, kind = known
        if not kind:
            return None
        rule = f"enterprise-{'.'.join(parts[:length])}"
        device_class = kind if kind in PARENT_OF else None
        parent = PARENT_OF.get(kind, kind)
        return Label(device_class, parent, vendor, "", OBJECT_CONFIDENCE, rule, _shown(value))
    return None


def _needs_proof(rule: Signature, model: str) -> bool:
    """Whether a title could be of a site about things: it names a brand or a kind, and no model."""
    return rule.parent == "thing" and rule.confidence <= BRAND and not any(char.isdigit() for char in model)


def _maker(text: str) -> str:
    """The maker named in *text*, where the rule is one of several makers'."""
    return next((_VENDORS[word] for word in _WORD.findall(text.lower()) if word in _VENDORS), "")


def _name(text: str) -> str:
    return " ".join(text.split())[:NAME_CHARS].strip(" ,;:/-_\"'")


def _shown(text: str) -> str:
    return " ".join(
        "".join(char if char.isprintable() else " " for char in text[: 2 * MATCHED_CHARS]).split()
    )[:MATCHED_CHARS]
