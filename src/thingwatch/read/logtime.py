"""When a log line was written: every time format mail systems use, as microseconds since 1970, UTC.

A time without an offset is taken as UTC, for nothing in the log says otherwise. An RFC 3164 time has no
year either: SyslogClock counts the years from the order of the lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

LATE_DAYS = 7  # a line this much older than the one before it was written late, not a year later
MICROSECONDS = 1_000_000

# RFC 3164, RFC 3339 (and ISO 8601 with a space), seconds since 1970.
TIME = (
    rb"(?:[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d"
    rb"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z| ?[+-]\d\d:?\d\d)?"
    rb"|\d{9,10}(?:\.\d{1,9})?)"
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_YEARLESS = re.compile(rb"([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)")
_DATE = re.compile(rb"([A-Z][a-z]{2}) {1,2}(\d{1,2}) |(\d{4})-(\d\d)-(\d\d)")
_NUMBER = re.compile(r"-?\d{1,19}(?:\.\d{1,9})?")
_OFFSET = re.compile(r" ?([+-]\d\d):?(\d\d)$")
_SPREADSHEET = re.compile(
    r"(?:(\d{1,2})([/.])(\d{1,2})[/.](\d{4})|([A-Za-z]{3})[a-z]* (\d{1,2}),? (\d{4})),?"
    r"[ \u202f](\d{1,2}):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(?:[ \u202f]?([AaPp])\.?[Mm]\.?)?$"
)


def microseconds(moment: datetime) -> int:
    """*moment* since 1970, UTC; without an offset it is taken as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND


def time_of(text: str) -> int | None:
    """A time that names its year, in any of the forms logs and exports use; None when it is none.

    Reads ISO 8601, seconds or milliseconds since 1970, and what spreadsheets make of a time:
    "11/22/2026 7:44:01 PM", "22.11.2026 19:44", "Nov 22, 2026 7:44:01 PM". With slashes the month comes
    first, as the Microsoft exports write it, unless that number is above 12.
    """
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return _since_epoch(text)
    found = _SPREADSHEET.fullmatch(text)
    try:
        if found is not None:
            return _spreadsheet(found)
        return microseconds(datetime.fromisoformat(_OFFSET.sub(r"\1:\2", text)))
    except (ValueError, OverflowError):
        return None


def _since_epoch(text: str) -> int | None:
    whole, _, fraction = text.partition(".")
    number = int(whole) * MICROSECONDS + int(fraction[:6].ljust(6, "0")) * (-1 if whole[0] == "-" else 1)
    if abs(number) >= 100_000_000_000 * MICROSECONDS:  # the year 5138: these are milliseconds
        number //= 1_000
    return number if abs(number) < 100_000_000_000 * MICROSECONDS else None


def _spreadsheet(found: re.Match[str]) -> int:
    first, mark, second, year, name, name_day, name_year, hour, minute, second_, fraction, half = (
        found.groups()
    )
    if name:
        month, day, year = _MONTHS.get(name.lower(), 0), int(name_day), name_year
    elif mark == "." or int(first) > 12:
        month, day = int(second), int(first)
    else:
        month, day = int(first), int(second)
    hours = int(hour)
    if half:
        if not 1 <= hours <= 12:
            raise ValueError(hour)
        hours = hours % 12 + (12 if half in "pP" else 0)
    micros = int((fraction or "0").ljust(6, "0"))
    return microseconds(datetime(int(year), month, day, hours, int(minute), int(second_ or 0), micros))


class SyslogClock:
    """The time of each syslog line, in the order of the lines; *year* is that of the first yearless one.

    A date that falls back by more than LATE_DAYS starts the next year; one that jumps from the first days
    of January to the last of December is a late line of the old year. A log silent for 51 weeks misleads it.
    """

    def __init__(self, year: int | None) -> None:
        self.year = year
        self._day = 0  # of the year, roughly: month * 31 + day
        self._date = b""
        self._last = (b"", 0)  # the time just read, and what it was: lines of one second are many

    def see(self, when: bytes) -> None:
        """Take notice of a line's date, to count years; cheap when it is the date of the line before."""
        date = when[:10]
        if date == self._date:
            return
        self._date = date
        found = _DATE.match(when)
        if found is None:
            return  # seconds since 1970
        if found[1]:
            self._pass(_MONTHS.get(found[1].decode().lower(), 0) * 31 + int(found[2]))
        else:
            # A line that names its year settles the question for the ones that follow.
            self._pass(int(found[4]) * 31 + int(found[5]))
            self.year = int(found[3])

    def _pass(self, day: int) -> None:
        if self.year is not None and self._day:
            if day < self._day - LATE_DAYS:
                self.year += 1
            elif day > self._day + 12 * 31 - LATE_DAYS:
                self.year -= 1
        self._day = day

    def read(self, when: bytes) -> int | None:
        """Microseconds since 1970 of a line's time, already seen; None without a year or for no real date."""
        if when == self._last[0]:
            return self._last[1]
        found = _YEARLESS.fullmatch(when)
        if found is None:
            return time_of(when.decode("ascii", "replace"))
        if self.year is None:
            return None
        month = _MONTHS.get(found[1].decode().lower(), 0)
        try:
            moment = datetime(self.year, month, int(found[2]), int(found[3]), int(found[4]), int(found[5]))
        except (ValueError, OverflowError):
            return None
        self._last = (when, microseconds(moment))
        return self._last[1]


def first_year(times: Iterable[bytes], newest_year: int | None) -> int | None:
    """The year of the first of *times*, the line times of a whole log.

    The first line that names its year tells it; else it is *newest_year*, the year of the last line, less
    the turns of the year between.
    """
    clock = SyslogClock(0)
    for when in times:
        found = _DATE.match(when)
        if found is not None and found[3]:
            clock._pass(int(found[4]) * 31 + int(found[5]))
            return int(found[3]) - (clock.year or 0)
        clock.see(when)
    return None if newest_year is None else newest_year - (clock.year or 0)
