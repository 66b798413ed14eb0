"""p0f, MuonFP and Zeek: what was seen of the machine that connected."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from thingwatch.model import Sighting, Skip
from thingwatch.read.evidence import plan_evidence, sightings_in

ARCHIVE = Path(__file__).parents[3] / "../shared/data/logs/zeek_smtp_logs.tar.xz"
AT = 1_795_341_600_000_000  # 2026-11-22 10:00:00 UTC
STAMP = "[2026/11/22 10:00:00]"
SIG = "4:55+9:0:1460:mss*4,5:mss,sok,ts,nop,ws:df,id+:0"

Read = Callable[..., list[Sighting | Skip]]


def p0f_line(
    mod: str, rest: str, client: str = "192.0.2.7/51234", subject: str = "cli", stamp: str = STAMP
) -> str:
    return f"{stamp} mod={mod}|cli={client}|srv=198.51.100.25/25|subj={subject}|{rest}\n"


def test_p0f_gives_the_syn_of_the_client_and_shared_addresses(read: Read) -> None:
    """The raw signature and the reason for sharing are kept, with the client's own port."""
    text = (
        p0f_line("syn", f"os=Linux 3.x|dist=9|params=none|raw_sig={SIG}")
        + p0f_line("ip sharing", "reason=os_diff tstamp|raw_hits=0,0,1", client="2001:db8::7/4000")
    )  # fmt: skip
    assert read("p0f.log", text, "p0f") == [
        Sighting("192.0.2.7", "tcp.syn", SIG, AT, 51234, "tcp", "p0f", "p0f.log@1"),
        Sighting("2001:db8::7", "tcp.sharing", "os_diff tstamp", AT, 4000, "tcp", "p0f", "p0f.log@2"),
    ]


def test_p0f_names_what_it_leaves_out(read: Read) -> None:
    """Lines about servers, other modules, other addresses and broken lines are one Skip each."""
    syn = f"os=x|raw_sig={SIG}"
    lines = [
        p0f_line("syn+ack", syn, subject="srv"),
        p0f_line("mtu", "link=DSL|raw_mtu=1492"),
        p0f_line("uptime", "uptime=1 days"),
        p0f_line("host change", "reason=tstamp"),
        p0f_line("syn", syn, subject="srv"),
        p0f_line("syn", syn, client="192.0.2.8/1"),
        p0f_line("syn", syn, client="10.1.2.3/1"),
        p0f_line("syn", syn, client="x/1"),
        p0f_line("syn", syn, stamp="[2026/13/22 10:00:00]"),
        p0f_line("syn", syn, stamp="[2026/11/22 25:00:00]"),
        p0f_line("syn", syn, stamp="[1970/01/01 00:00:00]"),
        p0f_line("syn", "os=x"),
        "garbage\n",
        "\n",
        p0f_line("syn", "a=" + "x" * 20_000),
    ]
    found = read("p0f.log", "".join(lines), "p0f", wanted={"192.0.2.7"})
    assert [(item.place, getattr(item, "reason", "")) for item in found] == [
        ("p0f.log@1", "no-evidence"),
        ("p0f.log@2", "no-evidence"),
        ("p0f.log@3", "no-evidence"),
        ("p0f.log@4", "no-evidence"),
        ("p0f.log@5", "not-a-sender"),
        ("p0f.log@6", "not-a-source"),
        ("p0f.log@7", "private-address"),
        ("p0f.log@8", "no-address"),
        ("p0f.log@9", "bad-time"),
        ("p0f.log@10", "bad-time"),
        ("p0f.log@11", "impossible-time"),
        ("p0f.log@12", "p0f-malformed"),
        ("p0f.log@13", "p0f-malformed"),
        ("p0f.log@15", "line-too-long"),
    ]


@pytest.mark.parametrize("minutes", [0, 60, 330, -480, 840, -840])
def test_p0f_times_are_local_where_the_user_says_so(read: Read, minutes: int) -> None:
    """An hour east of Greenwich, ten o'clock is nine UTC; "impossible" is judged by the true time."""
    (found,) = read("p0f.log", p0f_line("syn", f"raw_sig={SIG}"), "p0f", utc_offset_minutes=minutes)
    assert isinstance(found, Sighting)
    true = AT - minutes * 60_000_000
    assert found.at == true
    for now, reasons in ((true, [""]), (true - 1, ["impossible-time"])):
        said = read("p0f.log", p0f_line("syn", f"raw_sig={SIG}"), "p0f", utc_offset_minutes=minutes, now=now)
        assert [getattr(item, "reason", "") for item in said] == reasons


def test_the_offset_of_p0f_moves_no_other_times(read: Read) -> None:
    """Only p0f leaves its zone out; what others write without a zone is UTC."""
    text = "192.0.2.7,2026-11-22 10:00:00\n"
    (found,) = read("list.txt", text, "addresses", utc_offset_minutes=60)
    assert isinstance(found, Sighting)
    assert found.at == AT


@pytest.mark.parametrize(
    ("text", "ip", "at"),
    [
        ("192.0.2.7:26847:2-4-8-1-3:1460:8\n", "192.0.2.7", None),
        ("2001:db8::7:26847:2-4-8-1-3:1460:8\n", "2001:db8::7", None),
        (
            json.dumps({"hostname": "mx", "timestamp": "2026-11-22T10:00:00Z", "ip_address": "192.0.2.7",
                        "muonfp_fingerprint": "26847:2-4-8-1-3:1460:8"}),
            "192.0.2.7",
            AT,
        ),
    ],
)  # fmt: skip
def test_muonfp_is_read_in_both_its_forms(read: Read, text: str, ip: str, at: int | None) -> None:
    """Plain lines and JSON give the same fingerprint; only JSON knows when."""
    found = read("muonfp.out", text, "muonfp")
    assert found == [
        Sighting(ip, "tcp.muonfp", "26847:2-4-8-1-3:1460:8", at, None, "tcp", "muonfp", "muonfp.out@1")
    ]


ZEEK_HEAD = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n"


def test_zeek_smtp_log_gives_the_helo(read: Read) -> None:
    """TSV and JSON give the HELO of the client; a session without one is a Skip."""
    text = ZEEK_HEAD + (
        "#fields\tts\tid.orig_h\tid.orig_p\thelo\tmailfrom\n"
        "1795341600.5\t192.0.2.7\t4000\tcam\ta@example.org\n1795341600.5\t192.0.2.7\t4001\t-\t-\n"
    )
    expected = Sighting("192.0.2.7", "smtp.helo", "cam", AT + 500_000, 4000, "tcp", "zeek:smtp", "smtp.log@6")
    assert read("smtp.log", text, "zeek") == [expected, Skip("smtp.log@7", "no-evidence")]
    row = {"ts": 1795341600.5, "id.orig_h": "192.0.2.7", "id.orig_p": 4000, "helo": "cam"}
    assert read("smtp.log", json.dumps(row) + "\n", "zeek") == [expected._replace(place="smtp.log@1")]


def test_zeek_asset_logs_give_what_answers(read: Read) -> None:
    """software.log gives server texts, not browsers; known_services.log gives open ports."""
    software = ZEEK_HEAD + (
        "#fields\tts\thost\thost_p\tsoftware_type\tname\tunparsed_version\n"
        "1795341600\t192.0.2.7\t80\tHTTP::SERVER\tBoa\tBoa/0.94\n"
        "1795341600\t192.0.2.7\t-\tHTTP::BROWSER\tFirefox\tMozilla\n"
    )
    assert read("software.log", software, "zeek") == [
        Sighting("192.0.2.7", "http.server", "Boa/0.94", AT, 80, "tcp", "zeek:software", "software.log@6"),
        Skip("software.log@7", "no-evidence"),
    ]
    services = ZEEK_HEAD + (
        "#fields\tts\thost\tport_num\tport_proto\tservice\n#types\ttime\taddr\tport\tenum\tset[string]\n"
        "1795341600\t192.0.2.7\t161\tudp\tSNMP\n"
    )
    found = read("known_services.log", services, "zeek")
    assert [(i.kind, i.value, i.port, i.transport) for i in found if isinstance(i, Sighting)] == [
        ("port.open", "snmp", 161, "udp"),
        ("exposure", "snmp_exposed", 161, "udp"),
    ]


def test_zeek_speaks_of_the_sender_only_where_asked(read: Read) -> None:
    """HELO at another address is left out; what answers there is a control and stays."""
    row = {"ts": 1795341600, "id.orig_h": "192.0.2.7", "helo": "cam"}
    assert read("s.log", json.dumps(row), "zeek", wanted=set()) == [Skip("s.log@1", "not-a-source")]
    service = {"ts": 1795341600, "host": "192.0.2.7", "port_num": 23, "port_proto": "tcp", "service": ["X"]}
    assert len(read("k.log", json.dumps(service), "zeek", wanted=set())) == 1


def test_real_smtp_logs_are_accounted_for() -> None:
    """In nine published logs each of 16 rows is one Skip: their times are blanked out, some hosts private."""
    if not ARCHIVE.is_file():
        pytest.skip("the published logs are not here")
    (file,) = plan_evidence([ARCHIVE])
    found = [item for item in sightings_in(file, keep_private=True) if ".log@" in item.place]
    assert Counter(item.reason for item in found if isinstance(item, Skip)) == {"bad-time": 16}
    assert len(found) == 16
