"""The names of a report's senders in plain words: origins, rungs, kinds of evidence, device classes.

The document holds the names that programs share; only the page and the terminal speak in these.
"""

from __future__ import annotations

from typing import NamedTuple


class Origin(NamedTuple):
    """How one answer to "who sent it" is written and coloured; the word always stands beside the colour."""

    words: str
    text: str  # class of the word
    mark: str  # class of bars and dots

    @property
    def inline(self) -> str:
        """The words within a sentence."""
        return self.words if self.words.startswith("PC") else self.words.lower()


ORIGINS = {
    "thing_self": Origin("Thing itself", "t", "cT"),
    "thing_relay": Origin("Thing as relay", "r", "cR"),
    "nat_pc": Origin("PC behind a router", "k", "cK"),
    "mobile": Origin("Phone or tablet", "", "cI"),
    "server": Origin("Server", "s", "cS"),
    "unknown": Origin("Unknown", "u", "hat"),
}

RUNGS = {
    "address only": "nothing but the number",
    "kind of line known": "its name, its network, or a list of end-user lines",
    "front seen": "something answered there, not too long ago",
    "sender seen": "TCP SYN or timing of the connection itself",
    "sender seen twice": "two independent marks of the connection",
    "sender and front agree": "and tell the same story",
    "confirmed": "a sinkhole or the abuse desk’s reply",
}

FAMILIES = {
    "transport": "SYN",
    "timing": "timing",
    "smtp": "dialect and HELO",
    "banner": "banners",
    "proxy": "proxy reports",
    "compromise": "infection reports",
    "network": "name and network",
    "link": "hardware addresses",
    "outcome": "the abuse desk’s replies",
}

# Pieces of evidence come as "item: value"; what is not listed is shown as it came.
PIECES = {
    "tcp_syn: windows": "SYN of Windows",
    "tcp_syn: linux_small": "SYN of a small Linux device",
    "tcp_syn: linux_middle": "SYN of a Linux of middling size",
    "tcp_syn: linux_large": "SYN of a large Linux or Android",
    "tcp_syn: apple": "SYN of an Apple system",
    "tcp_syn: other": "SYN of no usual system",
    "ip_sharing: several": "Several systems on the address",
    "ip_sharing: one": "One system on the address",
    "smtp_rtt: near": "SMTP round trip like that of TCP",
    "smtp_rtt: far": "SMTP round trip twice that of TCP or more: a relay",
    "helo: confirmed": "HELO is the address’s confirmed name",
    "helo: line_name": "HELO is the name of the line",
    "helo: bare": "HELO is a bare or private name",
    "helo: other": "HELO is another’s or a random name",
    "dialect_and_stack: fit": "Speaks like the system that connected",
    "dialect_and_stack: mismatch": "Speaks unlike the system that connected: two machines",
    "front: thing": "A thing answers at the address",
    "front: server": "A server answers at the address",
    "front: none_seen": "Nothing answered a scan of the address",
    "proxy: reported": "Reported as an open proxy",
    "proxy: unreported": "No proxy report",
    "infection: thing_family": "Reported infected: a malware of things",
    "infection: windows_family": "Reported infected: a malware of Windows",
    "infection: server_family": "Reported infected: a malware of servers",
    "infection: none": "No infection report",
    "rdns: dynamic": "Its name is that of an end-user line",
    "rdns: none": "It has no name",
    "rdns: named": "It has a name of its own",
    "network_type: residential": "Listed as an end-user line",
    "network_type: mobile": "Listed as a mobile network",
    "network_type: business": "Listed as a business line",
    "network_type: hosting": "Listed as hosting",
    "eui64: thing_maker": "Network card of a maker of things",
    "eui64: other_maker": "Network card of another maker",
    "eui64: none": "The address does not name its network card",
    "outcome: thing_self": "The abuse desk found: the thing itself",
    "outcome: thing_relay": "The abuse desk found: a relay",
    "outcome: nat_pc": "The abuse desk found: a computer",
    "outcome: mobile": "The abuse desk found: a phone or tablet",
    "outcome: server": "The abuse desk found: a server",
}

CLASSES = {
    "router": "Router or modem",
    "access_point": "Access point",
    "ip_camera": "Camera",
    "dvr_nvr": "Video recorder",
    "smart_tv": "Television",
    "media_player": "Media player",
    "smart_speaker": "Speaker",
    "nas": "Network storage",
    "printer": "Printer",
    "voip": "Telephone (VoIP)",
    "game_console": "Game console",
    "home_appliance": "Household appliance",
    "smart_home": "Smart-home device",
    "industrial": "Industrial device",
    "specialized": "Special device",
    "other_thing": "Small device, type unknown",
    "computer": "Computer",
    "mobile": "Phone or tablet",
    "server": "Server",
    "network_equipment": "Network equipment",
    "management_controller": "Management controller",
    "telecom_pbx": "Telephone exchange",
}
