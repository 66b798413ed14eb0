"""Client IPs → sources: what the address alone says, what kind of machine made the connections, and how sure we are.

The front doors are ``name_sources`` (network, country, names), ``Rules`` and ``read_sighting`` (what a text or a fact
shows), and ``identify``, which weighs all evidence about every source of the campaigns that are no bulk mail.
"""

from __future__ import annotations

import pyarrow as pa

from thingwatch.identify.device import Rules
from thingwatch.identify.names import helo_class, ptr_class
from thingwatch.identify.network import Networks
from thingwatch.identify.reading import read_sighting
from thingwatch.identify.share import not_assessed
from thingwatch.identify.sources import identify, warnings_of

__all__ = [
    "Networks", "Rules", "identify", "name_sources", "not_assessed", "read_sighting", "warnings_of",
]  # fmt: skip


def name_sources(addresses: pa.Table, networks: Networks) -> pa.Table:
    """*addresses* (columns client_ip, ptr, helo) with asn, asn_name, country, ptr_class and helo_class beside."""
    found = networks.find(addresses["client_ip"])
    rows = zip(
        addresses["client_ip"].to_pylist(),
        addresses["ptr"].to_pylist(),
        addresses["helo"].to_pylist(),
        strict=True,
    )
    ptrs, helos = [], []
    for client_ip, ptr, helo in rows:
        ptrs.append(ptr_class(ptr or "", client_ip))
        helos.append(helo_class(helo or "", client_ip, ptr or ""))
    return pa.table(
        {
            "client_ip": addresses["client_ip"],
            "asn": found["asn"],
            "asn_name": found["asn_name"],
            "country": found["country"],
            "ptr_class": pa.array(ptrs, pa.string()),
            "helo_class": pa.array(helos, pa.string()),
        }
    )
