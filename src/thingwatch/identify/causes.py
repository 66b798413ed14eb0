"""Which doors of an address stand open to whoever builds botnets, and which of them to close first.

The rules are data: ``causes.toml`` says which sighting shows which exposure and why, and in which order they
matter. Nothing here connects anywhere, tries a password or keeps one: an exposure is what somebody has already seen,
with the place where it stands.

``end_of_support.csv`` holds models whose makers, or authorities for them, have said in public that no update will
come. It names models that can be told by name alone: where later hardware of the same name still gets updates
(TP-Link's TL-WR841N), or the public list was disputed (Cradlepoint's E100 and the E300 in the FBI's list of
May 2025), the model is left out, because replacing a sound router costs its owner money. Absence from the table
proves nothing.
"""

from __future__ import annotations

import csv
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from importlib import resources
from itertools import islice
from typing import Literal, NamedTuple

from thingwatch.identify.cures import Cure, Reference, Special, class_name, cure, special
from thingwatch.model import SIGHTING_KINDS, Label, Sighting

__all__ = [
    "EXPOSURES",
    "Cure",
    "Exposure",
    "Reference",
    "Retired",
    "Special",
    "class_name",
    "cure",
    "exposures_of",
    "retirement",
    "special",
    "standing",
]

MAX_SIGHTINGS = (
    10_000  # of one address that are looked at; a busy home has a few dozen, a poisoned file has more
)
MAX_EXPOSURES = 200  # of one address; every door of a home, many times over
MAX_FAMILY_CHARACTERS = 40  # of a malware's name as shown; feeds stay below 30
MAX_MODEL_CHARACTERS = 120  # of a model's name that is looked up

Reads = Callable[[str, str], Label | None]  # what a rule reads in one text: device.Rules.label
Standing = Literal["urgent", "open", "close", "normal"]

_HERE = resources.files(__package__)
_TOLD = tomllib.loads((_HERE / "causes.toml").read_text("utf-8"))
_FAMILIES: dict[str, list[str]] = json.loads((_HERE / "taxonomy.json").read_text("utf-8"))[
    "infection_families"
]


class Exposure(NamedTuple):
    """One door that stands open, or one sign that somebody has come through it."""

    name: str  # of taxonomy.json's exposures, or "known_infection"
    port: int | None  # None where it is not about a port
    at: int | None  # microseconds since 1970, UTC: when it was last seen
    where: str  # who says so and where it stands: "nmap home.xml@12"
    why: str = ""  # what was seen, in plain words


class Retired(NamedTuple):
    """A model that gets no more updates."""

    vendor: str
    model: str
    any_revision: bool  # whether every hardware revision of the name is meant
    since: str  # year or date, "" where the source gives none
    source: str  # who has said so


class _Rule(NamedTuple):
    exposure: str
    order: int
    ports: frozenset[int]
    transport: str
    values: frozenset[str] | None
    matches: re.Pattern[str] | None
    unless: re.Pattern[str] | None
    device: frozenset[str]
    not_device: frozenset[str]
    own_page: bool
    reason: str


class _Urgency(NamedTuple):
    order: int
    urgent: Literal["always", "internet", "with another", "no"]
    inside: Literal["urgent", "close", "normal"]


def _read_rules() -> dict[str, list[_Rule]]:
    """The rules by the kind of sighting they read."""
    by_kind: dict[str, list[_Rule]] = {}
    for order, told in enumerate(_TOLD["rule"]):
        rule = _Rule(
            told["exposure"],
            order,
            frozenset(told.get("ports", ())),
            told.get("transport", ""),
            frozenset(told["values"]) if "values" in told else None,
            re.compile(told["matches"]) if "matches" in told else None,
            re.compile(told["unless"]) if "unless" in told else None,
            frozenset(told.get("device", ())),
            frozenset(told.get("not_device", ())),
            told.get("own_page", False),
            told["reason"],
        )
        for kind in told["kinds"]:
            by_kind.setdefault(kind, []).append(rule)
    return by_kind


_RULES = _read_rules()
# Names that are not believed on another program's word alone.
_DOUBTED = frozenset(rule.exposure for rule in _RULES["exposure"])
# A report without a word of its own: any rule that saw more has a better reason.
_REPORTED = len(_TOLD["rule"])
_URGENCY = {
    told["exposure"]: _Urgency(order, told["urgent"], told["inside"])
    for order, told in enumerate(_TOLD["urgency"])
}
EXPOSURES = tuple(_URGENCY)  # every exposure there is, the one to be closed first at the top


def exposures_of(
    sightings: Iterable[Sighting], label: Label | None, reads: Reads | None = None
) -> list[Exposure]:
    """The exposures *sightings* of one address show, most urgent first; *label* is what all its texts say together.

    With *reads*, a settings page counts where its own text is a device's; without it, every page of an address
    labelled a device counts, unless a general web server says it is there. One port has an exposure once: by the
    most telling rule, then by the newest sighting. Never raises.
    """
    seen = list(islice(sightings, MAX_SIGHTINGS))
    host = _Host(_own_pages(seen, label, reads), _words(label))
    denied = {(name, one.port) for one in seen for name in _denied(one)}
    found: dict[tuple[str, int | None, str], tuple[int, int, Exposure]] = {}
    for sighting in seen:
        for name, order, reason in _shown(sighting, host):
            if (name, sighting.port) in denied:
                continue
            # The port of an infection is where a connection came from, another one each time.
            reported = sighting.kind == "infection"
            port = None if reported else sighting.port
            key = (name, port, reason if reported else "")
            rank = (order, -(sighting.at if sighting.at is not None else -1))
            if key not in found or rank < found[key][:2]:
                where = f"{sighting.source} {sighting.place}"
                found[key] = (*rank, Exposure(name, port, sighting.at, where, reason))
    exposures = [exposure for _, _, exposure in found.values()]
    if (retired := retirement(label)) and not any(e.name == "eol_firmware" for e in exposures):
        told = _told_by(seen, label, reads)
        since = f", since {retired.since}" if retired.since else ""
        exposures.append(
            Exposure(
                "eol_firmware",
                None,
                told.at if told else None,
                f"{told.source} {told.place}" if told else "",
                f"{retired.vendor} {retired.model}{since}; source: {retired.source}",
            )
        )
    # Cut last, so that no flood of small things hides a great one.
    return sorted(exposures, key=lambda e: (_URGENCY[e.name].order, e.port or 0, e.why))[:MAX_EXPOSURES]


def standing(name: str, *, inside: bool, beside: bool) -> Standing:
    """How pressing an exposure is: "urgent", "open", "close" when there is time, or "normal".

    *inside*: seen at an address of a private network, where open is open to the house and not to the internet;
    *beside*: the address has another exposure.
    """
    known = _URGENCY[name]
    if inside:
        return known.inside
    if known.urgent in ("always", "internet") or (known.urgent == "with another" and beside):
        return "urgent"
    return "open"


@lru_cache(maxsize=4096)
def retirement(label: Label | None) -> Retired | None:
    """The entry of end_of_support.csv for what *label* names; None where it is not there, which proves nothing."""
    if label is None or not label.vendor or not label.model:
        return None
    vendor = _squeezed(label.vendor[:MAX_MODEL_CHARACTERS])
    text = label.model[:MAX_MODEL_CHARACTERS]
    # "E1200 v2" and "DIR-655 Rev. A" are a model and its hardware revision.
    forms = [(text, True), *((text[: cut.start()], False) for cut in _REVISION.finditer(text))]
    for form, whole in forms:
        for entry in _retired().get(_squeezed(form).removeprefix(vendor), ()):
            maker = _squeezed(entry.vendor)
            if (whole or entry.any_revision) and (maker in vendor or vendor in maker):
                return entry
    return None


_REVISION = re.compile(r"(?i)[\s/(,;_]+(?:v(?:er(?:sion)?)?|rev(?:ision)?|hw)[\s.]*[\da-z]")


@lru_cache(maxsize=1)
def _retired() -> dict[str, list[Retired]]:
    """The table by model, written without signs."""
    by_model: dict[str, list[Retired]] = {}
    for row in csv.DictReader((_HERE / "end_of_support.csv").read_text("utf-8").splitlines()):
        entry = Retired(row["vendor"], row["model"], row["revisions"] == "any", row["since"], row["source"])
        by_model.setdefault(_squeezed(entry.model), []).append(entry)
    return by_model


def _squeezed(name: str) -> str:
    """A name without case, blanks and signs: "DIR-859" and "dir859" are one."""
    return "".join(sign for sign in name.lower() if sign.isalnum())


class _Host(NamedTuple):
    """What is known of an address as a whole while its sightings are gone through one by one."""

    own: set[int | None]  # ports where a device shows a page of its own
    words: frozenset[str]  # what a rule may ask of its label


def _shown(sighting: Sighting, host: _Host) -> Iterator[tuple[str, int, str]]:
    """The names of the exposures one sighting shows, the order of the rule that says so, and its reason."""
    if sighting.kind == "infection":
        yield _infection(sighting.value)
        return
    if sighting.kind == "exposure" and sighting.value in _URGENCY and sighting.value not in _DOUBTED:
        yield sighting.value, _REPORTED, "a report says so"
        return
    for rule in _RULES.get(sighting.kind, ()):
        if rule.own_page and sighting.port not in host.own:
            continue
        if (rule.device and host.words.isdisjoint(rule.device)) or not host.words.isdisjoint(rule.not_device):
            continue
        if rule.ports and sighting.port not in rule.ports:
            continue
        if rule.transport and sighting.transport not in ("", rule.transport):
            continue
        if rule.values is not None and sighting.value.lower() not in rule.values:
            continue
        if rule.matches is not None and not rule.matches.search(sighting.value):
            continue
        yield rule.exposure, rule.order, rule.reason


def _denied(sighting: Sighting) -> Iterator[str]:
    """The exposures that a sighting speaks against at its port, whatever else is seen there."""
    for rule in _RULES.get(sighting.kind, ()):
        if rule.unless is not None and rule.unless.search(sighting.value):
            yield rule.exposure


def _infection(family: str) -> tuple[str, int, str]:
    """Which exposure a reported family of malware is: that of a thing, or of a computer behind it."""
    name = " ".join(family.lower().split())
    shown = name[:MAX_FAMILY_CHARACTERS] or "malware without a name"
    kind = max(
        (
            (len(known), kind)
            for kind in ("thing", "windows_pc", "server")
            for known in _FAMILIES[kind]
            if name.startswith(known)
        ),
        default=(0, ""),
    )[1]
    if kind == "windows_pc":
        return "compromised_pc", 0, f"{shown} was reported here, which runs on Windows computers"
    where = {"thing": ", which runs on devices", "server": ", which runs on servers"}.get(kind, "")
    return "known_infection", 0, f"{shown} was reported here{where}"


def _words(label: Label | None) -> frozenset[str]:
    """What a rule may ask of a label: its class and its parent; "unknown" where there is none."""
    if label is None or label.parent == "unknown":
        return frozenset(("unknown",))
    return frozenset((label.parent, label.device_class or label.parent))


_PAGE_OWNERS = frozenset(("thing", "network_equipment", "management_controller", "telecom_pbx"))
_GENERAL_SERVER = re.compile(
    r"(?i)^(?:apache|nginx|openresty|microsoft-iis|litespeed|caddy|cloudflare|gunicorn)"
)


def _own_pages(sightings: list[Sighting], label: Label | None, reads: Reads | None) -> set[int | None]:
    """The ports at which a device shows a page of its own, and not somebody's web site.

    One text of a device on the port is enough. Without such a text, the page of a known device that asks for a
    password is its own as well, unless a general web server says it is there.
    """
    words = _words(label)
    pages = {s.port for s in sightings if s.kind.startswith("http.") or _is_web_port(s)}
    if not pages or "server" in words:
        return set()
    known = not words.isdisjoint(_PAGE_OWNERS)
    general = {s.port for s in sightings if s.kind == "http.server" and _GENERAL_SERVER.match(s.value)}
    if reads is None:
        spoken = {s.port for s in sightings if s.kind.startswith("http.")}
        return spoken - general if known else set()
    own = {
        s.port for s in sightings if s.port in pages and not _PAGE_OWNERS.isdisjoint(_words(_read(s, reads)))
    }
    if known:
        own |= {s.port for s in sightings if s.kind == "http.realm"} - general
    return own


def _read(sighting: Sighting, reads: Reads) -> Label | None:
    """The label of what answers, if it is a text at all."""
    front = SIGHTING_KINDS.get(sighting.kind) == "front" and sighting.value
    return reads(sighting.kind, sighting.value) if front else None


def _is_web_port(sighting: Sighting) -> bool:
    return sighting.kind == "port.open" and sighting.value in ("http", "https")


def _told_by(sightings: list[Sighting], label: Label | None, reads: Reads | None) -> Sighting | None:
    """The sighting that names a label's model, as far as it can be found again."""
    if label is None:
        return None
    if reads is not None:
        for sighting in sightings:
            read = _read(sighting, reads)
            if read is not None and read.model == label.model:
                return sighting
    return next((one for one in sightings if label.matched and label.matched in one.value), None)
