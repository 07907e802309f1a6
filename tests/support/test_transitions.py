"""The one table of what is possible, and the vocabulary it is written in."""

import pytest

from support.duration import parse_duration, show_duration
from support.errors import InputError, TransitionRefusedError
from support.lifecycle import _STEPS
from support.model import EventKind, TicketStatus, checked_id, workflow_id
from support.transitions import ALLOWED, BY_THE_HUB, check


@pytest.mark.parametrize("status", TicketStatus)
@pytest.mark.parametrize("kind", EventKind)
def test_what_is_refused_names_state_and_choices(status: TicketStatus, kind: EventKind) -> None:
    if kind in ALLOWED[status]:
        check(status, kind)
        return
    with pytest.raises(TransitionRefusedError) as refused:
        check(status, kind)
    assert refused.value.details["state"] == status
    assert refused.value.details["allowed"] == sorted(str(k) for k in ALLOWED[status] - BY_THE_HUB)


def test_every_event_but_created_has_its_step() -> None:
    assert set(_STEPS) == set(EventKind) - {EventKind.CREATED}


def test_a_closed_ticket_can_only_be_reopened() -> None:
    assert ALLOWED[TicketStatus.CLOSED] == {EventKind.REOPEN}


@pytest.mark.parametrize("bad", ["", " ", "a b", "å", "x" * 65, "a/b", "a\n", "💥"])
def test_ids_hold_no_text(bad: str) -> None:
    with pytest.raises(InputError):
        checked_id(bad, "ticket id")


def test_workflow_ids_name_tenant_and_ticket() -> None:
    assert workflow_id("acme", "T-1") == "ticket/acme/T-1"


@pytest.mark.parametrize("text", ["90s", "45m", "1h 30m", "3d", "1d 2h 3m 4s"])
def test_durations_are_read_as_they_are_shown(text: str) -> None:
    assert parse_duration(show_duration(parse_duration(text))) == parse_duration(text)


@pytest.mark.parametrize("text", ["", "5", "5x", "h", "1h and a bit", "-5m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_duration(text)
