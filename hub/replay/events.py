"""What the rows of an incident are as events, and who the log says can be asked."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from hub.replay.mapping import STEPS, ReplayMapping, RosterForm, Step
from hub.replay.source import Incident, Update
from support.model import Actor, ActorKind, EventKind, Opening, TicketEvent
from support.routing import Role
from support.simulate import Member

SOURCE = "replay"
_PRIORITY = Step(EventKind.PRIORITY)
_NOTE = Step(EventKind.NOTE)


@dataclass(frozen=True, slots=True)
class Happening:
    """One event in its place, and the row that it comes from; `last` of that row."""

    place: tuple[datetime, str, int, int]
    event: TicketEvent
    update: Update
    last: bool

    @property
    def instant(self) -> datetime:
        """When it happens."""
        return self.place[0]

    @property
    def ticket_id(self) -> str:
        """Whose event it is."""
        return self.place[1]


def in_order(incidents: Iterable[Incident], mapping: ReplayMapping) -> list[Happening]:
    """Return all events by instant, ticket, and the log's own order of updates."""
    happenings = [h for incident in incidents for h in events_of(incident, mapping)]
    return sorted(happenings, key=lambda happening: happening.place)


def events_of(incident: Incident, mapping: ReplayMapping) -> Iterator[Happening]:
    """Yield the events of an incident: created, then what each row changed.

    The first row says what the ticket begins with, at the instant at which it was opened.
    """
    before: Update | None = None
    number = 0
    for update in incident.updates:
        events = list(_events(incident.ticket_id, update, before, mapping, number))
        for event in events:
            place = (event.occurred_at, incident.ticket_id, update.sequence, number)
            yield Happening(place, event, update, event is events[-1])
            number += 1
        before = update


def _events(
    ticket_id: str, update: Update, before: Update | None, mapping: ReplayMapping, number: int
) -> Iterator[TicketEvent]:
    if before is None:
        yield _created(ticket_id, update, mapping)
        number += 1
    steps = []
    if before is not None and update.priority is not before.priority:
        steps.append(_PRIORITY)
    state = before.state if before else mapping.state.initial
    if update.state != state:
        steps.extend(STEPS[move] for move in mapping.state.moves(state, update.state))
    if before is not None and not steps:
        steps.append(_NOTE)
    for index, step in enumerate(steps):
        yield _updated(ticket_id, update, step, number + index)


def _created(ticket_id: str, update: Update, mapping: ReplayMapping) -> TicketEvent:
    how = mapping.channel.values[update.channel]
    by_agent = how.by is ActorKind.AGENT
    who = (update.opened_by or update.actor) if by_agent else update.customer
    opening = Opening(
        channel=how.channel,
        priority=update.priority,
        team=update.team,
        customer_id=update.customer,
    )
    return TicketEvent(
        event_id=_event_id(ticket_id, 0),
        kind=EventKind.CREATED,
        occurred_at=update.opened_at,
        received_at=update.opened_at,
        actor=Actor(how.by, who or "unknown"),
        source=SOURCE,
        opening=opening,
    )


def _updated(ticket_id: str, update: Update, step: Step, number: int) -> TicketEvent:
    by_customer = step.kind is EventKind.CUSTOMER_MESSAGE
    kind = ActorKind.CUSTOMER if by_customer else ActorKind.AGENT
    who = update.customer if by_customer else update.actor
    return TicketEvent(
        event_id=_event_id(ticket_id, number),
        kind=step.kind,
        occurred_at=update.instant,
        received_at=update.instant,
        actor=Actor(kind, who or "unknown"),
        source=SOURCE,
        priority=update.priority if step.kind is EventKind.PRIORITY else None,
        status=step.status,
        waiting_on=step.waiting_on,
    )


def _event_id(ticket_id: str, number: int) -> str:
    return f"{ticket_id[-56:]}.{number}"


def roster_of(incidents: Iterable[Incident], form: RosterForm) -> tuple[Member, ...]:
    """Return who worked in the log, each in the team where most of their rows are.

    The log knows no leads: where `form` asks for them, each team that has agents gets one.
    """
    seen: dict[str, Counter[str]] = {}
    for incident in incidents:
        for update in incident.updates:
            if update.agent and update.team:
                seen.setdefault(update.agent, Counter())[update.team] += 1
    capacity = Decimal(str(form.capacity_units))
    members = [
        Member(agent, min(teams, key=lambda team: (-teams[team], team)), capacity_units=capacity)
        for agent, teams in sorted(seen.items())
    ]
    if form.leads:
        members += [
            Member(f"lead.{team}"[:64], team, Role.LEAD, capacity_units=capacity)
            for team in sorted({member.team for member in members})
        ]
    return tuple(members)
