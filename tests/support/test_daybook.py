"""What is out of the ordinary in a calendar, by name."""

from datetime import UTC, datetime, timedelta

import pytest

from support.calendar import BusinessCalendar
from support.daybook import DayKind, clock_changes, special_days

NIGHTS = {
    "tz": "Europe/Stockholm",
    "hours": {"wed": [["22:00", "06:00"]], "thu": [["08:00", "17:00"]]},
    "public_holidays": {"country": "SE"},
    "holidays": ["2026-12-30"],
    "overrides": {"2026-12-31": [], "2027-01-06": [["10:00", "12:00"]]},
}


def test_special_days_have_their_names_and_the_hours_they_took_or_gave() -> None:
    calendar = BusinessCalendar.from_dict(NIGHTS)
    found = special_days(
        calendar, datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 1, 6, 12, tzinfo=UTC)
    )
    assert [(str(day.day), day.kind, day.name) for day in found] == [
        ("2026-12-30", DayKind.HOLIDAY, ""),
        ("2026-12-31", DayKind.OVERRIDE, ""),
        ("2027-01-01", DayKind.HOLIDAY, "New Year's Day"),
        ("2027-01-06", DayKind.OVERRIDE, ""),
    ]
    night, last_day, _, override = found
    assert night.usual == (
        (datetime(2026, 12, 30, 21, tzinfo=UTC), datetime(2026, 12, 31, 5, tzinfo=UTC)),
    )
    assert (len(last_day.usual), last_day.opened) == (1, ())
    assert override.opened == (
        (datetime(2027, 1, 6, 9, tzinfo=UTC), datetime(2027, 1, 6, 11, tzinfo=UTC)),
    )


def test_a_night_over_new_year_is_one_date_in_two_years() -> None:
    form = {"tz": "UTC", "hours": {"thu": [["22:00", "06:00"]]}, "holidays": ["2026-12-31"]}
    start = datetime(2026, 12, 31, 12, tzinfo=UTC)
    (day,) = special_days(BusinessCalendar.from_dict(form), start, start + timedelta(days=1))
    assert sum((end - since for since, end in day.usual), timedelta(0)) == timedelta(hours=8)


@pytest.mark.parametrize(
    ("tz", "start", "moved", "label"),
    [
        (
            "Europe/Stockholm",
            "2026-03-28",
            60,
            "forward, 2026-03-29 02:00 to 2026-03-29 03:00 skip",
        ),
        ("Europe/Stockholm", "2026-10-24", -60, "back, 2026-10-25 02:00 to 2026-10-25 03:00 twice"),
        ("Australia/Lord_Howe", "2026-10-03", 30, "forward, 2026-10-04 02:00 to 2026-10-04 02:30"),
        ("Pacific/Apia", "2011-12-29", 1440, "forward, 2011-12-30 00:00 to 2011-12-31 00:00 skip"),
        ("Africa/Monrovia", "1972-01-06", 44.5, "forward, 1972-01-07 00:00 to 1972-01-07 00:44:30"),
    ],
)
def test_changes_of_the_clock_name_the_readings(
    tz: str, start: str, moved: float, label: str
) -> None:
    calendar = BusinessCalendar.from_dict({"tz": tz, "hours": "24/7"})
    since = datetime.fromisoformat(start).replace(tzinfo=UTC)
    (change,) = clock_changes(calendar, since, since + timedelta(days=2))
    assert change.moved == timedelta(minutes=moved)
    assert label in change.label


def test_a_zone_without_changes_names_none() -> None:
    calendar = BusinessCalendar.from_dict({"tz": "Asia/Kolkata", "hours": "24/7"})
    start = datetime(2020, 1, 1, tzinfo=UTC)
    assert clock_changes(calendar, start, start + timedelta(days=2000)) == ()
