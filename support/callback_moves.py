"""How a callback goes from hand to hand, and how it ends."""

from dataclasses import replace
from datetime import datetime

from support.callbacks import CallbackState, CallbackStatus, EndedWhy
from support.marks import Mark, MarkKind
from support.ownership import Ownership


def given(
    state: CallbackState, agent_id: str, at: datetime, accept_by: datetime | None
) -> CallbackState:
    """Return it in the hands of `agent_id`, who is to accept it before `accept_by`."""
    ownership = state.ownership.passed(state.owner, agent_id, at, sticks=True)
    return replace(
        state,
        status=CallbackStatus.DISPATCHED,
        owner=agent_id,
        ownership=replace(ownership, accept_by=accept_by, none=None),
    )


def returned(state: CallbackState, ownership: Ownership) -> CallbackState:
    """Return it in the queue, with nobody; its age stays."""
    return _free(replace(state, status=CallbackStatus.QUEUED), ownership)


def _free(state: CallbackState, ownership: Ownership) -> CallbackState:
    return replace(
        state,
        owner="",
        ownership=ownership,
        accepted_at=None,
        dialling="",
        locked_until=None,
        parked_at=None,
    )


def waiting(state: CallbackState, at: datetime, next_retry: datetime) -> CallbackState:
    """Return it in quarantine until `next_retry`, with nobody; who called sticks to it."""
    ownership = state.ownership.passed(state.owner, "", at, sticks=True)
    state = replace(state, status=CallbackStatus.RETRY_WAIT, next_retry=next_retry)
    return _free(state, ownership)


def ended(
    state: CallbackState,
    status: CallbackStatus,
    at: datetime,
    event_id: str,
    why: EndedWhy | None = None,
) -> CallbackState:
    """Return it ended at `at`; but for a talk, nobody is to be called any more."""
    now = max(at, state.last_at)
    marks = state.marks
    if status is not CallbackStatus.COMPLETED:
        off = Mark(
            max(at, state.promised_from),
            MarkKind.CALLBACK_CANCELLED,
            event_id,
            callback=state.callback_id,
        )
        marks = (*marks, off)
    ownership = state.ownership.passed(state.owner, "", now, sticks=True)
    state = replace(
        state, status=status, marks=marks, ended=why, ended_at=now, next_retry=None, last_at=now
    )
    return _free(state, ownership)
