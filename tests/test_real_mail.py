"""What the program promises of real mail, held against the corpora beside the project."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from thingwatch.config import Settings
from thingwatch.identify import Networks
from thingwatch.uncover import uncover

MAIL = Path(__file__).parents[2] / "shared" / "data" / "mail"
pytestmark = pytest.mark.skipif(not MAIL.is_dir(), reason="../shared/data/mail is not here")

CORPORA = {
    "phishing_pot": 3572, "spamassassin": 4645, "csdmc2010": 954, "list_mjpeg_users": 392, "list_lkml_notmuch": 210,
    "bounces_sisimai": 401, "parser_corpora": 282,
}  # fmt: skip
_PLACE = re.compile(r"([a-z_0-9]+)\.tar\.xz:(.*)")


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """All corpora read together as one heap: the report, and messages.parquet with corpus and file."""
    folder = tmp_path_factory.mktemp("real")
    paths = [MAIL / f"{name}.tar.xz" for name in CORPORA]
    report = uncover(paths, folder / "case", Settings(), Networks.load(folder)).report
    rows = pq.read_table(folder / "case" / "messages.parquet").to_pylist()
    for row in rows:
        found = _PLACE.search(row["place"])
        assert found is not None
        row["corpus"], row["file"] = found[1], found[2].rpartition("@")[0] or found[2]
    return report, rows


def test_every_file_is_a_message_or_a_named_skip(case: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    """Nothing is lost: messages and skips cover every file of the corpora."""
    report, rows = case
    assert report["totals"]["messages"] == len(rows)
    assert len({(row["corpus"], row["file"]) for row in rows}) + report["totals"]["skipped"] >= sum(
        CORPORA.values()
    )


def test_honest_mail_is_never_called_an_attack(case: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    """At most one in a thousand of ham, list mail and bounces stands in an attack."""
    report, rows = case
    attacks = {doc["id"] for doc in report["campaigns"] if doc["verdict"] == "attack"}
    honest = [
        row
        for row in rows
        if row["corpus"] in ("list_mjpeg_users", "list_lkml_notmuch", "bounces_sisimai")
        or "ham" in row["file"].lower()
    ]
    accused = [row["place"] for row in honest if row["campaign_id"] in attacks]
    assert len(honest) > 4000
    assert len(accused) <= len(honest) / 1000, accused


def test_corpora_are_not_brought_together(case: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    """No group of five or more holds mail of two corpora: whoever shares nothing must not meet."""
    _, rows = case
    for column in ("campaign_id", "lure_id"):
        groups: dict[str, Counter[str]] = defaultdict(Counter)
        for row in rows:
            if row[column]:
                groups[row[column]][row["corpus"]] += 1
        mixed = {name: dict(kinds) for name, kinds in groups.items() if len(kinds) > 1 and kinds.total() >= 5}
        assert not mixed


def test_what_leads_to_one_place_is_put_together(case: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    """Nine of ten pairs of phishing mails with the same rare link host and subject are one lure."""
    _, rows = case
    lure = {row["file"].rpartition("/")[2]: row["lure_id"] for row in rows if row["corpus"] == "phishing_pot"}
    with (MAIL / "phishing_pot.csv").open(encoding="utf-8") as stream:
        labels = {row["file"].rpartition("/")[2]: row for row in csv.DictReader(stream)}
    hosts = Counter(host for row in labels.values() for host in set(row["url_hosts"].split()))
    together: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, row in labels.items():
        for host in set(row["url_hosts"].split()):
            if 1 < hosts[host] <= 50 and row["neardup_id"]:
                together[host, row["neardup_id"]].append(name)
    pairs = {pair for names in together.values() for pair in combinations(sorted(names), 2)}
    met = sum(lure.get(a) is not None and lure.get(a) == lure.get(b) for a, b in pairs)
    assert len(pairs) > 1000
    assert met >= 0.9 * len(pairs), f"{met} of {len(pairs)}"
