"""Undoing a bulk change: which tickets get back who had them, and which stay as they are."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from support.balancing import Kept, Move


@dataclass(frozen=True, slots=True)
class Moved:
    """A ticket that a change moved from `before_owner` to `after_owner`, and how it stands now.

    `decided_since` is when that was, `since` when the present `owner` got it. `before_left`: who
    had it has left for good. An empty owner is nobody.
    """

    ticket_id: str
    before_owner: str
    after_owner: str
    decided_since: datetime | None
    active: bool
    owner: str
    since: datetime | None
    locked_until: datetime | None
    before_left: bool


def restored(moved: Iterable[Moved], now: datetime) -> tuple[tuple[Move, ...], tuple[Kept, ...]]:
    """Return the moves that give tickets back, and those that somebody changed since, with why."""
    moves, kept = [], []
    for one in moved:
        if why := _stays(one, now):
            kept.append(Kept(one.ticket_id, one.owner, why))
        else:
            before = one.before_owner
            why = f"back to {before}" if before else "released, as before"
            moves.append(Move(one.ticket_id, one.owner, before, why, one.since))
    return tuple(moves), tuple(kept)


def _stays(one: Moved, now: datetime) -> str:
    """Say why the ticket is not given back; empty: it is."""
    owner, why = one.owner or "nobody", ""
    if not one.active:
        why = "resolved or closed since"
    elif one.owner != one.after_owner:
        why = f"{owner} has it now, no more {one.after_owner or 'nobody'}"
    elif one.since != one.decided_since:
        since = one.since.isoformat() if one.since else "another time"
        why = f"has changed hands: {owner} has it since {since}"
    elif one.owner == one.before_owner:
        why = f"{owner} has it as before"
    elif one.before_left:
        why = f"{one.before_owner} has left"
    elif one.locked_until is not None and now < one.locked_until:
        why = f"locked to {owner} until {one.locked_until.isoformat()}"
    return why
