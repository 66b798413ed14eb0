"""Read what an abuse desk found out: a table of address, time and which machine it was in the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from thingwatch.model import Sighting, Skip
from thingwatch.read.evidence.row import Draft, Reading, text_of
from thingwatch.read.records import Bad, csv_rows
from thingwatch.read.stream import ByteSource

OUTCOME_COLUMNS = ("outcome", "finding", "verdict", "cause", "result")
TIME_COLUMNS = ("time", "timestamp", "date", "when", "at", "datetime")
ADDRESS_COLUMNS = ("ip", "address", "ip_address", "client_ip", "src_ip")

# Plain words for the origins; a thing named alone was the sender itself.
_WORDS = {
    "thing_self": "thing camera dvr recorder router modem tv printer nas iot device",
    "thing_relay": "proxy relay socks open_proxy vpn_app",
    "nat_pc": "pc computer laptop windows desktop mac",
    "mobile": "phone tablet smartphone handset",
    "server": "vps webserver mailserver web_server mail_server website",
}
ORIGINS = {word: origin for origin, words in _WORDS.items() for word in (origin, *words.split())}


def origin_of(text: str) -> str:
    """The origin a desk's word stands for; "" for a word we do not know."""
    return ORIGINS.get(text.strip().lower().replace(" ", "_").replace("-", "_"), "")


def outcomes(stream: ByteSource, reading: Reading) -> Iterator[Sighting | Skip]:
    """Read a table with columns for address, time and outcome; without a header they stand in this order."""
    first = stream.peek(4_096).split(b"\n", 1)[0].decode("utf-8", "replace").lower()
    headed = any(name in first for name in OUTCOME_COLUMNS)
    lines: Iterable[bytes] = stream if headed else chain((b"ip,time,outcome\n",), _blocks(stream))
    for row in csv_rows(lines):
        number = row.number if headed else row.number - 1
        if isinstance(row, Bad):
            yield reading.skip(number, row.reason)
            continue
        draft = Draft(reading, number, "abuse desk")
        if draft.address(row.get(*ADDRESS_COLUMNS)) and draft.time(row.get(*TIME_COLUMNS)):
            origin = origin_of(text_of(row.get(*OUTCOME_COLUMNS), 60))
            if origin:
                draft.add("outcome", origin)
            else:
                draft.refuse("unknown-outcome")
        yield from draft.done()


def _blocks(stream: ByteSource) -> Iterator[bytes]:
    while block := stream.read(1 << 20):
        yield block
