"""Dispatch: a queued callback goes to the first ranked agent with room, and whose it is asked to.

The product does it by itself, wherever a callback is in the queue and somebody may be called;
rules decide escalation. Which of several queued callbacks is tried first is for whoever hands out
(`support.callbacks.place_in_queue`).
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace

from support.callback_moves import ended, given
from support.callback_transitions import check_callback
from support.callback_work import CallbackWork, why_not_now
from support.callbacks import (
    CALLBACK_UNITS,
    KIND,
    CallbackEvent,
    CallbackEventKind,
    CallbackStatus,
    EndedWhy,
)
from support.errors import InputError, NotToBeCalledError
from support.needs import (
    Answer,
    FindCandidates,
    FindOutlook,
    Need,
    Param,
    candidates,
    claim,
    outlook,
)
from support.ownership import NoOwner, NoOwnerWhy
from support.routing import Ranked, Role, Strategy, rank
from support.work import Done, EffectKind, Outcome, queue_effect

DISPATCH = "dispatch"
"""Kind of the record that says to whom a callback went, or why to nobody."""
_DECLINED = "declined it, or did not accept it in time"
_HAD = "had it until now"
_FREE = frozenset({CallbackStatus.SCHEDULED, CallbackStatus.QUEUED, CallbackStatus.RETRY_WAIT})


def keep_to_list(work: CallbackWork) -> None:
    """End a callback to a number on the do-not-call list, unless it may be called already."""
    state = work.state
    unaccepted = state.status is CallbackStatus.DISPATCHED and state.accepted_at is None
    if not work.hours.do_not_call or not (state.status in _FREE or unaccepted):
        return
    work.note(DISPATCH, Done(Outcome.REFUSED, why_not_now(work)))
    work.state = ended(state, CallbackStatus.ABANDONED, work.at, "", EndedWhy.DO_NOT_CALL)


def dispatch(work: CallbackWork, had: str) -> Generator[Need, Answer, None]:
    """Give a queued callback to the best agent who has room, and record to whom or why not.

    Not to whoever `had` it before this decision, who has just given it back or lost it.
    """
    state = work.state
    if state.status is not CallbackStatus.QUEUED:
        return
    until = work.now_until
    if until is None or work.automation_stopped:
        why = "automation is stopped" if until is not None else why_not_now(work)
        work.note(DISPATCH, Done(Outcome.REFUSED, why))
        return
    found = yield from candidates(
        FindCandidates(
            role=Role.AGENT,
            team=state.team,
            skills=state.skills,
            at=work.at,
            kind=KIND,
            customer_id=state.customer_id,
            strategy=Strategy.STICKY,
            last_owner=state.ownership.last,
            units=CALLBACK_UNITS,
        )
    )
    ranked = rank(
        found,
        CALLBACK_UNITS,
        Strategy.STICKY,
        excluded=_excluded(work, had),
        needed=state.skills,
    )
    for place in ranked:
        if place.rejected:
            break
        if (yield from claim(place.agent_id, CALLBACK_UNITS, forced=False, kind=KIND)):
            work.state = given(state, place.agent_id, work.at, work.accept_by(until))
            work.note(DISPATCH, Done(Outcome.DONE, f"owner is {place.agent_id}", ranked=ranked))
            return
    yield from _nobody(work, ranked)


def _excluded(work: CallbackWork, had: str) -> Mapping[str, str]:
    declined = dict.fromkeys(work.state.ownership.declined_by(work.at), _DECLINED)
    return {**({had: _HAD} if had else {}), **declined}


def _nobody(work: CallbackWork, ranked: Sequence[Ranked]) -> Generator[Need, Answer, None]:
    state = work.state
    ahead = yield from outlook(FindOutlook(Role.AGENT, state.team, state.skills, work.at))
    none = NoOwner(_why(ranked, ahead.agents), ahead.next_shift_at)
    work.state = replace(state, ownership=replace(state.ownership, none=none))
    team = f" of team {state.team}" if state.team else ""
    skilled = f" with {', '.join(state.skills)}" if state.skills else ""
    said = none.sentence(f"{Role.AGENT}{team}{skilled}")
    work.note(DISPATCH, Done(Outcome.REFUSED, said, ranked=tuple(ranked)))


def _why(ranked: Sequence[Ranked], agents: int) -> NoOwnerWhy:
    if not ranked:
        return NoOwnerWhy.NOBODY_AT_WORK if agents else NoOwnerWhy.NOBODY_SUITS
    if all(place.rejected in (_DECLINED, _HAD) for place in ranked):
        return NoOwnerWhy.ALL_DECLINED
    return NoOwnerWhy.ALL_FULL


def check_now(work: CallbackWork, event: CallbackEvent) -> None:
    """Refuse what would lead to a call that nobody may make now; NotToBeCalledError says why.

    Raises TransitionRefusedError first, for what is not possible at any time.
    """
    check_callback(work.state.status, event.kind)
    asks = event.kind is CallbackEventKind.ACCEPT and work.state.accepted_at is None
    if not asks and not (event.kind is CallbackEventKind.ASSIGN and event.assignee):
        return
    if work.state.status is CallbackStatus.IN_CALL and work.state.parked_at is None:
        return
    if why := why_not_now(work):
        raise NotToBeCalledError(f"{event.kind} is not possible now: {why}", why=why)


def claim_for_owner(work: CallbackWork, before: str) -> Generator[Need, Answer, None]:
    """Claim for who has it now by a person's word, instead of `before`, whatever they have.

    InputError where there is no such agent.
    """
    owner = work.state.owner
    if not work.state.units or owner == before:
        return
    if not (yield from claim(owner, CALLBACK_UNITS, forced=True, kind=KIND)):
        raise InputError(
            f"there is no agent {owner} in {work.state.tenant}: see `flowhub roster list`"
        )


def dial(work: CallbackWork) -> None:
    """Let the telephone dial for an owner who has just accepted; once, under its own key."""
    state = work.state
    ready = state.status is CallbackStatus.DISPATCHED and state.accepted_at is not None
    if not ready or state.dialling or not work.outside.dial:
        return
    params: dict[str, Param] = {
        "callback_id": state.callback_id,
        "number_ref": state.number_ref,
        "agent": state.owner,
        "attempt": state.attempts + 1,
    }
    key = queue_effect(work, EffectKind.DIAL, params)
    work.state = replace(state, dialling=key)
    work.note(str(EffectKind.DIAL), Done(Outcome.QUEUED, state.owner, effect_key=key), params)
