"""Attempts to call: what a dial, its outcome and the lack of one make of a callback.

Reports of a call come from agents and telephone systems, twice, late and in any order. An attempt
is counted once. What ends a callback ends it however late it is told, so that nobody is called who
has been spoken with; what would only lead to another attempt changes nothing when it is late.
"""

from dataclasses import replace
from datetime import datetime

from support.callback_moves import ended, waiting
from support.callbacks import (
    ANY_TIME,
    Attempt,
    CallbackEvent,
    CallbackLimits,
    CallbackState,
    CallbackStatus,
    CallOutcome,
    EndedWhy,
    LateOutcome,
)
from support.errors import InputError
from support.marks import Mark, MarkKind
from support.model import ActorKind

MOST_LATE = 16
"""Late outcomes that are kept of a callback: the newest."""
_ABANDONED = {
    CallOutcome.WRONG_NUMBER: EndedWhy.WRONG_NUMBER,
    CallOutcome.REFUSED: EndedWhy.REFUSED,
}


def called(
    state: CallbackState, event: CallbackEvent, at: datetime, limits: CallbackLimits
) -> CallbackState:
    """Note that it was dialled: a new attempt, or again one that is known already."""
    if not _is_new(state, event, at, limits):
        return _known(state, event, at)
    return _begun(state, event, at, event.event_id)


def _is_new(
    state: CallbackState, event: CallbackEvent, at: datetime, limits: CallbackLimits
) -> bool:
    """Whether a dial at `at` is an attempt of which nothing was known."""
    if not state.active or state.running is not None or state.attempts >= limits.most_attempts:
        return False
    if event.attempt:
        return event.attempt > state.attempts
    last = state.history[-1] if state.history else None
    return last is None or at > (last.ended_at or last.at)


def _known(state: CallbackState, event: CallbackEvent, at: datetime) -> CallbackState:
    """Keep the earliest instant of an attempt that is told again."""
    number = event.attempt or state.attempts
    if 0 < number <= state.attempts and at < state.history[number - 1].at:
        earlier = replace(state.history[number - 1], at=at)
        state = replace(state, history=_with(state.history, earlier))
    if any(mark.kind in _DIALS and mark.at <= at for mark in state.marks):
        return state
    return replace(state, marks=(*state.marks, _dial(state, at, event.event_id)))


_DIALS = frozenset({MarkKind.CALLBACK_DIALLED, MarkKind.CALLBACK_COMPLETED})


def _with(history: tuple[Attempt, ...], attempt: Attempt) -> tuple[Attempt, ...]:
    return tuple(attempt if one.number == attempt.number else one for one in history)


def _dial(state: CallbackState, at: datetime, event_id: str) -> Mark:
    begun = max(at, state.promised_from)
    return Mark(begun, MarkKind.CALLBACK_DIALLED, event_id, callback=state.callback_id)


def _begun(
    state: CallbackState, event: CallbackEvent | None, at: datetime, dialled_by: str
) -> CallbackState:
    """Begin an attempt; `dialled_by` is the event that says so, empty where nobody knows.

    It is the call of whoever accepted the callback, else of the agent who reports it.
    """
    who = state.owner
    by_agent = event is not None and event.actor.kind is ActorKind.AGENT
    if event is not None and by_agent and state.accepted_at is None:
        who = event.actor.id
    now = max(at, state.last_at)
    marks = (*state.marks, _dial(state, at, dialled_by)) if dialled_by else state.marks
    passed = state.ownership.passed(state.owner, who, now, sticks=True)
    return replace(
        state,
        status=CallbackStatus.IN_CALL,
        owner=who,
        ownership=replace(passed, accept_by=None, none=None),
        accepted_at=state.accepted_at or now,
        history=(*state.history, Attempt(state.attempts + 1, at, who)),
        marks=marks,
        next_retry=None,
    )


def unknown(
    state: CallbackState, event: CallbackEvent | None, at: datetime, limits: CallbackLimits
) -> CallbackState:
    """Park it for a person, because nobody knows what became of its dial; never dial it again."""
    late = event is not None and 0 < event.attempt < state.attempts + (state.running is None)
    if late or state.status not in _IN_HANDS or state.parked_at is not None:
        return state
    if state.running is None and state.attempts < limits.most_attempts:
        state = _begun(state, event, at, "")
    return replace(state, parked_at=max(at, state.last_at), locked_until=None)


_IN_HANDS = frozenset({CallbackStatus.DISPATCHED, CallbackStatus.IN_CALL})


def outcome(
    state: CallbackState, event: CallbackEvent, at: datetime, limits: CallbackLimits
) -> CallbackState:
    """Note how an attempt ended, and what follows. InputError where the event is not whole."""
    if event.outcome is None:
        raise InputError(
            f"an outcome event needs the outcome: {', '.join(CallOutcome)}", field="outcome"
        )
    _check_again(event, at, limits)
    if _tells_of_current(state, event):
        if state.running is None:
            state = _begun(state, event, at, event.event_id)
        return _settled(state, event, event.outcome, at, limits)
    return _late(state, event, event.outcome, at, limits)


def _check_again(event: CallbackEvent, at: datetime, limits: CallbackLimits) -> None:
    if event.outcome is not CallOutcome.CALL_AGAIN:
        return
    again = event.call_again_at
    if again is None or not at < again <= at + limits.most_ahead:
        raise InputError(
            "the outcome call_again needs call_again_at: an instant after the call and at most "
            f"{limits.most_ahead.days} days ahead",
            field="call_again_at",
        )


def _tells_of_current(state: CallbackState, event: CallbackEvent) -> bool:
    """Whether it tells of the attempt under way, or of one that is told only by its outcome."""
    if not state.active:
        return False
    if state.running is not None:
        return not 0 < event.attempt < state.attempts
    if event.attempt:
        return event.attempt > state.attempts
    return state.status is CallbackStatus.DISPATCHED or not state.history


def _settled(
    state: CallbackState,
    event: CallbackEvent,
    told: CallOutcome,
    at: datetime,
    limits: CallbackLimits,
) -> CallbackState:
    last = state.history[-1]
    if state.parked_at is not None:
        dialled = _dial(state, last.at, event.event_id)
        state = replace(state, marks=(*state.marks, dialled))
    over = replace(last, outcome=told, ended_at=max(at, last.at))
    state = replace(state, history=_with(state.history, over))
    if told.ends:
        return _over(state, event, told, at)
    if state.attempts >= limits.most_attempts:
        return ended(state, CallbackStatus.ABANDONED, at, event.event_id, EndedWhy.ATTEMPTS)
    if told is CallOutcome.CALL_AGAIN and event.call_again_at is not None:
        return _again(state, event.call_again_at, at, limits)
    quarantine = limits.retry_after[state.attempts - 1]
    return waiting(state, max(at, state.last_at), max(at, last.at) + quarantine)


def _again(
    state: CallbackState, again: datetime, at: datetime, limits: CallbackLimits
) -> CallbackState:
    """Wait for the instant that the customer named; it is theirs in the place of the window."""
    state = replace(state, window=ANY_TIME, expires_at=max(state.expires_at, again + limits.grace))
    return waiting(state, max(at, state.last_at), again)


def _over(
    state: CallbackState, event: CallbackEvent, told: CallOutcome, at: datetime
) -> CallbackState:
    if told is CallOutcome.COMPLETED:
        state = replace(state, marks=(*state.marks, _talk(state, event, at)))
        return ended(state, CallbackStatus.COMPLETED, at, event.event_id)
    return ended(state, CallbackStatus.ABANDONED, at, event.event_id, _ABANDONED[told])


def _talk(state: CallbackState, event: CallbackEvent, at: datetime) -> Mark:
    begun = max(at, state.promised_from)
    return Mark(begun, MarkKind.CALLBACK_COMPLETED, event.event_id, callback=state.callback_id)


def _has_talked(state: CallbackState) -> bool:
    return any(mark.kind is MarkKind.CALLBACK_COMPLETED for mark in state.marks)


def _late(
    state: CallbackState,
    event: CallbackEvent,
    told: CallOutcome,
    at: datetime,
    limits: CallbackLimits,
) -> CallbackState:
    """Put on record what is told of an attempt that was settled, or of a callback that ended."""
    number = event.attempt or state.attempts
    record = LateOutcome(event.event_id, told, at, min(number, state.attempts))
    state = replace(state, late=(*state.late[1 - MOST_LATE :], record))
    if 0 < number <= state.attempts and state.history[number - 1].outcome is None:
        open_one = state.history[number - 1]
        filled = replace(open_one, outcome=told, ended_at=max(at, open_one.at))
        state = replace(state, history=_with(state.history, filled))
    if not state.active:
        talked = told is CallOutcome.COMPLETED and not _has_talked(state)
        return replace(state, marks=(*state.marks, _talk(state, event, at))) if talked else state
    if told.ends:
        return _over(state, event, told, at)
    if told is CallOutcome.CALL_AGAIN and event.call_again_at and state.status not in _IN_HANDS:
        return _again(state, event.call_again_at, at, limits)
    return state
