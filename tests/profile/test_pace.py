"""Waves are cut where a campaign falls silent, and nowhere else."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from thingwatch.config import Settings
from thingwatch.profile.pace import MAX_BINS, MICRO, Pace, clock_of, iso, series_of, waves_of

SETTINGS = Settings()
HOUR = 3600
START = 1_388_649_600  # 2 January 2014, 08:00


def times(*runs: tuple[float, float, int]) -> NDArray[np.int64]:
    """Sorted microseconds of (start in hours, minutes long, messages) runs, evenly spread."""
    spread = [START + hours * HOUR + np.linspace(0, minutes * 60, count) for hours, minutes, count in runs]
    return np.sort((np.concatenate(spread) * MICRO).astype(np.int64))


def test_one_run_is_one_wave_from_first_to_last() -> None:
    """A single burst is a wave whose edges are its first and last message."""
    when = times((0, 10, 100))
    (wave,) = waves_of(when, SETTINGS)
    assert (wave.start, wave.end, wave.messages) == (when[0], when[-1], 100)


def test_silence_cuts() -> None:
    """Three bursts eight hours apart are three waves with their own counts."""
    found = waves_of(times((0, 10, 100), (8, 10, 60), (16, 10, 80)), SETTINGS)
    assert [wave.messages for wave in found] == [100, 60, 80]


@pytest.mark.parametrize(("gap_minutes", "waves"), [(15, 1), (19.5, 1), (20.5, 2), (60, 2)])
def test_quiet_minutes_is_the_edge(gap_minutes: float, waves: int) -> None:
    """A silence longer than quiet_minutes ends a wave of quick pace; a shorter one does not."""
    assert len(waves_of(times((0, 10, 100), ((10 + gap_minutes) / 60, 10, 100)), SETTINGS)) == waves


def test_slow_pace_bears_longer_silences() -> None:
    """What comes every two minutes is not cut by half an hour of silence; what comes every second is."""
    slow = times((0, 100, 50), (130 / 60, 100, 50))
    assert len(waves_of(slow, SETTINGS)) == 1
    assert len(waves_of(times((0, 2, 120), (32 / 60, 2, 120)), SETTINGS)) == 2


def test_trickle_has_no_waves() -> None:
    """Mail that comes singly, hours apart, makes no wave."""
    assert waves_of(times((0, 60 * 24 * 20, 60)), SETTINGS) == []


def test_stream_has_no_waves() -> None:
    """Mail that runs most of the day for days is a stream, with no waves in it."""
    daily = [(24.0 * day, 60.0 * 14, 400) for day in range(6)]
    assert waves_of(times(*daily), SETTINGS) == []


def test_too_few_messages_are_no_wave() -> None:
    """Runs below min_wave are not called waves, alone or beside a large one."""
    assert waves_of(times((0, 5, SETTINGS.min_wave - 1)), SETTINGS) == []
    found = waves_of(times((0, 5, 100), (5, 5, SETTINGS.min_wave - 1)), SETTINGS)
    assert [wave.messages for wave in found] == [100]


def test_retries_after_a_wave_are_no_wave() -> None:
    """A crumb below a fiftieth of the largest wave, such as retries after greylisting, is not one."""
    found = waves_of(times((0, 30, 5000), (2, 5, 40)), SETTINGS)
    assert [wave.messages for wave in found] == [5000]


def test_straggler_does_not_move_the_edge() -> None:
    """One retry fifteen minutes late belongs to the wave and does not stretch it."""
    when = times((0, 10, 200), (24 / 60, 0, 1))
    (wave,) = waves_of(when, SETTINGS)
    assert wave.end == when[-2]
    assert wave.messages == 201


def test_no_messages_no_waves() -> None:
    """Nothing gives nothing."""
    assert waves_of(np.array([], dtype=np.int64), SETTINGS) == []


@given(
    st.lists(
        st.tuples(st.floats(0, 400), st.floats(0, 900), st.integers(1, 120)),
        min_size=1,
        max_size=8,
    )
)
def test_waves_are_disjoint_and_count_right(runs: list[tuple[float, float, int]]) -> None:
    """Whatever the times: waves follow each other, never share a message, and hold what they say."""
    when = times(*runs)
    waves = waves_of(when, SETTINGS)
    assert all(a.end < b.start and a.last <= b.first for a, b in pairwise(waves))
    assert all(wave.start <= wave.end and wave.messages == wave.last - wave.first for wave in waves)
    assert all(when[w.first] <= w.start and w.end <= when[w.last - 1] for w in waves)
    assert sum(wave.messages for wave in waves) <= len(when)
    assert all(wave.messages >= SETTINGS.min_wave for wave in waves)


@given(st.integers(0, 10**6))
def test_waves_do_not_depend_on_the_date(shift_hours: int) -> None:
    """The same mail a year later has the same waves, a year later."""
    when = times((0, 10, 100), (8, 10, 60))
    moved = waves_of(when + shift_hours * HOUR * MICRO, SETTINGS)
    assert [w.start - shift_hours * HOUR * MICRO for w in moved] == [
        w.start for w in waves_of(when, SETTINGS)
    ]


def clock(*hours: float) -> dict[str, object]:
    """The clock of waves that start at *hours*."""
    return clock_of(waves_of(times(*((hour, 10, 100) for hour in hours)), SETTINGS))


def test_clock_of_regular_waves() -> None:
    """Starts eight hours apart give a period of eight hours and hardly any drift."""
    found = clock(0, 8, 16, 24)
    assert found["period_hours"] == pytest.approx(8.0, abs=0.01)
    assert found["drift_minutes"] == pytest.approx(0.0, abs=0.1)


def test_clock_survives_a_missing_wave() -> None:
    """A wave we did not see makes a double step, not another period."""
    assert clock(0, 8, 16, 32, 40)["period_hours"] == pytest.approx(8.0, abs=0.01)


def test_forecast_holds_the_next_wave() -> None:
    """The window of the forecast spans the time at which the next regular wave would start."""
    forecast = clock(0, 8.05, 15.95, 24)["forecast"]
    assert isinstance(forecast, dict)
    due = START + 32 * HOUR
    low, high = (datetime.fromisoformat(forecast[edge]).timestamp() for edge in ("start", "end"))
    assert low <= due <= high
    assert high - low < 2 * HOUR


@pytest.mark.parametrize("hours", [(0,), (0, 8), (0, 3, 20, 24, 51)])
def test_no_clock_is_said_not_guessed(hours: tuple[float, ...]) -> None:
    """Fewer than three waves, or waves at random, have no period and no forecast, and it is said."""
    found = clock(*hours)
    assert found["period_hours"] is found["forecast"] is None
    assert found["sentence"]


@given(
    st.lists(st.integers(0, 10**9), min_size=1, max_size=200), st.lists(st.integers(0, 10**9), max_size=200)
)
def test_series_counts_every_message(mine: list[int], others: list[int]) -> None:
    """The drawn series holds every message of the campaign, never a negative other, and is bounded."""
    own = np.sort(np.array(mine, dtype=np.int64)) * MICRO
    everything = np.concatenate((own, np.array(others, dtype=np.int64) * MICRO))
    series = series_of(own, Pace(*np.unique(everything // (10 * MICRO), return_counts=True)))
    assert sum(series["campaign"]) == len(mine)
    assert min(series["other"]) >= 0
    assert len(series["campaign"]) == len(series["other"]) <= 4 * MAX_BINS


def test_no_times_no_series() -> None:
    """A campaign without a single time has an empty series."""
    nothing = np.array([], dtype=np.int64)
    assert series_of(nothing, Pace(nothing, nothing))["campaign"] == []


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (None, None),
        (0, "1970-01-01T00:00:00Z"),
        (START * MICRO + 999_999, "2014-01-02T08:00:00Z"),
        (2**63 - 1, "9999-12-31T23:59:59Z"),
        (-(2**63), "0001-01-01T00:00:00Z"),
    ],
)
def test_iso(micros: int | None, text: str | None) -> None:
    """Times are written in UTC to the second; a clock wrong by centuries gives the nearest date there is."""
    assert iso(micros) == text
