"""Tell the name of a malware family from the name of a deed: feeds write both into one column.

"mirai" is something a machine has; "http-scan", "brute-force" and "ddos-participant" are something an address did,
and people do these things from clean machines too. A name made of nothing but deeds and protocols is no family.
"""

from __future__ import annotations

import re
from functools import lru_cache

_DEEDS = """
    abuse activity actor amp amplification amplifier attack attacker attempt bot botnet brute bruteforce
    callback client connection crawler crawling cve darknet dark ddos denial default dictionary dos drone exploit
    exploitation exploited flood force generic hacking high honeypot infected infection intrusion iot login low
    malicious malware medium misc net network of on open other packet participant password phishing port portscan
    probe probing rce recon reconnaissance reflection reflector request sandbox scan scanner scanning scans sensor
    service sinkhole source spam spammer spoof spoofed spoofer spoofing suspected suspicious sweep target traffic
    unknown unspecified victim vulnerability vulnerable weak web
"""
_PROTOCOLS = """
    adb afp amqp chargen coap cwmp dns ftp ftps http https ics imap ip ipmi ipp isakmp knx ldap mdns memcached modbus
    mongodb mqtt mssql mysql netbios nfs ntp pop pop3 pptp proxy quic rdp redis rtsp sip slp smb smtp snmp socks socks4
    socks5 ssdp ssh ssl stun tcp telnet tftp tls tor tr069 udp upnp vnc vpn winrm xmpp ipv4 ipv6
"""
_NO_FAMILY = frozenset((_DEEDS + _PROTOCOLS).split())
_CUT = re.compile(r"[^a-z0-9]+")


def family_of(*names: object) -> str:
    """The first of *names* that is a family's; "" where none is."""
    return next((name for name in names if isinstance(name, str) and _is_family(name[:200])), "")


@lru_cache(maxsize=4_096)  # reports of one day speak of some hundred
def _is_family(name: str) -> bool:
    words = [word for word in _CUT.split(name.lower()) if word and not word.isdigit()]
    return not all(word in _NO_FAMILY for word in words)
