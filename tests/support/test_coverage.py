from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from support.calendar import BusinessCalendar
from support.coverage import coverage
from support.roster import Span

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
OFFICE = BusinessCalendar.from_dict({"tz": "UTC", "hours": {"mon": [["08:30", "10:00"]]}})


def at(minutes: int) -> datetime:
    return MONDAY + timedelta(minutes=minutes)


def test_only_open_hours_are_counted_and_a_gap_within_one_counts() -> None:
    kim: list[Span] = [(at(480), at(570)), (at(580), at(600))]
    lou: list[Span] = [(at(0), at(24 * 60))]
    hours = coverage([kim, lou], OFFICE, MONDAY, MONDAY + timedelta(days=2))
    assert [(h.starts_at, h.ends_at, h.agents) for h in hours] == [
        (at(510), at(540), 2),
        (at(540), at(600), 1),
    ]
    assert [h.agents for h in coverage([], OFFICE, MONDAY, at(24 * 60))] == [0, 0]


pieces = st.tuples(st.integers(480, 620), st.integers(1, 90)).map(
    lambda two: (at(two[0]), at(two[0] + two[1]))
)


@given(agents=st.lists(st.lists(pieces, max_size=1), max_size=4))
def test_the_least_is_what_a_look_at_every_minute_finds(agents: list[list[Span]]) -> None:
    for hour in coverage(agents, OFFICE, MONDAY, MONDAY + timedelta(days=1)):
        minutes = int((hour.ends_at - hour.starts_at).total_seconds() // 60)
        every = (hour.starts_at + timedelta(minutes=step) for step in range(minutes))
        assert hour.agents == min(
            sum(a <= now < b for one in agents for a, b in one) for now in every
        )
