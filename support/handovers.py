"""How a ticket goes from hand to hand: what each event about its owner makes of its state."""

from dataclasses import replace
from datetime import datetime

from support.errors import InputError, OwnerChangedError, OwnerLockedError
from support.marking import with_move
from support.marks import Given
from support.model import ActorKind, LeftCause, TicketEvent, TicketStatus
from support.ownership import DECLINED_FOR, Ownership
from support.ticket import TicketState


def assign(state: TicketState, event: TicketEvent, at: datetime, _default: datetime) -> TicketState:
    """Give it to somebody, or to nobody: over an owner lock only by its owner, or with a reason."""
    by_rule = event.actor.kind is ActorKind.RULE
    if event.actor.kind is ActorKind.CUSTOMER:
        raise InputError("a customer cannot say whose a ticket is", field="actor")
    _not_overtaken(state, at)
    if state.locked(at) and not (by_rule or event.actor.id == state.owner or event.message_ref):
        raise _locked(state, ": give the reason (--reason, or `text`) to override it")
    moved = state.owner not in ("", event.assignee)
    if event.assignee:
        state = with_move(state, event, at, TicketStatus.OPEN, Given.NEW)
    return replace(
        state,
        owner=event.assignee,
        locked_until=None,
        reassign_count=state.reassign_count + moved,
        ownership=state.ownership.passed(
            state.owner, event.assignee, max(at, state.last_at), sticks=by_rule
        ),
    )


def _not_overtaken(state: TicketState, at: datetime) -> None:
    """Refuse what was to happen before the present owner got the ticket: the newer word stands."""
    since = state.ownership.since
    if since is not None and at < since:
        whose = state.owner or "nobody"
        raise OwnerChangedError(
            f"the owner is {whose} since {since.isoformat()}, and this was at {at.isoformat()}: "
            "the newer one stands",
            owner=state.owner,
        )


def _locked(state: TicketState, what_to_do: str = "") -> OwnerLockedError:
    until = state.locked_until.isoformat() if state.locked_until else ""
    return OwnerLockedError(
        f"the ticket is locked to {state.owner} until {until}{what_to_do}",
        owner=state.owner,
        locked_until=until,
    )


def missed(state: TicketState, at: datetime) -> TicketState:
    """Return the ticket when its owner did not accept it in time."""
    return _given_back(state, state.ownership.not_accepted(state.owner, at))


def _given_back(state: TicketState, ownership: Ownership) -> TicketState:
    return replace(
        state,
        owner="",
        locked_until=None,
        reassign_count=state.reassign_count + 1,
        ownership=ownership,
    )


def left_behind(before: TicketState, state: TicketState, *, owner_left: bool) -> TicketState:
    """Return the ticket: without an owner where it came back to who has left for good."""
    if not owner_left or before.active or not state.active:
        return state
    ownership = state.ownership.passed(state.owner, "", state.last_at, sticks=False)
    return replace(state, owner="", locked_until=None, ownership=ownership)


def decline(
    state: TicketState, event: TicketEvent, at: datetime, _default: datetime
) -> TicketState:
    """Let its owner give it back. InputError where somebody else tries."""
    if event.actor.kind is not ActorKind.AGENT or event.actor.id != state.owner:
        if not state.owner:
            raise InputError("nobody has the ticket, so nobody can decline it", field="actor")
        raise InputError(f"only its owner {state.owner} can decline the ticket", field="actor")
    since = max(at, state.last_at)
    return _given_back(state, state.ownership.given_back(state.owner, since, spared=DECLINED_FOR))


def unlock(state: TicketState, event: TicketEvent, at: datetime, _default: datetime) -> TicketState:
    """Release the owner lock."""
    if event.actor.kind is ActorKind.CUSTOMER:
        raise InputError("a customer cannot release an owner lock", field="actor")
    _not_overtaken(state, at)
    return replace(state, locked_until=None)


def _about_owner(state: TicketState, event: TicketEvent) -> None:
    """Refuse what is about an owner whom the ticket does not have, or no longer without a break."""
    since = event.expected_since
    if state.owner == event.expected_owner and since in (None, state.ownership.since):
        return
    if state.owner == event.expected_owner:
        had = f"has had it only since {state.ownership.since}"
        raise OwnerChangedError(f"{state.owner} {had}", owner=state.owner)
    now, was = state.owner or "nobody", event.expected_owner or "nobody"
    raise OwnerChangedError(f"the owner is {now} now, no more {was}", owner=state.owner)


def owner_left(
    state: TicketState, event: TicketEvent, _at: datetime, _default: datetime
) -> TicketState:
    """Note that its owner cannot go on; OwnerChangedError where it is not theirs."""
    _about_owner(state, event)
    return state


def reassign(
    state: TicketState, event: TicketEvent, at: datetime, default: datetime
) -> TicketState:
    """Move it as a bulk change asks; OwnerChangedError or OwnerLockedError where it must not be.

    A lock holds a ticket to nobody who has left for good.
    """
    _about_owner(state, event)
    if event.left_cause is LeftCause.OFFBOARDED:
        state = replace(state, locked_until=None)
    if state.locked(at):
        raise _locked(state)
    return assign(state, event, at, default)
