"""Facts of time: the clock on the wall of the ticket's office."""

from datetime import datetime, timedelta

import pytest

from tests.support.deciding import MONDAY, Desk, created


@pytest.mark.parametrize(
    ("at", "weekday", "time", "is_open"),
    [
        (MONDAY, "mon", "09:00:00", True),
        (MONDAY + timedelta(hours=14, minutes=59, seconds=59), "mon", "23:59:59", False),
        (MONDAY + timedelta(hours=15), "tue", "00:00:00", False),
        (MONDAY + timedelta(days=28), "mon", "10:00:00", True),  # in summer time
        (MONDAY - timedelta(days=1), "sun", "09:00:00", False),
    ],
)
def test_local_time_is_that_of_the_calendars_zone(
    at: datetime, weekday: str, time: str, is_open: bool
) -> None:
    facts = Desk().take(created(at)).facts
    assert (facts["weekday"], facts["local_time"]) == (weekday, time)
    assert facts["business_open"] is is_open


def test_a_ticket_has_no_facts_of_other_subjects() -> None:
    facts = Desk().take(created()).facts
    assert not facts.keys() & {"lane", "lane_status", "agent", "callback_status", "score"}
