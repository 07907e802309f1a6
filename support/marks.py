"""What clocks react to, and the one order in which it is read.

Marks are read by instant; at one instant by kind, then by what they say, then by event id, so that
the same marks give the same clocks in whatever order they were delivered. At one instant an agent's
reply comes before a customer's message: what the customer wrote then is still unanswered.

A mark depends on its event alone, never on what was known when it was delivered. Whether it moves
the status is decided when the marks are read, by what stands before it (`told`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from support.model import Priority, TicketStatus, WaitingOn


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


class Given(StrEnum):
    """Where a mark moves the status: what must be true just before it."""

    ALWAYS = "always"
    NEW = "new"
    BEGUN = "begun"
    WAITING = "waiting"
    ENDED = "ended"
    RESOLVED = "resolved"
    ANSWERED = "answered"
    UNSEEN = "unseen"
    UNREACHED = "unreached"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why an active ticket does not move. `on` and `ref` only while waiting internally."""

    since: datetime
    follow_up_at: datetime | None = None
    on: WaitingOn | None = None
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that clocks react to. `event_id` of a VOID names the reply that did not arrive.

    `status` is what it makes of the ticket's, where what it is `given` holds; of an older one that
    is not told, it is always. `wait` tells of the wait that a STATUS begins.

    `answered`: the agent who created the ticket was speaking with the customer. `turn`: at one
    instant, what automation did because of what had happened is read after it. `words`: the tags of
    a CREATED, the disposition of a STATUS, against which a policy's `void_on` is held; the tags
    that a TAG adds, and in `without` those that it removes. `callback` names the callback of which
    the mark tells, and `window_end` is when it was promised at the latest. CALLBACK_CANCELLED says
    that nobody is to be called any more, for whatever reason.
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
    given: Given = Given.ALWAYS
    wait: Waiting | None = None


_KINDS = {kind: place for place, kind in enumerate(MarkKind)}
_STATUSES = {status: place for place, status in enumerate(TicketStatus)}
Place = tuple[datetime, int, int, int, tuple[str, ...], str, str]


def place_of(mark: Mark) -> Place:
    """Where a mark stands among all marks of its ticket."""
    rank = _STATUSES[mark.status] if mark.status is not None else 0
    words = mark.words if mark.kind is _STATUS else ()
    return (mark.at, _KINDS[mark.kind], mark.turn, rank, words, mark.event_id, mark.terms)


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


def told(line: Sequence[Mark]) -> Sequence[Mark]:
    """Return marks in order as they are to be read: a STATUS only where it moves the ticket.

    A reply, message or failure that moves it is followed by a STATUS that says so. A resume or
    reopen that finds nothing to end is read again after the other moves of its instant.
    """
    for mark in line:
        if mark.given is not _ALWAYS:
            break
    else:
        return line
    reading = _Reading()
    for mark in line:
        reading.take(mark)
    reading.catch_up()
    return reading.read


class _Reading:
    """What has been read so far, and the status that it leaves."""

    def __init__(self) -> None:
        self.read: list[Mark] = []
        self._status = TicketStatus.NEW
        self._put_off: list[Mark] = []

    def take(self, mark: Mark) -> None:
        """Read the next mark."""
        if self._put_off:
            off = self._put_off[0]
            if mark.kind is not _STATUS or (mark.at, mark.turn) != (off.at, off.turn):
                self.catch_up()
        if mark.kind is not _STATUS:
            self.read.append(mark)
        if mark.status is not None and not self._move(mark) and mark.given in _ENDINGS:
            self._put_off.append(mark)

    def catch_up(self) -> None:
        """Read what was put off."""
        for mark in self._put_off:
            self._move(mark)
        self._put_off.clear()

    def _move(self, mark: Mark) -> bool:
        if mark.status is None or not self._holds(mark.given):
            return False
        self._status = mark.status
        own = mark.kind is _STATUS
        self.read.append(mark if own else Mark(mark.at, _STATUS, mark.event_id, mark.status))
        return True

    def _holds(self, given: Given) -> bool:
        if given is _ALWAYS:
            return True
        if given is Given.BEGUN:
            return self._status is not TicketStatus.NEW
        if given is Given.ANSWERED:
            return _answered(self.read)
        return self._status in _FROM[given] and (
            given is not Given.UNSEEN or not _answered(self.read)
        )


def _answered(read: Sequence[Mark]) -> bool:
    """Whether somebody spoke to the customer after the customer, as far as was known then."""
    gone = set()
    for mark in reversed(read):
        if mark.kind is MarkKind.VOID:
            gone.add(mark.event_id)
        elif mark.kind is MarkKind.CUSTOMER_MESSAGE:
            return False
        elif mark.kind is MarkKind.CREATED:
            return mark.answered
        elif mark.kind in _ANSWERS and mark.event_id not in gone:
            return True
    return False


def answered_before(mark: Mark, marks: Iterable[Mark]) -> bool:
    """Whether the customer had been answered where `mark` belongs."""
    return _answered(in_order(m for m in marks if place_of(m) < place_of(mark)))


def moves(marks: Iterable[Mark], until: datetime | None = None) -> list[Mark]:
    """Return the STATUS marks that moved the ticket up to `until`, to the end without."""
    line = told(in_order(m for m in marks if until is None or m.at <= until))
    return [mark for mark in line if mark.kind is _STATUS and mark.status is not None]


def statuses_at(marks: Iterable[Mark], at: datetime) -> list[TicketStatus]:
    """Return each status that the ticket had at `at`: the one before, then what it was made."""
    line = moves(marks, at)
    known = [TicketStatus.NEW, *(mark.status for mark in line if mark.status is not None)]
    return known[-1 - sum(mark.at == at for mark in line) :]


def reopened(moved: Iterable[Mark]) -> int:
    """Count how often the moves made an active ticket of one that was not."""
    count, active = 0, True
    for mark in moved:
        if mark.status is not None:
            count += mark.status.active and not active
            active = mark.status.active
    return count


# Members are read through these for every mark: through the class costs three times as much.
_STATUS, _ALWAYS = MarkKind.STATUS, Given.ALWAYS
_ANSWERS = frozenset({MarkKind.REPLY, MarkKind.CALLBACK_COMPLETED})
_ENDINGS = frozenset({Given.WAITING, Given.ENDED})
_FROM = {
    Given.NEW: frozenset({TicketStatus.NEW}),
    Given.WAITING: frozenset({TicketStatus.WAITING_CUSTOMER, TicketStatus.WAITING_INTERNAL}),
    Given.ENDED: frozenset({TicketStatus.RESOLVED, TicketStatus.CLOSED}),
    Given.RESOLVED: frozenset({TicketStatus.RESOLVED}),
    Given.UNSEEN: frozenset({TicketStatus.RESOLVED}),
    Given.UNREACHED: frozenset({TicketStatus.WAITING_CUSTOMER, TicketStatus.RESOLVED}),
}
