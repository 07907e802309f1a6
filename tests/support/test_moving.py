"""A move that a bulk change asks for: whom it is about, locks, and room."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from support.decision import Decision
from support.errors import InputError, NoRoomError, OwnerChangedError, OwnerLockedError
from support.handovers import left_behind
from support.model import EventKind, LeftCause, TicketStatus
from tests.support.deciding import KIM, MONDAY, Desk, created, event

HOUR = timedelta(hours=1)
AT = MONDAY + HOUR + timedelta(minutes=1)
"""When the move comes: a lock of that hour still holds."""
LEFT = LeftCause.OFFBOARDED


def desk_of_kim(lou: int = 0, *, lock: bool = False) -> Desk:
    desk = Desk(agents={"kim": (Decimal(0), Decimal(12)), "lou": (Decimal(lou), Decimal(12))})
    desk.take(created())
    desk.take(event(EventKind.ASSIGN, MONDAY + HOUR, KIM, assignee="kim", lock=lock))
    return desk


def reassign(desk: Desk, to: str = "lou", **more: Any) -> Decision:
    about = {"expected_owner": "kim", "expected_since": MONDAY + HOUR, **more}
    moves = event(EventKind.REASSIGN, AT, KIM, assignee=to, **about)
    return desk.take(replace(moves, change_id="bulk.1"))


def test_the_ticket_goes_to_who_has_room() -> None:
    state = reassign(desk_of_kim()).state
    assert (state.owner, state.ownership.last) == ("lou", "kim")
    assert state.ownership.since == AT


def test_without_room_it_stays_where_it_is_unless_it_is_forced() -> None:
    with pytest.raises(NoRoomError):
        reassign(desk_of_kim(lou=12))
    assert reassign(desk_of_kim(lou=12), forced=True).state.owner == "lou"
    with pytest.raises(InputError, match="there is no agent max"):
        reassign(desk_of_kim(), to="max", forced=True)


def test_who_has_left_keeps_it_neither_by_a_lock_nor_for_want_of_room() -> None:
    with pytest.raises(OwnerLockedError):
        reassign(desk_of_kim(lock=True))
    moved = reassign(desk_of_kim(lock=True), left_cause=LEFT).state
    assert (moved.owner, moved.locked_until) == ("lou", None)
    released = reassign(desk_of_kim(lou=12, lock=True), left_cause=LEFT).state
    assert (released.owner, released.locked_until, released.ownership.last) == ("", None, "kim")
    assert reassign(desk_of_kim(lock=True), to="", left_cause=LEFT).state.owner == ""


@pytest.mark.parametrize(
    "about", [{"expected_owner": "max"}, {"expected_since": MONDAY}, {"expected_owner": ""}]
)
def test_it_is_only_about_the_owner_whom_the_change_saw(about: dict[str, Any]) -> None:
    with pytest.raises(OwnerChangedError):
        reassign(desk_of_kim(), left_cause=LEFT, **about)


def test_a_ticket_that_comes_back_to_somebody_who_has_left_has_no_owner() -> None:
    active = desk_of_kim(lock=True).state
    assert active is not None
    resolved = replace(active, status=TicketStatus.RESOLVED)
    came_back = left_behind(resolved, active, owner_left=True)
    assert (came_back.owner, came_back.locked_until, came_back.ownership.last) == ("", None, "kim")
    for before, owner_left in ((resolved, False), (active, True)):
        assert left_behind(before, active, owner_left=owner_left) is active
    assert left_behind(active, resolved, owner_left=True) is resolved
