"""Our rules keep what their examples promise."""

from __future__ import annotations

import textwrap
from collections import Counter
from pathlib import Path

import pytest

from thingwatch.errors import InputError
from thingwatch.identify.device import Rules
from thingwatch.identify.device.banner import clean
from thingwatch.identify.device.patterns import PatternSet
from thingwatch.identify.device.signature import (
    OUR_FILES,
    PARENT_OF,
    PARENTS,
    TEXT_KINDS,
    Signature,
    our_signatures,
    read_signatures,
)

SIGNATURES = our_signatures()
RULES = Rules.load()
# What servers say: no rule may read a thing out of it.
SERVERS = [
    ("http.server", "Apache/2.4.57 (Debian)"),
    ("http.server", "Apache/2.2.15 (CentOS) DAV/2 PHP/5.3.3 mod_ssl/2.2.15 OpenSSL/1.0.1e-fips"),
    ("http.server", "nginx/1.18.0 (Ubuntu)"),
    ("http.server", "Microsoft-IIS/10.0"),
    ("http.server", "cloudflare"),
    ("http.server", "LiteSpeed"),
    ("http.server", "gunicorn/20.0.4"),
    ("http.server", "openresty/1.19.3.1"),
    ("http.title", "Welcome to nginx!"),
    ("http.title", "Apache2 Ubuntu Default Page: It works"),
    ("http.title", "IIS Windows Server"),
    ("http.title", "Plesk Obsidian 18.0.34"),
    ("http.title", "cPanel Login"),
    ("http.title", "Index of /"),
    ("http.title", "Bakery and Coffee | Example Street"),
    ("http.title", "Best wireless routers and IP cameras reviewed"),
    ("ssh.banner", "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3"),
    ("ssh.banner", "SSH-2.0-OpenSSH_7.4"),
    ("ssh.banner", "SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.6"),
    ("smtp.banner", "220 mail.example.com ESMTP Postfix (Debian/GNU)"),
    ("smtp.banner", "220 mx.example.org ESMTP Exim 4.96 Tue, 03 Jun 2025 10:00:00 +0000"),
    ("smtp.banner", "220 router.example.net ESMTP Sendmail 8.14.4/8.14.4"),
    ("imap.banner", "* OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS] Dovecot (Ubuntu) ready."),
    ("pop.banner", "+OK Dovecot ready."),
    ("ftp.banner", "220 (vsFTPd 3.0.3)"),
    ("ftp.banner", "220 ProFTPD 1.3.5e Server (Debian) [192.0.2.4]"),
    ("ftp.banner", "220---------- Welcome to Pure-FTPd [privsep] [TLS] ----------"),
    ("ftp.banner", "220 Microsoft FTP Service"),
    ("snmp.sysdescr", "Linux web1 5.10.0-21-amd64 #1 SMP Debian 5.10.162-1 (2023-01-21) x86_64"),
    ("snmp.sysdescr", "Linux db 3.10.0-1160.el7.x86_64 #1 SMP Mon Oct 19 16:18:59 UTC 2020 x86_64"),
    ("snmp.sysdescr", "Hardware: Intel64 Family 6 Model 85 - Software: Windows Version 6.3 (Build 14393)"),
    ("snmp.sysdescr", "SunOS host 5.11 11.3 i86pc"),
    ("tls.subject", "CN=www.example.com, O=Example Ltd, C=GB"),
    ("tls.issuer", "C=US, O=Let's Encrypt, CN=R3"),
    ("telnet.banner", "Ubuntu 16.04.4 LTS\r\nserver login: "),
    ("snmp.sysobjectid", "1.3.6.1.4.1.311.1.1.3.1.2"),
]


# Titles of sites about devices, and of firms that share a device's name.
WEB_SITES = [
    "Sonos Inc | Careers", "Best DVR for 2020", "Camera Hotel Barcelona", "Smart Home Solutions GmbH", "TV Guide",
    "Arlo Guthrie", "Gateway Church", "The Echo Show Podcast", "Mobile Gateway | Payments", "API Gateway",
    "SMS Gateway login", "Mail Gateway Login", "Kong Gateway Manager", "VoIP Provider Portal", "Livebox Fitness",
    "Orbi Kids", "Laser Printer Cartridges", "Jet Direct Couriers", "Video Server Status", "Hikvision Partner",
    "Wiki - Switch", "Router (React) example", "Broadband Britain", "Cable TV Listings", "Frontier Airlines",
    "Spectrum News", "Element | Sign in", "Vera Bradley", "Fritz Haber Institute", "Archer School",
    "Hikvision Europe", "NETGEAR Community", "ADSL Tarife im Vergleich", "Smart Home 24 - Onlineshop",
    "Live Webcam Alps", "Home Gateway to the world", "Solar inverter service", "Netatmo - Weather",
    "Swisscom Internet-Box Hilfe", "Xfinity Mobile", "Freebox : la box internet de Free", "Victron Energy",
]  # fmt: skip
MAIL_HOSTS = [
    ("smtp.banner", "220 mail.synology.example ESMTP Postfix"),
    ("smtp.banner", "220 fritz.box.example ESMTP Exim"),
    ("imap.banner", "* OK printer.example IMAP4rev1 ready"),
]


def test_every_rule_has_both_kinds_of_examples() -> None:
    """No rule stands without a text it must match and one it must not."""
    assert [rule.id for rule in SIGNATURES if not rule.yes or not rule.no] == []


@pytest.mark.parametrize("rule", SIGNATURES, ids=lambda rule: rule.id)
def test_a_rule_matches_its_examples_and_not_the_others(rule: Signature) -> None:
    """Among all rules it is this one that speaks, with class, parent and model as the example says."""
    for kind, text, model in rule.yes:
        label = RULES.label(kind, text)
        if rule.parent == "unknown":
            assert label is None, text
            continue
        assert label is not None, text
        if kind != "device.label":  # there another program's word has its say too
            assert label.rule == rule.id, text
        assert (label.device_class, label.parent) == (rule.device_class, rule.parent), text
        assert model is None or label.model == model, text
    alone = PatternSet([rule.pattern])
    for kind, text, _ in rule.no:
        assert kind in TEXT_KINDS
        assert not alone.hits(clean(kind, text).encode()) or kind not in rule.kinds, text


def test_ids_are_unique() -> None:
    """A label's rule can be looked up."""
    ids = [rule.id for rule in SIGNATURES]
    assert len(ids) == len(set(ids))


def test_no_server_is_called_a_thing() -> None:
    """What general servers say earns infrastructure, a computer, or nothing."""
    called = {
        text: label
        for kind, text in SERVERS
        if (label := RULES.label(kind, text)) and label.parent == "thing"
    }
    assert called == {}


def test_a_site_about_devices_is_none() -> None:
    """A title for people, or a firm that shares a device's name, earns no thing."""
    called = {
        text: label
        for text in WEB_SITES
        if (label := RULES.label("http.title", text)) and label.parent == "thing"
    }
    assert called == {}


def test_a_mail_servers_name_is_no_device() -> None:
    """Banners of mail servers hold host names, and people name hosts after anything."""
    for kind, text in MAIL_HOSTS:
        label = RULES.label(kind, text)
        assert label is not None
        assert label.parent == "infrastructure", text


def test_the_page_counts_the_rules() -> None:
    """docs/devices.md says how many rules earn each class; the rows below are the right ones."""
    page = (Path(__file__).parents[3] / "docs" / "devices.md").read_text("utf-8")
    counts = Counter(rule.device_class or rule.parent for rule in SIGNATURES)
    order = [*PARENT_OF, *sorted(PARENTS)]
    rows = [f"| `{one}` | {counts[one]} |" for one in sorted(counts, key=order.index)]
    missing = [row for row in rows if row not in page]
    assert missing == []


def test_the_pages_own_rule_works() -> None:
    """The rule that docs/devices.md shows can be copied, and keeps its own examples."""
    page = (Path(__file__).parents[3] / "docs" / "devices.md").read_text("utf-8")
    block = page.partition("    [[rule]]")
    text = textwrap.dedent("    [[rule]]" + block[2].partition("\n\n")[0])
    (rule,) = read_signatures(text, "page.toml")
    rules = Rules([rule])
    for kind, example, model in rule.yes:
        label = rules.label(kind, example)
        assert label is not None
        assert label.model == model
    assert [rules.label(kind, example) for kind, example, _ in rule.no] == [None]


def test_the_files_are_those_that_are_there() -> None:
    """A file of rules that nobody reads would be a rule nobody tests."""
    assert {rule.file for rule in SIGNATURES} == {f"{name}.toml" for name in OUR_FILES}


def test_the_home_is_covered() -> None:
    """Every class of thing that a home has is earned by some rule."""
    things = {one for one, parent in PARENT_OF.items() if parent == "thing"} - {"other_thing"}
    assert things <= {rule.device_class for rule in SIGNATURES}


def test_generic_programs_earn_no_class() -> None:
    """RomPager says thing, not which, and says it weakly."""
    for kind, text in [("http.server", "RomPager/4.07 UPnP/1.0"), ("ssh.banner", "SSH-2.0-dropbear_2019.78")]:
        label = RULES.label(kind, text)
        assert label is not None
        assert (label.device_class, label.parent) == (None, "thing")
        assert label.confidence < 0.8


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[[rule]]\npattern='x'\nclass='nas'", "no id"),
        ("[[rule]]\nid='a'\nclass='nas'", "pattern"),
        ("[[rule]]\nid='a'\npattern='x'\nclass='toaster'", "toaster"),
        ("[[rule]]\nid='a'\npattern='x'", "needs a class"),
        ("[[rule]]\nid='a'\npattern='x'\nclass='nas'\nconfidence=2", "confidence"),
        ("[[rule]]\nid='a'\npattern='x'\nclass='nas'\nkinds=['http.colour']", "http.colour"),
        ("[[rule]]\nid='a'\npattern='x'\nclass='nas'\nparent='conventional'", "needs a class"),
        ("[[rule]]\nid='a'\npattern='x'\nclass='nas'\nyes=['no kind']", "kind: text"),
        ("[[rule]]\nid='a'\npattern='x'\nclass='nas'\nfrobnicate=1", "frobnicate"),
        ("rule = 3", "[[rule]]"),
        ("[[rule", "not TOML"),
    ],
)
def test_a_bad_rule_is_named(text: str, word: str) -> None:
    """The error says which rule of which file, and what would be right."""
    with pytest.raises(InputError, match=r"own\.toml") as raised:
        read_signatures(text, "own.toml")
    assert word in str(raised.value)
