"""An audit as lines of text for an owner: what is open and where, what to do first, what was not looked at."""

from __future__ import annotations

import textwrap
from typing import Any

from thingwatch.act.clean import defang, safe
from thingwatch.act.wording import count, day, plural

FINDINGS_SHOWN = 12  # groups of equal devices; --json has all
ADDRESSES_SHOWN = 4  # of one group
STEPS_SHOWN = 12
REST_SHOWN = 8  # kinds of device without findings
FILES_SHOWN = 5
DOUBTFUL = 0.6  # confidence below which a device is named with a "perhaps"
MANY = 16  # addresses with findings from which a provider is reading, who is told his own steps too
MIN_WIDTH, MAX_WIDTH = 30, 100  # columns of text; longer lines are hard to read

_HEADINGS = {
    "urgent": "Do this first",
    "open": "Then this",
    "close": "When there is time",
}
_WHY_INSIDE = (
    "Open to the house only. It is worth closing all the same: one infected device looks for the next from inside, "
    "and a port forwarding made later opens it to everyone."
)
_KINDS = {
    "http.title": "the title of its page",
    "http.realm": "the name its login asks under",
    "http.server": "its web server's name",
    "http.body": "its page",
    "http.cookie": "its page's cookie",
    "http.favicon_md5": "its page's icon",
    "telnet.banner": "its Telnet greeting",
    "ftp.banner": "its FTP greeting",
    "ssh.banner": "its SSH greeting",
    "smtp.banner": "its mail greeting",
    "snmp.sysdescr": "its SNMP description",
    "upnp.server": "its UPnP answer",
    "upnp.device": "its UPnP description",
    "rtsp.server": "its video server's name",
    "sip.user_agent": "its telephone program's name",
    "tls.subject": "its certificate",
    "tls.issuer": "its certificate",
    "mdns.name": "its name in the network",
    "netbios.name": "its name in the network",
    "cwmp.server": "its maintenance port's name",
    "device.label": "what the scanner calls it",
    "os.label": "what the scanner calls its system",
}


def lines(document: dict[str, Any], width: int = 80) -> list[str]:
    """What ``audit`` found, for a terminal of *width* columns; every line is clean."""
    page = _Page(max(MIN_WIDTH, min(width, MAX_WIDTH)))
    page.say(document["headline"])
    page.say(_read(document))
    if document["counts"]["inside"] == document["counts"]["addresses"] > 0:
        page.say(document["not_looked_at"][0])
    _findings(page, document)
    _steps(page, document)
    _rest(page, document)
    page.head("Not looked at")
    told = document["not_looked_at"]
    for sentence in told[1:] if told and told[0] in page.said else told:
        page.say(sentence, "  - ")
    return page.lines


class _Page:
    """Lines of one width, each cleaned as it is written."""

    def __init__(self, width: int) -> None:
        self.lines: list[str] = []
        self.said: set[str] = set()  # sentences of ours that need no second saying
        self._width = width

    def head(self, words: str) -> None:
        self.lines.append("")
        self.say(words)

    def say(self, words: str, indent: str = "") -> None:
        self.said.add(words)
        wrapped = textwrap.wrap(
            defang(words, 2_000, bare=False),
            self._width,
            initial_indent=indent,
            subsequent_indent=" " * len(indent),
            break_on_hyphens=False,
        )
        self.lines += [line.rstrip() for line in wrapped]


def _read(document: dict[str, Any]) -> str:
    counts = document["counts"]
    files = document["files"]
    parts = [
        f"{plural(counts['addresses'], 'address', 'addresses')} in {plural(len(files), 'file')}",
        plural(counts["things"], "device"),
        plural(counts["others"], "computer or server", "computers and servers"),
        f"{count(counts['unknown'])} not recognised",
    ]
    if document["skipped"]:
        names = ", ".join(f"{safe(n, 40)} {count(k)}" for n, k in list(document["skips"].items())[:4])
        parts.append(f"{plural(document['skipped'], 'piece')} of input skipped ({names})")
    return "; ".join(parts) + "."


def _findings(page: _Page, document: dict[str, Any]) -> None:
    findings = document["findings"]
    if not findings:
        return
    page.head("What stands open (!! urgent, ! open, - open to the house only)")
    for finding in findings[:FINDINGS_SHOWN]:
        page.say(f"{_addresses(finding)}: {_named(finding['device'])}", "  ")
        eg = "e.g. " if finding["count"] > 1 else ""
        seen = [eg + _seen(exposure) for exposure in finding["exposures"]]
        once = seen[0] if len(set(seen)) == 1 else ""
        told = [part for part in (_told_by(finding["device"], once), once) if part]
        if told:
            page.say("; ".join(told), "      ")
        for exposure, when in zip(finding["exposures"], seen, strict=True):
            mark = {"urgent": "  !!  ", "open": "   !  ", "close": "   -  "}[exposure["standing"]]
            page.say(_exposure(exposure, "" if once else when), mark)
    left = findings[FINDINGS_SHOWN:]
    if left:
        addresses = sum(finding["count"] for finding in left)
        page.say(
            f"and {plural(len(left), 'more kind')} at {plural(addresses, 'address', 'addresses')}, in --json",
            "  ",
        )


def _addresses(told: dict[str, Any]) -> str:
    addresses = told["addresses"]
    shown = ", ".join(safe(ip, 60) for ip in addresses[:ADDRESSES_SHOWN])
    more = len(addresses) - ADDRESSES_SHOWN
    return f"{shown} and {count(more)} more" if more > 0 else shown


def _named(device: dict[str, Any]) -> str:
    make = " ".join(defang(device[part], 60) for part in ("vendor", "model") if device[part])
    doubt = device["confidence"] is not None and device["confidence"] < DOUBTFUL
    name = f"perhaps a {device['name']}" if doubt else str(device["name"])
    return f"{name}, {make}" if make else name


def _told_by(device: dict[str, Any], once: str) -> str:
    """How sure the device is and which text said so; where that stands, unless *once* says it already."""
    if device["confidence"] is None:
        return ""
    sure = f"{device['confidence']:.0%} sure".replace("%", " %")
    if not device["where"]:
        return sure
    text = f' "{defang(device["matched"], 60)}"' if device["matched"] else ""
    where = safe(device["where"], 80)
    place = "" if once.endswith(where) else f" ({where})"
    return f"{sure}, by {_KINDS.get(device['kind'], 'what answers there')}{text}{place}"


def _seen(exposure: dict[str, Any]) -> str:
    """When and where an exposure was seen first of all its addresses."""
    first = exposure["seen"][0]
    when = f"{day(first['at'])} in " if first["at"] else ""
    return f"seen {when}{safe(first['where'], 80)}" if first["where"] else ""


def _exposure(exposure: dict[str, Any], seen: str) -> str:
    ports = exposure["ports"]
    port = f", port {', '.join(map(str, ports[:6]))}{' ...' if len(ports) > 6 else ''}" if ports else ""
    why = "; ".join(defang(reason, 200, bare=False) for reason in exposure["why"])
    return f"{exposure['label']}{port}: {why}{f' ({seen})' if seen else ''}"


def _steps(page: _Page, document: dict[str, Any]) -> None:
    steps = document["steps"]
    provider = sum(finding["count"] for finding in document["findings"]) >= MANY
    heading = ""
    for step in steps[:STEPS_SHOWN]:
        if step["standing"] != heading:
            heading = step["standing"]
            page.head(_HEADINGS[heading])
            if heading == "close":
                page.say(_WHY_INSIDE, "  ")
        page.say(f"{_capital(step['label'])} ({_addresses(step)})", "  ")
        if step["means"] in page.said:
            page.say("As above.", "    ")
            continue
        page.say(step["means"], "    ")
        for told in step["for_class"]:
            for sentence in told["first"]:
                page.say(f"{_capital(told['name'])}: {sentence}", "    - ")
        if step["general"]:
            for number, sentence in enumerate(step["owner"], 1):
                page.say(sentence, f"    {number}. ")
        for told in step["for_class"]:
            for sentence in (*told["instead"], *told["owner"]):
                # What holds for a class at every exposure is said at the first.
                if (words := f"{_capital(told['name'])}: {sentence}") not in page.said:
                    page.say(words, "    - ")
        if provider:
            advice = [*step["isp"], *(s for one in step["for_class"] for s in one["isp"])]
            new = [sentence for sentence in advice if sentence not in page.said]
            if new:
                page.say("As the provider:", "    ")
            for sentence in new:
                page.say(sentence, "    - ")
        if step["refs"] and step["standing"] == "urgent":
            page.say("See " + "; ".join(ref["title"] for ref in step["refs"][:2]) + ".", "    ")
    if len(steps) > STEPS_SHOWN:
        page.say(f"and {plural(len(steps) - STEPS_SHOWN, 'more kind')} of step, in --json", "  ")


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _rest(page: _Page, document: dict[str, Any]) -> None:
    rest = document["without_findings"]
    if not rest:
        return
    page.head("Nothing to close at")
    for told in rest[:REST_SHOWN]:
        page.say(f"{_addresses(told)}: {_named(told['device'])}", "  ")
    if len(rest) > REST_SHOWN:
        addresses = sum(told["count"] for told in rest[REST_SHOWN:])
        page.say(f"and {plural(addresses, 'more address', 'more addresses')}, in --json", "  ")
    if document["counts"]["normal"]:
        page.say(
            "Settings pages, video streams and names may answer inside a house, as long as no port forwarding leads "
            "to them.",
            "  ",
        )
