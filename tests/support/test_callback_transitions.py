"""Which event is possible in which status of a callback: every pair, and what stays as it was."""

from dataclasses import replace
from decimal import Decimal
from itertools import product
from typing import Any, cast

import pytest

from support.callback_life import advance_callback
from support.callback_transitions import BY_THE_HUB, CALLBACK_ALLOWED
from support.callbacks import (
    USUAL_LIMITS,
    CallbackEvent,
    CallbackEventKind,
    CallbackLimits,
    CallbackState,
    CallbackStatus,
    CallOutcome,
    Window,
)
from support.errors import InputError, OwnerChangedError, TransitionRefusedError
from tests.support.calling import (
    HUB,
    CallDesk,
    Kind,
    dispatched,
    ended_with,
    in_call,
    requested,
    told,
)
from tests.support.calling import MINUTE as M
from tests.support.deciding import KIM, MONDAY
from tests.support.test_callback_hours import callback

LATER = MONDAY + 10 * M
Status = CallbackStatus


ENDINGS = {
    Status.COMPLETED: ended_with(CallOutcome.COMPLETED, MONDAY + 5 * M),
    Status.ABANDONED: ended_with(CallOutcome.REFUSED, MONDAY + 5 * M),
    Status.RETRY_WAIT: ended_with(CallOutcome.NO_ANSWER, MONDAY + 5 * M),
    Status.CANCELLED: told(Kind.CANCEL, MONDAY + 5 * M),
}
BRIEF = CallbackLimits(expires_after=5 * M)


def state_in(status: CallbackStatus) -> CallbackState:
    """A callback that came to the status as callbacks do."""
    if status is Status.SCHEDULED:
        return callback(MONDAY, Window(start=MONDAY + 60 * M))
    if status in (Status.QUEUED, Status.EXPIRED):
        desk = CallDesk(agents={}, limits=BRIEF)
        desk.take(requested())
        desk.pass_until(MONDAY + (5 * M if status is Status.EXPIRED else 0 * M))
    elif status is Status.DISPATCHED:
        desk = dispatched()
    else:
        desk = in_call()
    if status in ENDINGS:
        desk.take(ENDINGS[status])
    assert desk.state.status is status
    return desk.state


def event(kind: CallbackEventKind) -> CallbackEvent:
    more: dict[Kind, dict[str, Any]] = {
        Kind.OUTCOME: {"outcome": CallOutcome.NO_ANSWER},
        Kind.ASSIGN: {"assignee": "lou"},
        Kind.OWNER_LEFT: {"expected_owner": "kim", "actor": HUB},
    }
    if kind is Kind.REQUESTED:
        return requested(LATER)
    return told(kind, LATER, **more.get(kind, {}))


@pytest.mark.parametrize(("status", "kind"), list(product(Status, Kind)))
def test_each_event_in_each_status_is_taken_or_refused_as_the_table_says(
    status: CallbackStatus, kind: CallbackEventKind
) -> None:
    state = state_in(status)
    refused: type[InputError] | None = None
    if kind not in CALLBACK_ALLOWED[status] or (status, kind) == (Status.IN_CALL, Kind.ASSIGN):
        refused = TransitionRefusedError
    elif kind is Kind.OWNER_LEFT and not state.owner:
        refused = OwnerChangedError
    if refused is None:
        after = advance_callback(state, event(kind), LATER, USUAL_LIMITS)
        assert after.last_at == LATER
        assert not status.final or after.status is status
        return
    with pytest.raises(refused) as caught:
        advance_callback(state, event(kind), LATER, USUAL_LIMITS)
    if isinstance(caught.value, TransitionRefusedError):
        assert caught.value.details["state"] == str(status)
        allowed = cast("list[str]", caught.value.details["allowed"])
        assert not set(allowed) & {str(kind), *map(str, BY_THE_HUB)}


@pytest.mark.parametrize("status", Status)
def test_what_has_happened_can_always_be_told(status: CallbackStatus) -> None:
    happened = {Kind.DIALLED, Kind.OUTCOME, Kind.UNKNOWN, Kind.NOTE}
    assert happened <= CALLBACK_ALLOWED[status]
    assert not status.final or CALLBACK_ALLOWED[status] == happened


@pytest.mark.parametrize("outcome", CallOutcome)
@pytest.mark.parametrize("status", [status for status in Status if status.final])
def test_no_outcome_changes_what_is_final(status: CallbackStatus, outcome: CallOutcome) -> None:
    state = state_in(status)
    again = LATER + M if outcome is CallOutcome.CALL_AGAIN else None
    told_late = ended_with(outcome, LATER, call_again_at=again)
    after = advance_callback(state, told_late, LATER, USUAL_LIMITS)
    assert (after.status, after.ended_at, after.attempts) == (
        status,
        state.ended_at,
        state.attempts,
    )
    assert after.late[-1].outcome is outcome
    assert (after.next_retry, after.owner, after.units) == (None, "", Decimal(0))


def test_an_event_that_is_not_whole_is_refused_with_what_it_needs() -> None:
    state = state_in(Status.IN_CALL)
    for broken, said in (
        (told(Kind.OUTCOME, LATER), "needs the outcome: completed, no_answer"),
        (ended_with(CallOutcome.CALL_AGAIN, LATER), "needs call_again_at"),
        (ended_with(CallOutcome.CALL_AGAIN, LATER, call_again_at=LATER), "after the call"),
        (ended_with(CallOutcome.CALL_AGAIN, LATER, call_again_at=LATER + 99 * 1440 * M), "90 days"),
    ):
        with pytest.raises(InputError, match=said):
            advance_callback(state, broken, LATER, USUAL_LIMITS)


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (Window(MONDAY, MONDAY), "ends before anybody could call"),
        (Window(None, MONDAY - M), "ends before anybody could call"),
        (Window(MONDAY + 2 * M, MONDAY + M), "ends before anybody could call"),
        (Window(MONDAY + 91 * 1440 * M, None), "more than 90 days ahead"),
    ],
)
def test_a_window_in_which_nobody_could_call_is_refused(window: Window, said: str) -> None:
    with pytest.raises(InputError, match=said):
        callback(MONDAY, window)


def test_only_who_has_it_accepts_or_declines_it() -> None:
    state = state_in(Status.DISPATCHED)
    for kind in (Kind.ACCEPT, Kind.DECLINE):
        with pytest.raises(OwnerChangedError, match="only kim can"):
            advance_callback(state, told(kind, LATER, replace(KIM, id="lou")), LATER, USUAL_LIMITS)
