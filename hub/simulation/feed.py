"""What both sides read: every event in its order, written down once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Self

from pydantic import TypeAdapter

from support.errors import InputError
from support.model import TicketEvent
from support.simulate import Member
from support.work import Outside

_EVENTS, _HEAD = "events.jsonl", "head.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """An event of a ticket; `now` is when it was taken up."""

    now: datetime
    ticket_id: str
    event: TicketEvent


@dataclass(frozen=True, slots=True)
class Head:
    """What is true of all events: whose they are, who can be asked, which ways out there are.

    `unknown` says what the source does not tell. Everybody is idle since the first event, `since`.
    """

    source: str
    tenant: str
    members: tuple[Member, ...]
    outside: Outside = field(default_factory=Outside)
    unknown: tuple[str, ...] = ()
    events: int = 0
    since: datetime | None = None
    until: datetime | None = None


_ENTRY = TypeAdapter(Entry)
_HEADS = TypeAdapter(Head)


class FeedWriter:
    """Writes entries, which come in order, to a folder; a context manager."""

    def __init__(self, folder: Path, head: Head) -> None:
        self._folder = folder
        self._head = head
        self._count = 0
        self._first: datetime | None = None
        self._last: datetime | None = None

    def __enter__(self) -> Self:
        self._file = (self._folder / _EVENTS).open("wb")
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def add(self, entry: Entry) -> None:
        """Write the next entry."""
        self._first = self._first or entry.now
        self._last = entry.now
        self._file.write(_ENTRY.dump_json(entry, exclude_defaults=True) + b"\n")
        self._count += 1

    def done(self) -> Head:
        """Write the head with count and span, and return it; InputError where nothing came."""
        if not self._count:
            raise InputError(
                f"{self._head.source} has no event to simulate: choose another log or period"
            )
        head = replace(self._head, events=self._count, since=self._first, until=self._last)
        (self._folder / _HEAD).write_bytes(_HEADS.dump_json(head))
        return head


def write_feed(folder: Path, head: Head, entries: Iterable[Entry]) -> Head:
    """Write all entries, which are in order, to `folder`; InputError where there are none."""
    with FeedWriter(folder, head) as writer:
        for entry in entries:
            writer.add(entry)
    return writer.done()


def read_head(folder: Path) -> Head:
    """Return the head of the feed in `folder`."""
    return _HEADS.validate_json((folder / _HEAD).read_bytes())


def read_entries(folder: Path) -> Iterator[Entry]:
    """Yield the entries of the feed in `folder`, one at a time."""
    read = _ENTRY.validate_json
    with (folder / _EVENTS).open("rb") as file:
        for line in file:
            yield read(line)
