"""Ladders: fractions, offsets, repeats, closed hours and what an acknowledgement silences."""

from datetime import timedelta
from typing import Any

from support.calendar import BusinessCalendar
from support.decision import Deadline
from support.ladder import InClosedHours, Rung, rungs
from support.model import EventKind
from support.policy import Metric, PolicyBook, Terms
from tests.support.deciding import MONDAY, Desk, action, created, event

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
ALWAYS = BusinessCalendar.from_dict({"tz": "UTC", "hours": "24/7"})
OFFICE = BusinessCalendar.from_dict(
    {"tz": "UTC", "hours": {day: [["08:00", "16:00"]] for day in ("mon", "tue", "wed")}}
)
OPENING = MONDAY + 24 * HOUR


def desk(*ladder: Rung, target: timedelta = 4 * HOUR, **more: Any) -> Desk:
    terms = Terms(
        "all",
        "always",
        ALWAYS,
        {Metric.FIRST_RESPONSE: target},
        ladder=ladder,
        office=OFFICE,
        ack_lapse=2 * HOUR,
    )
    made = Desk(book=PolicyBook("v", OFFICE, (terms,)), **more)
    made.take(created())
    return made


def steps(ticket: Desk) -> list[tuple[str, timedelta]]:
    assert ticket.state is not None
    return [(s.step or f"{s.fraction:g}", s.due_at - MONDAY) for s in ticket.state.steps]


def test_offsets_are_elapsed_time_before_and_after_the_due() -> None:
    ticket = desk(Rung(offset=-30 * MINUTE), *rungs(0.5), Rung(offset=HOUR))
    ticket.pass_until(MONDAY + 40 * HOUR)
    assert steps(ticket) == [("0.5", 2 * HOUR), ("-30m", 3.5 * HOUR), ("+1h", 5 * HOUR)]


def test_an_offset_before_the_start_is_due_at_the_start() -> None:
    ticket = desk(Rung(offset=-9 * HOUR))
    ticket.pass_until(MONDAY + 40 * HOUR)
    assert steps(ticket) == [("-9h", 0 * HOUR)]


def test_repeats_are_bounded_and_each_has_its_own_key() -> None:
    ticket = desk(Rung(1.0, every=HOUR, times=2))
    passed = ticket.pass_until(MONDAY + 400 * HOUR)
    assert steps(ticket) == [("1", 4 * HOUR), ("1#1", 5 * HOUR), ("1#2", 6 * HOUR)]
    keys = [d.due.stamp for d in passed if d.due]
    assert len(keys) == len(set(keys))
    assert ticket.facts["step_repeat"] == 2


def test_a_plain_step_keeps_the_key_that_stored_timers_wait_for() -> None:
    due = desk(*rungs(0.75)).decisions[0].next_due
    assert due is not None
    assert (due.key, due.label) == (
        "step:first_response:0:0.75",
        "first response at 75% of its target",
    )


def test_an_acknowledgement_silences_repeats_and_early_steps_and_not_those_at_the_due() -> None:
    ticket = desk(Rung(0.5, every=HOUR, times=5), Rung(offset=0 * HOUR))
    ticket.pass_until(MONDAY + 2 * HOUR)
    ticket.take(event(EventKind.ACK, MONDAY + 2 * HOUR + MINUTE))
    ticket.pass_until(MONDAY + 4 * HOUR)
    assert steps(ticket) == [("0.5", 2 * HOUR), ("+0s", 4 * HOUR)]
    ticket.pass_until(MONDAY + 4 * HOUR + MINUTE)
    assert steps(ticket)[2:] == [("0.5#1", 4 * HOUR + MINUTE)]


def test_acknowledgements_that_follow_one_another_put_a_silenced_step_off_each_time() -> None:
    ticket = desk(*rungs(0.5))
    for hours in (1.5, 3):
        ticket.pass_until(MONDAY + hours * HOUR)
        ticket.take(event(EventKind.ACK, MONDAY + hours * HOUR))
    ticket.pass_until(MONDAY + 40 * HOUR)
    assert steps(ticket) == [("0.5", 5 * HOUR)]


def test_a_silenced_repeat_is_put_off_by_the_next_acknowledgement_too() -> None:
    ticket = desk(Rung(1.0, every=HOUR, times=1), target=HOUR)
    ticket.pass_until(MONDAY + HOUR)
    for hours in (1.5, 3):
        ticket.pass_until(MONDAY + hours * HOUR)
        ticket.take(event(EventKind.ACK, MONDAY + hours * HOUR))
    ticket.pass_until(MONDAY + 40 * HOUR)
    assert steps(ticket) == [("1", HOUR), ("1#1", 5 * HOUR)]


def test_a_step_that_waits_for_the_office_is_silenced_by_who_has_it_meanwhile() -> None:
    ticket = desk(Rung(0.75, in_closed_hours=InClosedHours.WAIT), target=16 * HOUR)
    ticket.take(event(EventKind.ACK, MONDAY + 23 * HOUR))
    ticket.pass_until(MONDAY + 30 * HOUR)
    assert steps(ticket) == [("0.75", 25 * HOUR)]


def test_a_step_due_again_in_closed_hours_waits_or_goes_to_the_rota_as_its_rung_says() -> None:
    waits = desk(Rung(1.0, in_closed_hours=InClosedHours.WAIT), target=HOUR)
    waits.pass_until(MONDAY + HOUR)
    waits.take(event(EventKind.ACK, MONDAY + 7 * HOUR))
    waits.pass_until(MONDAY + 30 * HOUR)
    assert steps(waits) == [("1", HOUR), ("1", 24 * HOUR)]
    rota = desk(Rung(1.0, in_closed_hours=InClosedHours.ON_CALL), target=HOUR)
    rota.pass_until(MONDAY + HOUR)
    rota.take(event(EventKind.ACK, MONDAY + 7 * HOUR))
    again = rota.pass_until(MONDAY + 9 * HOUR)
    assert [(d.due.on_call, d.at - MONDAY) for d in again if d.due] == [(True, 9 * HOUR)]


def test_the_instant_of_closing_still_belongs_to_the_open_hours_before_it() -> None:
    waits = desk(Rung(1.0, in_closed_hours=InClosedHours.WAIT), target=8 * HOUR)
    waits.pass_until(MONDAY + 30 * HOUR)
    assert steps(waits) == [("1", 8 * HOUR)]
    rota = desk(Rung(1.0, in_closed_hours=InClosedHours.ON_CALL), target=8 * HOUR)
    fired = rota.pass_until(MONDAY + 8 * HOUR)[0]
    assert fired.due is not None
    assert not fired.due.on_call


def test_a_step_in_closed_hours_waits_for_the_office() -> None:
    wait = Rung(1.0, in_closed_hours=InClosedHours.WAIT, every=HOUR, times=1)
    ticket = desk(wait, target=10 * HOUR)
    ticket.pass_until(MONDAY + 40 * HOUR)
    assert steps(ticket) == [("1", 24 * HOUR), ("1#1", 25 * HOUR)]


def test_a_step_in_closed_hours_goes_to_the_on_call_rota() -> None:
    people = {"lead": ("lou",), "on_call": ("oli",)}
    rota = Rung(1.0, in_closed_hours=InClosedHours.ON_CALL)
    night = desk(rota, target=10 * HOUR, people=people)
    night.rules = [action("escalate", to="lead")]
    fired = night.pass_until(MONDAY + 10 * HOUR)[0]
    assert fired.actions[0].detail == "escalated to on_call oli"
    assert fired.facts["step_on_call"] is True
    day = desk(rota, target=2 * HOUR, people=people)
    day.rules = [action("escalate", to="lead")]
    assert day.pass_until(MONDAY + 2 * HOUR)[0].actions[0].detail == "escalated to lead lou"


def test_a_step_for_a_role_that_nobody_has_reaches_a_stand_in() -> None:
    ticket = desk(Rung(1.0), target=HOUR, people={"lead": ("lou",)})
    ticket.rules = [action("escalate", to="on_call"), action("notify", to="manager", template="t")]
    told, notified = ticket.pass_until(MONDAY + HOUR)[0].actions
    assert told.detail == "escalated to lead lou in the place of on_call"
    assert notified.detail.startswith("lead lou")
    alone = desk(Rung(1.0), target=HOUR)
    alone.rules = [action("escalate", to="on_call")]
    assert alone.pass_until(MONDAY + HOUR)[0].actions[0].detail == (
        "there is no on_call to escalate to"
    )


def test_after_an_outage_all_rungs_fire_once_in_order_and_say_how_late() -> None:
    ticket = desk(Rung(offset=-HOUR), Rung(1.0, every=HOUR, times=2), Rung(offset=90 * MINUTE))
    now = MONDAY + 30 * HOUR
    late = []
    while (due := ticket.decisions[-1].next_due) is not None and due.at <= now:
        late.append(ticket.take(Deadline(due.at, due.key), late=now - due.at))
    fired = [(s.step or f"{s.fraction:g}") for d in late for s in d.new_steps]
    assert fired == ["-1h", "1", "1#1", "+1h 30m", "1#2"]
    assert all(d.at + d.lateness == now for d in late)
    assert [d.at for d in late] == sorted(d.at for d in late)
