"""Zeek, rspamd, Microsoft 365 and Defender exports as Messages."""

import io
import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingwatch.model import Authentication, Message, Skip
from thingwatch.read import records
from thingwatch.read.export import READERS, defender, m365, rspamd, zeek

LOGS = Path(__file__).parents[2] / "../shared/data/logs"
WHEN = int(datetime(2026, 11, 22, 19, 44, 1, tzinfo=UTC).timestamp()) * 1_000_000


def read(form: str, text: str | bytes) -> list[Message | Skip]:
    raw = text.encode() if isinstance(text, str) else text
    streamed = list(READERS[form](io.BytesIO(raw), "x"))
    # A stream and a list of lines are the same input.
    assert list(READERS[form](raw.splitlines(keepends=True), "x")) == streamed
    return streamed


ZEEK = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tsmtp\n"
    "#fields\tts\tuid\tid.orig_h\thelo\tmailfrom\trcptto\tfrom\tmsg_id\tin_reply_to\tsubject\tlast_reply\n"
    "#types\ttime\tstring\taddr\tstring\tstring\tset[string]\tstring\tstring\tstring\tstring\tstring\n"
    "1795376641.500000\tC1\t2001:DB8::7\tcam\t<A@Example.net>\tb@example.org,c@example.org\t"
    '"Anna \\xc3\\x84" <A@example.net>\t<1@x>\t-\t=?utf-8?q?H=C3=B6hle?=\t250 OK\n'
    "1795376641.5\tC2\t203.0.113.7\tcam\t-\t(empty)\t-\t-\t-\t-\t-\n"
    "1795376641.5\tC3\t203.0.113.7\tcam\ta@example.net\tb@example.org\t-\t-\t-\t-\t550 no\n"
    "too\tshort\n"
    "#close\t2026\n"
)


def test_zeek_tsv_is_read_by_its_own_head() -> None:
    """Names, sets, unset values and escapes follow the # lines; a row without envelope is named."""
    first, second, third, last = read("zeek", ZEEK)
    assert first == Message(
        place="x:8",
        message_id="1@x",
        received_at=WHEN + 500_000,
        client_ip="2001:db8::7",
        helo="cam",
        mail_from="a@example.net",
        header_from="a@example.net",
        from_name="Anna Ä",
        rcpt_to=("b@example.org", "c@example.org"),
        subject="Höhle",
        logged=True,
    )
    assert second == Skip("x:9", "no-envelope")
    assert isinstance(third, Message)
    assert third.defects == ("rejected",)
    assert last == Skip("x:11", "tsv-malformed")


def test_zeek_json_says_the_same() -> None:
    """Zeek's JSON lines give the Message its TSV gives, with either kind of time."""
    row = {
        "ts": 1795376641.5,
        "id.orig_h": "203.0.113.7",
        "helo": "cam",
        "mailfrom": "a@example.net",
        "rcptto": ["b@example.org"],
        "in_reply_to": "<0@x>",
        "subject": "Hi",
    }
    rows = [row, {**row, "ts": "2026-11-22T19:44:01.500000Z"}]
    found = read("zeek", "".join(json.dumps(row) + "\n" for row in rows))
    for message in found:
        assert isinstance(message, Message)
        assert (message.received_at, message.client_ip, message.rcpt_to, message.reply) == (
            WHEN + 500_000,
            "203.0.113.7",
            ("b@example.org",),
            True,
        )


HISTORY = {
    "unix_time": WHEN // 1_000_000,
    "ip": "203.0.113.7",
    "sender_smtp": "A@example.net",
    "sender_mime": "c@example.net",
    "rcpt_smtp": ["b@example.org"],
    "rcpt_mime": ["b@example.org"],
    "user": "unknown",
    "subject": "Hi",
    "size": 99,
    "message-id": "1@x",
    "action": "reject",
    "helo": "cam",
    "symbols": {
        "R_SPF_SOFTFAIL": {"score": 0.1},
        "R_DKIM_ALLOW": {"score": -0.2, "options": ["example.net:s=k1"]},
        "DMARC_POLICY_ALLOW": {"score": -0.5},
    },
}


@pytest.mark.parametrize("shape", ["lines", "array", "indented", "rows"])
def test_rspamd_history_is_read_in_every_shape(shape: str) -> None:
    """Lines, an array, an indented one and the controller's {"rows": [...]} give the same Messages."""
    rows = [HISTORY, HISTORY]
    text = {
        "lines": "".join(json.dumps(row) + "\n" for row in rows),
        "array": json.dumps(rows),
        "indented": json.dumps(rows, indent=2),
        "rows": json.dumps({"version": 2, "rows": rows}),
    }[shape]
    found = read("rspamd", text)
    assert len(found) == 2
    assert found[0]._replace(place="x:1") == Message(
        place="x:1",
        message_id="1@x",
        received_at=WHEN,
        client_ip="203.0.113.7",
        helo="cam",
        mail_from="a@example.net",
        header_from="c@example.net",
        rcpt_to=("b@example.org",),
        subject="Hi",
        authentication=Authentication("softfail", "pass", "pass", "example.net"),
        size=99,
        logged=True,
        defects=("rejected",),
    )


def test_rspamd_metadata_has_no_time() -> None:
    """The exporter's format is read, its missing time is said, and "unknown" is nothing."""
    (message,) = read(
        "rspamd",
        json.dumps(
            {
                "ip": "unknown",
                "user": "anna",
                "qid": "unknown",
                "subject": "unknown",
                "action": "no action",
                "from": "a@example.net",
                "rcpt": ["b@example.org"],
                "symbols": [{"name": "R_SPF_ALLOW", "score": -0.2}],
                "header_from": ["Anna <A@example.com>"],
                "message_id": "1@x",
                "size": 5,
            }
        ),
    )
    assert isinstance(message, Message)
    assert (message.received_at, message.client_ip, message.subject) == (None, None, "")
    assert message.defects == ("submission", "time-missing")
    assert (message.header_from, message.from_name) == ("a@example.com", "Anna")
    assert message.authentication == Authentication(spf="pass", domain="example.net")


CMDLET = (
    '"Received","SenderAddress","RecipientAddress","Subject","Status","FromIP","ToIP","Size","MessageId",'
    '"MessageTraceId"\r\n'
    '"11/22/2026 7:44:01 PM","A@example.net","b@example.org","Hi; ""you"",\r\nthere","Delivered",'
    '"203.0.113.7",,"1,234","<1@x>","t-1"\r\n'
    '"2026-11-22T19:44:01Z","A@example.net","c@example.org","Hi","Failed","203.0.113.7",,"1234","<1@x>","t-1"\r\n'
    '"2026-11-22T19:44:01","z@example.net","b@example.org","Ho","Delivered","",,"","<2@x>","t-2"\r\n'
    '"2026-11-22T19:44:01","short"\r\n'
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_a_message_trace_is_one_message_per_mail(encoding: str) -> None:
    """Rows of one trace id are one Message with all recipients, in UTF-8 and UTF-16."""
    raw = CMDLET.encode(encoding)
    found = list(m365(io.BytesIO(raw), "x"))
    assert found[0] == Skip("x:6", "csv-malformed")
    assert found[1] == Message(
        place="x:2",
        message_id="1@x",
        received_at=WHEN,
        client_ip="203.0.113.7",
        mail_from="a@example.net",
        rcpt_to=("b@example.org", "c@example.org"),
        subject='Hi; "you", there',
        size=1234,
        logged=True,
    )
    assert isinstance(found[2], Message)
    assert (found[2].client_ip, found[2].size) == (None, 0)


def test_a_historical_search_is_read() -> None:
    """The portal's columns, in another order, with every recipient in one cell and a direction."""
    (message, sent) = read(
        "m365",
        "Message_ID,sender_address,origin_timestamp_utc,recipient_status,message_subject,total_bytes,"
        "network_message_id,original_client_ip,directionality\n"
        "<1@x>,a@example.net,2026-11-22T19:44:01.0000000Z,b@example.org##Receive; c@example.org##Fail,Hi,77,"
        "n1,203.0.113.7,Incoming\n"
        "<2@x>,b@example.org,2026-11-22T19:44:01Z,d@example.com##Receive,Re,7,n2,10.0.0.1,Originating\n",
    )
    assert isinstance(message, Message)
    assert isinstance(sent, Message)
    assert (message.rcpt_to, message.received_at, message.size, message.client_ip, message.defects) == (
        ("b@example.org", "c@example.org"),
        WHEN,
        77,
        "203.0.113.7",
        (),
    )
    assert sent.defects == ("submission",)


EVENT = {
    "Timestamp": "2026-11-22T19:44:01Z",
    "NetworkMessageId": "n1",
    "InternetMessageId": "<1@x>",
    "SenderMailFromAddress": "a@example.net",
    "SenderFromAddress": "Bank@example.com",
    "SenderDisplayName": "Bank",
    "SenderIPv4": "",
    "SenderIPv6": "2001:DB8::7",
    "RecipientEmailAddress": "b@example.org",
    "Subject": "Hi",
    "EmailDirection": "Inbound",
    "DeliveryAction": "Blocked",
    "EmailSize": 321,
    "AuthenticationDetails": '{"SPF":"pass","DKIM":"fail","DMARC":"fail","CompAuth":"fail"}',
}


@pytest.mark.parametrize("shape", ["lines", "array", "results", "csv", "hub"])
def test_email_events_are_read_in_every_shape(shape: str) -> None:
    """CSV, JSON lines, an array, API results and an event hub's wrapping give one Message."""
    rows = [EVENT, {**EVENT, "RecipientEmailAddress": "c@example.org"}]
    cells = [list(EVENT), *([str(value) for value in row.values()] for row in rows)]
    text = {
        "lines": "\n".join(json.dumps(row) for row in rows),
        "array": json.dumps(rows, indent=1),
        "results": json.dumps({"@odata.context": "x", "Results": rows}),
        "csv": "\n".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in cells),
        "hub": "\n".join(json.dumps({"category": "EmailEvents", "properties": row}) for row in rows),
    }[shape]
    (message,) = read("defender", text)
    assert message._replace(place="x:1") == Message(
        place="x:1",
        message_id="1@x",
        received_at=WHEN,
        client_ip="2001:db8::7",
        mail_from="a@example.net",
        header_from="bank@example.com",
        from_name="Bank",
        rcpt_to=("b@example.org", "c@example.org"),
        subject="Hi",
        authentication=Authentication("pass", "fail", "fail", "example.net"),
        size=321,
        logged=True,
        defects=("rejected",),
    )


def test_a_bad_line_costs_only_itself() -> None:
    """Broken, nested, oversized and wrongly typed lines are named; the good line after them is read."""
    lines = [
        "{",
        "[" * 5 + "1",
        "7",
        '{"a":' * 100_000,
        '{"ip": {"a": 1}, "rcpt": 5, "from": ["x"], "unix_time": {}}',
    ]
    found = read("rspamd", "\n".join(['{"x": "y"}', *lines, json.dumps(HISTORY)]))
    assert [skip.reason for skip in found[:-1] if isinstance(skip, Skip)] == [
        "no-envelope",
        "json-malformed",
        "json-malformed",
        "json-malformed",
        "json-malformed",
    ]
    assert isinstance(found[-1], Message)


def test_a_record_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line or an array element beyond the bound is refused by name, not held."""
    monkeypatch.setattr(records, "MAX_RECORD_BYTES", 1_000)
    long = json.dumps({**HISTORY, "subject": "x" * 5_000})
    assert read("rspamd", long + "\n" + json.dumps(HISTORY))[0] == Skip("x:1", "line-too-long")
    assert isinstance(read("rspamd", "[" + '{"a": "' + "x" * 5_000_000)[0], Skip)


def test_a_cut_array_gives_what_came_before() -> None:
    """An array that breaks off is read up to there, and the break is named."""
    text = json.dumps([HISTORY] * 3)
    found = read("rspamd", text[:-20])
    assert [type(item) for item in found] == [Message, Message, Skip]
    assert found[-1] == Skip("x:1", "json-truncated")


PIECES = [b"\n", b"\0", b'"', b"{", b"[", b'"rows":[']


@settings(deadline=None)
@given(
    st.sampled_from(["zeek", "rspamd", "m365", "defender"]),
    st.lists(
        st.one_of(st.binary(max_size=60), st.sampled_from([b"\n", b"\0", b'"', b"{", b"[", b'"rows":['])),
        max_size=20,
    ),
)
def test_no_bytes_raise(form: str, pieces: list[bytes]) -> None:
    """Whatever the bytes, with and without a proper head, a reader ends and raises nothing."""
    heads = {"zeek": ZEEK.encode(), "m365": CMDLET.encode(), "defender": json.dumps(EVENT).encode() + b"\n"}
    for head in (b"", heads.get(form, json.dumps([HISTORY]).encode()[:-1] + b",")):
        for item in READERS[form](io.BytesIO(head + b"".join(pieces)), "x"):
            assert isinstance(item, Message | Skip)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        dict.fromkeys({*HISTORY, *EVENT, "mailfrom", "rcptto", "ts", "from", "name"}, values)
    )
)
def test_no_value_of_any_type_raises(row: dict[str, object]) -> None:
    """A column that holds another type than it should gives a Message or a Skip."""
    raw = json.dumps(row).encode()
    for reader in (zeek, rspamd, m365, defender):
        assert len(list(reader([raw], "x"))) == 1


def test_real_zeek_logs_are_read_whole() -> None:
    """Every row of Zeek's own baselines is a Message with the client and envelope that stand in it."""
    path = LOGS / "zeek_smtp_logs.tar.xz"
    if not path.exists():
        pytest.skip("zeek_smtp_logs.tar.xz is not here")
    rows = 0
    with tarfile.open(path) as archive:
        for entry in archive.getmembers():
            file = archive.extractfile(entry)
            if not entry.name.endswith(".log") or file is None:
                continue
            raw = file.read()
            lines = [line.split("\t") for line in raw.decode().splitlines() if line[:1] != "#"]
            found = list(zeek(io.BytesIO(raw), entry.name))
            assert len(found) == len(lines)
            for cells, message in zip(lines, found, strict=True):
                assert isinstance(message, Message)
                rows += 1
                assert message.client_ip == cells[2]
                assert (message.helo, message.mail_from or "-") == (cells[7], cells[8])
                assert ",".join(message.rcpt_to) or cells[9] == "-"
                assert message.subject == ("" if cells[17] == "-" else cells[17])
    assert rows >= 14
