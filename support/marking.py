"""How an event leaves its mark on a ticket, for the clocks to read."""

from dataclasses import replace
from datetime import datetime

from support.marks import Given, Mark, MarkKind, Waiting
from support.model import ActorKind, TicketEvent, TicketStatus
from support.ticket import TicketState


def with_move(
    state: TicketState,
    event: TicketEvent,
    at: datetime,
    status: TicketStatus,
    given: Given = Given.ALWAYS,
    *,
    wait: Waiting | None = None,
) -> TicketState:
    """Leave the mark that moves the ticket to `status` where what it is `given` holds."""
    turn = turn_of(state, event, at, MarkKind.STATUS)
    words = (event.disposition,) if event.disposition and not status.active else ()
    mark = Mark(
        at, MarkKind.STATUS, event.event_id, status, turn=turn, words=words, given=given, wait=wait
    )
    return replace(state, marks=(*state.marks, mark))


def turn_of(state: TicketState, event: TicketEvent, at: datetime, kind: MarkKind) -> int:
    """Return the turn of what `event` does: what a rule does is read after what it is due to."""
    return next_turn(state, at, kind) if event.actor.kind is ActorKind.RULE else 0


def next_turn(state: TicketState, at: datetime, kind: MarkKind = MarkKind.STATUS) -> int:
    """Return the turn after all marks of the kind at the instant."""
    turns = (mark.turn for mark in state.marks if mark.at == at and mark.kind is kind)
    return max(turns, default=-1) + 1
