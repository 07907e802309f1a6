"""The life of callbacks under anything: duplicates, reordering, late outcomes, passing time.

A machine draws what happens to one callback and keeps its own small account of it. Whatever was
drawn, the callback ends when time passes, is dialled at most three times, is dispatched only where
it may be, and no deadline fires twice.
"""

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)

from support.callback_decision import CallbackDecision
from support.callbacks import (
    CallbackEvent,
    CallbackState,
    CallbackStatus,
    CallOutcome,
    Window,
)
from support.errors import InputError
from support.marks import MarkKind
from support.model import Actor, ActorKind
from support.work import EffectKind, Outside
from tests.support.calling import CB, HUB, MINUTE, CallDesk, Kind, requested, told, utc
from tests.support.deciding import CUSTOMER

START = utc("2026-03-27T14:00")
"""15:00 on the Friday before the clock goes forward."""
AGENTS = ("kim", "lou")
OUTCOMES = st.sampled_from(list(CallOutcome))
FAILURES = st.sampled_from([CallOutcome.NO_ANSWER, CallOutcome.BUSY, CallOutcome.VOICEMAIL])
ATTEMPTS = st.sampled_from([0, 0, 0, 1, 2, 3])
STEPS = st.integers(0, 300).map(lambda minutes: minutes * MINUTE)
AGO = st.integers(0, 90).map(lambda minutes: minutes * MINUTE)
WINDOWS = st.tuples(st.none() | st.integers(0, 3000), st.none() | st.integers(1, 3000))


class Life(RuleBasedStateMachine):
    """One callback, two agents, a telephone that may dial, and a clock."""

    sent = Bundle("sent")

    def __init__(self) -> None:
        super().__init__()
        self.desk = CallDesk(agents={})
        self.now = START
        self.number = 0
        self.fired: Counter[str] = Counter()
        self.ended: CallbackState | None = None
        self.dials = 0

    @initialize(
        window=WINDOWS,
        dials=st.booleans(),
        room=st.sets(st.sampled_from(AGENTS)),
        linked=st.booleans(),
    )
    def request(
        self, window: tuple[int | None, int | None], dials: bool, room: set[str], linked: bool
    ) -> None:
        self.desk.outside = Outside(notify=True, dial=dials)
        self.desk.agents = dict.fromkeys(sorted(room), Decimal(12))
        self.take(requested(self.now, self.window(window), ticket_id="T-1" if linked else ""))

    def window(self, drawn: tuple[int | None, int | None]) -> Window:
        start = self.now + drawn[0] * MINUTE if drawn[0] is not None else None
        end = (start or self.now) + drawn[1] * MINUTE if drawn[1] is not None else None
        return Window(start, end)

    @property
    def state(self) -> CallbackState:
        return self.desk.states[CB]

    def take(self, trigger: Any, late: timedelta = 0 * MINUTE) -> CallbackDecision | None:
        before = self.desk.states.get(CB)
        try:
            decision = self.desk.take(trigger, late=late)
        except InputError:
            assert self.desk.states.get(CB) is before
            return None
        self.look(before, decision)
        return decision

    def look(self, before: CallbackState | None, decision: CallbackDecision) -> None:
        """What must hold of every decision."""
        after = decision.state
        if decision.due is not None:
            self.fired[decision.due.stamp] += 1
        if before is not None and before.status.final:
            assert (after.status, after.attempts, after.ended_at) == (
                before.status,
                before.attempts,
                before.ended_at,
            )
            assert decision.effects == ()
        dispatched = [a for a in decision.actions if (a.kind, a.outcome) == ("dispatch", "done")]
        if dispatched:
            self.allowed(after, decision.at)
        for effect in decision.effects:
            if effect.kind is EffectKind.DIAL:
                self.dials += 1
                self.allowed(after, decision.at)
        assert decision.next_due is not None or after.status.final
        if decision.next_due is not None:
            assert decision.next_due.at >= after.last_at

    def allowed(self, state: CallbackState, at: datetime) -> None:
        """Inside the window and Stockholm's office hours, as a clock on the wall there shows it."""
        assert state.window.start is None or state.window.start <= at
        assert state.window.end is None or at < state.window.end
        summer = at >= utc("2026-03-29T01:00")
        wall = at + timedelta(hours=2 if summer else 1)
        assert wall.weekday() < 5
        assert 8 <= wall.hour < 17

    def said(
        self, kind: Kind, actor: Actor, ago: timedelta = 0 * MINUTE, **more: Any
    ) -> CallbackEvent:
        self.number += 1
        at = max(self.now - ago, START)
        return told(kind, at, actor, event_id=f"e{self.number}", **more)

    @rule(
        target=sent, kind=st.sampled_from([Kind.ACCEPT, Kind.DECLINE]), who=st.sampled_from(AGENTS)
    )
    def answer(self, kind: Kind, who: str) -> CallbackEvent:
        event = self.said(kind, Actor(ActorKind.AGENT, who))
        self.take(event)
        return event

    @rule(dial=st.booleans())
    def accept_as_owner(self, dial: bool) -> None:
        who = Actor(ActorKind.AGENT, self.state.owner)
        self.take(self.said(Kind.ACCEPT, who))
        if dial:
            self.take(self.said(Kind.DIALLED, who))

    @precondition(lambda self: self.state.running or self.state.accepted_at)
    @rule(outcome=FAILURES)
    def reach_nobody(self, outcome: CallOutcome) -> None:
        self.take(self.said(Kind.OUTCOME, HUB, outcome=outcome))

    @precondition(lambda self: CB in self.desk.next_dues)
    @rule()
    def pass_to_what_falls_due(self) -> None:
        self.pass_until(self.desk.next_dues[CB].at)

    @rule(target=sent, ago=AGO, attempt=ATTEMPTS, who=st.sampled_from([*AGENTS, ""]))
    def dialled(self, ago: timedelta, attempt: int, who: str) -> CallbackEvent:
        actor = Actor(ActorKind.AGENT, who) if who else HUB
        event = self.said(Kind.DIALLED, actor, ago, attempt=attempt)
        self.take(event, late=self.now - event.occurred_at)
        return event

    @rule(target=sent, ago=AGO, outcome=OUTCOMES, attempt=ATTEMPTS, again=STEPS)
    def outcome(
        self, ago: timedelta, outcome: CallOutcome, attempt: int, again: timedelta
    ) -> CallbackEvent:
        named = self.now + again if outcome is CallOutcome.CALL_AGAIN else None
        event = self.said(
            Kind.OUTCOME, HUB, ago, outcome=outcome, attempt=attempt, call_again_at=named
        )
        self.take(event, late=self.now - event.occurred_at)
        return event

    @rule(attempt=ATTEMPTS)
    def unknown(self, attempt: int) -> None:
        self.take(self.said(Kind.UNKNOWN, HUB, attempt=attempt))

    @rule(window=st.none() | WINDOWS)
    def ask_again(self, window: tuple[int | None, int | None] | None) -> None:
        given = self.window(window) if window is not None else None
        self.take(self.said(Kind.JOINED, CUSTOMER, window=given))

    @precondition(lambda self: self.number > 8)
    @rule(ago=AGO)
    def cancel(self, ago: timedelta) -> None:
        event = self.said(Kind.CANCEL, CUSTOMER, ago)
        self.take(event, late=self.now - event.occurred_at)

    @rule(who=st.sampled_from([*AGENTS, ""]), lock=st.booleans())
    def assign(self, who: str, lock: bool) -> None:
        lead = Actor(ActorKind.AGENT, "lea")
        self.take(self.said(Kind.ASSIGN, lead, assignee=who, lock=lock))

    @rule(who=st.sampled_from(AGENTS), comes=st.booleans())
    def come_or_go(self, who: str, comes: bool) -> None:
        if comes:
            self.desk.agents[who] = Decimal(12)
            self.take(self.said(Kind.OFFER, HUB))
        else:
            self.desk.agents.pop(who, None)
            self.take(self.said(Kind.OWNER_LEFT, HUB, expected_owner=who))

    @rule(event=consumes(sent))
    def tell_again_in_other_words(self, event: CallbackEvent) -> None:
        """A repeat that the ledger does not know: another id, the same report."""
        self.number += 1
        again = told(
            event.kind,
            event.occurred_at,
            event.actor,
            event_id=f"e{self.number}",
            attempt=event.attempt,
            outcome=event.outcome,
            call_again_at=event.call_again_at,
        )
        self.take(again, late=self.now - event.occurred_at)

    @rule(step=STEPS)
    def pass_time(self, step: timedelta) -> None:
        self.pass_until(self.now + step)

    def pass_until(self, at: datetime) -> None:
        decided = 0
        while CB in self.desk.next_dues and self.desk.next_dues[CB].at <= at:
            self.take(self.desk.next_dues[CB])
            decided += 1
            assert decided < 200
        self.now = max(at, self.now)

    @invariant()
    def is_bounded_and_consistent(self) -> None:
        if CB not in self.desk.states:
            return
        state = self.state
        assert state.attempts <= 3
        assert [attempt.number for attempt in state.history] == [*range(1, state.attempts + 1)]
        assert self.dials <= 3
        assert state.requested_at == START
        held = state.status in (CallbackStatus.DISPATCHED, CallbackStatus.IN_CALL)
        assert held or not state.owner
        assert state.status is not CallbackStatus.DISPATCHED or state.owner
        assert not any(count > 1 for count in self.fired.values())
        talks = [mark for mark in state.marks if mark.kind is MarkKind.CALLBACK_COMPLETED]
        assert state.status is not CallbackStatus.COMPLETED or talks

    def teardown(self) -> None:
        if CB not in self.desk.states:
            return
        for _ in range(10):
            self.pass_until(self.now + timedelta(days=30))
        assert self.state.status.final
        assert self.state.units == Decimal(0)
        assert CB not in self.desk.next_dues
        assert not any(count > 1 for count in self.fired.values())


Life.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLife = Life.TestCase
