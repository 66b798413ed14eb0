"""What scans of the Internet, sinkholes and lists of proxies knew of the replay's homes and their neighbours."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

from thingwatch.replay import cast, homes, script
from thingwatch.replay.cast import Numbers
from thingwatch.replay.devices import devices
from thingwatch.replay.homes import NOBODY, Homes, column
from thingwatch.replay.lots import Flags, chances, chosen, lots
from thingwatch.replay.script import DAYS, FIRST, HOUR
from thingwatch.replay.sensors import joined, moments, put
from thingwatch.replay.sources import Sources

DAY = 24 * HOUR
NEIGHBOURS_PER_SOURCE = 4  # uninvolved addresses of the same /22 that the scans went over
NEIGHBOURHOOD = 10  # bits of a /22
STALE_DAYS = (14, 140)
FIRST_ASN = 64512  # RFC 6996: private, one per row of lines.csv
VOCABULARY = {
    "router": "router", "ip_camera": "camera", "dvr_nvr": "dvr", "nas": "nas", "printer": "printer", "voip": "voip",
    "media_player": "media", "smart_tv": "tv",
}  # fmt: skip
# Families of the time, and their weights.
WINDOWS_FAMILIES = {"zeroaccess": 0.3, "conficker": 0.24, "sality": 0.16, "kelihos": 0.16, "virut": 0.14}
THING_FAMILIES = {"aidra": 0.46, "darlloz": 0.44, "psyb0t": 0.1}

Texts = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Scan:
    """The addresses the scans went over, and what they met there."""

    homes: Homes  # who really lives there when the mail is sent
    text: Texts
    at: Numbers  # microseconds since 1970
    stale: Flags  # seen weeks before, when another household had the address
    front: Numbers  # row of devices.toml that answered, -1 for none
    cwmp: Flags

    def __len__(self) -> int:
        return len(self.at)

    @property
    def silent(self) -> Flags:
        """Gone over, and nothing answered."""
        return np.asarray((self.front < 0) & ~self.cwmp)


@cache
def _reports() -> dict[str, dict[str, Any]]:
    return tomllib.loads(resources.files("thingwatch.replay").joinpath("reports.toml").read_text("utf-8"))


def neighbours_of(addresses: Numbers, taken: Numbers, count: int, seed: int) -> Numbers:
    """Up to *count* other addresses of the same /22 for each address, none of them *taken*."""
    inside = (1 << NEIGHBOURHOOD) - 1
    drawn = [
        (addresses & ~inside) + (lots(addresses, seed, "neighbour", number) * (inside + 1)).astype(np.int64)
        for number in range(count)
    ]
    found = np.unique(np.concatenate(drawn)) if drawn else np.empty(0, dtype=np.int64)
    last = found & 255
    return np.asarray(found[(last > 0) & (last < 255) & ~np.isin(found, taken)])


def scan(sources: Sources, seed: int, share: float, stale_share: float) -> Scan:
    """Go over *share* of the attacks' addresses and of their neighbours."""
    attacking = np.unique(sources.home[sources.attacking])
    senders = sources.homes.at(attacking)
    at_line = senders.address[senders.line >= 0]
    others = neighbours_of(at_line, sources.homes.address, NEIGHBOURS_PER_SOURCE, seed)
    near = homes.homes_at(others, np.full(len(others), NOBODY), seed)
    first = np.zeros(len(sources.homes), dtype=np.int64)
    first[sources.home] = sources.first
    everyone = Homes(
        *(np.concatenate([getattr(senders, name), getattr(near, name)]) for name in Homes.__slots__)
    )
    whole = FIRST + lots(others, seed, "scanned") * DAYS * DAY
    close = first[attacking] + (lots(senders.address, seed, "scanned") - 0.5) * 3 * DAY
    at = np.concatenate([close, whole]).astype(np.int64)
    covered = lots(everyone.address, seed, "covered") < share
    everyone, at = everyone.at(covered), at[covered]
    stale = lots(everyone.address, seed, "stale") < stale_share
    low, high = STALE_DAYS
    age = low + lots(everyone.address, seed, "age") ** 1.5 * (high - low)
    at = np.where(stale, at - (age * DAY).astype(np.int64), at)
    # Leases change: weeks before, somebody else lived there, who sent nothing.
    fixed = everyone.line < 0
    former = homes.home_fronts(everyone.address, everyone.line, everyone.line_type, seed, "former")
    ports = homes.open_ports(everyone.address, everyone.line, seed, "former")
    front = np.where(stale & ~fixed, former, everyone.front)
    cwmp = np.where(stale & ~fixed, ports, everyone.cwmp)
    return Scan(everyone, homes.texts_of(everyone.address), at, stale, front, cwmp)


def field_texts(field: str, front: Numbers, addresses: Numbers, seed: int) -> Texts:
    """The text each front shows in *field*, None where it has none."""
    options = [one.texts.get(field, ()) for one in devices()]
    width = max(1, *(len(texts) for texts in options))
    table = np.full((len(options) + 1, width), None, dtype=object)
    for row, texts in enumerate(options):
        for place, text in enumerate(texts):
            table[row, place] = text
    counts = np.array([len(texts) for texts in options] + [0])[front]
    which = (lots(addresses, seed, "version") * counts).astype(int)
    return np.asarray(table[front, which])


def spoken(front: Numbers, addresses: Numbers, protocol: str, seed: int) -> Flags:
    """Where a front answers in *protocol*: always in its first, in others by lot."""
    place = np.array(
        [
            one.protocols.index(protocol) if protocol in one.protocols else len(one.protocols)
            for one in devices()
        ]
        + [0]
    )[front]
    has = np.array([protocol in one.protocols for one in devices()] + [False])[front]
    lot = lots(addresses, seed, "speaks", protocol) < chances()["front"]["second_protocol"]
    return np.asarray(has & ((place == 0) | lot))


def _file_days(at: Numbers, stale: Flags) -> Texts:
    """The day in the name of the file a row stands in: weekly reports, and monthly ones of before."""
    days = at // DAY
    saturday = days + (5 - (days + 3) % 7) % 7
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    end = (months + 1).astype("datetime64[D]").astype(np.int64) - 1
    return np.where(stale, end, saturday).astype("datetime64[D]").astype(str).astype(object)


def _asked(of: Homes, which: Numbers) -> dict[str, Texts]:
    """The columns about the line of some addresses, as reports name them."""
    lines = cast.consumer_lines()
    row = of.line[which]
    country = np.array([line.country for line in lines] + [""], dtype=object)
    numbers = np.array([str(FIRST_ASN + number) for number in range(len(lines))] + [""], dtype=object)
    names = [cast.line_name(address) for address in of.address[which].tolist()]
    return {"asn": numbers[row], "geo": country[row], "hostname": np.array(names, dtype=object)}


def _write_report(
    folder: Path, name: str, seen: Scan, which: Numbers, values: Mapping[str, Texts | pa.Array]
) -> int:
    """Write one report's rows, a file per week; rows written."""
    report = _reports()[name]
    which = which[np.argsort(seen.at[which], kind="stable")]
    about = {"timestamp": moments(seen.at[which], "%Y-%m-%d %H:%M:%S"), "ip": seen.text[which]}
    about.update(_asked(seen.homes, which))
    columns = report["columns"].split()
    prefix = "" if "ip" in columns else "src_"
    filled: dict[str, Any] = dict(report["fixed"])
    for key, texts in about.items():
        filled[key if key == "timestamp" else prefix + key] = texts
    filled.update({key: np.asarray(texts, dtype=object)[which] for key, texts in values.items()})
    count = len(which)
    arrays = [_texts(filled.get(key), count) for key in columns]
    table = pa.table(arrays, names=columns)
    style = csv.WriteOptions(quoting_style="all_valid")
    days = _file_days(seen.at[which], seen.stale[which])
    for day in sorted(set(days.tolist())):
        rows = pa.array(np.flatnonzero(days == day))
        csv.write_csv(table.take(rows), folder / f"{day}-{name}-replay.csv", style)
    return count


def _texts(value: Any, count: int) -> pa.Array:
    """A column of a report: as it is, or one text in every row."""
    if value is None or isinstance(value, str):
        return pa.array([value] * count, pa.string())
    return pa.array(value, pa.string())


def _fronts(folder: Path, seen: Scan, seed: int) -> int:
    """The scan reports about what answers, one per protocol."""
    rows = 0
    for name, report in _reports().items():
        if not report.get("fields"):
            continue
        values = {
            key: field_texts(field, seen.front, seen.homes.address, seed)
            for field, key in report["fields"].items()
        }
        protocol = next(iter(report["fields"])).split(".")[0]
        answers = spoken(seen.front, seen.homes.address, protocol, seed)
        if name == "scan_cwmp":
            # The careless provider ships one box to everybody.
            values["server"] = np.where(seen.cwmp, "RomPager/4.07 UPnP/1.0", values["server"])
            answers = answers | seen.cwmp
        if "www_authenticate" in values:
            realm = values["www_authenticate"]
            values["www_authenticate"] = np.array(
                [None if one is None else f'Basic realm="{one}"' for one in realm.tolist()], dtype=object
            )
        rows += _write_report(folder, name, seen, np.flatnonzero(answers), values)
    return rows


def _labels(folder: Path, seen: Scan, seed: int) -> int:
    """device_id: what the scanning house itself makes of some fronts."""
    named = np.array([bool(one.vendor and one.device_class != "server") for one in devices()] + [False])
    which = named[seen.front] & (lots(seen.homes.address, seed, "labelled") < 0.5)
    products = [[one.vendor, VOCABULARY.get(one.device_class, ""), one.model] for one in devices()]
    product = np.array([*products, [None] * 3], dtype=object)[seen.front]
    values = {
        key: product[:, place] for place, key in enumerate(("device_vendor", "device_type", "device_model"))
    }
    return _write_report(folder, "device_id", seen, np.flatnonzero(which), values)


def _drawn(families: Mapping[str, float], addresses: Numbers, seed: int) -> Texts:
    row = chosen(lots(addresses, seed, "family"), list(families.values()))
    return np.asarray(np.array(list(families), dtype=object)[row])


def _infections(folder: Path, seen: Scan, seed: int) -> int:
    address, origin = seen.homes.address, seen.homes.origin
    of = chances()["reports"]
    windows = lots(address, seed, "windows bot") < column(of["windows_family"], origin)
    family = _drawn(WINDOWS_FAMILIES, address, seed)
    ports = (1025 + lots(address, seed, "bot port") * 60_000).astype(int).astype(str).astype(object)
    values = {"infection": family, "family": family, "src_port": ports}
    rows = _write_report(folder, "event4_sinkhole", seen, np.flatnonzero(windows), values)
    things = lots(address, seed, "thing bot") < column(of["thing_family"], origin)
    values = {"infection": _drawn(THING_FAMILIES, address, seed)}
    return rows + _write_report(folder, "compromised_iot", seen, np.flatnonzero(things), values)


def _proxies(folder: Path, seen: Scan, seed: int) -> int:
    """Two reports of open proxies, and a plain list such as volunteers keep."""
    address, origin = seen.homes.address, seen.homes.origin
    proxy = lots(address, seed, "proxy") < column(chances()["reports"]["proxy"], origin)
    kind = lots(address, seed, "proxy kind")
    rows = _write_report(folder, "scan_socks", seen, np.flatnonzero(proxy & (kind < 0.6)), {})
    rows += _write_report(folder, "scan_http_proxy", seen, np.flatnonzero(proxy & (kind > 0.55)), {})
    known = np.flatnonzero(proxy & (lots(address, seed, "volunteers") < 0.3))
    lines = [
        f"{ip},{'1080,socks5' if socks else '8080,http'}\n"
        for ip, socks in zip(seen.text[known].tolist(), (kind[known] < 0.6).tolist(), strict=True)
    ]
    (folder / "proxies.txt").write_text(
        "# open proxies, as a volunteer's list has them: address, port, kind\n" + "".join(lines)
    )
    return rows + len(lines)


def _silence(folder: Path, seen: Scan) -> int:
    """survey.jsonl: addresses that were gone over and answered nothing, which no report lists."""
    which = np.flatnonzero(seen.silent)
    which = which[np.argsort(seen.at[which], kind="stable")]
    text = joined(
        '{"ip": "', seen.text[which], '", "time": "', moments(seen.at[which], "%Y-%m-%dT%H:%M:%SZ"),
        '", "kind": "front.silent", "value": "", "source": "survey"}\n',
    )  # fmt: skip
    with (folder / "survey.jsonl").open("wb") as out:
        put(text, out)
    return len(which)


def write_scans(seen: Scan, seed: int, folder: Path) -> int:
    """All reports of *seen*; rows written."""
    # A sinkhole's list is no scan of before: its events are of the days of the mail.
    now = replace(
        seen, at=np.minimum(np.where(seen.stale, FIRST + seen.at % (DAYS * DAY), seen.at), script.FIRST + DAYS * DAY),
        stale=np.zeros(len(seen), dtype=bool),
    )  # fmt: skip
    return (
        _fronts(folder, seen, seed)
        + _labels(folder, seen, seed)
        + _silence(folder, seen)
        + _infections(folder, now, seed)
        + _proxies(folder, now, seed)
    )
