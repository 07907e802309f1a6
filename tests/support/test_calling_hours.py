"""Legal calling hours: by the number's country, on the customer's clock."""

from datetime import UTC, datetime

import pytest

from support.calling_hours import LEGAL_HOURS, SHIPPED, USUAL, CallingHours
from support.errors import CalendarError


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_hours_are_those_of_the_customers_clock_also_when_it_changes() -> None:
    calendar = LEGAL_HOURS.calendar("SE", "Europe/Stockholm")
    assert calendar.next_open(at("2026-03-28T03:00")) == at("2026-03-28T07:00")
    assert calendar.next_open(at("2026-03-29T03:00")) == at("2026-03-29T06:00")
    assert not calendar.is_open(at("2026-03-29T18:00"))


def test_a_country_with_its_own_law_has_its_own_hours() -> None:
    calendar = LEGAL_HOURS.calendar("FR", "Europe/Paris")
    assert not calendar.is_open(at("2026-07-13T11:30"))
    assert calendar.is_open(at("2026-07-13T12:30"))
    assert calendar.next_open(at("2026-07-13T18:00")) == at("2026-07-15T08:00")
    assert calendar.next_open(at("2026-07-17T18:00")) == at("2026-07-20T08:00")


@pytest.mark.parametrize("country", SHIPPED)
def test_every_entry_names_its_source_and_is_within_the_usual_hours(country: str) -> None:
    assert SHIPPED[country]["source"]
    for windows in SHIPPED[country]["hours"].values():
        assert all("08:00" <= since < until <= "20:00" for since, until in windows)
    own = CallingHours.from_dict({country: SHIPPED[country]})
    assert own == LEGAL_HOURS


def test_hours_can_be_changed_and_say_where_they_come_from() -> None:
    form = {"hours": {"mon": [["09:00", "12:00"]]}, "source": "our lawyers, 2026"}
    own = CallingHours.from_dict({"SE": form, USUAL: form})
    assert own.source("SE") == own.source("NO") == "our lawyers, 2026"
    assert own.calendar("NO", "Europe/Oslo").next_open(at("2026-03-03T10:00")).hour == 8
    assert own.source("FR") == LEGAL_HOURS.source("FR")


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"hours": {}}, "need their `source`"),
        ({"hours": {"mon": [["9", "12"]]}, "source": "s"}, "hours.mon"),
        ({"hours": {}, "source": "s", "tz": "UTC"}, "field 'tz' is unknown"),
    ],
)
def test_malformed_hours_are_refused(form: dict[str, object], said: str) -> None:
    with pytest.raises(CalendarError, match=said):
        CallingHours.from_dict({"SE": form})
