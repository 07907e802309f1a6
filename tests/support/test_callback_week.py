"""A week of 500 callbacks over a clock change, with agents on shifts, all in memory.

Everything that people do here is drawn once from a seed: they accept, decline or do not look, reach
customers or do not, report twice or never; customers cancel and ask again. What must hold of every
decision is checked against clocks on the wall, not against the code that decided.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from heapq import heappop, heappush
from random import Random
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter

from rules.load import load_pack
from support.calendar import BusinessCalendar
from support.callback_decision import CallbackDecision
from support.callback_hours import Dispatchable, next_dispatch
from support.callbacks import (
    CallbackEvent,
    CallbackState,
    CallbackStatus,
    CallOutcome,
    Window,
    place_in_queue,
)
from support.calling_hours import LEGAL_HOURS
from support.errors import InputError
from support.model import Actor, ActorKind, Priority
from support.policy import PolicyBook
from support.work import EffectKind, Outside
from tests.support.calling import DAY, HOUR, HUB, MINUTE, CallDesk, Kind, requested, told, utc
from tests.support.deciding import BOOK, CUSTOMER

START = utc("2026-03-26T00:00")
"""Thursday; the clock goes forward in Europe on Sunday the 29th."""
COUNT = 500
SECOND = timedelta(seconds=1)
CUSTOMERS = [
    ("SE", "Europe/Stockholm"),
    ("FR", "Europe/Paris"),
    ("GB", "Europe/London"),
    ("US", "America/New_York"),
    ("IN", "Asia/Kolkata"),
]
LEGAL = {"SE": (8, 20), "GB": (8, 20), "US": (8, 20), "IN": (9, 20)}
OPEN = BusinessCalendar.from_dict(
    {
        "tz": "Europe/Stockholm",
        "hours": {
            day: [["07:00", "21:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
        },
    }
)
SHIFTS = {
    **{f"early{n}": ("Europe/Stockholm", 7, 14) for n in range(6)},
    **{f"late{n}": ("Europe/Stockholm", 13, 21) for n in range(6)},
    "pune": ("Asia/Kolkata", 9, 18),
}
PEOPLE = {"lead": ("early0",), "manager": ("max",), "on_call": ("late0",)}


def book() -> PolicyBook:
    policies = tuple(replace(terms, calendar=OPEN, office=OPEN) for terms in BOOK.policies)
    return PolicyBook("week", OPEN, policies)


def at_work(agent: str, at: datetime) -> bool:
    """By the clock on the wall where the agent is."""
    tz, since, until = SHIFTS[agent]
    return since <= at.astimezone(ZoneInfo(tz)).hour < until


def may_be_called(state: CallbackState, at: datetime) -> bool:
    """By the clocks on the walls of office and customer."""
    office, there = (at.astimezone(ZoneInfo(tz)) for tz in ("Europe/Stockholm", state.zone))
    if state.country == "FR":
        legal = there.weekday() < 5 and (10 <= there.hour < 13 or 14 <= there.hour < 20)
    else:
        since, until = LEGAL[state.country]
        legal = since <= there.hour < until
    inside = (state.window.start or at) <= at and (
        state.window.end is None or at < state.window.end
    )
    return legal and inside and 7 <= office.hour < 21


@dataclass
class Week:
    """The desk, what is still to happen, and an account of what did."""

    random: Random
    desk: CallDesk
    ahead: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)
    number: int = 0
    now: datetime = START
    fired: Counter[tuple[str, str]] = field(default_factory=Counter)
    dials: Counter[str] = field(default_factory=Counter)
    overdue: dict[str, bool] = field(default_factory=dict)
    dispatches: int = 0

    def later(self, at: datetime, what: Callable[[], None]) -> None:
        self.number += 1
        heappush(self.ahead, (at, self.number, what))

    def happen(self, callback_id: str, kind: Kind, actor: Actor, **more: object) -> None:
        """Let something happen, which may be refused: people do not see all that is going on."""
        self.number += 1
        event = told(kind, self.now, actor, event_id=f"e{self.number}", **more)
        try:
            decision = self.desk.take(event, callback_id)
        except InputError:
            return
        self.look(callback_id, decision)

    def look(self, callback_id: str, decision: CallbackDecision) -> None:
        """Check a decision, and let people do what they do about it."""
        state = decision.state
        self.overdue[callback_id] = decision.promise.overdue
        if decision.due is not None:
            self.fired[callback_id, decision.due.stamp] += 1
        for action in decision.actions:
            given = action.kind == "dispatch" and action.outcome == "done"
            taken = action.kind == "escalate" and "is owner now" in action.detail
            if given or taken:
                self.dispatches += 1
                assert may_be_called(state, decision.at)
                assert taken or at_work(state.owner, decision.at)
                self.work(callback_id, state)
        for effect in decision.effects:
            if effect.kind is EffectKind.DIAL:
                self.dials[effect.key] += 1
                self.call(callback_id, state)
        for agent in self.desk.agents:
            assert self.desk.load(agent) <= 12

    def work(self, callback_id: str, state: CallbackState) -> None:
        """Let the agent who got it answer, most of the time in time."""
        agent, draw = Actor(ActorKind.AGENT, state.owner), self.random.random()
        kind = Kind.ACCEPT if draw < 0.93 else Kind.DECLINE
        if draw < 0.96:
            wait = self.random.randint(5, 110) * SECOND
            self.later(self.now + wait, lambda: self.happen(callback_id, kind, agent))

    def call(self, callback_id: str, state: CallbackState) -> None:
        """Let the telephone dial and report: twice, late, never, or that it does not know."""
        attempt, draw = state.attempts + 1, self.random.random()
        dialled, over = 5 * SECOND, self.random.randint(20, 900) * SECOND
        outcome = self.random.choices(list(CallOutcome), [55, 20, 8, 3, 8, 2, 4])[0]
        again = self.now + self.random.randint(1, 72) * HOUR
        if draw < 0.02:
            self.report(callback_id, dialled, Kind.UNKNOWN, attempt=attempt)
            return
        if draw < 0.9:
            self.report(callback_id, dialled, Kind.DIALLED, attempt=attempt)
        if draw > 0.03:
            more = {"outcome": outcome, "attempt": attempt, "call_again_at": again}
            self.report(callback_id, over, Kind.OUTCOME, **more)
            if draw > 0.9:
                self.report(callback_id, over + 3 * HOUR, Kind.OUTCOME, **more)
                self.report(callback_id, over + SECOND, Kind.DIALLED, attempt=attempt)

    def report(self, callback_id: str, after: timedelta, kind: Kind, **more: object) -> None:
        self.later(self.now + after, partial(self.happen, callback_id, kind, HUB, **more))

    def request(self, callback_id: str) -> None:
        country, zone = self.random.choice(CUSTOMERS)
        window, draw = Window(), self.random.random()
        if draw < 0.4:
            start = self.now + self.random.randint(0, 4 * 24 * 4) * 15 * MINUTE
            window = Window(start, start + self.random.randint(2, 24) * 30 * MINUTE)
        elif draw < 0.5:
            window = Window(end=self.now + self.random.randint(2, 20) * HOUR)
        event = requested(
            self.now,
            window,
            country=country,
            zone=zone,
            priority=self.random.choice(list(Priority)),
            ticket_id=self.random.choice(["", "T-1"]),
        )
        self.look(callback_id, self.desk.take(event, callback_id))
        wait = self.random.randint(1, 3000) * MINUTE
        if self.random.random() < 0.06:
            self.later(self.now + wait, lambda: self.happen(callback_id, Kind.CANCEL, CUSTOMER))
        if self.random.random() < 0.06:
            start = self.now + wait + self.random.randint(0, 1000) * MINUTE
            moved = self.random.choice([None, Window(start, start + 6 * HOUR)])
            self.later(
                self.now + wait,
                lambda: self.happen(callback_id, Kind.JOINED, CUSTOMER, window=moved),
            )

    def hand_out(self) -> None:
        """Offer what waits to whoever has room, in the order of the queue."""
        free = [
            agent
            for agent in self.desk.agents
            if at_work(agent, self.now) and not self.desk.load(agent)
        ]
        if not free:
            return
        waiting = [s for s in self.desk.states.values() if s.status is CallbackStatus.QUEUED]
        waiting.sort(key=lambda s: place_in_queue(s, overdue=self.overdue[s.callback_id]))
        for state in waiting[: len(free)]:
            if may_be_called(state, self.now):
                self.happen(state.callback_id, Kind.OFFER, HUB)

    def run(self, until: datetime) -> None:
        """Let everything happen in its order; events of an instant come before deadlines."""
        while True:
            due = min((d.at for d in self.desk.next_dues.values()), default=None)
            event = self.ahead[0][0] if self.ahead else None
            times = [at for at in (due, event) if at is not None]
            if not times or min(times) > until:
                return
            self.now = max(self.now, min(times))
            if event is not None and (due is None or event <= due):
                heappop(self.ahead)[2]()
            else:
                self.look(*self.desk.pass_next())


def shifts(week: Week) -> None:
    """Wake the queue at the beginning of each shift and every quarter while somebody is at work."""
    for quarter in range(14 * 24 * 4):
        week.later(START + quarter * 15 * MINUTE, week.hand_out)


@pytest.fixture(scope="module")
def week() -> Week:
    random = Random(7)  # noqa: S311  a reproducible week, no secret
    desk = CallDesk(
        agents=dict.fromkeys(SHIFTS, Decimal(12)),
        at_work=at_work,
        people=PEOPLE,
        pack=load_pack(None),
        outside=Outside(notify=True, dial=True),
        book=book(),
    )
    week = Week(random, desk)
    for number in range(COUNT):
        at = START + random.randint(0, 7 * 24 * 3600) * SECOND
        week.later(at, partial(week.request, f"CB-{number}"))
    shifts(week)
    week.run(START + 30 * DAY)
    return week


def test_every_callback_of_the_week_ends(week: Week) -> None:
    states = week.desk.states.values()
    assert len(states) == COUNT
    assert all(state.status.final for state in states)
    assert week.desk.next_dues == {}
    ended = Counter(state.status for state in states)
    assert ended[CallbackStatus.COMPLETED] > COUNT / 2
    assert set(ended) == {status for status in CallbackStatus if status.final}


def test_each_deadline_fires_once(week: Week) -> None:
    assert week.fired
    assert [stamp for stamp, count in week.fired.items() if count > 1] == []


def test_none_is_dispatched_outside_its_window_and_nobody_has_two(week: Week) -> None:
    """Each dispatch was checked when it was decided; here, that there were some to check."""
    assert week.dispatches > COUNT
    zones = {state.zone for state in week.desk.states.values() if state.attempts}
    assert zones == {zone for _, zone in CUSTOMERS}
    on_the_day = [
        attempt
        for state in week.desk.states.values()
        for attempt in state.history
        if attempt.at.date() == utc("2026-03-29T00:00").date()
    ]
    assert len(on_the_day) > 20


def test_each_dial_has_its_own_key_and_none_is_dialled_more_than_three_times(week: Week) -> None:
    assert set(week.dials.values()) == {1}
    assert max(state.attempts for state in week.desk.states.values()) == 3


def test_a_promise_is_missed_exactly_where_the_first_dial_came_after_its_due(week: Week) -> None:
    for state in week.desk.states.values():
        decision = next(d for name, d in reversed(week.desk.decisions) if name == state.callback_id)
        due, met = decision.promise.due_at, decision.promise.met_at
        standing = [breach for breach in state.breaches if not breach.withdrawn]
        if due is not None and met is not None and len(decision.clocks) == 1:
            late = any(breach.due_at == due for breach in standing)
            assert late == (met > due)


def test_retries_come_at_rising_distance_and_keep_their_age(week: Week) -> None:
    for state in week.desk.states.values():
        quarantines = zip(state.history, state.history[1:], (15 * MINUTE, HOUR), strict=False)
        for before, after, distance in quarantines:
            if before.outcome in (CallOutcome.NO_ANSWER, CallOutcome.BUSY, CallOutcome.VOICEMAIL):
                assert before.ended_at is not None
                assert after.at >= before.ended_at + distance
        first = next(d for name, d in week.desk.decisions if name == state.callback_id)
        assert state.requested_at == first.state.requested_at


def test_what_the_queue_says_of_the_next_dispatch_is_what_a_clock_on_the_wall_says(
    week: Week,
) -> None:
    for name, decision in week.desk.decisions[::50]:
        if decision.state.status is CallbackStatus.QUEUED:
            found = next_dispatch(decision.state, decision.at, OPEN, LEGAL_HOURS, do_not_call=False)
            now = isinstance(found, Dispatchable) and found.at == decision.at
            assert now == may_be_called(decision.state, decision.at), name


def test_every_state_and_event_is_the_same_after_it_was_written_and_read(week: Week) -> None:
    states, events = TypeAdapter(CallbackState), TypeAdapter(CallbackEvent)
    for state in week.desk.states.values():
        assert states.validate_json(states.dump_json(state)) == state
    event = requested(START, Window(START + HOUR, START + 2 * HOUR))
    assert events.validate_json(events.dump_json(event)) == event
