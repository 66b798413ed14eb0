"""A real rbldnsd serves the zone as the guard writes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from outlet_daemons import Rbldnsd, Rspamd, eventually, needs
from outlet_wave import NOON, shop_mail, wave_mail

from thingwatch.guard.outlets.listing import Listed
from thingwatch.guard.outlets.traits import Trait, TraitKind, digest_of, traits_of
from thingwatch.guard.outlets.zone import NEGATIVE_SECONDS, TTL_SECONDS, Zone, is_zone_name, zone_text
from thingwatch.guard.trace import read_delivery

ZONE = "campaigns.test"
NO_SUCH_NAME = 3


@dataclass
class _Row:
    """One thing to list."""

    kind: TraitKind
    name: str

    def listed(self) -> Listed:
        return Listed(Trait(self.kind, digest_of(self.name.encode()), self.name), "y-1", 0.0)


SUBJECT = _Row(TraitKind.SUBJECT, "ihre rechnung")
HOST = _Row(TraitKind.HOST, "pay.evil-lure.example")
DOMAIN = _Row(TraitKind.DOMAIN, "lures.example")


@needs("rbldnsd")
def test_rbldnsd_serves_digests_and_names(tmp_path: Path) -> None:
    """Hits by kind, misses that are not remembered for long, and a new file taken up within its check interval."""
    rows = [SUBJECT.listed(), HOST.listed(), DOMAIN.listed()]
    with Rbldnsd(ZONE, zone_text([])) as server:
        digest = digest_of(HOST.name.encode())
        code, answers, ttl = server.query(f"{digest}.hash.{ZONE}")
        assert (code, answers) == (NO_SUCH_NAME, [])
        assert ttl <= NEGATIVE_SECONDS <= 30, "a miss must not outlive the listing"
        Zone(server.zone_file).put(rows)
        took = eventually(lambda: server.query(f"{digest}.hash.{ZONE}")[1], 30)
        print(f"zone: served after {took:.3f} s with -c 1s")
        assert server.query(f"{digest}.hash.{ZONE}") == (0, [b"\x7f\0\0\x03"], TTL_SECONDS)
        assert server.query(f"{digest_of(SUBJECT.name.encode())}.hash.{ZONE}")[1] == [b"\x7f\0\0\x02"]
        assert server.query(f"{HOST.name}.name.{ZONE}")[1] == [b"\x7f\0\0\x03"]
        assert server.query(f"x.{HOST.name}.name.{ZONE}")[1] == []
        assert server.query(f"any.{DOMAIN.name}.name.{ZONE}")[1] == [b"\x7f\0\0\x04"]
        assert server.query(f"1.2.0.192.name.{ZONE}")[1] == []
        (text,) = server.query(f"{digest}.hash.{ZONE}", 16)[1]
        assert text[1:] == b"thingwatch host"
        Zone(server.zone_file).put([])
        eventually(lambda: not server.query(f"{digest}.hash.{ZONE}")[1], 30)


@settings(deadline=None)
@given(st.text(max_size=80))
def test_no_name_of_a_stranger_writes_a_line_of_its_own(name: str) -> None:
    """Whatever a link says its host is, the zone has one line for it or none."""
    empty = len(zone_text([]).splitlines())
    text = zone_text([_Row(TraitKind.HOST, name).listed()])
    assert text.isascii()
    assert len(text.split("\n")) - 1 == empty + 1 + is_zone_name(name)


def test_addresses_and_odd_names_have_no_place_by_name() -> None:
    """They are met by their digest only."""
    for name in (
        "10.2.3.4",
        "[2001:db8::1]",
        "localhost",
        "a b.example",
        "$ttl.example 1",
        "*.example",
        "é.example",
        "",
    ):
        assert not is_zone_name(name)
    assert is_zone_name("xn--bcher-kva.example")


@needs("rbldnsd")
@needs("rspamd")
def test_rspamd_finds_a_campaign_by_dns() -> None:
    """Our rbl.conf as it stands, asked of our zone."""
    traits = traits_of(read_delivery(wave_mail(1, NOON), ()))
    text = zone_text([Listed(trait, "y-1", NOON) for trait in traits])
    with (
        Rbldnsd("campaigns.thingwatch.invalid", text) as server,
        Rspamd({}, ("rbl", "groups"), dns=server.port) as rspamd,
    ):
        assert rspamd.symbols(wave_mail(3, NOON).raw) == {"THINGWATCH_SUBJECT": 1.0, "THINGWATCH_HOST": 2.0}
        assert rspamd.symbols(shop_mail(3, NOON).raw) == {}
