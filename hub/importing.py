"""Events of a file, streamed to their tickets; what became of them is read from the ledger."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, ValidationError

from activities.records import event_from_json
from hub.drafts import Command, NewTicket, Origin
from hub.intake import Gateway
from hub.web.forms import EventForm, NewTicketForm, one_of
from hub.web.problems import problem_of
from store import ledger
from store.pool import Pool
from support.errors import EventIdReusedError, InputError, RuntimeUnavailableError
from support.model import EventKind, checked_id, fingerprint

_IN_FLIGHT = 32
_TELL_EVERY_S = 2.0
_SHOWN = 50


def _known(kind: object) -> object:
    return one_of(kind, also=(EventKind.CREATED,))


class _Line(BaseModel):
    """The part of a line that every kind has."""

    model_config = ConfigDict(extra="allow", frozen=True)

    ticket_id: str
    event_id: str
    kind: Annotated[EventKind, BeforeValidator(_known)]
    at: AwareDatetime | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file; `repeated` lines name an event of the file again.

    Blank lines are not counted. `unusable` and `refusals` list the first 50 of `unusable_total`
    and of `refused`, with why.
    """

    lines: int
    accepted: int
    refused: int
    repeated: int
    undecided: int
    unusable_total: int
    unusable: tuple[tuple[int, str], ...]
    refusals: tuple[tuple[str, str, str], ...]


async def import_lines(
    pool: Pool,
    gateway: Gateway,
    tenant: str,
    file: Path,
    *,
    wait_s: float,
    progress: Callable[[str], None],
) -> Imported:
    """Stream every usable line in the order of the file, one ticket's events one after another.

    Raises RuntimeUnavailableError where Temporal stops taking them; it says what was sent.
    """
    checked_id(tenant, "tenant")
    sent: list[_Sent] = []
    refusals: list[tuple[str, str, str]] = []
    stalled: list[RuntimeUnavailableError] = []
    number, by_ticket, unusable = _read_file(file)
    told_at = time.monotonic()
    room = asyncio.Semaphore(_IN_FLIGHT)

    async def one(ticket_id: str, events: list[tuple[int, _Line]]) -> None:
        nonlocal told_at
        async with room:
            for at_line, line in events:
                if stalled:
                    return
                try:
                    what, origin = _parts(line)
                    event = await gateway.stream(tenant, ticket_id, what, origin)
                    sent.append(_Sent(ticket_id, line.event_id, fingerprint(event)))
                except EventIdReusedError as error:
                    refusals.append((ticket_id, line.event_id, str(error)))
                except InputError as error:
                    unusable.append((at_line, str(error)))
                except RuntimeUnavailableError as error:
                    stalled.append(error)
                if time.monotonic() - told_at > _TELL_EVERY_S:
                    told_at = time.monotonic()
                    progress(f"  {len(sent)} of {number} lines sent ...")

    await asyncio.gather(*(one(ticket_id, events) for ticket_id, events in by_ticket.items()))
    if stalled:
        raise _stalled(stalled[0], len(sent), number)
    found = await _outcomes(pool, tenant, {each.key for each in sent}, wait_s)
    return _counted(number, sent, found, refusals, unusable)


def _stalled(error: RuntimeUnavailableError, sent: int, lines: int) -> RuntimeUnavailableError:
    return RuntimeUnavailableError(
        f"{error}. {sent} of {lines} lines were sent: "
        "import the same file again, what was sent counts once",
        sent=sent,
        lines=lines,
    )


@dataclass(frozen=True, slots=True, order=True)
class _Sent:
    """An event that was sent, and what it said."""

    ticket_id: str
    event_id: str
    content: str

    @property
    def key(self) -> tuple[str, str]:
        """What names the event."""
        return (self.ticket_id, self.event_id)


def _counted(
    lines: int,
    sent: Sequence[_Sent],
    found: Mapping[tuple[str, str], ledger.Outcome],
    refusals: Sequence[tuple[str, str, str]],
    unusable: Sequence[tuple[int, str]],
) -> Imported:
    """Say what became of all lines; `found` are the outcomes of those that were decided in time."""
    distinct = sorted(set(sent))
    decided = [each for each in distinct if each.key in found]
    judged = [(each, _refusal(each, found[each.key])) for each in decided]
    refused = [*refusals, *((*each.key, why) for each, why in judged if why is not None)]
    return Imported(
        lines=lines,
        accepted=sum(why is None for _, why in judged),
        refused=len(refused),
        repeated=len(sent) - len(distinct),
        undecided=len(distinct) - len(decided),
        unusable_total=len(unusable),
        unusable=tuple(sorted(unusable)[:_SHOWN]),
        refusals=tuple(sorted(refused)[:_SHOWN]),
    )


def _refusal(sent: _Sent, outcome: ledger.Outcome) -> str | None:
    """Say why the event does not count; None: it does."""
    first = event_from_json(outcome.event)
    if fingerprint(first) != sent.content:
        return f"event id {sent.event_id} was a {first.kind} with other content before"
    return outcome.why if outcome.outcome == "refused" else None


async def _outcomes(
    pool: Pool, tenant: str, sent: set[tuple[str, str]], wait_s: float
) -> dict[tuple[str, str], ledger.Outcome]:
    """Wait until the ledger has all that was sent, at most `wait_s`."""
    until = time.monotonic() + wait_s
    while True:
        async with pool.connection() as conn:
            found = await ledger.outcomes(conn, tenant=tenant, events=sorted(sent))
        if len(found) >= len(sent) or time.monotonic() > until:
            return {(o.ticket_id, o.event_id): o for o in found}
        await asyncio.sleep(0.2)


def _read_file(
    file: Path,
) -> tuple[int, dict[str, list[tuple[int, _Line]]], list[tuple[int, str]]]:
    """Return how many lines are not blank, the usable ones of each ticket, and the others."""
    count = 0
    by_ticket: dict[str, list[tuple[int, _Line]]] = {}
    unusable: list[tuple[int, str]] = []
    with file.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
        for number, text in enumerate(lines, start=1):
            if not text.strip():
                continue
            count += 1
            try:
                line = _read(text)
                by_ticket.setdefault(line.ticket_id, []).append((number, line))
            except InputError as error:
                unusable.append((number, str(error)))
    return count, by_ticket, unusable


def _read(text: str) -> _Line:
    try:
        form = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"no JSON: {error}") from error
    try:
        line = _Line.model_validate(form)
    except ValidationError as error:
        raise InputError(_first(error)) from error
    checked_id(line.ticket_id, "ticket id")
    checked_id(line.event_id, "event id")
    return line


def _parts(line: _Line) -> tuple[NewTicket | Command, Origin]:
    rest: dict[str, Any] = {**(line.model_extra or {}), "event_id": line.event_id}
    at: datetime | None = line.at
    try:
        if line.kind is EventKind.CREATED:
            opening = NewTicketForm.model_validate({**rest, "ticket_id": line.ticket_id})
            return opening.new_ticket(), Origin(opening.who(), "import", line.event_id, at)
        form = EventForm.model_validate({**rest, "kind": line.kind})
        return form.command(), Origin(form.who(), "import", line.event_id, at)
    except ValidationError as error:
        raise InputError(_first(error)) from error


def _first(error: ValidationError) -> str:
    field, problem = problem_of(error.errors()[0])
    return f"field {field!r}: {problem}" if field else problem
