"""Read what a user's own ``.mmdb`` files say of an address, in whichever fields their maker chose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from io import BytesIO
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import maxminddb

from thingwatch.errors import InputError

MAX_NAME_CHARACTERS = 120  # an operator's name is cut here; the longest we met has 96


def said_of(address: str, readers: Iterable[maxminddb.Reader]) -> tuple[int, str, str, str]:
    """Number, name, country and prefix of an address, 0 and "" where no file says; the first to know wins."""
    asn, name, country, prefix = 0, "", "", ""
    for reader in readers:
        try:
            record, length = reader.get_with_prefix_len(address)
        except (ValueError, maxminddb.InvalidDatabaseError):
            continue  # an IPv6 address in an IPv4 file, or a damaged node
        if not isinstance(record, dict):
            continue
        number = asn_in(record)
        if number[0] and not asn:
            asn, name = number
            prefix = str(ip_network(f"{address}/{length}", strict=False))
        country = country or country_in(record)
    return asn, name, country, prefix


def asn_in(record: Mapping[str, Any]) -> tuple[int, str]:
    """The operator's number and name in one .mmdb record, (0, "") if it holds none.

    GeoLite2-ASN and DB-IP: ``autonomous_system_number``, in Enterprise files below ``traits``. IPinfo:
    ``asn`` as "AS64496", ``as_name`` or ``name``.
    """
    traits = record.get("traits")
    for part in (record, traits if isinstance(traits, dict) else {}):
        number = part.get("autonomous_system_number")
        if isinstance(number, int) and number > 0:
            return number, _text(part.get("autonomous_system_organization"))
    written = record.get("asn")
    if (
        isinstance(written, str)
        and (digits := written.upper().removeprefix("AS")).isdecimal()
        and len(digits) <= 10
    ):
        return int(digits), _text(record.get("as_name") or record.get("name"))
    return 0, ""


def country_in(record: Mapping[str, Any]) -> str:
    """The country's two letters in one .mmdb record, "" if it holds none.

    GeoLite2 and DB-IP: ``country.iso_code``, else ``registered_country.iso_code``. IPinfo: ``country_code``,
    else ``country`` where that is a code and not a name.
    """
    for name in ("country", "registered_country"):
        part = record.get(name)
        if isinstance(part, dict) and _is_country(part.get("iso_code")):
            return str(part["iso_code"]).upper()
    for name in ("country_code", "country"):
        if _is_country(record.get(name)):
            return str(record[name]).upper()
    return ""


def _is_country(value: object) -> bool:
    return isinstance(value, str) and len(value) == 2 and value.isascii() and value.isalpha()


def _text(value: object) -> str:
    """A name from a file as one clean line."""
    return (
        "".join(c for c in value[:MAX_NAME_CHARACTERS] if c.isprintable()) if isinstance(value, str) else ""
    )


def opened(file: Path) -> maxminddb.Reader:
    """Open a file; raises InputError, naming it, where it is none."""
    try:
        return maxminddb.open_database(file)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        raise InputError(f"{file}: not a readable .mmdb file ({error}); name one, or leave it out") from error


def opened_bytes(content: bytes) -> maxminddb.Reader:
    """Open a file that another machine has read."""
    return maxminddb.open_database(BytesIO(content), maxminddb.MODE_FD)
