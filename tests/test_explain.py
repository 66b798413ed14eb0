"""Why a message stands where it stands: from a small mailbox through a case to bits and sentences."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from thingwatch.cli import app
from thingwatch.config import Settings
from thingwatch.errors import InputError
from thingwatch.explain import explain, lines
from thingwatch.identify import Networks
from thingwatch.uncover import uncover

WORDS = (
    "amber",
    "basin",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "hazel",
    "inlet",
    "juniper",
    "kelp",
    "lagoon",
    "maple",
    "nectar",
    "oasis",
)
LURES = 40  # mails of the campaign
OTHERS = 60  # mails of strangers


def lure(number: int) -> bytes:
    """One mail of the campaign: a sentence of its own template, a fresh host, its own sender."""
    return (
        f"From x@a Mon Dec 23 09:{number:02}:00 2013\n"
        f"Received: from host{number}.isp.example ([198.51.{number}.7]) by mx.corp.example;"
        f" Mon, 23 Dec 2013 09:{number:02}:00 +0000\n"
        f"From: Teapot Desk <desk@w{number}.example>\nTo: reader{number}@corp.example\n"
        f"Subject: Your teapot {1000 + number} waits at the pier\n"
        f"Message-ID: <{number}.lure@w{number}.example>\nX-Mailer: Tea 1.0\n"
        f"Date: Mon, 23 Dec 2013 09:{number:02}:00 +0000\n"
        "Content-Type: text/plain\n\n"
        f"The clerk of the pier found your teapot {number} and its lid.\n"
        "Please come before noon, bring the saucer, and ring the brass bell twice.\n"
        f"Details: http://w{number}.example/teapot/{number}9x/claim.html\n\n"
    ).encode()


def other(number: int) -> bytes:
    """One mail of a stranger, alike to nobody's."""
    pick = [WORDS[number * (i + 3) % len(WORDS)] + chr(97 + (number * i) % 26) * 2 for i in range(14)]
    return (
        f"From y@b Tue Dec 24 10:{number % 60:02}:00 2013\n"
        f"Received: from mail.s{number}.example ([203.0.113.{number}]) by mx.corp.example;"
        f" Tue, 24 Dec 2013 10:{number % 60:02}:00 +0000\n"
        f"Message-Id: <{number}-other@s{number}.example>\nFrom: p{number}@s{number}.example\n"
        f"To: q@corp.example\nSubject: {pick[0]} {pick[1]} {pick[2]}\n\n{' '.join(pick)}\n\n"
    ).encode()


def made(folder: Path, mail: Path) -> Path:
    uncover([mail], folder, Settings().changed(workers=1), Networks.load(None, None))
    return folder


@pytest.fixture(scope="module")
def mailbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An mbox in which the campaign's mails and the strangers' alternate."""
    path = tmp_path_factory.mktemp("mail") / "inbox.mbox"
    mails = [other(n) for n in range(OTHERS)]
    for n in range(LURES):
        mails.insert(2 * n, lure(n))
    path.write_bytes(b"".join(mails))
    return path


@pytest.fixture(scope="module")
def case(mailbox: Path) -> Path:
    """The case uncover makes of it."""
    return made(mailbox.parent / "case", mailbox)


def rows(case: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(case / "messages.parquet").to_pylist()
    return found


def campaign_of(case: Path) -> str:
    """The campaign the lures are in; all forty, and nobody else."""
    found = {row["campaign_id"] for row in rows(case) if ".lure@" in row["message_id"]}
    assert len(found) == 1
    name = found.pop()
    assert name
    assert [row["campaign_id"] for row in rows(case)].count(name) == LURES
    return str(name)


def told(case: Path, what: str) -> str:
    return "\n".join(lines(explain(case, what)))


def test_a_message_by_its_id(case: Path) -> None:
    """A Message-ID finds the mail with or without brackets, and its keys are named with their bits."""
    found = explain(case, "7.lure@w7.example")
    assert found["what"] == "message"
    assert found["campaign_id"] == campaign_of(case)
    assert found == explain(case, "<7.lure@w7.example>")
    assert {family["family"] for family in found["families"]} >= {"text", "subject", "link"}
    texts = [key["text"] for family in found["families"] for key in family["keys"]]
    assert "/teapot/*/claim.html" in texts
    assert any("brass bell" in text for text in texts)
    assert "" not in texts


def test_a_message_by_its_place(case: Path, mailbox: Path) -> None:
    """A place finds the mail, whole or as its end, and reads that mail and no neighbour."""
    for row in rows(case)[::17]:
        found = explain(case, row["place"])
        assert (found["place"], found["message_id"]) == (row["place"], row["message_id"])
    end = rows(case)[3]["place"].rpartition("/")[2]
    assert end.startswith(f"{mailbox.name}@")
    assert explain(case, end)["message_id"] == rows(case)[3]["message_id"]


def test_the_waterfall_adds_up(case: Path) -> None:
    """Each family is the sum of its keys up to its cap, and the whole is the sum of the families."""
    found = explain(case, "7.lure@w7.example")
    running = 0.0
    for family in found["families"]:
        total = sum(key["counted"] for key in family["keys"])
        assert family["sum"] == pytest.approx(total, abs=0.1)
        assert family["counted"] == pytest.approx(min(total, family["cap"]), abs=0.1)
        running += family["counted"]
        assert family["running"] == pytest.approx(running, abs=0.1)
        sums = [key["sum"] for key in family["keys"]]
        assert sums == sorted(sums)
    assert found["likeness"] == pytest.approx(running, abs=0.1)
    assert found["likeness"] >= found["needed"]
    assert any(family["sum"] > family["cap"] for family in found["families"])


def test_a_message_in_no_campaign(case: Path) -> None:
    """A stranger's mail is said to be in no campaign, and no verdict is put on it."""
    found = explain(case, "4-other@s4.example")
    assert found["campaign_id"] is None
    assert found["likeness"] < found["needed"]
    assert "In no campaign" in told(case, "4-other@s4.example")


def test_a_campaign(case: Path) -> None:
    """A campaign is told by verdict, reasons in bits, readable signature, lures."""
    name = campaign_of(case)
    found = explain(case, name)
    assert found["what"] == "campaign"
    document = next(d for d in json.loads((case / "report.json").read_text())["campaigns"] if d["id"] == name)
    assert found["reasons"] == document["reasons"]
    text = told(case, name)
    assert found["headline"] in text
    for reason in document["reasons"]:
        assert reason["sentence"] in text
    assert "/teapot/*/claim.html" in text
    assert f"{sum(r['weight'] for r in document['reasons']):+.1f}  in all" in text


def test_a_lure(case: Path) -> None:
    """A lure is found by its id and names its campaign."""
    name = next(row["lure_id"] for row in rows(case) if ".lure@" in row["message_id"])
    found = explain(case, name)
    assert (found["what"], found["campaign_id"]) == ("lure", campaign_of(case))
    assert campaign_of(case) in told(case, name)


@pytest.mark.parametrize(
    "what", ["nobody@nowhere.example", "c-00000000", "l-ffffff", "inbox.mbox@99999999", "<>", "", "x\0"]
)
def test_the_unknown_is_an_error_of_ours(case: Path, what: str) -> None:
    """What the case does not hold is said in a sentence that names it, with the exit code of input."""
    with pytest.raises(InputError) as caught:
        explain(case, what)
    assert caught.value.exit_code == 3


def test_no_case(tmp_path: Path) -> None:
    """A folder that is no case, a damaged report and one of a later schema are told apart."""
    with pytest.raises(InputError, match="give the folder that uncover wrote"):
        explain(tmp_path, "c-1")
    for content, said in (("{", "not JSON"), ("[]", "no report of ours"), ('{"schema": 9}', "schema 9")):
        (tmp_path / "report.json").write_text(content)
        with pytest.raises(InputError, match=said):
            explain(tmp_path, "c-1")


def test_the_mail_is_gone(tmp_path: Path, mailbox: Path) -> None:
    """Without the mail a campaign can still be told, and a message's error says what the case alone knows."""
    copy = tmp_path / "moved.mbox"
    shutil.copy(mailbox, copy)
    folder = made(tmp_path / "case", copy)
    place = next(row["place"] for row in rows(folder) if ".lure@" in row["message_id"])
    copy.write_bytes(other(1) * 40)
    with pytest.raises(InputError, match=r"mail stands there now|mail in it is not"):
        explain(folder, place)
    copy.unlink()
    with pytest.raises(InputError, match=f"not there any more.*in campaign {campaign_of(folder)}"):
        explain(folder, place)
    assert explain(folder, campaign_of(folder))["messages"] == LURES


@pytest.mark.parametrize("form", ["gz", "files", "folder"])
def test_every_form_of_input_is_found_again(tmp_path: Path, form: str) -> None:
    """A mail in a compressed mbox, a folder of files or of small mailboxes is found by its place."""
    mails = [other(n) for n in range(12)]
    mail = tmp_path / "mail"
    if form == "gz":
        mail = tmp_path / "mail.mbox.gz"
        mail.write_bytes(gzip.compress(b"".join(mails)))
    else:
        mail.mkdir()
        for n in range(0, 12, 4):
            if form == "folder":
                (mail / f"{n}.mbox").write_bytes(b"".join(mails[n : n + 4]))
            else:
                (mail / f"{n}.eml").write_bytes(mails[n].partition(b"\n")[2])
    folder = made(tmp_path / "case", mail)
    for row in rows(folder):
        assert explain(folder, row["place"])["message_id"] == row["message_id"]


def test_nothing_in_a_mail_steers_the_terminal(tmp_path: Path) -> None:
    """Escapes, overrides and live links of a mail do not reach the lines told."""
    evil = "\x1b[31mred\x1b[0m \u202egnp.exe http://w1.example/teapot [/bold]"
    mails = [lure(n).replace(b"Your teapot", evil.encode() + b" teapot") for n in range(20)]
    mail = tmp_path / "m.mbox"
    mail.write_bytes(b"".join(mails) + b"".join(other(n) for n in range(20)))
    folder = made(tmp_path / "case", mail)
    for what in ("3.lure@w3.example", campaign_of_any(folder)):
        for line in lines(explain(folder, what)):
            assert all(char.isprintable() for char in line), repr(line)
            assert "http://" not in line
        done = CliRunner().invoke(app, ["explain", str(folder), what])
        assert done.exit_code == 0
        assert "\x1b" not in done.output


def campaign_of_any(case: Path) -> str:
    return next(str(row["campaign_id"]) for row in rows(case) if row["campaign_id"])


def test_the_command(case: Path) -> None:
    """The command prints the lines with their indentation, and with --json the facts."""
    plain = CliRunner().invoke(app, ["explain", str(case), "7.lure@w7.example"])
    assert plain.exit_code == 0
    assert [line.rstrip() for line in plain.output.splitlines()] == [
        line.rstrip() for line in lines(explain(case, "7.lure@w7.example"))
    ]
    assert any(line.startswith("    +") for line in plain.output.splitlines())
    facts = CliRunner().invoke(app, ["explain", str(case), "7.lure@w7.example", "--json"])
    assert json.loads(facts.output) == explain(case, "7.lure@w7.example")
