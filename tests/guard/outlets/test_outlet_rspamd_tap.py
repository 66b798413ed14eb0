"""What Rspamd posts about a mail: a real exporter of 3.4, the forms of 4.x, and whatever else may come in."""

from __future__ import annotations

import asyncio
import json
import struct
import threading
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from outlet_daemons import Rspamd, eventually, needs
from outlet_wave import HOST, NOON, SUBJECT, Clock, guard_with, play, wave_mail

from thingwatch.errors import UsageError
from thingwatch.guard import Delivery
from thingwatch.guard.outlets.publish import Publisher
from thingwatch.guard.outlets.rspamd import AUTHSERV_ID, Metadata, delivery_of, tap, unpacked
from thingwatch.guard.trace import read_delivery

KNOWN = {
    "ip": "203.0.113.9", "user": "unknown", "qid": "4XyZ", "subject": SUBJECT, "action": "no action", "score": 1.5,
    "rcpt": ["user@border.test"], "from": "anna@home.example", "scan_time": 3, "fuzzy": [],
    "symbols": [
        {"name": "R_SPF_ALLOW", "score": -0.2, "options": ["+ip4:203.0.113.0/24"]},
        {"name": "R_DKIM_ALLOW", "score": -0.2, "options": ["home.example:s=k1"]},
    ],
    "header_from": ["Anna <anna@home.example>"], "message_id": "1@mail",
}  # fmt: skip
MAIL = wave_mail(1, NOON).raw


def packed(value: Any) -> bytes:
    """*value* in MessagePack, in the longest forms; written apart from what reads it."""
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return b"\xd3" + struct.pack(">q", value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str | bytes):
        raw = value.encode() if isinstance(value, str) else value
        return (b"\xdb" if isinstance(value, str) else b"\xc6") + struct.pack(">I", len(raw)) + raw
    if isinstance(value, list):
        return b"\xdd" + struct.pack(">I", len(value)) + b"".join(map(packed, value))
    return b"\xdf" + struct.pack(">I", len(value)) + b"".join(packed(k) + packed(v) for k, v in value.items())


def form(name: str, known: dict[str, Any] = KNOWN, raw: bytes = MAIL) -> tuple[bytes, dict[str, list[str]]]:
    """Body and fields as each formatter posts them."""
    plain = {"content-type": ["text/plain"]}
    if name == "default":
        fields = {
            f"x-rspamd-{key}": [value if isinstance(value, str) else json.dumps(value)]
            for key, value in known.items()
        }
        return raw, {**plain, **fields}
    if name == "json":
        return json.dumps(known).encode(), plain
    if name == "json_with_message":
        return json.dumps({**known, "message": b64encode(raw).decode()}).encode(), plain
    if name == "msgpack":
        return packed({**known, "message": raw}), plain
    if name == "structured":
        text = {"text": zstandard.compress(b"open the document"), "text_compressed": True, "uuid": "0" * 36}
        urls = {"urls": [{"url": f"http://{HOST}/x", "host": HOST, "tld": "evil-lure.example"}]}
        return packed({**known, **text, **urls, "is_reply": False}), plain
    body = (
        b'--b0b\r\nContent-Disposition: form-data; name="metadata"\r\nContent-Type: application/json\r\n\r\n'
    )
    body += json.dumps(known).encode() + b'\r\n--b0b\r\nContent-Disposition: form-data; name="message";'
    body += b' filename="message.eml"\r\nContent-Type: message/rfc822\r\n\r\n' + raw + b"\r\n--b0b--\r\n"
    return body, {"content-type": ['multipart/form-data; boundary="b0b"']}


@pytest.mark.parametrize("name", ["default", "json_with_message", "msgpack", "multipart"])
def test_a_whole_mail_becomes_a_delivery(name: str) -> None:
    """The mail byte for byte below the checks, the envelope, the client, and no login where none was."""
    found = delivery_of(*form(name), wall=Clock())
    assert isinstance(found, Delivery)
    assert found.raw.endswith(MAIL)
    assert found.session.client_ip == "203.0.113.9"
    assert found.session.rcpt_to == ("user@border.test",)
    assert (found.queue_id, found.login, found.truncated) == ("4XyZ", "", False)
    checks = read_delivery(found, {AUTHSERV_ID.encode()}).authentication
    assert (checks.spf, checks.dkim, checks.domain) == ("pass", "pass", "home.example")
    assert read_delivery(found, {b"other"}).authentication.domain == ""


def test_nobody_speaks_in_rspamd_s_name() -> None:
    """A field of the sender's under the name we give Rspamd is taken out, wherever in the top block it stands."""
    forged = (
        b"Received-SPF: pass\nAuthentication-Results:\n "
        + AUTHSERV_ID.upper().encode()
        + b"; dkim=pass header.d=bank.example\n"
    )
    known = {**KNOWN, "symbols": []}
    found = delivery_of(*form("default", known, forged + MAIL))
    assert isinstance(found, Delivery)
    assert read_delivery(found, {AUTHSERV_ID.encode()}).authentication == ("", "", "", "")
    known["symbols"] = [{"name": "R_DKIM_ALLOW", "options": ["x\r\nSubject: y:s=z"]}]
    found = delivery_of(*form("default", known, MAIL))
    assert isinstance(found, Delivery)
    assert found.raw == f"Authentication-Results: {AUTHSERV_ID}; dkim=pass\n".encode() + MAIL


@pytest.mark.parametrize("name", ["json", "structured"])
def test_what_comes_without_a_mail_is_metadata(name: str) -> None:
    """Envelope and subject; of 4.x text and hosts too."""
    found = delivery_of(*form(name))
    assert isinstance(found, Metadata)
    assert (found.message.subject, found.message.client_ip) == (SUBJECT, "203.0.113.9")
    assert (found.text, found.hosts) == (("open the document", (HOST,)) if name == "structured" else ("", ()))


def test_metadata_is_counted_for_campaigns_that_are_listed() -> None:
    """The guard takes no such mail in, but tells when it belongs to a campaign it lists."""
    clock = Clock()
    events: list[dict[str, Any]] = []
    guard = guard_with(clock, events)
    publisher = Publisher(guard, events=events.append, wall=clock)
    play(publisher.beside(guard.decide), clock, range(1, 60))
    for event in list(events):
        publisher.tell(event)
    asyncio.run(publisher.turn())
    into = tap(publisher, clock)
    assert into(*form("structured")) == []
    assert into(*form("json", {**KNOWN, "subject": "Another matter altogether"})) == []
    assert publisher.counts["reported without the mail"] == 2
    (told,) = [e for e in events if e["event"] == "reported"]
    assert told["campaign"] == publisher.listed[0].campaign
    assert into(*form("default"))[0].queue_id == "4XyZ"


@settings(deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from(["", "text/plain", "multipart/form-data; boundary=b0b", "multipart/form-data"]),
)
def test_arbitrary_bytes_never_raise_anything_but_our_error(body: bytes, kind: str) -> None:
    """Nor do they become a mail without X-Rspamd fields."""
    for start in (b"", b"{", b"\xdf\0\0\0\1", b'--b0b\r\nname="metadata"\r\n\r\n{'):
        try:
            found = delivery_of(start + body, {"content-type": [kind]})
        except UsageError:
            continue
        assert isinstance(found, Metadata | Delivery)


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(["default", "json", "json_with_message", "msgpack", "structured", "multipart"]),
    st.dictionaries(
        st.sampled_from([*KNOWN, "message", "text", "urls", "text_compressed"]),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(1 << 63), (1 << 63) - 1)
            | st.floats()
            | st.text(max_size=30),
            lambda inner: (
                st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
            ),
            max_leaves=8,
        ),
        max_size=6,
    ),
    st.integers(0, 400),
)
def test_sound_forms_with_odd_values_or_cut_short(name: str, odd: dict[str, Any], cut: int) -> None:
    """Values of any type in any field, and posts that end early."""
    body, fields = form(name, {**KNOWN, **odd})
    for posted in (body, body[:cut], body[: len(body) - cut]):
        try:
            found = delivery_of(posted, fields)
        except UsageError:
            continue
        if isinstance(found, Delivery):
            read_delivery(found, {AUTHSERV_ID.encode()})


def test_msgpack_has_bounds() -> None:
    """Claims of a billion items, depth, extension types, lists as names: refused, and at no cost."""
    for data in (
        b"\xdd\x3f\xff\xff\xff",
        b"\xdf\x3f\xff\xff\xff",
        b"\xc6\x3f\xff\xff\xff",
        b"\x91" * 5000,
        b"\x81\x90\x01",
        b"\x81\xa1a\xd4\x01\x00",
        b"\xc1",
        b"\xc0\xc0",
        b"\xc0",
        b"",
    ):
        with pytest.raises(ValueError, match=r"."):
            unpacked(data)
    assert unpacked(b"\x82\xa1a\x01\xa1b\x92\xff\xcd\x01\x00") == {b"a": 1, b"b": [-1, 256]}


@needs("rspamd")
@pytest.mark.parametrize("formatter", ["default", "json"])
def test_a_real_rspamd_posts(formatter: str) -> None:
    """Our snippet as it stands: every scanned mail arrives, and Rspamd does not wait for us."""
    posts: list[tuple[bytes, dict[str, list[str]]]] = []

    class Ear(BaseHTTPRequestHandler):
        """Keeps what is posted."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posts.append((body, {name.lower(): self.headers.get_all(name, []) for name in self.headers}))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Ear)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    replaced = {
        "127.0.0.1:8894": f"127.0.0.1:{server.server_port}",
        'formatter = "default"': f'formatter = "{formatter}"',
    }
    mail = wave_mail(7, NOON)
    with Rspamd(replaced, ("metadata_exporter",)) as rspamd:
        assert rspamd.symbols(mail.raw) == {}
        eventually(lambda: posts)
    server.shutdown()
    server.server_close()
    found = delivery_of(*posts[0], wall=Clock())
    if formatter == "json":
        assert isinstance(found, Metadata)
        assert found.message.subject == SUBJECT
        return
    assert isinstance(found, Delivery)
    assert found.raw == mail.raw
    assert found.session.client_ip == "203.0.113.9"
    assert found.session.mail_from == "a@sender.example"
    assert found.session.rcpt_to == ("user@border.test",)
    assert found.login == ""
