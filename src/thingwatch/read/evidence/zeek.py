"""Read three of Zeek's logs as evidence: smtp.log for HELO, software.log and known_services.log for what answers."""

from __future__ import annotations

from collections.abc import Iterator

from thingwatch.model import Sighting, Skip
from thingwatch.read.evidence.objects import objects
from thingwatch.read.evidence.protocol import open_port, protocol_of
from thingwatch.read.evidence.row import Draft, Reading, port_of, transport_of
from thingwatch.read.records import Bad, Row, zeek_rows
from thingwatch.read.stream import ByteSource

HEAD_BYTES = 4_096  # Zeek's own head is some 600
_SERVERS = {
    "HTTP::SERVER": "http.server",
    "HTTP::APPSERVER": "http.server",
    "SSH::SERVER": "ssh.banner",
    "FTP::SERVER": "ftp.banner",
    "SMTP::MAIL_SERVER": "smtp.banner",
    "OS::WINDOWS": "os.label",
}


def zeek(stream: ByteSource, reading: Reading) -> Iterator[Sighting | Skip]:
    """Read a log in Zeek's own TSV or as JSON; which of the three it is, its columns say."""
    head = stream.peek(HEAD_BYTES)[:HEAD_BYTES]
    plain = head.lstrip().startswith(b"#")
    software, services = b"software_type" in head, b"port_num" in head
    for row in zeek_rows(stream) if plain else objects(stream):
        if isinstance(row, Bad):
            yield reading.skip(row.number, row.reason)
        elif software:
            yield from _software(row, reading)
        elif services:
            yield from _service(row, reading)
        else:
            yield from _smtp(row, reading)


def _smtp(row: Row, reading: Reading) -> Iterator[Sighting | Skip]:
    draft = Draft(reading, row.number, "zeek:smtp")
    if draft.address(row.get("id.orig_h")) and draft.time(row.get("ts")):
        draft.add("smtp.helo", row.get("helo"), port_of(row.get("id.orig_p")), "tcp")
    return draft.done()


def _software(row: Row, reading: Reading) -> Iterator[Sighting | Skip]:
    draft = Draft(reading, row.number, "zeek:software")
    if draft.address(row.get("host")) and draft.time(row.get("ts")):
        # What browsers and mail programs call themselves is no answer of a device.
        kind = _SERVERS.get(str(row.get("software_type")))
        if kind is not None:
            port = port_of(row.get("host_p"))
            draft.add(kind, row.get("unparsed_version", "name"), port, "tcp" if port is not None else "")
    return draft.done()


def _service(row: Row, reading: Reading) -> Iterator[Sighting | Skip]:
    draft = Draft(reading, row.number, "zeek:known_services")
    if draft.address(row.get("host")) and draft.time(row.get("ts")):
        services = row.get("service")
        names = services[:8] if isinstance(services, list) else str(services or "").split(",", 8)[:8]
        for name in names or [""]:
            open_port(
                draft, protocol_of(name), port_of(row.get("port_num")), transport_of(row.get("port_proto"))
            )
    return draft.done()
