"""Life of a ticket: what each event makes of its state.

Which event is possible in which state is in `support.transitions`.
Clocks are not touched here: an event leaves its marks, and `support.sla` reads them.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from support.errors import ImplausibleTimeError, InputError
from support.escalation import Acknowledgement
from support.marks import (
    Mark,
    MarkKind,
    last_status,
    next_after,
    priority_at,
    status_at,
    status_before,
    tags_at,
)
from support.model import ActorKind, Channel, EventKind, TicketEvent, TicketStatus, checked_tags
from support.ticket import TicketState, Waiting
from support.transitions import ALLOWED, check, refuse

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
CLOCK_SKEW = timedelta(minutes=5)


def check_time(event: TicketEvent) -> None:
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
    """Whether an event at `at` may count in the ticket's past, before `last_at`."""
    if status is TicketStatus.CLOSED or event.kind is EventKind.USE_POLICIES:
        return False
    return at < last_at


def counts_at(state: TicketState, event: TicketEvent, at: datetime) -> datetime:
    """Instant at which the event counts: `at`, or the last one where it was not possible at `at`.

    Raises TransitionRefusedError where it is possible at neither.
    """
    late = may_be_late(state.status, state.last_at, event, at)
    if late and event.kind in ALLOWED[status_at(state.marks, at)]:
        return at
    check(state.status, event.kind)
    return max(at, state.last_at)


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


def with_status(
    state: TicketState,
    status: TicketStatus,
    at: datetime,
    ref: str,
    *,
    takes_back: bool = False,
    disposition: str = "",
) -> TicketState:
    """Move to `status` at `at`, leaving the mark that the clocks read.

    The status in force at `at` again changes nothing, unless it is another wait. What was marked
    later goes on: a late event changes the past and not where the ticket stands, unless a customer
    wrote after it. `takes_back` says that it came after all that happened to the status at the same
    instant.
    """
    before = last_status(state.marks, at)
    waits = status in (TicketStatus.WAITING_CUSTOMER, TicketStatus.WAITING_INTERNAL)
    if not waits and status is (before.status if before is not None else TicketStatus.NEW):
        return state
    turn = before.turn + takes_back if before is not None and before.at == at else 0
    words = (disposition,) if disposition else ()
    mark = Mark(at, MarkKind.STATUS, ref, status=status, turn=turn, words=words)
    marks = (*state.marks, mark)
    follower = next_after(mark, marks)
    if follower is not None and follower.kind is MarkKind.CUSTOMER_MESSAGE:
        opened_again = Mark(follower.at, MarkKind.STATUS, follower.event_id, TicketStatus.OPEN)
        marks = marks if status is TicketStatus.OPEN else (*marks, opened_again)
    if last_status(marks) is not mark:
        return replace(state, marks=marks, status=status_at(marks))
    return replace(
        state,
        status=status,
        marks=marks,
        waiting=None,
        resolved_at=at if status is TicketStatus.RESOLVED else state.resolved_at,
        closed_at=at if status is TicketStatus.CLOSED else None,
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
    return replace(after, last_at=max(at, state.last_at))


def _customer_message(
    state: TicketState, event: TicketEvent, at: datetime, _default: datetime
) -> TicketState:
    mark = Mark(at=at, kind=MarkKind.CUSTOMER_MESSAGE, event_id=event.event_id)
    status = state.status
    after = replace(state, customer_wrote_at=_later(state.customer_wrote_at, at))
    if status_at(state.marks, at) is not TicketStatus.NEW:
        after = with_status(after, TicketStatus.OPEN, at, event.event_id)
    unseen = at < state.last_at and after.unanswered
    if unseen and after.status in (TicketStatus.WAITING_CUSTOMER, TicketStatus.RESOLVED):
        after = with_status(
            after, TicketStatus.OPEN, state.last_at, event.event_id, takes_back=True
        )
    reopening = status is TicketStatus.RESOLVED and after.active
    return replace(
        after,
        marks=(*after.marks, mark),
        reopen_count=state.reopen_count + reopening,
    )


def _later(known: datetime | None, at: datetime) -> datetime:
    return at if known is None else max(known, at)


def _acknowledged(state: TicketState, at: datetime) -> tuple[Acknowledgement, ...]:
    return tuple(sorted((*state.acks, Acknowledgement(at=at)), key=lambda ack: ack.at))


def _reply(state: TicketState, event: TicketEvent, at: datetime, _default: datetime) -> TicketState:
    if event.actor.kind is ActorKind.CUSTOMER:
        raise InputError("a customer does not reply: send a customer_message")
    if event.automatic or event.actor.kind is not ActorKind.AGENT:
        return replace(state, auto_messages=(*state.auto_messages[-7:], at))
    if status_at(state.marks, at) is TicketStatus.NEW:
        state = with_status(state, TicketStatus.OPEN, at, event.event_id)
    mark = Mark(at=at, kind=MarkKind.REPLY, event_id=event.event_id)
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


def _assign(
    state: TicketState, event: TicketEvent, at: datetime, _default: datetime
) -> TicketState:
    moved = state.owner not in ("", event.assignee)
    if event.assignee and status_at(state.marks, at) is TicketStatus.NEW:
        state = with_status(state, TicketStatus.OPEN, at, event.event_id)
    return replace(
        state,
        owner=event.assignee,
        locked_until=None,
        reassign_count=state.reassign_count + moved,
    )


def _ack(state: TicketState, event: TicketEvent, at: datetime, _default: datetime) -> TicketState:
    if event.actor.kind is not ActorKind.AGENT:
        raise InputError("only an agent can acknowledge: automation and customers never do")
    return replace(state, acks=_acknowledged(state, at))


def _priority(
    state: TicketState, event: TicketEvent, at: datetime, _default: datetime
) -> TicketState:
    if event.priority is None:
        raise InputError("a priority event needs the new priority: low, normal, high or urgent")
    mark = Mark(at, MarkKind.PRIORITY, event.event_id, priority=event.priority)
    marks = (*_with_beginning(state), mark)
    return replace(state, marks=marks, priority=priority_at(marks) or event.priority)


def _tag(state: TicketState, event: TicketEvent, at: datetime, _default: datetime) -> TicketState:
    added, removed = checked_tags(event.tags_added), checked_tags(event.tags_removed)
    if not added and not removed:
        raise InputError("a tag event needs tags to add or to remove")
    both = [tag for tag in added if tag in removed]
    if both:
        raise InputError(f"tag {both[0]} cannot be added and removed at once: choose one")
    mark = Mark(at, MarkKind.TAG, event.event_id, words=added, without=removed)
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
    if event.status is TicketStatus.WAITING_CUSTOMER:
        wrote = state.customer_wrote_at
        if state.unanswered and wrote is not None and wrote <= at:
            raise refuse(
                state.status,
                event.kind,
                "waiting for the customer needs a public reply since their last message",
            )
        waiting = Waiting(since=at)
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
    after = with_status(state, event.status, at, event.event_id)
    newer = after.waiting is None or after.waiting.since <= at
    if after.status is not event.status or not newer:
        return after
    return replace(after, waiting=waiting)


def _resume(
    state: TicketState, event: TicketEvent, at: datetime, _default: datetime
) -> TicketState:
    waits = (TicketStatus.WAITING_CUSTOMER, TicketStatus.WAITING_INTERNAL)
    waited = status_before(state.marks, at) in waits
    return with_status(state, TicketStatus.OPEN, at, event.event_id, takes_back=not waited)


def _resolve(
    state: TicketState, event: TicketEvent, at: datetime, _default: datetime
) -> TicketState:
    as_what = event.disposition
    return with_status(state, TicketStatus.RESOLVED, at, event.event_id, disposition=as_what)


def _reopen(
    state: TicketState, event: TicketEvent, at: datetime, _default: datetime
) -> TicketState:
    reopened = with_status(state, TicketStatus.OPEN, at, event.event_id, takes_back=True)
    return replace(reopened, reopen_count=state.reopen_count + 1)


def _close(state: TicketState, event: TicketEvent, at: datetime, _default: datetime) -> TicketState:
    if state.unanswered and event.actor.kind in (ActorKind.RULE, ActorKind.SYSTEM):
        raise refuse(state.status, event.kind, "automation never closes an unanswered ticket")
    as_what = event.disposition
    return with_status(state, TicketStatus.CLOSED, at, event.event_id, disposition=as_what)


def _reply_failed(
    state: TicketState, event: TicketEvent, at: datetime, _default: datetime
) -> TicketState:
    failed = next(
        (m for m in state.marks if m.kind is MarkKind.REPLY and m.event_id == event.voids), None
    )
    if failed is None:
        return state
    void = Mark(at=at, kind=MarkKind.VOID, event_id=event.voids)
    voided = {m.event_id for m in (*state.marks, void) if m.kind is MarkKind.VOID}
    arrived = [m.at for m in state.marks if m.kind is MarkKind.REPLY and m.event_id not in voided]
    state = replace(state, marks=(*state.marks, void), replied_at=max(arrived, default=None))
    if state.status in (TicketStatus.WAITING_CUSTOMER, TicketStatus.RESOLVED):
        state = with_status(state, TicketStatus.OPEN, at, event.event_id, takes_back=True)
    return state


_STEPS: Mapping[
    EventKind, Callable[[TicketState, TicketEvent, datetime, datetime], TicketState]
] = {
    EventKind.CUSTOMER_MESSAGE: _customer_message,
    EventKind.REPLY: _reply,
    EventKind.NOTE: _note,
    EventKind.ASSIGN: _assign,
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
}
