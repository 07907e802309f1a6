"""Whatever people, agents and the relay do in any order, ownership is as a plain model says."""

from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from activities.messages import Verdict
from support.model import (
    Actor,
    ActorKind,
    Channel,
    EventKind,
    LeftCause,
    Opening,
    Presence,
    Priority,
    TicketEvent,
    WaitingOn,
)
from support.model import TicketStatus as Status
from tests.activities.owned_desk import LEAD, ROUNDS, World, opened_world
from tests.activities.owning import Agent, Ticket
from tests.store.seeding import START

T = TypeVar("T")
CUSTOMER, SYSTEM = Actor(ActorKind.CUSTOMER, "c-1"), Actor(ActorKind.SYSTEM, "bulk")
DECLINED_FOR = timedelta(hours=4)
TEAMS, SKILLS = ("audio", "video"), ((), ("hifi",))
SECOND = timedelta(seconds=1)
picks = st.integers(0, 99)
channels = st.sampled_from((*[Channel.WEB] * 4, Channel.CHAT))
priorities = st.sampled_from((Priority.NORMAL, Priority.LOW, Priority.URGENT))
teams, skills = st.sampled_from(("", "", "audio", "video")), st.sampled_from(((), (), ("hifi",)))


class Ownership(RuleBasedStateMachine):
    """Drives one desk; `agents` and `tickets` are the model of it."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.desk = self.world.desk()
        self.agents: dict[str, Agent] = {}
        self.tickets: dict[str, Ticket] = {}
        self.moved: dict[str, dict[str, tuple[str, str, int]]] = {}

    def teardown(self) -> None:
        self.world.wait(self.desk.leave())

    # --- the model

    def load(self, agent_id: str) -> Decimal:
        return sum((t.units for t in self.tickets.values() if t.owner == agent_id), Decimal(0))

    def ticket(self, pick: int) -> str:
        """Pick a ticket, once what falls due within the next second has happened."""
        self.time_goes_on(SECOND)
        return sorted(self.tickets)[pick % len(self.tickets)]

    def agent(self, pick: int) -> str:
        return sorted(self.agents)[pick % len(self.agents)]

    def may_get(self, agent_id: str, ticket: Ticket, *, suited: bool = True) -> bool:
        """Whether automation may give them the ticket: at work, with room, and not declined."""
        agent = self.agents[agent_id]
        units = Decimal(4) if ticket.channel is Channel.CHAT else Decimal(1)
        fits = self.load(agent_id) + min(units, ticket.units or units) <= agent.capacity
        declined = ticket.declined.get(agent_id, START) > self.desk.now
        return agent.online and fits and (not suited or (ticket.suits(agent) and not declined))

    def take(self, ticket_id: str, kind: EventKind, actor: Actor = LEAD, **more: Any) -> str:
        """Let something happen, adopt what came of it, and return the code of a refusal."""
        verdict = self.world.wait(self.desk.happens(ticket_id, kind, actor, **more))
        return self.adopt(ticket_id, kind, verdict, to=str(more.get("assignee", "")))

    def adopt(self, ticket_id: str, kind: EventKind | None, verdict: Verdict, to: str = "") -> str:
        """Check the new owner against what is allowed, and take the new state over."""
        ticket, glance = self.tickets[ticket_id], verdict.glance
        assert glance is not None
        refused = verdict.result.refusal if verdict.result else None
        if refused is not None:
            assert (glance.owner, glance.status) == (ticket.owner, ticket.status)
            return refused.code
        by_hand = kind in (EventKind.ASSIGN, EventKind.REASSIGN)
        if by_hand:
            assert glance.owner == to
        elif glance.owner != ticket.owner:
            self.check_given(kind, ticket, glance.owner)
        if kind is EventKind.ASSIGN and ticket.owner and not to:
            ticket.released = True
        ticket.released &= not glance.owner
        if glance.owner != ticket.owner:
            ticket.hands += 1
            ticket.locked_until = None
            ticket.declined.pop(glance.owner, None)
        ticket.owner, ticket.status = glance.owner, glance.status
        return ""

    def check_given(self, kind: EventKind | None, ticket: Ticket, owner: str) -> None:
        """Automation moved the ticket: only one that is not locked, and to somebody with room."""
        freed_by = (EventKind.DECLINE, EventKind.OWNER_LEFT, None)
        assert not ticket.locked(self.desk.now) or kind in freed_by
        assert kind in freed_by or not ticket.owner or kind is EventKind.CUSTOMER_MESSAGE
        assert not owner or self.may_get(owner, ticket)

    def time_goes_on(self, by: timedelta) -> None:
        self.desk.now += by
        while (ticket_id := self.desk.due) is not None:
            deadline = self.desk.deadlines[ticket_id]
            ticket = self.tickets[ticket_id]
            if deadline.key == "acceptance" and ticket.owner:
                ticket.declined[ticket.owner] = deadline.at + timedelta(minutes=5)
            verdict = self.world.wait(self.desk.decided(ticket_id, None))
            self.adopt(ticket_id, None, verdict)

    # --- what happens

    @initialize(
        units=st.lists(st.integers(1, 4), min_size=2, max_size=3),
        queue=st.lists(st.tuples(channels, priorities, teams, skills), min_size=4, max_size=7),
    )
    def opens(self, units: list[int], queue: list[Any]) -> None:
        """Begin with a few agents, and more tickets than they have room for."""
        for number, capacity in enumerate(units):
            self.agent_joins(capacity, TEAMS[number % 2], SKILLS[number % 2])
        for ticket in queue:
            self.ticket_comes(*ticket)

    @precondition(lambda self: len(self.agents) < 5)
    @rule(capacity=st.integers(1, 6), team=teams, skills=skills)
    def agent_joins(self, capacity: int, team: str, skills: tuple[str, ...]) -> None:
        name = f"agent-{len(self.agents)}"
        self.agents[name] = Agent(Decimal(capacity), team, skills)
        self.world.wait(self.desk.agent(name, capacity, team, skills))

    @rule(who=picks, capacity=st.integers(0, 6))
    def capacity_changes(self, who: int, capacity: int) -> None:
        name = self.agent(who)
        agent = self.agents[name]
        agent.capacity = Decimal(capacity)
        self.world.wait(self.desk.agent(name, capacity, agent.team, agent.skills))

    @rule(who=picks, presence=st.sampled_from(Presence))
    def presence_changes(self, who: int, presence: Presence) -> None:
        name = self.agent(who)
        self.agents[name].online = presence is Presence.ONLINE
        self.world.wait(self.desk.present(name, presence))

    @precondition(lambda self: len(self.tickets) < 12)
    @rule(channel=channels, priority=priorities, team=teams, skills=skills)
    def ticket_comes(
        self, channel: Channel, priority: Priority, team: str, skills: tuple[str, ...]
    ) -> None:
        opening = Opening(
            channel=channel, priority=priority, team=team, skills=skills, customer_id="c-1"
        )
        ticket_id = f"T-{len(self.tickets)}"
        self.time_goes_on(SECOND)
        self.tickets[ticket_id] = Ticket(channel, team, skills)
        self.take(ticket_id, EventKind.CREATED, CUSTOMER, opening=opening)
        self.learn_lock(ticket_id)

    def learn_lock(self, ticket_id: str) -> bool:
        """Take over until when the owner is locked; return whether the claim is an excess."""
        claims = self.world.wait(
            self.desk.rows(
                "select ticket_id, locked_until, excess from claims where tenant = %(tenant)s"
            )
        )
        found = [claim for claim in claims if claim["ticket_id"] == ticket_id]
        self.tickets[ticket_id].locked_until = found[0]["locked_until"] if found else None
        return bool(found and found[0]["excess"])

    @precondition(lambda self: self.tickets)
    @rule(what=picks, who=picks, lock=st.booleans(), reason=st.booleans())
    def assigned_by_hand(self, what: int, who: int, *, lock: bool, reason: bool) -> None:
        ticket_id, to = self.ticket(what), self.agent(who)
        ticket = self.tickets[ticket_id]
        locked, active = ticket.locked(self.desk.now), ticket.status.active
        said: dict[str, Any] = {"message_ref": "m-1"} if reason else {}
        had = ticket.owner
        code = self.take(ticket_id, EventKind.ASSIGN, assignee=to, lock=lock, **said)
        if not active:
            assert code == "TransitionRefused"
            return
        assert code == ("OwnerLocked" if locked and not reason else "")
        if not code:
            excess = self.learn_lock(ticket_id)
            assert (ticket.locked_until is not None) is lock
            assert had == to or excess is (self.load(to) > self.agents[to].capacity)

    @precondition(lambda self: self.tickets)
    @rule(what=picks)
    def released_by_hand(self, what: int) -> None:
        ticket_id = self.ticket(what)
        ticket = self.tickets[ticket_id]
        locked = ticket.locked(self.desk.now) and ticket.status.active
        code = self.take(ticket_id, EventKind.ASSIGN)
        assert (code == "OwnerLocked") is locked

    @precondition(lambda self: self.tickets)
    @rule(what=picks)
    def unlocked(self, what: int) -> None:
        ticket_id = self.ticket(what)
        if not self.take(ticket_id, EventKind.UNLOCK):
            self.tickets[ticket_id].locked_until = None

    @precondition(lambda self: self.tickets)
    @rule(what=picks, who=picks, by_owner=st.booleans())
    def declined(self, what: int, who: int, *, by_owner: bool) -> None:
        ticket_id = self.ticket(what)
        ticket = self.tickets[ticket_id]
        actor = ticket.owner if by_owner and ticket.owner else self.agent(who)
        possible = ticket.status.active and actor == ticket.owner
        until = self.desk.now + DECLINED_FOR
        before = ticket.declined.get(actor)
        if possible:
            ticket.declined[actor] = until
        code = self.take(ticket_id, EventKind.DECLINE, Actor(ActorKind.AGENT, actor))
        assert (not code) is possible
        assert not possible or ticket.owner != actor
        if not possible and before is None:
            ticket.declined.pop(actor, None)

    @precondition(lambda self: self.tickets)
    @rule(
        what=picks,
        kind=st.sampled_from(
            (EventKind.RESOLVE, EventKind.REOPEN, EventKind.RESUME, EventKind.CUSTOMER_MESSAGE)
        ),
    )
    def goes_on(self, what: int, kind: EventKind) -> None:
        actor = CUSTOMER if kind is EventKind.CUSTOMER_MESSAGE else LEAD
        self.take(self.ticket(what), kind, actor)

    @precondition(lambda self: self.tickets)
    @rule(what=picks)
    def waits_internally(self, what: int) -> None:
        more: dict[str, Any] = {"status": Status.WAITING_INTERNAL, "waiting_on": WaitingOn.TEAM}
        self.take(self.ticket(what), EventKind.WAIT, **more)

    @precondition(lambda self: self.tickets)
    @rule(what=picks, who=picks, expected=picks, right=st.booleans())
    def reassigned(self, what: int, who: int, expected: int, *, right: bool) -> None:
        ticket_id, to = self.ticket(what), self.agent(who)
        ticket = self.tickets[ticket_id]
        thought = ticket.owner if right else self.agent(expected)
        owner, active, locked = ticket.owner, ticket.status.active, ticket.locked(self.desk.now)
        room = to == owner or self.may_get(to, ticket, suited=False)
        code = self.take(ticket_id, EventKind.REASSIGN, SYSTEM, assignee=to, expected_owner=thought)
        expects = "" if room else "NoRoom"
        if not active:
            expects = "TransitionRefused"
        elif thought != owner:
            expects = "OwnerChanged"
        elif locked:
            expects = "OwnerLocked"
        assert code == expects
        if not code:
            ticket.locked_until = None

    @precondition(lambda self: self.tickets)
    @rule(what=picks, cause=st.sampled_from((LeftCause.ON_LEAVE, LeftCause.OFFLINE)))
    def owner_leaves(self, what: int, cause: LeftCause) -> None:
        ticket_id = self.ticket(what)
        ticket = self.tickets[ticket_id]
        if ticket.owner:
            gone = not self.agents[ticket.owner].online
            about = {"left_cause": cause, "expected_owner": ticket.owner}
            if not self.take(ticket_id, EventKind.OWNER_LEFT, SYSTEM, **about) and gone:
                ticket.locked_until = None

    @rule(minutes=st.sampled_from((1, 45, 90, 300)))
    def time_passes(self, minutes: int) -> None:
        self.time_goes_on(timedelta(minutes=minutes))

    @rule()
    def relay_sends(self) -> None:
        """Signals are on their way, and other things happen before the tickets take them."""
        self.world.wait(self.desk.deliver())

    @precondition(lambda self: self.desk.signals)
    @rule(which=picks)
    def ticket_takes_signal(self, which: int) -> None:
        ticket_id, event = self.desk.signals[which % len(self.desk.signals)]
        self.desk.signals.remove((ticket_id, event))
        self.take_signal(ticket_id, event)

    @precondition(lambda self: self.desk.signals)
    @rule(which=picks, who=picks, resolved=st.booleans())
    def is_overtaken(self, which: int, who: int, *, resolved: bool) -> None:
        """Something else happens to a ticket to which a signal is on its way."""
        self.time_goes_on(SECOND)
        ticket_id, _ = self.desk.signals[which % len(self.desk.signals)]
        if resolved:
            self.take(ticket_id, EventKind.RESOLVE)
        else:
            self.take(ticket_id, EventKind.ASSIGN, assignee=self.agent(who))
            self.learn_lock(ticket_id)

    @rule()
    def relay_delivers(self) -> None:
        """All that waits is looked at, and then nothing waits for which somebody has room."""
        for _ in range(ROUNDS):
            while self.desk.signals:
                self.take_signal(*self.desk.signals.popleft())
            if not self.world.wait(self.desk.deliver()):
                break
        else:
            pytest.fail("the relay never comes to an end")
        released = {key for key, ticket in self.tickets.items() if ticket.released}
        kept = self.world.wait(self.desk.seen()).kept_waiting
        assert [one for one in kept if one.split()[0] not in released] == []

    def take_signal(self, ticket_id: str, event: TicketEvent) -> None:
        self.time_goes_on(timedelta(seconds=1))
        ticket = self.tickets[ticket_id]
        owner, hands, locked = ticket.owner, ticket.hands, ticket.locked(self.desk.now)
        verdict = self.world.wait(self.desk.decided(ticket_id, self.desk.retimed(event)))
        if verdict.repeat:
            assert verdict.glance is not None
            assert (verdict.glance.owner, verdict.glance.status) == (owner, ticket.status)
            return
        code = self.adopt(ticket_id, event.kind, verdict, to=event.assignee)
        if event.kind is EventKind.REASSIGN and not code:
            assert owner == event.expected_owner
            assert not locked
            ticket.locked_until = None
            moves = self.moved.setdefault(event.change_id, {})
            moves[ticket_id] = (owner, ticket.owner, ticket.hands)
        assert code or ticket.hands <= hands + 1

    @rule()
    def balanced(self) -> None:
        change_id = self.world.wait(self.desk.balance())
        if change_id:
            self.moved[change_id] = {}

    @precondition(lambda self: self.moved)
    @rule(which=picks)
    def undone(self, which: int) -> None:
        """Exactly those are given back that are as the change left them."""
        change_id = sorted(self.moved)[which % len(self.moved)]
        planned = self.world.wait(self.desk.undo(change_id))
        if planned is None:
            return
        same = {
            key: before
            for key, (before, after, hands) in self.moved[change_id].items()
            if self.tickets[key].status.active
            and (self.tickets[key].owner, self.tickets[key].hands) == (after, hands)
            and before != after
        }
        assert {move.ticket_id: move.to for move in planned.plan.moves} == same

    # --- what always holds

    @invariant()
    def the_ledger_says_the_same(self) -> None:
        seen = self.world.wait(self.desk.seen())
        assert seen.wrong == ()
        found = {
            row["agent_id"]: row["load_units"]
            for row in self.world.wait(
                self.desk.rows("select agent_id, load_units from agents where tenant = %(tenant)s")
            )
        }
        assert found == {name: self.load(name) for name in self.agents}


@pytest.mark.slow
def test_ownership_is_as_the_model_says_whatever_happens(database_url: str) -> None:
    with opened_world(database_url) as world:
        Ownership.world = world
        run_state_machine_as_test(
            Ownership,
            settings=settings(
                max_examples=80,
                stateful_step_count=50,
                deadline=None,
                # To make a failing run shorter takes minutes of real decisions.
                phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck),
            ),
        )
