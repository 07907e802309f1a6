"""What clocks react to, and the one order in which it is read.

Marks are read by instant; at one instant by kind, then by what they say, then by event id, so that
the same marks give the same clocks in whatever order they were delivered. At one instant an agent's
reply comes before a customer's message: what the customer wrote then is still unanswered.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from support.model import Priority, TicketStatus


class MarkKind(StrEnum):
    """What clocks react to, in the order in which it is read at one instant."""

    CREATED = "created"
    PRIORITY = "priority"
    TAG = "tag"
    TERMS = "terms"
    CALLBACK_REQUESTED = "callback_requested"
    CALLBACK_DIALLED = "callback_dialled"
    CALLBACK_COMPLETED = "callback_completed"
    CALLBACK_CANCELLED = "callback_cancelled"
    REPLY = "reply"
    CUSTOMER_MESSAGE = "customer_message"
    STATUS = "status"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that clocks react to. `event_id` of a VOID names the reply that did not arrive.

    `answered`: the agent who created the ticket was speaking with the customer. `turn`: how often
    the status was taken back at this very instant. `words`: the tags of a CREATED, the disposition
    of a STATUS, against which a policy's `void_on` is held; the tags that a TAG adds, and in
    `without` those that it removes. `callback` names the callback of which the mark tells, and
    `window_end` is when it was promised at the latest. CALLBACK_CANCELLED says that nobody is to be
    called any more, for whatever reason.
    """

    at: datetime
    kind: MarkKind
    event_id: str = ""
    status: TicketStatus | None = None
    terms: str = ""
    answered: bool = False
    turn: int = 0
    priority: Priority | None = None
    words: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    callback: str = ""
    window_end: datetime | None = None


_KINDS = {kind: place for place, kind in enumerate(MarkKind)}
_STATUSES = {status: place for place, status in enumerate(TicketStatus)}
Place = tuple[datetime, int, int, int, str, str]


def place_of(mark: Mark) -> Place:
    """Where a mark stands among all marks of its ticket."""
    rank = _STATUSES[mark.status] if mark.status is not None else 0
    return (mark.at, _KINDS[mark.kind], mark.turn, rank, mark.event_id, mark.terms)


def in_order(marks: Iterable[Mark]) -> list[Mark]:
    """Return the marks as they are read."""
    return sorted(marks, key=place_of)


def tagged(tags: tuple[str, ...], mark: Mark) -> tuple[str, ...]:
    """Return the tags after a CREATED or TAG mark, where they were `tags` before it."""
    kept = [tag for tag in tags if tag not in mark.without]
    return (*kept, *(tag for tag in dict.fromkeys(mark.words) if tag not in kept))


def tags_at(marks: Iterable[Mark], until: datetime | None = None) -> tuple[str, ...]:
    """Tags that the marks give the ticket at `until`, at the end without."""
    tags: tuple[str, ...] = ()
    for mark in in_order(marks):
        told = mark.kind in (MarkKind.CREATED, MarkKind.TAG)
        if told and (until is None or mark.at <= until):
            tags = tagged(tags, mark)
    return tags


def priority_at(marks: Iterable[Mark], until: datetime | None = None) -> Priority | None:
    """Priority that the marks give the ticket at `until`, at the end without; None: not told."""
    told = (m for m in marks if m.priority is not None and (until is None or m.at <= until))
    last = max(told, key=place_of, default=None)
    return last.priority if last is not None else None


def last_status(marks: Sequence[Mark], until: datetime | None = None) -> Mark | None:
    """Return the STATUS mark in force at `until`, at the end without; None: the ticket is new."""
    found = (
        mark
        for mark in marks
        if mark.kind is MarkKind.STATUS and (until is None or mark.at <= until)
    )
    return max(found, key=place_of, default=None)


def status_at(marks: Sequence[Mark], until: datetime | None = None) -> TicketStatus:
    """Status that the marks give the ticket at `until`, at the end without."""
    mark = last_status(marks, until)
    return mark.status if mark is not None and mark.status is not None else TicketStatus.NEW


def status_before(marks: Sequence[Mark], at: datetime) -> TicketStatus:
    """Status that the marks give the ticket just before `at`."""
    return status_at([mark for mark in marks if mark.at < at])


def next_after(mark: Mark, marks: Sequence[Mark]) -> Mark | None:
    """Return the first STATUS or CUSTOMER_MESSAGE after `mark`."""
    told = (MarkKind.STATUS, MarkKind.CUSTOMER_MESSAGE)
    later = (m for m in marks if m.kind in told and place_of(m) > place_of(mark))
    return min(later, key=place_of, default=None)
