"""What an undo gives back, and what it leaves with whom it is."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from support.balancing import Kept, Move
from support.restoring import Moved, restored
from tests.support.deciding import MONDAY

HOUR = timedelta(hours=1)
AS_MOVED = Moved(
    ticket_id="T-1",
    before_owner="kim",
    after_owner="lou",
    decided_since=MONDAY,
    active=True,
    owner="lou",
    since=MONDAY,
    locked_until=None,
    before_left=False,
)


def test_a_ticket_that_nobody_touched_goes_back() -> None:
    moves, kept = restored([AS_MOVED], MONDAY + HOUR)
    assert moves == (Move("T-1", "lou", "kim", "back to kim", MONDAY),)
    assert kept == ()


def test_what_was_released_goes_back_and_what_had_nobody_is_released() -> None:
    released = replace(AS_MOVED, after_owner="", owner="")
    given = replace(AS_MOVED, ticket_id="T-2", before_owner="")
    moves, _ = restored([released, given], MONDAY)
    assert [(move.owner, move.to) for move in moves] == [("", "kim"), ("lou", "")]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"active": False}, "resolved or closed since"),
        ({"owner": "max"}, "max has it now, no more lou"),
        ({"owner": ""}, "nobody has it now, no more lou"),
        ({"since": MONDAY + HOUR}, "has changed hands: lou has it since 2026-03-02T09:00:00+00:00"),
        ({"after_owner": "kim", "owner": "kim"}, "kim has it as before"),
        ({"before_left": True}, "kim has left"),
        ({"locked_until": MONDAY + HOUR}, "locked to lou until 2026-03-02T09:00:00+00:00"),
    ],
)
def test_what_somebody_changed_since_stays_and_says_why(changed: dict[str, Any], why: str) -> None:
    one = replace(AS_MOVED, **changed)
    assert restored([one], MONDAY) == ((), (Kept("T-1", one.owner, why),))
