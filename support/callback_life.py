"""Life of a callback: what each event and deadline makes of its state.

Which event is possible in which status is in `support.callback_transitions`. What happened counts
where it happened (`at`); what it does to the status counts from the callback's last instant on. An
outcome that is told late ends what it ends, and changes nothing that has ended already.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from support.callback_calls import called, outcome, unknown
from support.callback_moves import ended, returned
from support.callback_transitions import check_callback, refuse_callback
from support.callbacks import (
    ANY_TIME,
    CallbackDueKind,
    CallbackEvent,
    CallbackEventKind,
    CallbackLimits,
    CallbackState,
    CallbackStatus,
    Window,
)
from support.errors import InputError, OwnerChangedError, OwnerLockedError
from support.escalation import Acknowledgement
from support.marks import Mark, MarkKind
from support.model import ActorKind, checked_id
from support.ownership import DECLINED_FOR, MISSED_FOR, Ownership

MOST_ASKED = 10
"""Acceptances missed that are counted: who misses one is spared for longer each time, up to 4 h."""


MOST_PROMISES = 20
"""Windows that can be promised of one callback."""


def opened_callback(
    event: CallbackEvent, tenant: str, callback_id: str, at: datetime, limits: CallbackLimits
) -> CallbackState:
    """Return the state that a `requested` event begins. InputError if its opening is no good."""
    opening = event.opening
    if opening is None:
        raise InputError("a requested event needs its opening: number, country, zone")
    checked_id(opening.number_ref, "number reference")
    window = _checked(opening.window, at, limits)
    begins = max(at, window.start or at)
    requested = Mark(
        begins,
        MarkKind.CALLBACK_REQUESTED,
        event.event_id,
        callback=callback_id,
        window_end=window.end,
    )
    return CallbackState(
        tenant=tenant,
        callback_id=callback_id,
        number_ref=opening.number_ref,
        country=opening.country,
        zone=opening.zone,
        status=CallbackStatus.SCHEDULED if begins > at else CallbackStatus.QUEUED,
        requested_at=at,
        last_at=at,
        promised_from=begins,
        expires_at=_expiry(window, at, limits),
        ticket_id=opening.ticket_id,
        customer_id=opening.customer_id,
        language=opening.language,
        topic_ref=opening.topic_ref,
        team=opening.team,
        skills=opening.skills,
        priority=opening.priority,
        tier=opening.tier,
        window=window,
        ownership=Ownership(since=at),
        marks=(requested,),
    )


def _checked(window: Window, at: datetime, limits: CallbackLimits) -> Window:
    """Return a window that lies ahead; one that has begun begins now."""
    start, end = window.start, window.end
    if end is not None and end <= max(at, start or at):
        raise InputError(
            "the window ends before anybody could call: give an end after its start and after now",
            field="window",
        )
    if max(start or at, end or at) > at + limits.most_ahead:
        raise InputError(
            f"the window is more than {limits.most_ahead.days} days ahead: give an earlier one",
            field="window",
        )
    return replace(window, start=start if start is not None and start > at else None)


def _expiry(window: Window, at: datetime, limits: CallbackLimits) -> datetime:
    if window.end is not None:
        return window.end + limits.grace
    return (window.start or at) + limits.expires_after


def advance_callback(
    state: CallbackState, event: CallbackEvent, at: datetime, limits: CallbackLimits
) -> CallbackState:
    """Return the state after `event`, which happened at `at`.

    Raises TransitionRefusedError, OwnerChangedError, OwnerLockedError or InputError; the state
    given is never changed.
    """
    check_callback(state.status, event.kind)
    after = _STEPS[event.kind](state, event, at, limits)
    return replace(after, last_at=max(at, state.last_at))


def _unchanged(
    state: CallbackState, _event: CallbackEvent, _at: datetime, _limits: CallbackLimits
) -> CallbackState:
    return state


def _joined(
    state: CallbackState, event: CallbackEvent, at: datetime, limits: CallbackLimits
) -> CallbackState:
    """Count that the customer asked again; a new window takes the place of the one before.

    Where somebody has accepted it or is in the call, the window is for what may come after.
    """
    state = replace(state, asked=state.asked + 1)
    if event.window is None:
        return state
    now = max(at, state.last_at)
    window = _checked(event.window, now, limits)
    _check_moves(state)
    expires_at = max(state.expires_at, _expiry(window, now, limits))
    state = replace(state, window=window, expires_at=expires_at)
    if state.status is CallbackStatus.IN_CALL or state.accepted_at is not None:
        return state
    if state.owner:
        state = returned(state, state.ownership.passed(state.owner, "", now, sticks=True))
    begins = max(now, window.start or now)
    status = CallbackStatus.SCHEDULED if begins > now else CallbackStatus.QUEUED
    state = replace(state, status=status, next_retry=None)
    return state if state.history else _promised_anew(state, event, now, begins)


def _check_moves(state: CallbackState) -> None:
    asked = sum(mark.kind is MarkKind.CALLBACK_REQUESTED for mark in state.marks)
    if asked >= MOST_PROMISES:
        raise InputError(
            f"the window has been moved {MOST_PROMISES} times, which is the most: cancel the "
            "callback and request another",
            field="window",
        )


def _promised_anew(
    state: CallbackState, event: CallbackEvent, now: datetime, begins: datetime
) -> CallbackState:
    """Move the promise: one that has not begun is replaced, one that is put off ends uncounted."""
    ref = state.callback_id
    asked = Mark(
        begins,
        MarkKind.CALLBACK_REQUESTED,
        event.event_id,
        callback=ref,
        window_end=state.window.end,
    )
    if now <= state.promised_from:
        kept = tuple(mark for mark in state.marks if mark.at < state.promised_from)
        kept += tuple(m for m in state.marks if m.kind is MarkKind.TERMS and m not in kept)
        return replace(state, marks=(*kept, asked), promised_from=begins)
    if begins > now or state.window == ANY_TIME:
        off = Mark(now, MarkKind.CALLBACK_CANCELLED, event.event_id, callback=ref)
        return replace(state, marks=(*state.marks, off, asked), promised_from=begins)
    return replace(state, marks=(*state.marks, asked))


def _accept(
    state: CallbackState, event: CallbackEvent, at: datetime, _limits: CallbackLimits
) -> CallbackState:
    _by_owner(state, event)
    if state.accepted_at is not None or state.status is not CallbackStatus.DISPATCHED:
        return state
    now = max(at, state.last_at)
    return replace(
        state,
        accepted_at=now,
        ownership=replace(state.ownership, accept_by=None),
        acks=(*state.acks, Acknowledgement(now)),
    )


def _by_owner(state: CallbackState, event: CallbackEvent) -> None:
    if event.actor.kind is not ActorKind.AGENT or event.actor.id != state.owner:
        raise OwnerChangedError(
            f"only {state.owner} can {event.kind} the callback, who has it", owner=state.owner
        )


def _decline(
    state: CallbackState, event: CallbackEvent, at: datetime, _limits: CallbackLimits
) -> CallbackState:
    _by_owner(state, event)
    if state.dialling:
        raise refuse_callback(state.status, event.kind, "it is being dialled")
    now = max(at, state.last_at)
    return returned(state, state.ownership.given_back(state.owner, now, spared=DECLINED_FOR))


def _cancel(
    state: CallbackState, event: CallbackEvent, at: datetime, _limits: CallbackLimits
) -> CallbackState:
    return ended(state, CallbackStatus.CANCELLED, at, event.event_id)


def _owner_left(
    state: CallbackState, event: CallbackEvent, at: datetime, _limits: CallbackLimits
) -> CallbackState:
    """Take it back from who left, unless they may be speaking with the customer."""
    if not state.owner or state.owner != event.expected_owner:
        has = state.owner or "nobody"
        raise OwnerChangedError(f"{has} has it now, not {event.expected_owner}", owner=state.owner)
    state = replace(state, locked_until=None)
    if state.status is not CallbackStatus.DISPATCHED or state.accepted_at is not None:
        return state
    now = max(at, state.last_at)
    return returned(state, state.ownership.passed(state.owner, "", now, sticks=True))


def _assign(
    state: CallbackState, event: CallbackEvent, at: datetime, limits: CallbackLimits
) -> CallbackState:
    """Give it to whom a person says, or to nobody; over an owner lock only with a reason."""
    now = max(at, state.last_at)
    if state.status is CallbackStatus.IN_CALL and state.parked_at is None:
        raise refuse_callback(state.status, event.kind, "somebody is speaking with the customer")
    if state.dialling and state.parked_at is None:
        raise refuse_callback(state.status, event.kind, "it is being dialled")
    if state.parked_at is not None and state.attempts >= limits.most_attempts:
        raise refuse_callback(state.status, event.kind, "it has been dialled as often as it may be")
    if state.locked(now) and event.actor.id != state.owner and not event.message_ref:
        until = state.locked_until.isoformat() if state.locked_until else ""
        raise OwnerLockedError(
            f"the callback is locked to {state.owner} until {until}: give the reason to override",
            owner=state.owner,
            locked_until=until,
        )
    ownership = state.ownership.passed(state.owner, event.assignee, now, sticks=False)
    state = returned(state, ownership)
    if not event.assignee:
        return state
    return replace(state, owner=event.assignee, status=CallbackStatus.DISPATCHED)


_STEPS: Mapping[
    CallbackEventKind,
    Callable[[CallbackState, CallbackEvent, datetime, CallbackLimits], CallbackState],
] = {
    CallbackEventKind.JOINED: _joined,
    CallbackEventKind.OFFER: _unchanged,
    CallbackEventKind.ACCEPT: _accept,
    CallbackEventKind.DECLINE: _decline,
    CallbackEventKind.DIALLED: called,
    CallbackEventKind.OUTCOME: outcome,
    CallbackEventKind.UNKNOWN: unknown,
    CallbackEventKind.CANCEL: _cancel,
    CallbackEventKind.OWNER_LEFT: _owner_left,
    CallbackEventKind.ASSIGN: _assign,
    CallbackEventKind.NOTE: _unchanged,
}


def fallen_due(
    state: CallbackState, kind: CallbackDueKind, at: datetime, limits: CallbackLimits
) -> CallbackState:
    """Return the state when a deadline of `kind` has come at `at`."""
    state = replace(state, last_at=max(at, state.last_at))
    match kind:
        case CallbackDueKind.WINDOW_OPEN | CallbackDueKind.RETRY:
            return replace(state, status=CallbackStatus.QUEUED, next_retry=None)
        case CallbackDueKind.ACCEPTANCE:
            spared = min(MISSED_FOR * 2**state.unaccepted, DECLINED_FOR)
            missed = state.ownership.given_back(state.owner, at, spared=spared)
            return replace(
                returned(state, missed), unaccepted=min(state.unaccepted + 1, MOST_ASKED)
            )
        case CallbackDueKind.UNREPORTED:
            return unknown(state, None, at, limits)
        case CallbackDueKind.LOCK_EXPIRED:
            return replace(state, locked_until=None)
        case CallbackDueKind.EXPIRY:
            return ended(state, CallbackStatus.EXPIRED, at, "")
        case _:
            return state
