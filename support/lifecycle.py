"""Life of a ticket: what each event makes of its state.

Which event is possible in which state is in `support.transitions`.
Clocks are not touched here: an event leaves its marks, and `support.sla` reads them.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from support import handovers
from support.errors import ImplausibleTimeError, InputError
from support.escalation import Acknowledgement
from support.marking import next_turn, turn_of, with_move
from support.marks import (
    Given,
    Mark,
    MarkKind,
    Waiting,
    answered_before,
    moves,
    priority_at,
    reopened,
    statuses_at,
    tags_at,
)
from support.model import ActorKind, Channel, EventKind, TicketEvent, TicketStatus, checked_tags
from support.ownership import Ownership
from support.ticket import TicketState
from support.transitions import ALLOWED, check, refuse

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
CLOCK_SKEW = timedelta(minutes=5)


class Dated(Protocol):
    """Anything that happened at one instant and was received at another."""

    @property
    def occurred_at(self) -> datetime:
        """When it happened, as its sender says."""

    @property
    def received_at(self) -> datetime:
        """When it came in."""


def check_time(event: Dated) -> None:
    """Refuse an event whose time cannot be true; ImplausibleTimeError says which limit it broke."""
    if event.occurred_at < EARLIEST:
        raise ImplausibleTimeError(
            f"occurred_at {event.occurred_at.isoformat()} is before {EARLIEST.date()}: send the "
            "time at which it happened, with its zone",
            occurred_at=event.occurred_at.isoformat(),
        )
    if event.occurred_at > event.received_at + CLOCK_SKEW:
        raise ImplausibleTimeError(
            f"occurred_at {event.occurred_at.isoformat()} is more than 5 minutes after it was "
            f"received ({event.received_at.isoformat()}): correct the sender's clock",
            occurred_at=event.occurred_at.isoformat(),
        )


def nominal(state: TicketState | None, event: TicketEvent, now: datetime) -> datetime:
    """Instant at which the event happened, kept between the ticket's creation and `now`.

    It may lie before the ticket's last instant: then the event is late, and counts where it
    belongs.
    """
    at = min(event.occurred_at, now)
    return at if state is None else max(at, state.created_at)


def may_be_late(status: TicketStatus, last_at: datetime, event: TicketEvent, at: datetime) -> bool:
    """Whether an event at `at` is judged by the ticket's past, which goes up to `last_at`.

    What a rule does comes after all that made it do so.
    """
    if status is TicketStatus.CLOSED or event.kind is EventKind.USE_POLICIES:
        return False
    return at < last_at or (at == last_at and event.actor.kind is not ActorKind.RULE)


def counts_at(state: TicketState, event: TicketEvent, at: datetime) -> datetime:
    """Instant at which the event counts: `at`, unless only now counts for it.

    It has to be possible in a state that the ticket had at that instant. A late resume or reopen
    always is: it ends what it finds where it belongs, also if that is only learned later. Raises
    TransitionRefusedError.
    """
    if not may_be_late(state.status, state.last_at, event, at):
        check(state.status, event.kind)
        return max(at, state.last_at)
    late = at < state.last_at
    if late and event.kind in (EventKind.RESUME, EventKind.REOPEN):
        return at
    known = statuses_at(state.marks, at)
    if not any(event.kind in ALLOWED[status] for status in known):
        raise refuse(known[-1], event.kind, at=at if late else None)
    return at


def opened(event: TicketEvent, tenant: str, ticket_id: str, at: datetime) -> TicketState:
    """Return the state that a `created` event begins. InputError if it has no opening."""
    opening = event.opening
    if opening is None:
        raise InputError("a created event needs its opening: channel, priority, customer")
    by_phone = event.actor.kind is ActorKind.AGENT and opening.channel is Channel.PHONE
    return TicketState(
        tenant=tenant,
        ticket_id=ticket_id,
        channel=opening.channel,
        priority=opening.priority,
        status=TicketStatus.NEW,
        created_at=at,
        last_at=at,
        team=opening.team,
        skills=opening.skills,
        customer_id=opening.customer_id,
        tier=opening.tier,
        tags=opening.tags,
        follow_up_of=opening.follow_up_of,
        ownership=Ownership(since=at),
        marks=(
            Mark(
                at,
                MarkKind.CREATED,
                event.event_id,
                answered=by_phone,
                priority=opening.priority,
                words=opening.tags,
            ),
        ),
        customer_wrote_at=at,
        replied_at=at if by_phone else None,
    )


def _settled(before: TicketState, after: TicketState) -> TicketState:
    """Return `after` with the status, and all that goes with it, that its marks tell."""
    moved = moves(after.marks)
    last = moved[-1] if moved else None
    status = last.status if last is not None and last.status is not None else TicketStatus.NEW
    resolved = [mark.at for mark in moved if mark.status is TicketStatus.RESOLVED]
    waiting = None
    if last is not None and status in (
        TicketStatus.WAITING_CUSTOMER,
        TicketStatus.WAITING_INTERNAL,
    ):
        waiting = last.wait or before.waiting or Waiting(since=last.at)
    more = reopened(moved) - reopened(moves(before.marks))
    return replace(
        after,
        status=status,
        waiting=waiting,
        resolved_at=resolved[-1] if resolved else before.resolved_at,
        closed_at=last.at if last is not None and status is TicketStatus.CLOSED else None,
        reopen_count=max(0, before.reopen_count + more),
    )


def advance(
    state: TicketState, event: TicketEvent, at: datetime, follow_up_default: datetime
) -> TicketState:
    """Return the state after `event` at `at`, which `counts_at` allows.

    `follow_up_default` is when an internal wait without a date is followed up. Raises
    TransitionRefusedError or InputError; the state given is never changed.
    """
    at = counts_at(state, event, at)
    after = _STEPS[event.kind](state, event, at, follow_up_default)
    if after.marks is not state.marks:
        after = _settled(state, after)
    if after.active and not state.active and not after.owner:
        after = replace(after, ownership=after.ownership.begun(at))
    if after.ownership.accept_by is not None and (not after.active or _accepts(after, event)):
        after = replace(after, ownership=after.ownership.accepted())
    return replace(after, last_at=max(at, state.last_at))


def _accepts(state: TicketState, event: TicketEvent) -> bool:
    """Whether the owner shows that they took the ticket: by anything that they do with it."""
    actor = event.actor
    for_owner = actor.on_behalf_of == state.owner
    return for_owner or (actor.kind is ActorKind.AGENT and actor.id == state.owner)


def _customer_message(
    state: TicketState, event: TicketEvent, at: datetime, _default: datetime
) -> TicketState:
    mark = Mark(at, MarkKind.CUSTOMER_MESSAGE, event.event_id, TicketStatus.OPEN, given=Given.BEGUN)
    after = replace(
        state,
        marks=(*state.marks, mark),
        customer_wrote_at=_later(state.customer_wrote_at, at),
    )
    if at < state.last_at and _settled(state, after).status is TicketStatus.RESOLVED:
        return _with_unseen(after, event)
    return after


def _with_unseen(state: TicketState, event: TicketEvent) -> TicketState:
    """Open a resolved ticket at its last instant: nobody had seen the message who resolved it."""
    at = state.last_at
    opening = Mark(
        at,
        MarkKind.STATUS,
        event.event_id,
        TicketStatus.OPEN,
        turn=next_turn(state, at),
        given=Given.UNSEEN,
    )
    return replace(state, marks=(*state.marks, opening))


def _later(known: datetime | None, at: datetime) -> datetime:
    return at if known is None else max(known, at)


def _acknowledged(state: TicketState, at: datetime) -> tuple[Acknowledgement, ...]:
    return tuple(sorted((*state.acks, Acknowledgement(at=at)), key=lambda ack: ack.at))


def _reply(state: TicketState, event: TicketEvent, at: datetime, _default: datetime) -> TicketState:
    if event.actor.kind is ActorKind.CUSTOMER:
        raise InputError("a customer does not reply: send a customer_message")
    if event.automatic or event.actor.kind is not ActorKind.AGENT:
        return replace(state, auto_messages=(*state.auto_messages[-7:], at))
    mark = Mark(at, MarkKind.REPLY, event.event_id, TicketStatus.OPEN, given=Given.NEW)
    return replace(
        state,
        marks=(*state.marks, mark),
        replied_at=_later(state.replied_at, at),
        acks=_acknowledged(state, at),
    )


def _note(
    state: TicketState, _event: TicketEvent, _at: datetime, _default: datetime
) -> TicketState:
    return state


def _ack(state: TicketState, event: TicketEvent, at: datetime, _default: datetime) -> TicketState:
    if event.actor.kind is not ActorKind.AGENT:
        raise InputError("only an agent can acknowledge: automation and customers never do")
    return replace(state, acks=_acknowledged(state, at))


def _priority(
    state: TicketState, event: TicketEvent, at: datetime, _default: datetime
) -> TicketState:
    if event.priority is None:
        raise InputError("a priority event needs the new priority: low, normal, high or urgent")
    turn = turn_of(state, event, at, MarkKind.PRIORITY)
    mark = Mark(at, MarkKind.PRIORITY, event.event_id, priority=event.priority, turn=turn)
    marks = (*_with_beginning(state), mark)
    return replace(state, marks=marks, priority=priority_at(marks) or event.priority)


def _tag(state: TicketState, event: TicketEvent, at: datetime, _default: datetime) -> TicketState:
    added, removed = checked_tags(event.tags_added), checked_tags(event.tags_removed)
    if not added and not removed:
        raise InputError("a tag event needs tags to add or to remove")
    both = [tag for tag in added if tag in removed]
    if both:
        raise InputError(f"tag {both[0]} cannot be added and removed at once: choose one")
    turn = turn_of(state, event, at, MarkKind.TAG)
    mark = Mark(at, MarkKind.TAG, event.event_id, words=added, without=removed, turn=turn)
    marks = (*_with_beginning(state), mark)
    tags = tags_at(marks)
    if added:
        checked_tags(tags)
    return replace(state, marks=marks, tags=tags)


def _with_beginning(state: TicketState) -> tuple[Mark, ...]:
    """Return the marks, with the priority and tags of the beginning that older ones do not have."""
    changed = {mark.kind for mark in state.marks}

    def whole(mark: Mark) -> Mark:
        if mark.kind is not MarkKind.CREATED:
            return mark
        priority = mark.priority if MarkKind.PRIORITY in changed else state.priority
        tags = mark.words if MarkKind.TAG in changed else state.tags
        return replace(mark, priority=priority, words=tags)

    return tuple(whole(mark) for mark in state.marks)


def _wait(
    state: TicketState, event: TicketEvent, at: datetime, follow_up_default: datetime
) -> TicketState:
    if event.status not in (TicketStatus.WAITING_CUSTOMER, TicketStatus.WAITING_INTERNAL):
        raise InputError("a wait event needs the status waiting_customer or waiting_internal")
    given = Given.ALWAYS
    if event.status is TicketStatus.WAITING_CUSTOMER:
        given, waiting = Given.ANSWERED, Waiting(since=at)
    else:
        if event.waiting_on is None:
            raise InputError("an internal wait names whom it waits on: team, vendor or person")
        if event.follow_up_at is not None and event.follow_up_at <= at:
            raise InputError("follow_up_at is not after the wait begins: give a later instant")
        waiting = Waiting(
            since=at,
            follow_up_at=event.follow_up_at or follow_up_default,
            on=event.waiting_on,
            ref=event.waiting_ref,
        )
    after = with_move(state, event, at, event.status, given, wait=waiting)
    if given is Given.ANSWERED and not answered_before(after.marks[-1], state.marks):
        late = at < state.last_at
        raise refuse(
            statuses_at(state.marks, at)[-1] if late else state.status,
            event.kind,
            "waiting for the customer needs a public reply since their last message",
            at if late else None,
        )
    return after


def _resume(
    state: TicketState, event: TicketEvent, at: datetime, _default: datetime
) -> TicketState:
    return with_move(state, event, at, TicketStatus.OPEN, Given.WAITING)


def _resolve(
    state: TicketState, event: TicketEvent, at: datetime, _default: datetime
) -> TicketState:
    return with_move(state, event, at, TicketStatus.RESOLVED)


def _reopen(
    state: TicketState, event: TicketEvent, at: datetime, _default: datetime
) -> TicketState:
    return with_move(state, event, at, TicketStatus.OPEN, Given.ENDED)


def _close(state: TicketState, event: TicketEvent, at: datetime, _default: datetime) -> TicketState:
    if state.unanswered and event.actor.kind in (ActorKind.RULE, ActorKind.SYSTEM):
        raise refuse(state.status, event.kind, "automation never closes an unanswered ticket")
    return with_move(state, event, at, TicketStatus.CLOSED, Given.RESOLVED)


def _reply_failed(
    state: TicketState, event: TicketEvent, at: datetime, _default: datetime
) -> TicketState:
    failed = next(
        (m for m in state.marks if m.kind is MarkKind.REPLY and m.event_id == event.voids), None
    )
    if failed is None:
        return state
    void = Mark(at, MarkKind.VOID, event.voids, TicketStatus.OPEN, given=Given.UNREACHED)
    voided = {m.event_id for m in (*state.marks, void) if m.kind is MarkKind.VOID}
    arrived = [m.at for m in state.marks if m.kind is MarkKind.REPLY and m.event_id not in voided]
    return replace(state, marks=(*state.marks, void), replied_at=max(arrived, default=None))


_STEPS: Mapping[
    EventKind, Callable[[TicketState, TicketEvent, datetime, datetime], TicketState]
] = {
    EventKind.CUSTOMER_MESSAGE: _customer_message,
    EventKind.REPLY: _reply,
    EventKind.NOTE: _note,
    EventKind.ASSIGN: handovers.assign,
    EventKind.ACK: _ack,
    EventKind.PRIORITY: _priority,
    EventKind.WAIT: _wait,
    EventKind.RESUME: _resume,
    EventKind.RESOLVE: _resolve,
    EventKind.REOPEN: _reopen,
    EventKind.CLOSE: _close,
    EventKind.REPLY_FAILED: _reply_failed,
    EventKind.USE_POLICIES: _note,
    EventKind.TAG: _tag,
    EventKind.OFFER: _note,
    EventKind.NO_OWNER: _note,
    EventKind.DECLINE: handovers.decline,
    EventKind.UNLOCK: handovers.unlock,
    EventKind.OWNER_LEFT: handovers.owner_left,
    EventKind.REASSIGN: handovers.reassign,
}
