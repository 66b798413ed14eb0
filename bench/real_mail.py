"""What becomes of real mail: is all of it accounted for, is anybody wronged, and is what belongs together found?

    python bench/real_mail.py [--misses 20]

All corpora of ../shared/data/mail are read together, as one heap. Grouping is measured twice: as it is, and with
the keys of links taken away, because the truth for the second comes from links and attachments alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import statistics
import time
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import pyarrow.parquet as pq
from corpora import INNOCENT, Where, archives, blurred, labels, members, where_of

from thingwatch.config import Settings
from thingwatch.fingerprint import fingerprint
from thingwatch.group import group
from thingwatch.identify import Networks
from thingwatch.kernel import digest_all
from thingwatch.model import Message, RawMail
from thingwatch.read import Border, plan, read_message
from thingwatch.read.mailbox import mails_in
from thingwatch.store import Embedded
from thingwatch.uncover import load_tables, uncover

FOLDER = Path(__file__).parents[1] / "build" / "real_mail"
LINK_KINDS = (6, 7, 8)
BIG = 5  # messages from which a group is looked at for mixing
RARE = 50  # mails a link's host may stand in to count as rare
MAX_BLOCK = 200  # mails that must all be together; larger blocks are shared pictures, not campaigns
SLOW_SECONDS = 0.02
PHISH = "phishing_pot"
EMPTY = hashlib.sha256(b"").hexdigest()[:16]  # as the labels write an attachment of no bytes


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--misses", type=int, default=20, help="kinds of missed pairs to list")
    given = parser.parse_args()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    account(archives())
    verdicts(archives())
    recall(archives(), given.misses)


def account(paths: list[Path]) -> None:
    """Every member must give a message or a named skip, and none may be slow."""
    fingerprint([Message(place="")])  # compiled once, before anything is timed
    border, seen, skips, defects = Border(), set[str](), Counter[str](), Counter[str]()
    seconds: list[tuple[float, float, int]] = []  # to read, to fingerprint, and bytes
    for load in plan(paths):
        for item in mails_in(load):
            seen.add(item.place.partition("@")[0].split(".tar.xz:", 1)[-1])
            if not isinstance(item, RawMail):
                skips[item.reason] += 1
                continue
            read, printed = _seconds(item, border)
            if max(read, printed) > SLOW_SECONDS:
                # Once more: a busy machine or the cycle collector looks like a slow mail, but not twice.
                read, printed = map(min, (read, printed), _seconds(item, border))
            seconds.append((read, printed, len(item.raw)))
            defects.update(read_message(item, border).defects)
    names = {name for path in paths for name, _ in members(path)}
    # An archive inside the archive, or an mbox, gives places below its own name.
    lost = sorted(
        name for name in names if name not in seen and not any(s.startswith(f"{name}:") for s in seen)
    )
    print(
        f"read: {len(names):,} files, {len(seconds):,} messages, {skips.total()} skips {dict(skips)},"
        f" {len(lost)} lost {lost[:5]}"
    )
    for step, name in enumerate(("read", "fingerprint")):
        slowest = max(seconds, key=lambda one: one[step])
        usual = statistics.median(one[step] for one in seconds)
        print(
            f"slowest to {name}: {slowest[step] * 1e3:.1f} ms, a mail of {slowest[2]:,} bytes;"
            f" median {usual * 1e6:.0f} us"
        )
    print(f"defects: {', '.join(f'{name} {n}' for name, n in defects.most_common())}\n")


def _seconds(mail: RawMail, border: Border) -> tuple[float, float]:
    """Processor time to read *mail*, and to fingerprint it alone."""
    started = time.process_time()
    message = read_message(mail, border)
    read = time.process_time()
    fingerprint([message])
    return read - started, time.process_time() - read


def verdicts(paths: list[Path]) -> None:
    """Who is accused, and which groups hold mail of several corpora."""
    case = FOLDER / "case"
    uncover(paths, case, Settings(), Networks.load(None, None))
    report = json.loads((case / "report.json").read_text("utf-8"))
    attacks = {one["id"] for one in report["campaigns"] if one["verdict"] == "attack"}
    total, accused = Counter[str](), Counter[str]()
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    corpora: dict[str, Counter[str]] = defaultdict(Counter)
    for row in pq.read_table(case / "messages.parquet", columns=["campaign_id", "place"]).to_pylist():
        where, campaign = where_of(row["place"]), row["campaign_id"]
        total[where.corpus] += 1
        if campaign is not None:
            groups[campaign][where.archive] += 1
            corpora[campaign][where.corpus] += 1
            accused[where.corpus] += campaign in attacks
    print("| corpus | messages | in attack verdicts |\n| --- | --- | --- |")
    for corpus, n in sorted(total.items()):
        print(f"| {corpus} | {n:,} | {accused[corpus]} |")
    said = dict(Counter(one["verdict"] for one in report["campaigns"]))
    wronged, innocent = (sum(counts[corpus] for corpus in INNOCENT) for counts in (accused, total))
    print(f"\nverdicts: {said}; innocent mail accused: {wronged} of {innocent:,}")
    big = [one for one in groups.values() if one.total() >= BIG]
    mixed = [dict(one) for one in big if len(one) > 1]
    sides = [
        dict(one) for one in corpora.values() if one.total() >= BIG and len({c in INNOCENT for c in one}) > 1
    ]
    print(
        f"groups of {BIG} or more: {len(big)}; of several archives: {len(mixed)} {mixed};"
        f" of ham and spam: {len(sides)} {sides}\n"
    )


def recall(paths: list[Path], misses: int) -> None:
    """Pairs of phishing mails that must be together, by attachment or rare link, with links hidden and not."""
    work = FOLDER / "work"
    work.mkdir()
    settings = Settings()
    print("| links | pairs by | pairs | in one lure | in one campaign |\n| --- | --- | --- | --- | --- |")
    for hidden in (True, False):
        with Embedded(settings, work) as engine:
            load_tables(engine, digest_all(engine, paths, Border(), settings, lambda stage, rows: None))
            if hidden:
                kinds = ", ".join(map(str, LINK_KINDS))
                engine.run(f"CREATE TABLE shown AS SELECT * FROM keys WHERE kind NOT IN ({kinds})")
                engine.run("DROP VIEW keys")
                engine.run("ALTER TABLE shown RENAME TO keys")
            group(engine, settings)
            rows = engine.rows(
                "SELECT d.place, d.subject, m.lure, c.campaign FROM details AS d"
                " LEFT JOIN members AS m ON m.seq = d.seq LEFT JOIN campaign_members AS c ON c.seq = d.seq"
            )
        found = [(where_of(place), subject, lure, campaign) for place, subject, lure, campaign in rows]
        missed = _print_pairs(
            "hidden" if hidden else "seen", [one for one in found if one[0].archive == PHISH]
        )
        if hidden:
            listed = [f"{n} {subject[:40]!r}" for subject, n in missed.most_common(misses)]
    print(f"\npairs missed with links hidden, by subject: {'; '.join(listed)}")


Found = tuple[Where, str, int | None, int | None]


def _print_pairs(shown: str, found: list[Found]) -> Counter[str]:
    """One row per source of truth; gives the missed pairs by blurred subject."""
    lure = {where.file: lure for where, _, lure, _ in found}
    campaign = {where.file: campaign for where, _, _, campaign in found}
    subject = {where.file: blurred(text) for where, text, _, _ in found}
    missed: Counter[str] = Counter()
    for kind, pairs in _must_link(subject).items():
        together = [(_same(lure, a, b), _same(campaign, a, b)) for a, b in pairs]
        lures, campaigns = (sum(one[side] for one in together) for side in (0, 1))
        n = max(1, len(pairs))
        print(
            f"| {shown} | {kind} | {len(pairs):,} | {lures:,} ({lures / n:.1%}) | {campaigns:,} ({campaigns / n:.1%}) |"
        )
        if kind == "either, with subject":
            missed.update(subject[a] for (a, _), (one, _) in zip(pairs, together, strict=True) if not one)
    return missed


def _must_link(subject: dict[str, str]) -> dict[str, list[tuple[str, str]]]:
    """Pairs of files that must be together, by what says so; computed without any text but the subject."""
    rows = {file: row for file, row in labels(PHISH).items() if subject.get(file)}
    hosts = Counter(host for row in rows.values() for host in set(row["url_hosts"].split()))
    blocks: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for file, row in rows.items():
        for attachment in row["attachment_sha16"].split():
            if attachment != EMPTY:
                blocks["same attachment", attachment, ""].add(file)
                blocks["same attachment and subject", attachment, subject[file]].add(file)
        for host in row["url_hosts"].split():
            if hosts[host] <= RARE:
                blocks["same rare host and subject", host, subject[file]].add(file)
    pairs: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for (kind, _, _), files in blocks.items():
        if len(files) <= MAX_BLOCK:
            pairs[kind].update(combinations(sorted(files), 2))
    # A shared file alone may be a logo, so it is shown and does not count.
    pairs["either, with subject"] = set().union(
        *(found for kind, found in pairs.items() if kind.endswith("subject"))
    )
    return {kind: sorted(found) for kind, found in pairs.items()}


def _same(groups: dict[str, int | None], a: str, b: str) -> bool:
    return groups.get(a) is not None and groups[a] == groups.get(b)


if __name__ == "__main__":
    main()
