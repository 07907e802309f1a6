"""Reads an export row by row: which rows can be used, of which incident, and why the rest cannot.

Nothing is dropped silently: `Log.rows_read` is `Log.rows_used` and all of `Log.unused` together.
"""

import csv
import gzip
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo

from hub.progress import Progress, Ticker
from hub.replay.mapping import ReplayMapping, TimeForm
from support.errors import InputError
from support.lifecycle import EARLIEST
from support.model import ID_PATTERN, Priority

BEYOND_LIMIT = "of incidents beyond --limit"


@dataclass(frozen=True, slots=True)
class Update:
    """One usable row: what was known at `instant`. Ids are references; `line` is in the file."""

    instant: datetime
    sequence: int
    line: int
    state: str
    priority: Priority
    channel: str
    opened_at: datetime
    customer: str
    opened_by: str
    actor: str
    team: str
    agent: str


@dataclass(slots=True)
class Incident:
    """All usable rows of one incident, and the log's own verdict, which no event is made of.

    `missed` is None where the log gives none; `resolved_at` is the end of the work;
    `reassignments` is the highest count that the log keeps of them, None where it keeps none.
    """

    ticket_id: str
    updates: list[Update] = field(default_factory=list)
    missed: bool | None = None
    resolved_at: datetime | None = None
    reassignments: int | None = None


@dataclass(frozen=True, slots=True)
class Log:
    """An export as it was read, incidents in the order of their first row."""

    incidents: tuple[Incident, ...]
    rows_read: int
    unused: Mapping[str, int]

    @property
    def rows_used(self) -> int:
        """Rows that became events."""
        return sum(len(incident.updates) for incident in self.incidents)


class _UnusableError(Exception):
    """The row cannot be used; the message is the reason, without any value of a person."""


def read_log(file: Path, mapping: ReplayMapping, limit: int | None, progress: Progress) -> Log:
    """Read `file`, all of it or the first `limit` incidents.

    InputError when the file cannot be read, or has not the columns that the mapping names.
    """
    reader = _Reader(mapping, limit)
    ticker = Ticker(progress, "Reading the log: rows")
    rows_read = 0
    for line, row in _rows(file, mapping):
        reader.take(line, row)
        rows_read += 1
        ticker.add()
    ticker.end()
    for incident in reader.incidents.values():
        incident.updates.sort(key=lambda u: (u.instant, u.sequence, u.line))
    usable = tuple(i for i in reader.incidents.values() if i.updates)
    log = Log(usable, rows_read, dict(sorted(reader.unused.items())))
    assert log.rows_used + sum(log.unused.values()) == rows_read  # noqa: S101  none is lost
    return log


def read_usable(file: Path, mapping: ReplayMapping, limit: int | None, progress: Progress) -> Log:
    """Read `file` as `read_log` does; InputError also when not one row of it can be used."""
    if limit is not None and limit < 1:
        raise InputError("--limit must be at least 1 incident")
    log = read_log(file, mapping, limit, progress)
    if not log.incidents:
        why = ", ".join(f"{count} {reason}" for reason, count in log.unused.items()) or "no rows"
        raise InputError(f"no row of {file.name} can be used by mapping {mapping.name}: {why}")
    return log


def _rows(file: Path, mapping: ReplayMapping) -> Iterator[tuple[int, list[str] | dict[str, str]]]:
    """Yield each row with its line: by column, or as it is where the count of fields is wrong."""
    try:
        with _opened(file, mapping.file.encoding) as text:
            reader = csv.reader(text, delimiter=mapping.file.delimiter, strict=True)
            header = next(reader, [])
            _check_header(file, header, mapping)
            for row in reader:
                fits = len(row) == len(header)
                yield reader.line_num, dict(zip(header, row, strict=True)) if fits else row
    except FileNotFoundError as error:
        raise InputError(f"there is no log {file}: give the path of an export") from error
    except (OSError, EOFError, UnicodeError, LookupError, csv.Error) as error:
        raise InputError(
            f"log {file.name} cannot be read as {mapping.file.encoding} CSV"
            f"{' in gzip' if file.suffix == '.gz' else ''}: {error}; "
            "correct the file, or `file` in the mapping"
        ) from error


def _opened(file: Path, encoding: str) -> TextIO:
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding=encoding, newline="")
    return file.open(encoding=encoding, newline="")


def _check_header(file: Path, header: list[str], mapping: ReplayMapping) -> None:
    wanted = list(mapping.feeding())
    if mapping.outcome is not None:
        wanted.extend(mapping.outcome.columns())
    for where, column in wanted:
        if column not in header:
            raise InputError(
                f"log {file.name} has no column {column!r}, which mapping {mapping.name} names in "
                f"`{where}`: use one of {', '.join(header) or 'none'}",
                field=where,
            )


class _Reader:
    """Sorts rows into incidents and reasons."""

    def __init__(self, mapping: ReplayMapping, limit: int | None) -> None:
        self._mapping = mapping
        self._limit = limit
        self._columns = {column for _, column in mapping.feeding()}
        self._instant = _instants(mapping.time)
        self.incidents: dict[str, Incident] = {}
        self.unused: Counter[str] = Counter()

    def take(self, line: int, row: list[str] | dict[str, str]) -> None:
        if isinstance(row, list):
            self.unused["wrong number of fields"] += 1
            return
        ticket_id = readable_id(self._value(row, self._mapping.ordering.ticket))
        if not ticket_id:
            self.unused[f"{self._mapping.ordering.ticket} missing"] += 1
            return
        incident = self.incidents.get(ticket_id)
        if incident is None:
            if self._limit is not None and len(self.incidents) >= self._limit:
                self.unused[BEYOND_LIMIT] += 1
                return
            incident = self.incidents[ticket_id] = Incident(ticket_id)
        # Only what may be known reaches an event: the rest of the row ends here.
        known = {column: self._value(row, column) for column in self._columns}
        try:
            update = self._update(line, known)
        except _UnusableError as why:
            self.unused[str(why)] += 1
            return
        incident.updates.append(update)
        self._judge(incident, update, row)

    def _value(self, row: Mapping[str, str], column: str) -> str:
        value = row[column].strip()
        return "" if value in self._mapping.missing else value

    def _update(self, line: int, known: Mapping[str, str]) -> Update:
        names = self._mapping
        instant = self._at(known, names.ordering.instant)
        opened_at = self._at(known, names.opening.instant)
        if instant < opened_at:
            raise _UnusableError("updated before it was opened")
        state = _listed(known, names.state.column, names.state.known)
        priority = _listed(known, names.priority.column, names.priority.values)
        return Update(
            instant=instant,
            sequence=_whole(known, names.ordering.sequence),
            line=line,
            state=state,
            priority=names.priority.values[priority],
            channel=_listed(known, names.channel.column, names.channel.values),
            opened_at=opened_at,
            customer=person_id("customer", known.get(names.opening.customer or "", "")),
            opened_by=person_id("agent", known.get(names.opening.opened_by or "", "")),
            actor=person_id("agent", known.get(names.actor or "", "")),
            team=readable_id(known[names.assignment.team]),
            agent=person_id("agent", known[names.assignment.agent]),
        )

    def _at(self, known: Mapping[str, str], column: str) -> datetime:
        text = known[column]
        if not text:
            raise _UnusableError(f"{column} missing")
        instant = self._instant(text)
        if instant is None:
            raise _UnusableError(f"{column} in no format of the mapping")
        if instant < EARLIEST:
            raise _UnusableError(f"{column} before {EARLIEST.year}")
        return instant

    def _judge(self, incident: Incident, update: Update, row: Mapping[str, str]) -> None:
        outcome = self._mapping.outcome
        if outcome is None:
            return
        verdict = self._value(row, outcome.column)
        if verdict:
            incident.missed = bool(incident.missed) or verdict in outcome.missed
        if update.state in outcome.resolved:
            incident.resolved_at = max(incident.resolved_at or update.instant, update.instant)
        if outcome.reassignments is not None:
            count = self._value(row, outcome.reassignments)
            if count.isdecimal():
                incident.reassignments = max(incident.reassignments or 0, int(count))


def _listed(known: Mapping[str, str], column: str, allowed: object) -> str:
    value = known[column]
    if not value:
        raise _UnusableError(f"{column} missing")
    if isinstance(allowed, Mapping | frozenset) and value not in allowed:
        raise _UnusableError(f"{column} not in the mapping: {value[:40]!r}")
    return value


def _whole(known: Mapping[str, str], column: str) -> int:
    try:
        return int(known[column])
    except ValueError as error:
        raise _UnusableError(f"{column} is no whole number") from error


def _instants(form: TimeForm) -> Callable[[str], datetime | None]:
    zone = ZoneInfo(form.zone)

    @lru_cache(maxsize=65_536)
    def read(text: str) -> datetime | None:
        for layout in form.formats:
            try:
                read_as = datetime.strptime(text, layout)  # noqa: DTZ007  the zone comes next
                local = read_as if read_as.tzinfo else read_as.replace(tzinfo=zone)
                return local.astimezone(UTC)
            except (ValueError, OverflowError):
                continue
        return None

    return read


@lru_cache(maxsize=65_536)
def person_id(kind: str, name: str) -> str:
    """Return the reference of a person of the log, who is not named anywhere in the hub."""
    return f"{kind}.{hashlib.sha256(name.encode()).hexdigest()[:12]}" if name else ""


@lru_cache(maxsize=65_536)
def readable_id(name: str) -> str:
    """Return `name` as an id: as it is where that is allowed, else readable and still its own."""
    if not name or ID_PATTERN.fullmatch(name):
        return name
    readable = "".join(c if ID_PATTERN.fullmatch(c) else "-" for c in name[:48])
    return f"{readable}.{hashlib.sha256(name.encode()).hexdigest()[:8]}"
