"""Draw the figures of the page that stand by themselves: time, waves, histogram, running share, strip."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from markupsafe import Markup

from thingwatch.act.drawing import area, fold, line, number, short, stretched, svg, text, title, top_of
from thingwatch.act.wording import MONTHS, count, instant, lasting, percent, plural

MAX_TICKS = 14  # of a time axis; every second is left out on a phone
MAX_BARS = 12  # of the histogram; beyond, bars hold 1, 2, 3-4, 5-8 ...

_LEFT = 8.0  # per cent kept free for the y labels
_STEPS = (60, 300, 600, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800)  # seconds


def _ticks(start: datetime, seconds: float) -> list[tuple[datetime, str, str]]:
    """Return moments to mark in a span, each with its label and the wider date it lies in."""
    end = start + timedelta(seconds=seconds)
    for width in _STEPS:
        if seconds / width <= MAX_TICKS:
            return _even_ticks(start, end, width)
    months = next((m for m in (1, 3, 6, 12, 24, 60, 120) if seconds / (m * 2_629_746) <= MAX_TICKS), 1200)
    out: list[tuple[datetime, str, str]] = []
    index = start.year * 12 + start.month
    index += -(index - 1) % months if months > 1 else 0
    while (index - 1) // 12 <= 9998:
        year, month = divmod(index - 1, 12)
        at = datetime(year, month + 1, 1, tzinfo=start.tzinfo)
        if at > end or len(out) > MAX_TICKS + 1:
            break
        if months >= 12:
            out.append((at, str(year), ""))
        else:
            out.append((at, MONTHS[month], str(year)))
        index += months
    return out


def _even_ticks(start: datetime, end: datetime, width: int) -> list[tuple[datetime, str, str]]:
    at = start.replace(hour=0, minute=0, second=0, microsecond=0)
    if width < 86400:
        at += timedelta(seconds=math.ceil((start - at).total_seconds() / width) * width)
    elif at < start:
        at += timedelta(days=1)
    out: list[tuple[datetime, str, str]] = []
    while at <= end and len(out) <= MAX_TICKS + 1:
        month = f"{MONTHS[at.month - 1]} {at.year}"
        out.append((at, f"{at:%H:%M}", f"{at.day} {month}") if width < 86400 else (at, str(at.day), month))
        at += timedelta(seconds=width)
    return out


def _time_axis(start: datetime, seconds: float, left: float, y: int) -> list[str]:
    parts: list[str] = []
    ticks = _ticks(start, seconds)
    spots = [left + (100 - left) * (at - start).total_seconds() / seconds for at, _, _ in ticks]
    dense = len(ticks) > 7
    for i, ((_, label, _), x) in enumerate(zip(ticks, spots, strict=True)):
        anchor = "middle" if x < 97 else "end"
        parts.append(line("base", x, y, x, y + 4))
        parts.append(text(x, y + 16, label, anchor, "ax wide" if dense and i % 2 else "ax"))
    # The wider date stands where it begins, unless the next one would run into it.
    wider = [
        (x, date)
        for i, (x, (_, _, date)) in enumerate(zip(spots, ticks, strict=True))
        if date and (not i or ticks[i - 1][2] != date)
    ]
    if len(wider) > 1 and wider[1][0] - wider[0][0] < 24:
        wider = wider[1:]
    last = -100.0
    for x, date in wider:
        if x - last >= 24 and (x <= 76 or last < 0):
            parts.append(text(x, y + 31, date, "start" if x <= 76 else "end"))
            last = x
    return parts


def _value_axis(top: float, unit: str, y: int, height: int) -> list[str]:
    thousands = top >= 4000
    shown = top / 1000 if thousands else top
    parts: list[str] = []
    for quarter in (1, 2, 3, 4):
        at = y + height * (1 - quarter / 4)
        words = number(shown * quarter / 4)
        parts += [line("g", 0, at, 100, at), text(0, at - 3, words, "start", "q")]
    # The unit has a line of its own, for a full wave would run through it.
    return [*parts, text(0, 11, f"{'thousand ' if thousands else ''}{unit}", "start", "q")]


def timeline(campaign: dict[str, Any], colour: str, ends: str | None) -> Markup:
    """Return a campaign over time: its bins as an area, other mail as a line, waves numbered above.

    *ends* is where the mail that was read ends, ISO 8601; right of it only the forecast is drawn.
    Other mail is drawn only while it does not dwarf the campaign; ``draws_other`` says whether.
    """
    series = campaign["series"]
    start, own = instant(series["start"]), series["campaign"]
    if start is None or not own:
        return Markup("")
    width = series["bin_seconds"]
    read = len(own) * width
    total = float(read)
    forecast = campaign["clock"]["forecast"]
    box = [(instant(forecast[end]), end) for end in ("start", "end")] if forecast else []
    due = [(at - start).total_seconds() for at, _ in box if at]
    # A next wave far beyond the mail read would squeeze what was found; the sentence alone tells it.
    if len(due) == 2 and read <= due[0] <= due[1] <= 1.5 * read:
        total = due[1] + 0.03 * read
    else:
        due = []
    columns = fold(own)
    highest = max(columns)
    top = top_of(highest)
    y, height = 52, 170
    span = total / read * len(columns)
    shapes = f'<path class="area edge {colour}" d="{area(columns, top)}"/>'
    if draws_other(campaign):
        spots = enumerate(fold(series["other"]))
        path = "".join(f"{'L' if i else 'M'}{i + 0.5:g} {number(top - v)}" for i, v in spots)
        shapes += f'<path class="ln cB" d="{path}"/>'
    unit = f"messages per {lasting(width)}".replace("per 60 min", "per hour").replace("per 24 h", "per day")
    parts = _value_axis(top, unit, y, height)
    base = y + height

    def place(seconds: float) -> float:
        return _LEFT + (100 - _LEFT) * seconds / total

    if due:
        x1, x2, upper = place(due[0]), place(due[1]), base - height * highest / top
        parts.append(
            f'<rect class="fc" x="{number(x1)}%" y="{number(upper)}" '
            f'width="{number(max(0.8, x2 - x1))}%" height="{number(base - upper)}"/>'
        )
        label, middle = f"{len(campaign['waves']) + 1}?", min(97, (x1 + x2) / 2)
        before = instant(campaign["waves"][-1]["end"]) if campaign["waves"] else None
        if not before or middle - place((before - start).total_seconds()) >= _room(label):
            parts.append(text(middle, upper - 6, label, "middle", "b a"))
    parts.append(line("base", 0, base, 100, base))
    parts.append(stretched(y, height, span, top, shapes, _LEFT))
    parts += _wave_numbers(campaign["waves"], start, read, columns, place, lambda v: base - height * v / top)
    stop = instant(ends)
    if stop and due:
        x = place(min(max(0, (stop - start).total_seconds()), total))
        parts += [line("thr", x, 18, x, base), text(x - 0.8, 27, "mail read ends", "end")]
    parts += _time_axis(start, total, _LEFT, base)
    found = plural(len(campaign["waves"]), "wave")
    said = f"Messages of the campaign per {lasting(width)}: {found}, highest {count(highest)}"
    return svg(260, parts, said)


def _room(label: str) -> float:
    """Return the per cent between two labels below which they would touch on a phone."""
    return 0.6 + 2.2 * len(label)


def draws_other(campaign: dict[str, Any]) -> bool:
    """Return whether other mail can share the campaign's scale: never more than its highest bin."""
    series = campaign["series"]
    other = max(series["other"], default=0)
    return 0 < other <= max(series["campaign"], default=0)


def _wave_numbers(
    waves: Sequence[dict[str, Any]],
    start: datetime,
    read: float,
    columns: Sequence[float],
    place: Any,
    drop: Any,
) -> list[str]:
    parts: list[str] = []
    last = -100.0
    for wave in waves:
        first, end = instant(wave["start"]), instant(wave["end"])
        if not first or not end:
            continue
        seconds = [min(max(0.0, (at - start).total_seconds()), read) for at in (first, end)]
        near = [min(len(columns) - 1, int(s / read * len(columns))) for s in seconds]
        highest = max(columns[near[0] : near[1] + 1])
        x = place(sum(seconds) / 2)
        label = str(wave["number"])
        if x - last >= _room(label):
            parts.append(text(x, drop(highest) - 6, label, "middle", "b a"))
            last = x
    return parts


def wave(counts: Sequence[float], longest: int, top: float, wave: dict[str, Any], bin_seconds: int) -> Markup:
    """Return one wave bin by bin; *longest* bins wide and *top* high, the same for all of a campaign."""
    folded = fold(counts, 240)
    width = longest * len(folded) / max(1, len(counts))
    shape = f'<path class="area cA" d="{area(folded, top)}"/>'
    seconds = longest * bin_seconds
    peak = f"{count(wave['peak_per_minute'])}/min"
    label = f"Wave {wave['number']}: {plural(wave['messages'], 'message')}, peak {peak}"
    parts = [line("base", 0, 74, 100, 74), stretched(18, 56, max(1, width), top, shape)]
    parts += [text(0, 89, "0"), text(100, 89, lasting(seconds), "end"), text(100, 12, peak, "end", "q")]
    return svg(94, parts, label)


def histogram(pairs: Sequence[Sequence[int]], cap: int, colour: str) -> Markup:
    """Return sources by messages sent, from (messages, sources) pairs; long tails fold into doublings."""
    found = {messages: sources for messages, sources in pairs if messages > 0}
    most = max(found, default=0)
    if most <= MAX_BARS:
        rows = [(str(m), found.get(m, 0)) for m in range(1, max(most, 3) + 1)]
    else:
        rows = []
        low, high = 1, 1
        while low <= most and len(rows) < 40:
            label = str(low) if low == high else f"{short(low)}\u2013{short(high)}"
            rows.append((label, sum(s for m, s in found.items() if low <= m <= high)))
            low, high = high + 1, high * 2
    top = top_of(max((sources for _, sources in rows), default=0))
    wide = 100 / len(rows)
    parts = [line("base", 0, 186, 100, 186), text(0, 12, "sources", "start", "q")]
    for i, (label, sources) in enumerate(rows):
        height = 146 * sources / top
        middle = wide * (i + 0.5)
        tip = f"{plural(sources, 'source')} sent {label}"
        parts.append(
            f'<rect class="bar {colour}" x="{number(wide * i + wide * 0.09)}%" y="{number(186 - height)}" '
            f'width="{number(wide * 0.82)}%" height="{number(height)}">{title(tip)}</rect>'
        )
        style = " wide" if len(rows) > 8 and (len(rows) - i) % 2 == 0 else ""
        parts.append(text(middle, 202, label, "middle", "ax" + style))
        if sources:
            parts.append(text(middle, 181 - height, short(sources), "middle", "q" + style))
    parts.append(text(100, 220, f"messages sent by one source; none sent more than {count(cap)}", "end", "q"))
    return svg(226, parts, f"Sources by messages sent; the most by one source is {count(cap)}")


def curve(points: Sequence[Sequence[float]], thing: str) -> Markup:
    """Return the running share of messages held by the largest *thing*, from (rank, share); log axis."""
    kept = sorted((max(1.0, rank), min(1.0, max(0.0, share))) for rank, share in points)
    if len(kept) < 2:
        return Markup("")
    decades = math.log10(max(10.0, kept[-1][0]))
    y, height = 14, 180

    def place(rank: float) -> float:
        return 100 * math.log10(rank) / decades

    parts: list[str] = []
    for quarter, words in ((0, ""), (1, "25 %"), (2, "50 %"), (3, "75 %"), (4, "100 % of messages")):
        at = y + height * (1 - quarter / 4)
        parts += [line("g" if quarter else "base", 0, at, 100, at), text(0, at - 3, words, "start", "q")]
    path = "".join(
        f"{'L' if i else 'M'}{number(place(r))} {number(100 - 100 * s)}" for i, (r, s) in enumerate(kept)
    )
    parts.append(stretched(y, height, 100, 100, f'<path class="ln cA" d="{path}"/>'))
    marks = [
        (rank, share, f"{words} in {count(rank)}")
        for words, goal in (("half", 0.5), ("90 %", 0.9))
        for rank, share in [next((p for p in kept if p[1] >= goal), kept[-1])]
    ]
    marks.append((*kept[0], f"largest: {percent(kept[0][1])}"))
    taken: list[tuple[float, float]] = []
    for rank, share, words in marks:
        x, at = place(rank), y + height * (1 - share)
        parts.append(
            f'<circle class="f cA" cx="{number(x)}%" cy="{number(at)}" r="4">{title(words)}</circle>'
        )
        # Two labels within a line's height and a third of the width would collide: the tip still tells.
        if any(abs(x - x0) < 34 and abs(at - y0) < 17 for x0, y0 in taken):
            continue
        taken.append((x, at))
        # Below and right of a rising curve is free, as is above and left of it.
        spot = (
            (x + 1.6, at + 16 if share > 0.8 else at - 16, "start")
            if x < 6
            else (x + 1, at + 16, "start")
            if x < 70
            else (x - 1, at - 9, "end")
        )
        parts.append(text(spot[0], spot[1], words, spot[2], ""))
    decade = 1
    while math.log10(decade) <= decades:
        x = place(decade)
        parts.append(
            text(x, y + height + 16, count(decade), "start" if x < 3 else "end" if x > 94 else "middle")
        )
        decade *= 10
    parts.append(text(100, y + height + 32, f"{thing}, largest first (log scale)", "end", "q"))
    return svg(232, parts, f"Running share of messages by {thing}, largest first")


def stories() -> Markup:
    """Return the three stories behind one address, and the marks that part them."""
    told = (
        ("The thing itself", "t", "cT", "the thing", "cT", "the thing", "same box",
         "SYN small Linux, round trip 1×"),
        ("A PC behind it", "k", "cT", "a router answers", "cK", "a PC", "behind it",
         "SYN Windows, round trip 1×"),
        ("The thing as relay", "r", "cR", "a thing answers", "cI", "anyone", "anywhere",
         "SYN small Linux, speaks Windows, round trip ≥ 2×"),
    )  # fmt: skip
    parts: list[str] = []
    for i, (name, word, front, answers, sender, who, where, signs) in enumerate(told):
        y = 98 * i
        parts.append(text(0, y + 11, name, "start", f"b {word}"))
        for x, wide, colour, lines, style in (
            (0, 23, "", ("your mail", "server"), ""),
            (34, 31, front, ("the address", answers), "q"),
            (75, 25, sender, (who, where), "q"),
        ):
            place = f'x="{x}%" y="{y + 20}" width="{wide}%" height="40"'
            parts.append(f'<rect class="box {colour}" {place}/>')
            parts.append(text(x + wide / 2, y + 37, lines[0], "middle", "b" if x == 75 else ""))
            parts.append(text(x + wide / 2, y + 53, lines[1], "middle", style))
        parts.append(line("ink", 23, y + 40, 34, y + 40))
        # A relay's second connection is another one, of another host.
        parts.append(line("thr" if sender == "cI" else "ink", 65, y + 40, 75, y + 40))
        parts.append(text(0, y + 77, signs, "start", "q"))
    return svg(
        282,
        parts,
        "Front and sender. The thing itself: what answers at the address also sends. A PC behind it: a router "
        "answers at the address, a Windows PC behind it sends. Relay: the thing opens the connection for someone "
        "elsewhere.",
    )


def whole(parts_of: Sequence[tuple[str, int, str]], total: int) -> Markup:
    """Return one strip of all mail read, from (name, messages, colour); colour "hat" or "none" too."""
    parts: list[str] = []
    x = 0.0
    for name, messages, colour in parts_of:
        wide = 100 * messages / total if total else 0
        style = colour if colour in ("hat", "none") else f"bar {colour}"
        # Outlines are drawn inside their strip, or the last would be cut at the edge.
        parts.append(
            f'<rect class="{style}" x="{number(x + 0.1)}%" y="20" '
            f'width="{number(max(0, wide - 0.2))}%" height="16">'
            f"{title(f'{name}: {count(messages)}')}</rect>"
        )
        if wide >= 9:
            narrow = "" if wide >= 24 else " wide"
            parts.append(text(x + 0.1, 14, name, "start", f"b{' a' if colour == 'cA' else ''}{narrow}"))
            parts.append(text(x + 0.1, 52, count(messages), "start", f"q{narrow}"))
        x += wide
    said = ", ".join(f"{name} {count(messages)}" for name, messages, _ in parts_of)
    return svg(60, parts, f"All {count(total)} mails: {said}")
