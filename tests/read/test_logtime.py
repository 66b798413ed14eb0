"""When a log line was written."""

from datetime import UTC, datetime

import pytest

from thingwatch.read.logtime import SyslogClock, first_year, time_of


def moment(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T19:44:01Z", moment(2026, 11, 22, 19, 44, 1)),
        ("2026-11-22T19:44:01.250000+01:00", moment(2026, 11, 22, 18, 44, 1) + 250_000),
        ("2026-11-22 19:44:01.123456789", moment(2026, 11, 22, 19, 44, 1) + 123_456),
        ("2026-11-22 19:44:01 -0530", moment(2026, 11, 23, 1, 14, 1)),
        ("1795376641.5", moment(2026, 11, 22, 19, 44, 1) + 500_000),
        ("1795376641500", moment(2026, 11, 22, 19, 44, 1) + 500_000),
        ("11/22/2026 7:44:01 PM", moment(2026, 11, 22, 19, 44, 1)),
        ("11/22/2026 12:00:00 AM", moment(2026, 11, 22)),
        ("22/11/2026 19:44", moment(2026, 11, 22, 19, 44)),
        ("22.11.2026 19:44:01", moment(2026, 11, 22, 19, 44, 1)),
        ("Nov 22, 2026 7:44:01.5 PM", moment(2026, 11, 22, 19, 44, 1) + 500_000),
        ("", None),
        ("yesterday", None),
        ("2026-02-30T00:00:00Z", None),
        ("13/13/2026 01:00", None),
        ("11/22/2026 13:00 PM", None),
        ("9" * 19, None),
        ("9" * 400, None),
    ],
)
def test_every_time_format_is_read_as_microseconds_utc(text: str, expected: int | None) -> None:
    """A time is read in each form logs and exports use, and no text raises."""
    assert time_of(text) == expected


def read_all(clock: SyslogClock, times: list[bytes]) -> list[int | None]:
    answers = []
    for when in times:
        clock.see(when)
        answers.append(clock.read(when))
    return answers


def test_the_year_turns_between_december_and_january() -> None:
    """A yearless log that passes New Year's counts on, and a late line of the old year stays in it."""
    days = ["Dec 31 23:59:59", "Jan  1 00:00:00", "Dec 31 23:59:58", "Jan  1 00:00:01"]
    days += ["Aug 31 10:00:00", "Sep  1 00:00:00", "Aug 31 23:59:59", "Feb  2 00:00:00"]
    times = [day.encode() for day in days]
    years = [
        datetime.fromtimestamp((when or 0) / 1e6, UTC).year for when in read_all(SyslogClock(2025), times)
    ]
    assert years == [2025, 2026, 2025, 2026, 2026, 2026, 2026, 2027]


def test_the_newest_line_decides_the_first_year() -> None:
    """Given the year of the newest line, the first line's is that less the turns between."""
    assert first_year([b"Nov 30 00:00:00", b"Dec 31 00:00:00", b"Jan  1 00:00:00"], 2026) == 2025
    assert first_year([b"Mar  1 00:00:00", b"Nov  1 00:00:00"], 2026) == 2026
    assert first_year([], None) is None


def test_a_line_that_names_its_year_settles_it() -> None:
    """When the format changes within a log, the lines with a year date those without, before and after."""
    times = [b"Dec 30 10:00:00", b"2026-01-02T10:00:00Z", b"Jan  3 10:00:00"]
    began = first_year(times, None)
    assert began == 2025
    assert read_all(SyslogClock(began), times) == [
        moment(2025, 12, 30, 10),
        moment(2026, 1, 2, 10),
        moment(2026, 1, 3, 10),
    ]


def test_a_date_that_does_not_exist_is_unknown() -> None:
    """February 29 of a common year, or a month nobody knows, gives no time."""
    assert read_all(SyslogClock(2025), [b"Feb 29 00:00:00", b"Foo  1 00:00:00"]) == [None, None]
    assert read_all(SyslogClock(2024), [b"Feb 29 00:00:00"]) == [moment(2024, 2, 29)]
