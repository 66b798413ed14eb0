"""Client IPs → what can be said of them from the address alone: network, country, and what their names tell.

The front door is ``name_sources``. Who really sent a mail from there is another question, not answered here.
"""

from __future__ import annotations

import pyarrow as pa

from thingwatch.identify.names import helo_class, ptr_class
from thingwatch.identify.network import Networks

__all__ = ["Networks", "name_sources"]


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
