"""Cron schedules: what they mean, also when clocks change."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubeling.objects.cron import CronError, parse_schedule
from kubeling.objects.meta import timestamp


def times(schedule: str, after: str, *, zone: str | None = None, count: int = 1) -> list[str]:
    parsed = parse_schedule(schedule, zone)
    moment: datetime | None = datetime.fromisoformat(after)
    found = []
    for _ in range(count):
        assert moment is not None
        moment = parsed.next(moment)
        found.append("never" if moment is None else timestamp(moment))
    return found


@pytest.mark.parametrize(
    ("schedule", "following"),
    [
        ("* * * * *", "2026-01-01T00:01:00Z"),
        ("*/15 * * * *", "2026-01-01T00:15:00Z"),
        ("7/20 * * * *", "2026-01-01T00:07:00Z"),
        ("5,3,9 * * * *", "2026-01-01T00:03:00Z"),
        ("0 */6 * * *", "2026-01-01T06:00:00Z"),
        ("30 9-17/4 * * 1-5", "2026-01-01T09:30:00Z"),
        ("0 0 1 * *", "2026-02-01T00:00:00Z"),
        ("0 0 29 2 ?", "2028-02-29T00:00:00Z"),
        ("0 0 * * sun", "2026-01-04T00:00:00Z"),
        ("0 0 * jan,DEC MON", "2026-01-05T00:00:00Z"),
        ("0 0 13 * 5", "2026-01-02T00:00:00Z"),
        ("0 0 */2 * 1", "2026-01-03T00:00:00Z"),
        ("0 0 31 2 *", "never"),
        ("@yearly", "2027-01-01T00:00:00Z"),
        ("@monthly", "2026-02-01T00:00:00Z"),
        ("@weekly", "2026-01-04T00:00:00Z"),
        ("@daily", "2026-01-02T00:00:00Z"),
        ("@hourly", "2026-01-01T01:00:00Z"),
        ("@every 90s", "2026-01-01T00:01:32Z"),
        ("@every 1h30m5.9s", "2026-01-01T01:30:07Z"),
        ("@every 10ms", "2026-01-01T00:00:03Z"),
        ("TZ=Europe/Berlin 0 12 * * *", "2026-01-01T11:00:00Z"),
    ],
)
def test_the_next_time(schedule: str, following: str) -> None:
    assert times(schedule, "2026-01-01T00:00:02.5Z") == [following]


def test_a_time_is_later_than_the_one_it_follows() -> None:
    assert times("* * * * *", "2026-01-01T00:00:00Z") == ["2026-01-01T00:01:00Z"]
    assert times("* * * * *", "2026-01-01T00:00:59Z") == ["2026-01-01T00:01:00Z"]


def test_a_day_is_that_of_the_zone() -> None:
    assert times("0 0 * * *", "2026-01-01T00:00:00Z", zone="Asia/Kolkata", count=2) == [
        "2026-01-01T18:30:00Z",
        "2026-01-02T18:30:00Z",
    ]


def test_a_time_that_the_clocks_jump_over_does_not_come() -> None:
    assert times("30 2 * * *", "2026-03-28T00:00:00Z", zone="Europe/Berlin", count=2) == [
        "2026-03-28T01:30:00Z",
        "2026-03-30T00:30:00Z",
    ]


def test_a_time_that_the_clocks_repeat_comes_twice() -> None:
    assert times("30 2 * * *", "2026-10-24T12:00:00Z", zone="Europe/Berlin", count=3) == [
        "2026-10-25T00:30:00Z",
        "2026-10-25T01:30:00Z",
        "2026-10-26T01:30:00Z",
    ]


def test_hours_go_on_while_clocks_change() -> None:
    assert times("0 * * * *", "2026-03-29T00:00:00Z", zone="Europe/Berlin", count=2) == [
        "2026-03-29T01:00:00Z",
        "2026-03-29T02:00:00Z",
    ]
    assert times("0 * * * *", "2026-10-03T14:30:00Z", zone="Australia/Lord_Howe", count=2) == [
        "2026-10-03T16:00:00Z",
        "2026-10-03T17:00:00Z",
    ]


def test_a_midnight_that_does_not_exist_is_passed_over() -> None:
    assert times("0 0 * * *", "2018-11-03T12:00:00Z", zone="America/Sao_Paulo", count=1) == [
        "2018-11-05T02:00:00Z"
    ]


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        ("", "empty spec string"),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("5-3 * * * *", "beginning of range (5) beyond end of range (3): 5-3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("@never", "unrecognized descriptor: @never"),
        ("@every x", 'failed to parse duration @every x: time: invalid duration "x"'),
        ("TZ=Moon/Base * * * * *", "unknown time zone Moon/Base"),
    ],
)
def test_what_is_no_schedule(schedule: str, why: str) -> None:
    with pytest.raises(CronError) as raised:
        parse_schedule(schedule)
    assert str(raised.value) == why


def field(low: int, high: int) -> st.SearchStrategy[str]:
    numbers = st.integers(low, high).map(str)
    spans = st.tuples(st.integers(low, high), st.integers(low, high)).map(lambda pair: sorted(pair))
    ranges = spans.map(lambda pair: f"{pair[0]}-{pair[1]}")
    steps = st.tuples(st.sampled_from(["*", *map(str, range(low, high))]), st.integers(1, 20))
    stepped = steps.map(lambda pair: f"{pair[0]}/{pair[1]}")
    some = st.lists(st.one_of(numbers, ranges, stepped), min_size=1, max_size=3).map(",".join)
    return st.one_of(st.just("*"), some)


SCHEDULES = st.tuples(field(0, 59), field(0, 23), field(1, 31), st.just("*"), field(0, 6)).map(" ".join)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])
STARTS = st.sampled_from(
    ["2026-01-01T00:00:00", "2026-03-28T20:00:00", "2026-10-24T20:00:00", "2026-10-31T23:00:00"]
)


@given(schedule=SCHEDULES, zone=ZONES, start=STARTS)
@settings(max_examples=60, deadline=None)
def test_the_next_time_is_the_first_minute_that_matches(schedule: str, zone: str, start: str) -> None:
    after = datetime.fromisoformat(f"{start}Z")
    parsed = parse_schedule(schedule, zone)
    found = parsed.next(after)
    minute = timedelta(minutes=1)
    limit = after + timedelta(days=2)
    while found is None or after < found:
        after += minute
        if after > limit:
            return
        assert _matches(schedule, after.astimezone(ZoneInfo(zone))) == (after == found)


def _matches(schedule: str, local: datetime) -> bool:
    """The fields, each read by itself and slowly."""
    minutes, hours, days, _, weekdays = schedule.split()
    day = _holds(days, local.day, 1, 31)
    weekday = _holds(weekdays, local.isoweekday() % 7, 0, 6)
    stars = any(part in ("*", "*/1") for part in [*days.split(","), *weekdays.split(",")])
    fits = (day and weekday) if stars else (day or weekday)
    return fits and _holds(minutes, local.minute, 0, 59) and _holds(hours, local.hour, 0, 23)


def _holds(text: str, number: int, low: int, high: int) -> bool:
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        begin = low if first == "*" else int(first)
        end = high if first == "*" or (step and not last) else int(last or first)
        if begin <= number <= end and (number - begin) % int(step or 1) == 0:
            return True
    return False
