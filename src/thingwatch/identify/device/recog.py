"""Read a user's folder of Recog fingerprints (XML), and label texts by them.

Recog's patterns are written for Ruby; read here as RE2. ``^`` and ``$`` are those of a line, always. Its first
match in file order wins. A fingerprint that names no device, or one whose pattern cannot be read, is left out:
the second kind is a named skip.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple
from xml.parsers import expat

from thingwatch.errors import InputError
from thingwatch.identify.device.patterns import MAX_MATCH_BYTES, PatternSet, check_pattern
from thingwatch.identify.device.signature import PARENT_OF
from thingwatch.identify.device.vocabulary import RECOG_CLASSES, router_or_carrier
from thingwatch.model import Label, Skip

MAX_FILES = 500  # Recog has 50
MAX_FILE_BYTES = 8 << 20  # its largest has 0.3 MB
MAX_FINGERPRINTS = 50_000  # it has 4,700
MAX_PATTERN_CHARS = 8192
MAX_DEPTH = 16  # of elements; it nests three
CONFIDENCE = 0.92  # devices.md 2.2: agreement of database rules at the level of classes
NAME_CHARS = 60

# What a file's ``matches`` attribute speaks of. The rest is of protocols no sighting carries.
_KINDS: dict[str, tuple[str, ...]] = {
    "http_header.server": ("http.server", "upnp.server", "cwmp.server"),
    "http_header.wwwauth": ("http.realm",),
    "http_header.cookie": ("http.cookie",),
    "html_title": ("http.title",),
    "favicon.md5": ("http.favicon_md5",),
    "telnet_banners": ("telnet.banner",),
    "telnet.banner": ("telnet.banner",),
    "ftp.banner": ("ftp.banner",),
    "ssh.banner": ("ssh.banner",),
    "smtp.banner": ("smtp.banner",),
    "imap4.banner": ("imap.banner",),
    "pop3.banner": ("pop.banner",),
    "snmp.sys_description": ("snmp.sysdescr",),
    "snmp.sys_object_id": ("snmp.sysobjectid",),
    "sip_header.user_agent": ("sip.user_agent",),
    "sip_header.server": ("sip.user_agent",),
    "rtsp_header.server": ("rtsp.server",),
    "rtsp.server": ("rtsp.server",),
    "x509.subject": ("tls.subject",),
    "x509.issuer": ("tls.issuer",),
    "mdns.device-info.txt": ("mdns.name",),
    "upnp.device": ("upnp.device",),
}
_DOT_ALL = frozenset(("REG_MULTILINE", "REG_DOT_NEWLINE"))  # Ruby's "multiline" is what others call dot-all
_PLACEHOLDER = re.compile(r"\{[\w.]{1,60}\}")


class Fingerprint(NamedTuple):
    """One of Recog's that names a device."""

    place: str  # file and number
    pattern: str
    device: str  # Recog's word
    device_group: int  # of the pattern, which holds the word; 0 when it is fixed
    vendor: str
    vendor_group: int
    model: str
    model_group: int


class Recog:
    """A folder of fingerprints."""

    def __init__(self, fingerprints: dict[str, list[Fingerprint]], skips: tuple[Skip, ...] = ()) -> None:
        self.skips = skips
        self.count = len({print_.place for prints in fingerprints.values() for print_ in prints})
        self._fingerprints = fingerprints
        sets: dict[tuple[str, ...], PatternSet] = {}
        self._sets: dict[str, PatternSet] = {}
        for kind, prints in fingerprints.items():
            patterns = tuple(print_.pattern for print_ in prints)
            if patterns not in sets:
                sets[patterns] = PatternSet(patterns, fold=False)
            self._sets[kind] = sets[patterns]

    def __reduce__(self) -> tuple[Any, ...]:
        """What other processes need: the fingerprints themselves; they compile them anew."""
        return Recog, (self._fingerprints, self.skips)

    @classmethod
    def load(cls, folder: Path) -> Recog:
        """The ``*.xml`` files in *folder*, by name; InputError when there is none that is Recog's."""
        if not folder.is_dir():
            raise InputError(f"{folder}: is no folder; give Recog's xml folder")
        fingerprints: dict[str, list[Fingerprint]] = {}
        skips: list[Skip] = []
        left, files = MAX_FINGERPRINTS, 0
        for path in sorted(folder.glob("*.xml"))[:MAX_FILES]:
            try:
                matches, found, bad = read_fingerprints(path)
            except (OSError, ValueError, expat.ExpatError):
                skips.append(Skip(path.name, "recog-unreadable"))
                continue
            files += 1
            skips += bad
            for kind in _KINDS.get(matches, ()):
                fingerprints.setdefault(kind, []).extend(found[:left])
            left -= len(found[:left])
        if not files:
            raise InputError(f"{folder}: holds no fingerprints of Recog; give its xml folder")
        return cls(fingerprints, tuple(skips))

    def label(self, kind: str, text: str) -> Label | None:
        """What the first fingerprint that matches *text* says; None when it names no device of our classes."""
        patterns = self._sets.get(kind)
        if patterns is None:
            return None
        for form in _forms(kind, text):
            data = form.encode("utf-8", "replace")[:MAX_MATCH_BYTES]
            if hits := patterns.hits(data):
                return self._label(kind, hits[0], data)
        return None

    def _label(self, kind: str, place: int, data: bytes) -> Label | None:
        print_ = self._fingerprints[kind][place]
        matched, _, groups = self._sets[kind].read(place, data)
        device = _value(print_.device, print_.device_group, groups)
        vendor = _value(print_.vendor, print_.vendor_group, groups)
        model = _value(print_.model, print_.model_group, groups)
        device_class = router_or_carrier(RECOG_CLASSES.get(device), vendor, model)
        if device_class is None:
            return None
        return Label(
            device_class,
            PARENT_OF[device_class],
            vendor,
            model,
            CONFIDENCE,
            f"recog:{print_.place}",
            " ".join(matched.split())[:80],
        )


def read_fingerprints(path: Path) -> tuple[str, list[Fingerprint], list[Skip]]:
    """What a file matches on, its fingerprints of devices, and what was left out of it.

    Raises ExpatError or ValueError where it is no such file. A document type is refused: that is where entities,
    and with them floods and outside files, are declared.
    """
    with path.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"{path.name}: too large")
    reader = _Reader(path.name)
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    parser.Parse(data, True)
    if reader.matches is None:
        raise ValueError(f"{path.name}: no fingerprints")
    return reader.matches, reader.found, reader.skips


class _Reader:
    """Receives the elements of one file."""

    def __init__(self, file: str) -> None:
        self.matches: str | None = None
        self.found: list[Fingerprint] = []
        self.skips: list[Skip] = []
        self._file = file
        self._depth = 0
        self._number = 0
        self._open: tuple[str, str] | None = None  # pattern and flags of the fingerprint being read
        self._params: dict[str, tuple[int, str]] = {}

    def refuse(self, *_: object) -> None:
        raise ValueError(f"{self._file}: declares a document type")

    def start(self, name: str, fields: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError(f"{self._file}: nested too deep")
        if name == "fingerprints":
            self.matches = fields.get("matches", "")
        elif name == "fingerprint":
            self._number += 1
            self._open = (fields.get("pattern", ""), fields.get("flags", ""))
            self._params = {}
        elif name == "param" and self._open is not None:
            place = fields.get("pos", "0")
            self._params[fields.get("name", "")] = (
                int(place) if place.isascii() and place.isdigit() and len(place) < 4 else 0,
                fields.get("value", ""),
            )

    def end(self, name: str) -> None:
        self._depth -= 1
        if name != "fingerprint" or self._open is None:
            return
        pattern, flags = self._open
        self._open = None
        place = f"{self._file}@{self._number}"
        words = set(flags.replace("|", ",").replace(" ", ",").split(","))
        pattern = f"(?m{'i' if 'REG_ICASE' in words else ''}{'s' if words & _DOT_ALL else ''}){pattern}"
        if len(pattern) > MAX_PATTERN_CHARS or check_pattern(pattern):
            self.skips.append(Skip(place, "recog-pattern"))
            return
        device = self._first("hw.device", "os.device", "service.device")
        vendor = self._first("hw.vendor", "os.vendor", "service.vendor")
        model = self._first("hw.product", "os.product", "hw.model", "hw.family")
        # Kept even where it names no device: it stands before others that would match the same text.
        self.found.append(
            Fingerprint(place, pattern, device[1], device[0], vendor[1], vendor[0], model[1], model[0])
        )

    def _first(self, *names: str) -> tuple[int, str]:
        for name in names:
            if name in self._params:
                return self._params[name]
        return 0, ""


def _value(fixed: str, group: int, groups: tuple[str, ...]) -> str:
    text = groups[group - 1] if 0 < group <= len(groups) else fixed
    return "" if _PLACEHOLDER.search(text) else " ".join(text.split())[:NAME_CHARS]


def _forms(kind: str, text: str) -> tuple[str, ...]:
    """The forms Recog writes a text in: its realms stand within the header."""
    if kind == "http.realm":
        return f'Basic realm="{text}"', f'Digest realm="{text}"', text
    return (text,)
