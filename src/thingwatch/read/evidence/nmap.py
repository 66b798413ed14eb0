"""Read Nmap's XML: what answers at each host, and that a host which was asked stayed silent.

The XML is read as a stream of tags; nothing is kept but the host being read. Nmap writes a bare document type
and no entities, so a file that declares any is not Nmap's and is refused: an entity can be made to fill memory,
or to fetch a file.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import islice
from typing import Any
from xml.parsers import expat

from thingwatch.model import Sighting, Skip
from thingwatch.read.evidence.protocol import (
    BANNER_KINDS,
    answer,
    distinguished_name,
    header,
    open_port,
    protocol_of,
)
from thingwatch.read.evidence.row import Draft, Reading, label_of, port_of, transport_of
from thingwatch.read.stream import ByteSource

MAX_TAG_BYTES = 4 << 20  # from "<" to ">"; script output stays below 100 kB
MAX_TAG_DEPTH = 64  # Nmap nests some ten
MAX_HOST_PORTS = 1_000
MAX_HOST_CHARS = 16 << 20  # of all tags of a host together; a host with every script run stays below 1 MB
TAG_CHARS = 64  # what a tag counts beside its text
MAX_ANSWERS = 8  # of one port; Nmap tries some twenty probes
MAX_ARGUMENT_CHARS = 65_536  # of a command line
MAX_TARGETS = 256  # each host is compared with each; a longer list comes from a file
MIN_OS_ACCURACY = 90  # per cent; below that Nmap itself says it guesses
_BLOCK_BYTES = 1 << 20  # a tag that is cut is scanned again with the next block

# Options whose next word is their argument, so never a target.
_WITH_ARGUMENT = re.compile(
    r"-(?:p|oX|oN|oG|oA|oS|e|S|D|g|b|sI|T|m)"
    r"|--(?:exclude|excludefile|exclude-ports|script|script-args|script-args-file|dns-servers|source-port"
    r"|top-ports|port-ratio|data|data-length|data-string|ip-options|ttl|mtu|spoof-mac|proxies|datadir|servicedb"
    r"|versiondb|stylesheet|version-intensity|scanflags|stats-every|host-timeout|max-retries"
    r"|(?:min|max)-(?:rate|parallelism|hostgroup|scan-delay)|scan-delay|(?:min|max|initial)-rtt-timeout)"
)
_NO_PORTS = frozenset({"-sn", "-sP", "-sL"})  # only whether a host is there
_FROM_ELSEWHERE = ("-iL", "-iR", "--resume")
_SCRIPT_KINDS = {
    "http-title": "http.title",
    "http-server-header": "http.server",
    "snmp-sysdescr": "snmp.sysdescr",
    "banner": "banner",
    "upnp-info": "upnp.device",
}
# A service Nmap could not name comes with its raw answers: %r(Probe,1B,"text with \x20 and \r\n").
_ANSWER = re.compile(r'%r\(\w{1,40},[0-9A-F]{1,6},"((?:[^"\\]|\\.){1,16384})"\)')
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.))")
_SIGNS = {"r": "\r", "n": "\n", "t": "\t", "0": "\0"}
_MD5 = re.compile(r"\b([0-9A-Fa-f]{32})\b")
_CERTIFICATE = re.compile(r"^\s{0,8}(Subject|Issuer): ([^\n]{1,2000})", re.MULTILINE)
_NETBIOS = re.compile(r"NetBIOS name: ([^,\n]{1,60})")


class _RefusedError(Exception):
    """The document is not to be read on; the reason's name."""


def nmap(stream: ByteSource, reading: Reading) -> Iterator[Sighting | Skip]:
    """Read every host; places count the hosts from 1."""
    document = _Document(reading)
    fed = 0
    reason = ""
    try:
        while block := stream.read(_BLOCK_BYTES):
            document.parser.Parse(block, False)
            fed += len(block)
            yield from document.taken()
            if fed - max(document.parser.CurrentByteIndex, 0) > MAX_TAG_BYTES:
                raise _RefusedError("xml-tag-too-long")
        document.parser.Parse(b"", True)
    except _RefusedError as error:
        reason = str(error)
    except (expat.ExpatError, ValueError, LookupError):  # ValueError, LookupError: an encoding it cannot read
        reason = "xml-malformed"
    yield from document.taken()
    if reason:
        yield reading.skip(document.hosts + 1, reason)


class _Document:
    """What the tags seen so far amount to."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.hosts = 0  # ended
        self._scope: list[IPv4Network | IPv6Network] | None = None
        self._started: str | None = None  # of the whole run
        self._asked = True  # for ports
        self._host: _Host | None = None
        self._path: list[str] = []
        self._done: list[Sighting | Skip] = []
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.EntityDeclHandler = self._entity
        self.parser.ExternalEntityRefHandler = self._external
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def taken(self) -> list[Sighting | Skip]:
        done, self._done = self._done, []
        return done

    def _entity(self, *_: Any) -> None:
        raise _RefusedError("xml-entity")

    def _external(self, *_: Any) -> int:
        raise _RefusedError("xml-entity")

    def _doctype(self, name: str, system: str | None, public: str | None, inner: bool) -> None:
        if system or public or inner:
            raise _RefusedError("xml-entity")

    def _start(self, tag: str, values: dict[str, str]) -> None:
        self._path.append(tag)
        if len(self._path) > MAX_TAG_DEPTH:
            raise _RefusedError("xml-too-deep")
        if tag == "nmaprun":
            arguments = values.get("args", "")[:MAX_ARGUMENT_CHARS]
            self._scope, self._started = scope_of(arguments), values.get("start")
            self._asked = _NO_PORTS.isdisjoint(arguments.split())
        elif tag == "host" and self._host is None:
            self._host = _Host(values.get("starttime") or values.get("endtime") or self._started)
        elif self._host is not None:
            self._host.tag(tag, values, self._path[-2] if len(self._path) > 1 else "")

    def _end(self, tag: str) -> None:
        self._path.pop()
        if tag == "host" and self._host is not None and "host" not in self._path:
            self.hosts += 1
            draft = Draft(self.reading, self.hosts, "nmap")
            self._host.tell(draft, self._scope, self._asked)
            self._done.extend(draft.done())
            self._host = None


class _Host:
    """One host's tags, put in order once it ends: the address may come after what it belongs to."""

    def __init__(self, started: str | None) -> None:
        self.started = started
        self.addresses: dict[str, str] = {}
        self.state = ""
        self.ports: list[_Port] = []
        self._port: _Port | None = None  # being read; None beyond MAX_HOST_PORTS
        self._left = MAX_HOST_CHARS
        self.os: dict[str, str] | None = None
        self.os_class: dict[str, str] | None = None
        self.scripts: list[dict[str, str]] = []

    def tag(self, tag: str, values: dict[str, str], parent: str) -> None:
        self._left -= TAG_CHARS + sum(map(len, values.values()))
        if self._left < 0:
            return
        port = self._port if parent == "port" else None
        if tag == "address":
            self.addresses.setdefault(values.get("addrtype", ""), values.get("addr", ""))
        elif tag == "status":
            self.state = values.get("state", "")
        elif tag == "port":
            self._port = _Port(values) if len(self.ports) < MAX_HOST_PORTS else None
            if self._port is not None:
                self.ports.append(self._port)
        elif tag == "state" and port is not None:
            port.state = values.get("state", "")
        elif tag == "service" and port is not None:
            port.service = values
        elif tag == "script" and parent == "hostscript":
            self.scripts.append(values)
        elif tag == "script" and port is not None:
            port.scripts.append(values)
        elif tag == "osmatch" and self.os is None:
            self.os = values
        elif tag == "osclass" and self.os_class is None:
            self.os_class = values

    def tell(self, draft: Draft, scope: list[IPv4Network | IPv6Network] | None, asked: bool) -> None:
        if not draft.address(self.addresses.get("ipv4") or self.addresses.get("ipv6")):
            return
        address = ip_address(draft.ip)
        if scope is not None and not any(address in network for network in scope):
            draft.refuse("outside-scan")
            return
        if self.state == "down":
            draft.refuse("host-down")
            return
        if not draft.time(self.started):
            return
        draft.add("mac.address", self.addresses.get("mac"))
        answering = [port for port in self.ports if port.state == "open"]
        for port in answering:
            port.tell(draft)
        if asked and not answering:
            draft.add("front.silent", "")
        for script in self.scripts:
            if found := _NETBIOS.search(script.get("output", "")):
                draft.add("netbios.name", found[1])
        self._tell_os(draft)

    def _tell_os(self, draft: Draft) -> None:
        accuracy = (self.os or {}).get("accuracy", "")
        if self.os is None or not accuracy.isascii() or not accuracy.isdigit() or len(accuracy) > 3:
            return
        if int(accuracy) < MIN_OS_ACCURACY:
            return
        draft.add("os.label", self.os.get("name"))
        known = self.os_class or {}
        if known.get("type") not in (None, "general purpose"):
            label = label_of(known.get("type"), known.get("vendor"), known.get("osfamily"))
            draft.add("device.label", label)


class _Port:
    """One port of a host."""

    def __init__(self, values: dict[str, str]) -> None:
        self.number = port_of(values.get("portid"))
        self.transport = transport_of(values.get("protocol"))
        self.state = ""
        self.service: dict[str, str] = {}
        self.scripts: list[dict[str, str]] = []

    def tell(self, draft: Draft) -> None:
        where = (self.number, self.transport)
        service = self.service
        # By "table" Nmap only says what usually sits on that port.
        probed = service.get("method") != "table"
        protocol = protocol_of(service.get("name")) if probed else ""
        open_port(draft, "" if protocol in ("unknown", "tcpwrapped") else protocol, *where)
        if not probed:
            service = {}
        words = [service.get("product"), service.get("version"), service.get("extrainfo")]
        draft.add("banner", " ".join(word for word in words if word), *where)
        for found in islice(_ANSWER.finditer(service.get("servicefp", "")), MAX_ANSWERS):
            answer(draft, protocol, _ESCAPE.sub(_sign, found[1]), *where)
        if service.get("devicetype"):
            label = label_of(service.get("devicetype"), "", service.get("product"))
            draft.add("device.label", label, *where)
        draft.add("os.label", service.get("ostype"), *where)
        for script in self.scripts:
            self._tell_script(draft, protocol, script.get("id", ""), script.get("output", ""))

    def _tell_script(self, draft: Draft, protocol: str, name: str, output: str) -> None:
        where = (self.number, self.transport)
        if name == "http-title" and "Did not follow redirect" in output:
            return
        if name == "http-title":
            draft.add("http.title", html.unescape(output.partition("\n")[0]), *where)
        elif name in _SCRIPT_KINDS:
            kind = BANNER_KINDS.get(protocol, "banner") if name == "banner" else _SCRIPT_KINDS[name]
            draft.add(kind, output, *where)
        elif name == "http-auth":
            header(draft, "www-authenticate", output, *where)
        elif name == "http-favicon" and (found := _MD5.search(output)):
            draft.add("http.favicon_md5", found[1].lower(), *where)
        elif name == "ssl-cert":
            for end, text in _CERTIFICATE.findall(output):
                parts = dict(part.split("=", 1) for part in text.split("/")[:40] if "=" in part)
                draft.add(f"tls.{end.lower()}", distinguished_name(parts), *where)
        elif name in ("socks-open-proxy", "http-open-proxy") and "open" in output.lower():
            draft.add("proxy", name.partition("-")[0], *where)
            draft.add("exposure", "open_proxy", *where)
        elif name.endswith(("-default-accounts", "-brute")) and "valid" in output.lower():
            draft.add("default.credentials", "", *where)


def _sign(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else _SIGNS.get(found[2], found[2])


def scope_of(arguments: str) -> list[IPv4Network | IPv6Network] | None:
    """The networks a scan was told to look at; None where its command line names other things as well."""
    scope: list[IPv4Network | IPv6Network] = []
    words = arguments[:MAX_ARGUMENT_CHARS].split()[1:]
    skipped = False
    for word in words:
        if skipped:
            skipped = False
        elif word.startswith("-"):
            if word.startswith(_FROM_ELSEWHERE):
                return None
            skipped = _WITH_ARGUMENT.fullmatch(word) is not None
        else:
            try:
                scope.append(ip_network(word, strict=False))
            except ValueError:  # a name, or octets such as 192.0.2.1-20
                return None
    return scope if 0 < len(scope) <= MAX_TARGETS else None
