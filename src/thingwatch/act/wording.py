"""Write numbers, shares and times the way the page and the terminal show them. Times are UTC."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MINUS = "\N{MINUS SIGN}"
# Not strftime: month names must not follow the reader's locale.
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def instant(iso: str | None) -> datetime | None:
    """Return the moment written as ISO 8601, in UTC; without an offset it is taken as UTC."""
    if not iso:
        return None
    read = datetime.fromisoformat(iso)
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def count(number: float) -> str:
    """Return a whole number with thousands set off: 1,565,000."""
    return f"{round(number):,}"


def plural(number: int, one: str, many: str = "") -> str:
    """Return the number with its noun: "1 wave", "8 waves"; *many* where an s will not do."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def spelled(number: int, one: str, many: str = "") -> str:
    """Return ``plural`` with numbers up to ten in letters, for headings: "Eight waves"."""
    noun = one if number == 1 else many or one + "s"
    word = _SMALL[number].capitalize() if 0 <= number < len(_SMALL) else count(number)
    return f"{word} {noun}"


def percent(share: float) -> str:
    """Return a share of 0 to 1 as "27 %"; never 0 % for something nor 100 % for not quite all."""
    value = share * 100
    if 0 < value < 0.05:
        return "< 0.1 %"
    if 99.95 <= value < 100:
        return "> 99.9 %"
    if value in (0, 100) or (value >= 10 and abs(value - round(value)) < 0.05):
        return f"{value:.0f} %"
    return f"{value:.1f} %"


def share_text(share: dict[str, Any] | None) -> str:
    """Return a SHARE as "27.1 % [24, 31]", "at most 2 %" when nothing was seen, or "cannot tell"."""
    if not share or not share["denominator"] or share["unknown"] >= share["denominator"]:
        return "cannot tell"
    if share["low"] < 0.01 and share["numerator"] and share["high"] - share["low"] > 0.02:
        return f"at most {percent(share['high'])}"
    point = percent(share["numerator"] / share["denominator"])
    low, high = share["low"] * 100, share["high"] * 100
    # An interval narrower than the point's own rounding says nothing.
    return f"{point} [{low:.0f}, {high:.0f}]" if high - low >= 1 else point


def whole(share: float) -> int:
    """Return a share of 0 to 1 in whole per cents; never 0 for something nor 100 for not quite all."""
    if share <= 0 or share >= 1:
        return 0 if share <= 0 else 100
    return min(99, max(1, round(share * 100)))


def outward(low: float, high: float) -> tuple[int, int]:
    """Return an interval in whole per cents that holds the given one: rounding never makes us surer."""
    # To a tenth first: 0.29 * 100 is 28.999999999999996, and 28 would be as wrong as it looks.
    first, last = math.floor(round(low * 100, 1)), math.ceil(round(high * 100, 1))
    return min(first, 99) if low < 1 else first, max(last, 1) if high > 0 else last


def between(low: float, high: float) -> str:
    """Return what cannot be excluded: "17 to 61 %"."""
    first, last = outward(low, high)
    return f"{first} to {last} %" if first != last else f"{first} %"


def at_most(high: float) -> str:
    """Return "at most 2 %"; zero is never claimed."""
    return f"at most {max(1, outward(high, high)[1])} %"


def estimate(share: dict[str, Any] | None) -> str:
    """Return an estimate as "27 % [24, 31]", "at most 2 %", "5 to 55 %" without a point, or "cannot tell"."""
    if not share or share["low"] is None or share["high"] is None:
        return "cannot tell"
    low, high = outward(share["low"], share["high"])
    if share["point"] is None and (low, high) == (0, 100):
        return "cannot tell"
    if share["low"] < 0.01:
        return at_most(share["high"])
    if share["point"] is None:
        return between(share["low"], share["high"])
    return f"{whole(share['point'])} % [{low}, {high}]"


def bits(weight: float) -> str:
    """Return a weight with its sign: "+5.6", a true minus sign below zero, and none for next to nothing."""
    shown = f"{weight:+.1f}"
    return "0.0" if shown in ("+0.0", "-0.0") else shown.replace("-", MINUS)


def day(iso: str | None) -> str:
    """Return "6 Jan 2014"."""
    at = instant(iso)
    return f"{at.day} {MONTHS[at.month - 1]} {at.year}" if at else "time unknown"


def clock(iso: str | None) -> str:
    """Return "09:10"."""
    at = instant(iso)
    return f"{at:%H:%M}" if at else "time unknown"


def moment(iso: str | None, *, year: bool = True) -> str:
    """Return "Mon 23 Dec 2013, 09:10"; without the year where the heading has said it."""
    at = instant(iso)
    if not at:
        return "time unknown"
    name = f"{_DAYS[at.weekday()]} {at.day} {MONTHS[at.month - 1]}"
    return f"{name} {at.year}, {at:%H:%M}" if year else f"{name}, {at:%H:%M}"


def period(first: str | None, last: str | None) -> str:
    """Return "23 Dec 2013 to 6 Jan 2014", or the hours when both lie within one day."""
    start, end = instant(first), instant(last)
    if not start or not end:
        return "time unknown"
    if start.date() == end.date():
        return f"{day(first)}, {start:%H:%M} to {end:%H:%M} UTC"
    if start.year == end.year:
        return f"{start.day} {MONTHS[start.month - 1]} to {day(last)}"
    return f"{day(first)} to {day(last)}"


def lasting(seconds: float) -> str:
    """Return a length of time in its natural unit: "40 s", "62 min", "5 h 10 min", "3 days"."""
    if seconds < 90:
        return f"{max(0, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 180:
        return f"{minutes} min"
    if minutes < 2 * 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
    return plural(round(minutes / 60 / 24), "day")


def seconds_between(first: str | None, last: str | None) -> float:
    """Return how long it is from *first* to *last*, in seconds; 0 where either is unknown."""
    start, end = instant(first), instant(last)
    return (end - start).total_seconds() if start and end else 0.0


def all_mails(report: dict[str, Any]) -> int:
    """Mails that the campaigns of *report* were found in: those read, and before them those of earlier runs."""
    before = report.get("continued", {}).get("messages_before", 0)
    return int(report["totals"]["messages"] + before)
