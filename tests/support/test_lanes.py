"""Lanes, score and pressure: the worked cases, the hysteresis, and what must always hold."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.lanes import (
    LANES,
    Lane,
    LaneStatus,
    Pressure,
    Reading,
    Signals,
    read_lanes,
    status_of,
)

BY_ID = {lane.id: lane for lane in LANES}
COUNTS = (
    "breached",
    "escalation_due",
    "unassigned",
    "waiting_internal",
    "high_urgent",
    "queued",
    "overdue",
)

signals = st.builds(
    Signals,
    **{name: st.integers(0, 400) for name in COUNTS},
    rostered_units=st.integers(0, 600).map(Fraction),
    callback_agents=st.integers(0, 60),
)


def team(agents: int, **counts: Any) -> Signals:
    """Signals of a team whose agents have 12 units each and all take callbacks."""
    return replace(Signals(**counts), rostered_units=Fraction(12 * agents), callback_agents=agents)


def status(reading: Reading, lane_id: str) -> LaneStatus:
    return reading.statuses[lane_id]


@pytest.mark.parametrize(
    ("given_signals", "score", "pressure"),
    [
        (team(1, breached=1, escalation_due=1), 80, Pressure.ELEVATED),
        (team(3, breached=1, escalation_due=1), 88, Pressure.LOW),
        (
            team(
                15,
                open_tickets=200,
                breached=10,
                escalation_due=15,
                unassigned=20,
                waiting_internal=30,
                queued=12,
                overdue=3,
                high_urgent=40,
            ),
            44,
            Pressure.HIGH,
        ),
        (team(15, queued=40, overdue=40), 75, Pressure.HIGH),
        (team(8, unassigned=60, high_urgent=6), 84, Pressure.ELEVATED),
    ],
    ids=["one of one", "three agents", "busy day", "all callbacks overdue", "monday"],
)
def test_worked_cases_of_the_design(given_signals: Signals, score: int, pressure: Pressure) -> None:
    reading = read_lanes(given_signals)
    assert (reading.score, reading.pressure) == (score, pressure)


def test_all_clear_is_100_low_and_stable() -> None:
    reading = read_lanes(Signals())
    assert reading.score == 100
    assert reading.pressure is Pressure.LOW
    assert set(reading.statuses.values()) == {LaneStatus.STABLE}


def test_weights_take_the_whole_score() -> None:
    reading = read_lanes(team(1, **dict.fromkeys(COUNTS, 10_000)))
    assert reading.score == 0
    assert reading.pressure is Pressure.CRITICAL


def test_texts_are_those_of_the_product() -> None:
    texts = {r.lane.id: r.text for r in read_lanes(Signals(queued=4, overdue=1, breached=2)).lanes}
    assert texts == {
        "sla_breached": "2 breached",
        "escalation_due": "0 due",
        "unassigned": "0 active unassigned",
        "assignment": "0 waiting internal",
        "callback_sla": "4 queued / 1 overdue",
        "overdue_recovery": "1 overdue callbacks",
        "priority_queue": "0 high/urgent",
    }


def test_base_never_falls_below_its_minimum() -> None:
    reading = read_lanes(Signals(rostered_units=Fraction(12), callback_agents=1))
    assert {r.base for r in reading.lanes} == {Fraction(20), Fraction(10)}


@pytest.mark.parametrize(
    ("signal", "expected"),
    [(0, "stable"), (2, "watch"), (3, "hot"), (5, "hot"), (6, "critical")],
)
def test_minimum_counts_hold_for_a_small_team(signal: int, expected: str) -> None:
    assert status_of(BY_ID["sla_breached"], signal, Fraction(20)).word == expected


def test_shares_hold_for_a_large_team() -> None:
    lane, base = BY_ID["sla_breached"], Fraction(1000)
    assert status_of(lane, 29, base) is LaneStatus.WATCH
    assert status_of(lane, 30, base) is LaneStatus.HOT
    assert status_of(lane, 100, base) is LaneStatus.CRITICAL


def test_status_goes_down_only_below_four_fifths_of_its_threshold() -> None:
    lane, base = BY_ID["unassigned"], Fraction(100)
    assert status_of(lane, 10, base) is LaneStatus.HOT
    assert status_of(lane, 8, base) is LaneStatus.WATCH
    assert status_of(lane, 8, base, LaneStatus.HOT) is LaneStatus.HOT
    assert status_of(lane, 7, base, LaneStatus.HOT) is LaneStatus.WATCH
    assert status_of(lane, 25, base, LaneStatus.WATCH) is LaneStatus.CRITICAL


def test_reading_takes_the_previous_statuses() -> None:
    hot = read_lanes(team(10, unassigned=12))
    assert status(hot, "unassigned") is LaneStatus.HOT
    fewer = team(10, unassigned=10)
    assert status(read_lanes(fewer), "unassigned") is LaneStatus.WATCH
    assert status(read_lanes(fewer, previous=hot.statuses), "unassigned") is LaneStatus.HOT


def test_any_lane_is_stable_again_as_soon_as_it_is_empty() -> None:
    lane = BY_ID["sla_breached"]
    assert status_of(lane, 0, Fraction(20), LaneStatus.CRITICAL) is LaneStatus.STABLE


def test_hot_urgent_lane_forces_elevated() -> None:
    reading = read_lanes(team(100, escalation_due=60))
    assert reading.score >= 85
    assert reading.pressure is Pressure.ELEVATED


def test_critical_other_lane_forces_elevated_only() -> None:
    reading = read_lanes(team(8, high_urgent=60))
    assert reading.score == 95
    assert reading.pressure is Pressure.ELEVATED


def test_closed_hours_cost_nothing_for_lanes_that_rest() -> None:
    busy = team(8, unassigned=60, waiting_internal=60, queued=60)
    assert read_lanes(busy).score == 70
    closed = read_lanes(busy, open_hours=False)
    assert (closed.score, closed.pressure) == (100, Pressure.LOW)
    assert status(closed, "unassigned") is LaneStatus.CRITICAL


def test_closed_hours_still_cost_for_breaches_and_overdue_callbacks() -> None:
    reading = read_lanes(team(15, breached=18, overdue=5), open_hours=False)
    assert reading.score == 50


def test_held_breaches_are_no_part_of_any_lane() -> None:
    assert read_lanes(Signals(breached_held=50)).score == 100


@given(signals)
def test_contributions_explain_the_score(given_signals: Signals) -> None:
    reading = read_lanes(given_signals)
    lost = sum(r.contribution for r in reading.lanes)
    assert reading.score <= 100 - lost < reading.score + 1
    assert 0 <= reading.score <= 100
    assert all(0 <= r.contribution <= r.lane.weight for r in reading.lanes)


@given(signals, st.sampled_from(COUNTS), st.integers(1, 50), st.booleans())
def test_score_never_rises_when_a_signal_rises(
    given_signals: Signals, name: str, more: int, open_hours: bool
) -> None:
    worse = replace(given_signals, **{name: getattr(given_signals, name) + more})
    before = read_lanes(given_signals, open_hours=open_hours)
    after = read_lanes(worse, open_hours=open_hours)
    assert after.score <= before.score
    assert after.pressure >= before.pressure


@given(
    st.sampled_from(LANES), st.integers(0, 500), st.integers(20, 600), st.sampled_from(LaneStatus)
)
def test_a_previous_status_never_lowers_the_next_one(
    lane: Lane, signal: int, base: int, previous: LaneStatus
) -> None:

    afresh = status_of(lane, signal, Fraction(base))
    kept = status_of(lane, signal, Fraction(base), previous)
    assert afresh <= kept <= max(afresh, previous)
