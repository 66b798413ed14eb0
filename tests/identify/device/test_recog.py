"""A user's folder of Recog fingerprints."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from thingwatch.errors import InputError
from thingwatch.identify.device import Rules
from thingwatch.identify.device.recog import Recog
from thingwatch.identify.device.vocabulary import RECOG_CLASSES

DATA = Path(__file__).parents[4] / "shared" / "data" / "device"
HEAD = '<?xml version="1.0"?>\n<fingerprints matches="{}">'


def written(folder: Path, body: str, matches: str = "html_title", name: str = "a.xml") -> Path:
    """A folder with one file of fingerprints."""
    (folder / name).write_text(HEAD.format(matches) + body + "</fingerprints>", "utf-8")
    return folder


def fingerprint(pattern: str, device: str, more: str = "", flags: str = "") -> str:
    """One fingerprint that names a device."""
    return (
        f'<fingerprint pattern="{pattern}" flags="{flags}"><description>x</description>'
        f'<param pos="0" name="hw.device" value="{device}"/>{more}</fingerprint>'
    )


def test_a_fingerprint_names_class_vendor_and_model(tmp_path: Path) -> None:
    """Recog's word becomes our class, its groups become names, its place becomes the rule."""
    more = '<param pos="0" name="hw.vendor" value="Acme"/><param pos="1" name="hw.product"/>'
    rules = Rules.load(written(tmp_path, fingerprint(r"^Qwx (\w+)$", "IP Camera", more)))
    found = rules.label("http.title", "Qwx M12")
    assert found is not None
    assert (found.device_class, found.vendor, found.model) == ("ip_camera", "Acme", "M12")
    assert found.rule == "recog:a.xml@1"


def test_ours_speak_before_recogs_unless_weak(tmp_path: Path) -> None:
    """A maker's rule of ours stands; a word for a small box's program gives way to a fingerprint."""
    body = fingerprint("FRITZ!Box", "Printer") + fingerprint("^RomPager", "Printer")
    rules = Rules.load(written(tmp_path, body, "http_header.server"))
    ours = rules.label("http.server", "FRITZ!Box")
    theirs = rules.label("http.server", "RomPager/4.07")
    assert ours is not None
    assert ours.device_class == "router"
    assert theirs is not None
    assert theirs.device_class == "printer"


def test_flags_are_rubys(tmp_path: Path) -> None:
    """ICASE folds case, MULTILINE lets the dot cross lines, and ^ is always a line's."""
    body = fingerprint("^qwone (\\w+)$", "NAS", flags="REG_ICASE") + fingerprint(
        "qwtwo.+end", "VoIP", flags="REG_MULTILINE"
    )
    rules = Rules.load(written(tmp_path, body + fingerprint("qwthree.+end", "Smart TV"), "telnet_banners"))
    first = rules.label("telnet.banner", "hello\nQWONE x")
    second = rules.label("telnet.banner", "qwtwo\nend")
    assert first is not None
    assert first.device_class == "nas"
    assert second is not None
    assert second.device_class == "voip"
    assert rules.label("telnet.banner", "qwthree\nend") is None


def test_the_first_match_wins_even_where_it_names_nothing(tmp_path: Path) -> None:
    """Recog puts its exceptions first; leaving them out would turn them into devices."""
    body = '<fingerprint pattern="^qwx server"><description>x</description></fingerprint>' + fingerprint(
        "^qwx", "NAS"
    )
    rules = Rules.load(written(tmp_path, body))
    assert rules.label("http.title", "qwx server") is None
    assert rules.label("http.title", "qwx box") is not None


def test_what_cannot_be_read_is_a_named_skip(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A pattern with look-around, a broken file and a file with entities are left out and told."""
    body = fingerprint("(?=a)b", "NAS") + fingerprint("^qwx", "NAS")
    written(tmp_path, body)
    (tmp_path / "b.xml").write_text("<fingerprints", "utf-8")
    (tmp_path / "c.xml").write_text(
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;">]>'
        '<fingerprints matches="html_title">&b;</fingerprints>',
        "utf-8",
    )
    (tmp_path / "d.xml").write_text(
        HEAD.format("html_title") + "<a>" * 50 + "</a>" * 50 + "</fingerprints>", "utf-8"
    )
    (tmp_path / "e.xml").write_text("<other/>", "utf-8")
    recog = Recog.load(tmp_path)
    assert [tuple(skip) for skip in recog.skips] == [
        ("a.xml@1", "recog-pattern"),
        ("b.xml", "recog-unreadable"),
        ("c.xml", "recog-unreadable"),
        ("d.xml", "recog-unreadable"),
        ("e.xml", "recog-unreadable"),
    ]
    assert Rules.load(tmp_path).skips == recog.skips
    assert "5 of Recog's rules cannot be used, the first at a.xml@1 (recog-pattern)" in caplog.text
    assert recog.label("http.title", "qwx") is not None


def test_a_folder_without_fingerprints_is_said(tmp_path: Path) -> None:
    """A wrong path is an error that names the cure, not a run without Recog."""
    with pytest.raises(InputError, match="no fingerprints"):
        Recog.load(tmp_path)
    with pytest.raises(InputError, match="no folder"):
        Recog.load(tmp_path / "missing")


def test_a_group_beyond_the_pattern_is_no_error(tmp_path: Path) -> None:
    """Positions are a stranger's numbers; templates are never shown as names."""
    more = '<param pos="7" name="hw.product" value="fixed"/><param pos="0" name="hw.vendor" value="{os.vendor}"/>'
    found = Rules.load(written(tmp_path, fingerprint("^qwx", "NAS", more))).label("http.title", "qwx")
    assert found is not None
    assert (found.vendor, found.model) == ("", "fixed")


def test_recogs_own_examples_keep_their_class() -> None:
    """Read from its own files, Recog says of its own examples what Recog says."""
    if not (DATA / "recog_xml").is_dir():
        pytest.skip("no Recog: ../shared/data/device is not beside the repository")
    recog = Recog.load(DATA / "recog_xml")
    kinds = {"html_title": "http.title", "ftp.banner": "ftp.banner", "snmp.sys_description": "snmp.sysdescr"}
    right = wrong = 0
    for line in (DATA / "recog_examples.jsonl").read_text("utf-8").splitlines():
        entry = json.loads(line)
        kind, word = kinds.get(entry["matches"]), RECOG_CLASSES.get(entry["device_class"])
        if kind is None or word is None or word == "router":
            continue
        text = entry["banner"]
        if entry["banner_encoding"] == "base64":
            text = base64.b64decode("".join(text.split())).decode("utf-8", "replace")
        found = recog.label(kind, text)
        right += found is not None and found.device_class == word
        wrong += found is None or found.device_class != word
    assert right > 500
    assert wrong <= right / 50
