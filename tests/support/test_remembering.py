"""What a ticket remembers of its rules: how long they rest, and how often they have their turn."""

from dataclasses import replace
from datetime import timedelta

from rules.pack import OncePer
from support.model import EventKind
from support.needs import Firing
from support.remembering import FIRINGS_A_TICKET, SCOPES_A_RULE, remembered
from tests.rules.situations import pack_of
from tests.support.deciding import MONDAY, created, event
from tests.support.ruled import resting, rule, ruled, with_pack

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def test_a_cooldown_holds_across_decisions_and_not_while_automation_is_stopped() -> None:
    note = pack_of("name: p\nrules:\n" + rule("seen", "[note]", "[{record: {note: x}}]"))
    desk = with_pack(resting(note, cooldown=2 * HOUR), stopped=True)
    desk.take(created())

    def fired_at(minutes: int) -> tuple[str, ...]:
        return desk.take(event(EventKind.NOTE, MONDAY + minutes * MINUTE)).fired

    assert fired_at(1) == ("seen",)
    desk.stopped = False
    assert [fired_at(minutes) for minutes in (2, 121, 122)] == [("seen",), (), ("seen",)]


def test_once_per_counts_the_ticket_the_day_of_the_office_and_the_breach() -> None:
    note = pack_of("name: p\nrules:\n" + rule("seen", "[note, deadline]", "[{record: {note: x}}]"))
    desk = with_pack(resting(note, once_per=OncePer.TICKET))
    desk.take(created())
    takes = [event(EventKind.NOTE, MONDAY + h * HOUR) for h in (1, 14, 15, 16)]
    assert [bool(desk.take(one).fired) for one in takes] == [True, False, False, False]
    daily = with_pack(resting(note, once_per=OncePer.DAY))
    daily.take(created())
    # 22:00 UTC is 23:00 in Stockholm, 23:00 UTC is the next day there.
    assert [bool(daily.take(one).fired) for one in takes] == [True, False, True, False]
    breaches = with_pack(resting(note, once_per=OncePer.BREACH))
    breaches.take(created())
    fired = [d for d in breaches.pass_until(MONDAY + 30 * 24 * HOUR) if d.fired]
    assert [(d.due.metric, d.due.fraction) for d in fired if d.due] == [
        ("first_response", 0.75),
        ("resolution", 0.75),
    ]


def test_memory_keeps_the_newest_of_each_rule_and_scope_within_bounds() -> None:
    desk = ruled(rule("r", "[ack]", "[assign]"))
    state = desk.take(created()).state
    for n in range(40):
        state = remembered(state, [Firing("a", MONDAY + n * HOUR, f"m/{n}")])
    assert [f.scope for f in state.firings] == [f"m/{n}" for n in range(40 - SCOPES_A_RULE, 40)]
    state = remembered(state, [Firing("a", MONDAY + 99 * HOUR, "m/39")])
    assert len(state.firings) == SCOPES_A_RULE
    assert state.firings[-1].at == MONDAY + 99 * HOUR
    many = [Firing(f"r{n}", MONDAY + n * MINUTE) for n in range(300)]
    assert len(remembered(replace(state, firings=()), many).firings) == FIRINGS_A_TICKET


def test_rules_that_fire_daily_do_not_make_a_ticket_forget_that_a_rule_had_its_one_turn() -> None:
    desk = ruled(rule("r", "[ack]", "[assign]"))
    state = remembered(desk.take(created()).state, [Firing("once", MONDAY, "T-1")])
    for day in range(30):
        at = MONDAY + day * 24 * HOUR
        state = remembered(state, [Firing(f"daily{n}", at, f"day {day}") for n in range(20)])
    assert len(state.firings) == FIRINGS_A_TICKET
    assert state.firings[0] == Firing("once", MONDAY, "T-1")
    assert {f.rule_id for f in state.firings if f.scope == "day 29"} == {
        f"daily{n}" for n in range(20)
    }
