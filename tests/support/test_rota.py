"""Who is on call: every instant has exactly one, by the clock on the wall, and swaps win."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.errors import InputError
from support.rota import MOST_DAYS, Rota, Swap, Turn, on_duty, read_rota, read_swap, turns
from support.shifts import Leave

ZONES = ("Europe/Stockholm", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NAMES = ("ada", "bo", "cleo", "dag")

# Around both changes of the clocks in 2026.
instants = st.builds(
    lambda day, minutes: datetime(2026, day[0], day[1], tzinfo=UTC) + timedelta(minutes=minutes),
    st.sampled_from([(3, 7), (3, 28), (4, 4), (10, 3), (10, 24), (10, 31)]),
    st.integers(0, 4000),
)
handovers = st.builds(
    datetime.combine,
    st.integers(0, 500).map(lambda step: date(2025, 9, 1) + step * DAY),
    st.builds(time, st.integers(0, 23), st.sampled_from((0, 15, 30, 59))),
)
swaps = st.builds(
    lambda name, since, hours: Swap(name, since, since + hours * HOUR),
    st.sampled_from((*NAMES, "eve")),
    instants,
    st.integers(1, 300),
)
rotas = st.builds(
    Rota,
    st.sampled_from(ZONES),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map(tuple),
    handovers,
    st.integers(1, 15),
    st.just(""),
    st.lists(swaps, max_size=3).map(tuple),
)
leaves = st.dictionaries(
    st.sampled_from(NAMES),
    st.lists(
        st.builds(
            lambda since, hours: Leave(since, None if hours is None else since + hours * HOUR),
            instants,
            st.none() | st.integers(1, 300),
        ),
        max_size=2,
    ),
)


@given(rota=rotas, start=instants, hours=st.integers(1, 1000), away=leaves)
def test_turns_tile_the_span_and_say_who_is_on_duty_at_each_instant(
    rota: Rota, start: datetime, hours: int, away: dict[str, list[Leave]]
) -> None:
    end = start + hours * HOUR
    listed = turns(rota, start, end, away)
    assert (listed[0].starts_at, listed[-1].ends_at) == (start, end)
    for before, after in pairwise(listed):
        assert before.ends_at == after.starts_at
        assert before.agent_id != after.agent_id
    for turn in listed:
        middle = turn.starts_at + (turn.ends_at - turn.starts_at) / 2
        for at in (turn.starts_at, middle, turn.ends_at - timedelta(microseconds=1)):
            assert on_duty(rota, at, away) == turn.agent_id


@given(rota=rotas, at=instants)
def test_without_leave_somebody_is_on_duty_and_the_last_swap_wins(rota: Rota, at: datetime) -> None:
    over = [swap.agent_id for swap in rota.swaps if swap.starts_at <= at < swap.ends_at]
    duty = on_duty(rota, at)
    assert duty == over[-1] if over else duty in rota.members


@given(rota=rotas, at=instants)
def test_a_turn_holds_its_instant_and_begins_where_the_clock_shows_the_handover(
    rota: Rota, at: datetime
) -> None:
    turn = rota.turn_at(at)
    begins, ends = rota.handover(turn), rota.handover(turn + 1)
    assert begins <= at < ends
    shown = begins.astimezone(ZoneInfo(rota.tz)).replace(tzinfo=None)
    due = rota.first_handover + turn * timedelta(days=rota.days)
    # A reading that the clock skips moves on by the gap.
    assert shown - due in (timedelta(0), HOUR / 2, HOUR)


@given(rota=rotas, at=instants, away=leaves)
def test_nobody_on_leave_is_on_duty_and_nobody_is_missing_while_one_is_there(
    rota: Rota, at: datetime, away: dict[str, list[Leave]]
) -> None:
    present = {
        name for name in NAMES if not any(leave.holds(at) for leave in away.get(name, ()))
    } | {"eve"}
    duty = on_duty(rota, at, away)
    assert duty in present if duty else not present & set(rota.members)


def test_a_handover_is_at_the_same_time_of_day_on_both_sides_of_a_clock_change() -> None:
    rota = read_rota(
        tz="Europe/Stockholm", members=("ada", "bo"), first_handover="2026-03-23T08:00"
    )
    start, end = rota.handover(0), rota.handover(2)
    assert turns(rota, start, end) == (
        Turn("ada", datetime(2026, 3, 23, 7, tzinfo=UTC), datetime(2026, 3, 30, 6, tzinfo=UTC)),
        Turn("bo", datetime(2026, 3, 30, 6, tzinfo=UTC), datetime(2026, 4, 6, 6, tzinfo=UTC)),
    )
    assert turns(rota, end, end) == ()


def test_the_next_in_order_stands_in_and_then_the_swap_ends() -> None:
    monday = datetime(2026, 3, 2, 8, tzinfo=UTC)
    swap = read_swap("cleo", monday + DAY, monday + 2 * DAY)
    rota = Rota("UTC", ("ada", "bo"), monday.replace(tzinfo=None), swaps=(swap,))
    away = {"ada": [Leave(monday, monday + HOUR)], "cleo": [Leave(monday + 1.5 * DAY)]}
    assert [
        (one.agent_id, one.starts_at) for one in turns(rota, monday, monday + 7 * DAY, away)
    ] == [
        ("bo", monday),
        ("ada", monday + HOUR),
        ("cleo", monday + DAY),
        ("ada", monday + 1.5 * DAY),
    ]
    assert on_duty(rota, monday, {name: [Leave(monday)] for name in ("ada", "bo")}) == ""


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"tz": "Mars/Olympus"}, "Mars"),
        ({"members": ()}, "0 members"),
        ({"members": ("k m",)}, "k m"),
        ({"members": ("kim",) * 101}, "101 members"),
        ({"first_handover": "monday"}, "monday"),
        ({"first_handover": "2026-03-02T08:00+01:00"}, "without offset"),
        ({"first_handover": "0001-03-02T08:00"}, "too far off"),
        ({"days": 0}, "0 days"),
        ({"days": MOST_DAYS + 1}, "367 days"),
        ({"team": "a b"}, "a b"),
    ],
)
def test_a_rota_that_cannot_be_is_refused(changes: dict[str, Any], named: str) -> None:
    told: dict[str, Any] = {
        "tz": "UTC",
        "members": ("kim",),
        "first_handover": "2026-03-02T08:00",
    }
    with pytest.raises(InputError, match=named):
        read_rota(**{**told, **changes})
    with pytest.raises(InputError, match="before it begins"):
        read_swap("kim", datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
