"""Whether an agent is at work, and when that changes: said once, and never missed by an alarm."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.attendance import (
    HEARTBEAT,
    OFFLINE_GRACE,
    AgentTime,
    Attendance,
    attendance,
    checked_heartbeat,
    frees_at,
    takes_up,
    tells,
)
from support.errors import InputError
from support.model import LeftCause, Presence
from support.shifts import Leave

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
DAY = (NOON - 3 * HOUR, NOON + 5 * HOUR)
NIGHT = (NOON + 10 * HOUR, NOON + 18 * HOUR)
EARLIER = NOON - HOUR


def at_noon(
    presence: Presence = Presence.ONLINE, since: datetime = EARLIER, **more: Any
) -> Attendance:
    return attendance(AgentTime(presence, since, **more), NOON)


def test_who_is_online_without_shifts_takes_work_and_nothing_falls_due() -> None:
    found = at_noon()
    assert found == Attendance(Presence.ONLINE, EARLIER, None, takes_work=True, next_at=None)


def test_a_shift_is_looked_at_when_it_ends_and_when_the_next_begins() -> None:
    within, between = at_noon(spans=(DAY, NIGHT)), at_noon(spans=(NIGHT,))
    assert (within.left, within.takes_work, within.next_at) == (None, True, DAY[1])
    assert (between.left, between.takes_work, between.next_at) == (
        LeftCause.SHIFT_ENDED,
        False,
        NIGHT[0],
    )
    ended = attendance(AgentTime(Presence.ONLINE, EARLIER, spans=(DAY,)), DAY[1])
    assert (ended.left, ended.next_at) == (LeftCause.SHIFT_ENDED, None)


def test_duty_is_work_outside_shifts_and_what_begins_with_it_is_taken_up() -> None:
    duty = (NOON - HOUR, NOON + HOUR)
    on_duty = at_noon(spans=(NIGHT,), duty=(duty,))
    assert (on_duty.left, on_duty.takes_work, on_duty.next_at) == (None, True, duty[1])
    over = attendance(AgentTime(Presence.ONLINE, EARLIER, spans=(NIGHT,), duty=(duty,)), duty[1])
    assert over.left is LeftCause.SHIFT_ENDED
    always = AgentTime(Presence.ONLINE, EARLIER, duty=(duty,))
    for since, expected in ((duty[0] - MINUTE, True), (duty[0], False)):
        assert takes_up(always, on_duty, None, since, NOON) is expected


def test_leave_goes_before_the_end_of_a_shift_and_begins_at_its_instant() -> None:
    ahead = at_noon(spans=(), leaves=(Leave(NOON + HOUR),))
    assert (ahead.left, ahead.next_at) == (LeftCause.SHIFT_ENDED, NOON + HOUR)
    on_leave = at_noon(spans=(NIGHT,), leaves=(Leave(EARLIER, NOON + HOUR),))
    assert (on_leave.left, on_leave.next_at) == (LeftCause.ON_LEAVE, NOON + HOUR)


def test_whose_heartbeat_has_run_out_is_offline_since_then_and_gone_after_the_grace() -> None:
    running = at_noon(until=NOON + MINUTE)
    assert (running.takes_work, running.next_at) == (True, NOON + MINUTE)
    out = at_noon(until=NOON)
    assert (out.presence, out.since, out.left) == (Presence.OFFLINE, NOON, None)
    assert (out.takes_work, out.next_at) == (False, NOON + OFFLINE_GRACE)
    gone = at_noon(until=NOON - OFFLINE_GRACE)
    assert (gone.left, gone.next_at) == (LeftCause.OFFLINE, None)


def test_who_is_away_takes_no_work_and_has_not_left() -> None:
    found = at_noon(Presence.AWAY, NOON - 9 * HOUR)
    assert (found.left, found.takes_work, found.next_at) == (None, False, None)


def test_a_limit_that_is_reached_frees_when_its_first_assignment_leaves_the_window() -> None:
    recent = [NOON - 20 * MINUTE, NOON - 10 * MINUTE, NOON - MINUTE]
    assert frees_at(recent, 3, HOUR) == NOON + 40 * MINUTE
    assert frees_at(recent, 2, HOUR) == NOON + 50 * MINUTE
    assert frees_at(recent, 4, HOUR) is None
    assert frees_at(recent, None, None) is None
    found = at_noon(frees_at=NOON + MINUTE)
    assert (found.left, found.takes_work, found.next_at) == (None, False, NOON + MINUTE)
    assert at_noon(frees_at=NOON).takes_work


def test_work_is_taken_up_by_who_is_back_or_whose_limit_freed_since_then() -> None:
    agent = AgentTime(Presence.ONLINE, EARLIER, frees_at=NOON - MINUTE)
    found = attendance(agent, NOON)
    assert not takes_up(agent, found, None, NOON - MINUTE, NOON)
    assert takes_up(agent, found, None, NOON - 2 * MINUTE, NOON)
    assert takes_up(agent, found, LeftCause.SHIFT_ENDED, NOON - MINUTE, NOON)
    away = AgentTime(Presence.AWAY, EARLIER)
    assert not takes_up(away, attendance(away, NOON), LeftCause.SHIFT_ENDED, EARLIER, NOON)


@pytest.mark.parametrize(
    ("was", "left", "told"),
    [
        (None, LeftCause.OFFLINE, True),
        (None, LeftCause.SHIFT_ENDED, True),
        (LeftCause.OFFLINE, LeftCause.SHIFT_ENDED, False),
        (LeftCause.SHIFT_ENDED, LeftCause.ON_LEAVE, True),
        (LeftCause.ON_LEAVE, LeftCause.ON_LEAVE, False),
        (LeftCause.ON_LEAVE, LeftCause.SHIFT_ENDED, False),
        (LeftCause.OFFLINE, None, False),
        (None, None, False),
    ],
)
def test_tickets_are_told_once_of_a_going_and_again_when_leave_begins(
    was: LeftCause | None, left: LeftCause | None, *, told: bool
) -> None:
    assert tells(was, left) is told


@pytest.mark.parametrize("lasts", [timedelta(seconds=9), timedelta(seconds=3601)])
def test_a_heartbeat_has_bounds(lasts: timedelta) -> None:
    assert checked_heartbeat(HEARTBEAT) == HEARTBEAT
    with pytest.raises(InputError, match="10s to 1h"):
        checked_heartbeat(lasts)


_minutes = st.integers(-300, 300).map(lambda minutes: NOON + minutes * MINUTE)


@st.composite
def agents(draw: st.DrawFn) -> AgentTime:
    edges = sorted(draw(st.sets(_minutes, max_size=8)))
    spans = tuple(pairwise(edges))[::2]
    begins = draw(st.lists(_minutes, max_size=2))
    lasts = st.none() | st.integers(1, 200)
    leaves = [
        Leave(begin, None if (m := draw(lasts)) is None else begin + m * MINUTE) for begin in begins
    ]
    since = draw(_minutes)
    beats = draw(st.none() | st.integers(0, 60))
    return AgentTime(
        presence=draw(st.sampled_from(Presence)),
        since=since,
        until=None if beats is None else since + beats * MINUTE,
        spans=draw(st.sampled_from([None, spans])),
        leaves=tuple(leaves),
        frees_at=draw(st.none() | _minutes),
        duty=draw(
            st.sampled_from([(), tuple(pairwise(sorted(draw(st.sets(_minutes, max_size=3)))))])
        ),
    )


def _said(found: Attendance) -> tuple[object, ...]:
    return found.presence, found.since, found.left, found.takes_work


@given(agents(), _minutes, _minutes)
def test_who_looks_whenever_the_alarm_says_knows_how_an_agent_stands_at_any_instant(
    agent: AgentTime, begin: datetime, at: datetime
) -> None:
    looked, known = begin, attendance(agent, begin)
    while known.next_at is not None and known.next_at <= at:
        assert known.next_at > looked
        looked = known.next_at
        known = attendance(agent, looked)
    if at >= begin:
        assert _said(known) == _said(attendance(agent, at))


@given(agents(), _minutes)
def test_work_is_taken_only_by_who_is_online_and_has_not_left(
    agent: AgentTime, at: datetime
) -> None:
    found = attendance(agent, at)
    if found.takes_work:
        assert found.presence is Presence.ONLINE
        assert found.left is None
        works = None if agent.spans is None else (*agent.spans, *agent.duty)
        assert works is None or any(begin <= at < end for begin, end in works)
