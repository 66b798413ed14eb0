"""A signature: one pattern that tells a device by its own words, with examples that prove it.

Signatures are data: TOML files of ``[[rule]]`` tables, ours in ``signatures/``, a user's wherever they like.
docs/devices.md shows how to write one. Patterns are matched on UTF-8 bytes, without regard to case, by an
engine without back-references and look-around, so that no banner can make a rule slow.
"""

from __future__ import annotations

import json
import tomllib
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from thingwatch.errors import InputError
from thingwatch.model import SIGHTING_KINDS

# Facts, not texts: no rule reads them.
_NO_TEXT = frozenset(("port.open", "front.silent", "exposure", "default.credentials", "mac.address"))
TEXT_KINDS = frozenset(kind for kind, of in SIGHTING_KINDS.items() if of == "front" and kind not in _NO_TEXT)

# Banners of mail servers carry host names ("mail.fritzbox.example"): only rules that ask for them read these.
_MAIL_KINDS = frozenset(("smtp.banner", "imap.banner", "pop.banner"))

TAXONOMY = json.loads((resources.files("thingwatch.identify") / "taxonomy.json").read_text("utf-8"))
PARENT_OF: dict[str, str] = {entry["id"]: entry["parent"] for entry in TAXONOMY["classes"]}
FAMILY_OF: dict[str, str] = {
    member: family for family, members in TAXONOMY["families"].items() for member in members
}
PARENTS = frozenset(TAXONOMY["parents"])

# In this order: the first rule that matches speaks. Specific before general.
OUR_FILES = (
    "prose",
    "gateways",
    "video",
    "regional",
    "storage",
    "printers",
    "home",
    "voice",
    "industrial",
    "infrastructure",
    "general",
    "makers",
)
MAX_RULE_BYTES = 4 << 20  # of one user's file; ours together are 0.1 MB
MAX_RULES = 20_000  # of all files together
MAX_PATTERN_CHARS = 16_384  # our longest, a list of programs, has 6,000

_FIELDS = {"id", "kinds", "pattern", "class", "parent", "vendor", "confidence", "remark", "yes", "no"}


class Example(NamedTuple):
    """A text a rule must or must not match."""

    kind: str
    text: str
    model: str | None  # what the rule must read out of it; None where the example does not say


class Signature(NamedTuple):
    """One rule."""

    id: str
    kinds: frozenset[str]  # of SIGHTING_KINDS
    pattern: str  # groups model..., vendor give those
    device_class: str | None
    parent: str  # "unknown" where a match means: say nothing
    vendor: str
    confidence: float
    remark: str
    yes: tuple[Example, ...]
    no: tuple[Example, ...]
    file: str


def our_signatures() -> list[Signature]:
    """The rules that come with the program, in the order they speak."""
    folder = resources.files(__package__) / "signatures"
    return [
        signature
        for name in OUR_FILES
        for signature in read_signatures((folder / f"{name}.toml").read_text("utf-8"), f"{name}.toml")
    ]


def signatures_of(path: Path) -> list[Signature]:
    """A user's own rules at *path*; InputError names what cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_RULE_BYTES + 1)
    except OSError as why:
        raise InputError(f"{path}: cannot be read ({why.strerror}); give a TOML file of rules") from None
    if len(data) > MAX_RULE_BYTES:
        raise InputError(f"{path}: larger than {MAX_RULE_BYTES >> 20} MB; split it")
    try:
        return read_signatures(data.decode("utf-8"), path.name)
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text; save it as UTF-8") from None


def read_signatures(text: str, file: str) -> list[Signature]:
    """Read the ``[[rule]]`` tables of *text*; InputError names file, rule and cure."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as why:
        raise InputError(f"{file}: is not TOML ({why}); see docs/devices.md") from None
    rules = document.get("rule", [])
    if not isinstance(rules, list) or len(rules) > MAX_RULES:
        raise InputError(f"{file}: needs at most {MAX_RULES:,} [[rule]] tables; see docs/devices.md")
    return [_signature(rule, file, place) for place, rule in enumerate(rules, 1)]


def _signature(rule: object, file: str, place: int) -> Signature:
    if not isinstance(rule, dict):
        raise InputError(f"{file}, rule {place}: is not a table; write [[rule]] above it")
    name = rule.get("id")
    where = f"{file}, rule {name if isinstance(name, str) else place}"
    if not isinstance(name, str) or not name:
        raise InputError(f"{where}: has no id; give it a short name of its own")
    if odd := sorted(set(map(str, rule)) - _FIELDS):
        raise InputError(
            f"{where}: {odd[0]} is no field of a rule; the fields are {', '.join(sorted(_FIELDS))}"
        )
    texts = {key: rule.get(key, "") for key in ("pattern", "class", "parent", "vendor", "remark")}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise InputError(f"{where}: {key} must be text")
    if not 0 < len(texts["pattern"]) <= MAX_PATTERN_CHARS:
        raise InputError(f"{where}: pattern must have 1 to {MAX_PATTERN_CHARS:,} characters")
    device_class = texts["class"] or None
    if device_class is not None and device_class not in PARENT_OF:
        raise InputError(f"{where}: {device_class} is no class; the classes are {', '.join(PARENT_OF)}")
    parent = PARENT_OF[device_class] if device_class else texts["parent"]
    if parent not in PARENTS or texts["parent"] not in ("", parent):
        raise InputError(f"{where}: needs a class, or one of {', '.join(sorted(PARENTS))} as parent")
    confidence = rule.get("confidence", 0.9)
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 < confidence <= 1:
        raise InputError(f"{where}: confidence = {confidence}: must be above 0 and at most 1")
    return Signature(
        name,
        _kinds(rule.get("kinds", []), where),
        texts["pattern"],
        device_class,
        parent,
        texts["vendor"],
        float(confidence),
        texts["remark"],
        _examples(rule.get("yes", []), where),
        _examples(rule.get("no", []), where),
        file,
    )


def _kinds(names: object, where: str) -> frozenset[str]:
    """The kinds a rule reads: all but mail's when it names none; "http.*" names a group, "*" all."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{where}: kinds must be a list of names")
    if not names:
        return TEXT_KINDS - _MAIL_KINDS
    kinds: set[str] = set()
    for name in names:
        group = {kind for kind in TEXT_KINDS if kind.startswith(name[:-1])} if name.endswith("*") else {name}
        if not group or not group <= TEXT_KINDS:
            raise InputError(f"{where}: {name} is no kind of text; they are {', '.join(sorted(TEXT_KINDS))}")
        kinds |= group
    return frozenset(kinds)


def _examples(lines: object, where: str) -> tuple[Example, ...]:
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise InputError(f"{where}: examples must be a list of texts")
    examples = []
    for line in lines:
        kind, colon, rest = line.partition(": ")
        if not colon or kind not in TEXT_KINDS:
            raise InputError(f'{where}: the example {line[:60]!r} must read "kind: text"')
        text, arrow, model = rest.rpartition(" => ")
        examples.append(Example(kind, text if arrow else rest, model if arrow else None))
    return tuple(examples)
