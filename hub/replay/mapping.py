"""How the export of another system is read: a YAML file, checked as a whole before any row is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from support.errors import InputError
from support.model import ActorKind, Channel, EventKind, Priority, TicketStatus, WaitingOn

SHIPPED = Path(__file__).parent / "mappings"
MOST_CAPACITY_UNITS = 1000


class Move(StrEnum):
    """What a change of state in the log does to the ticket."""

    REPLY = "reply"
    CUSTOMER_MESSAGE = "customer_message"
    NOTE = "note"
    WAIT_CUSTOMER = "wait_customer"
    WAIT_TEAM = "wait_team"
    WAIT_VENDOR = "wait_vendor"
    WAIT_PERSON = "wait_person"
    RESUME = "resume"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Step:
    """The event that a move is."""

    kind: EventKind
    status: TicketStatus | None = None
    waiting_on: WaitingOn | None = None


STEPS: Mapping[Move, Step] = {
    **{move: Step(EventKind(move)) for move in Move if not move.startswith("wait_")},
    Move.WAIT_CUSTOMER: Step(EventKind.WAIT, TicketStatus.WAITING_CUSTOMER),
    Move.WAIT_TEAM: Step(EventKind.WAIT, TicketStatus.WAITING_INTERNAL, WaitingOn.TEAM),
    Move.WAIT_VENDOR: Step(EventKind.WAIT, TicketStatus.WAITING_INTERNAL, WaitingOn.VENDOR),
    Move.WAIT_PERSON: Step(EventKind.WAIT, TicketStatus.WAITING_INTERNAL, WaitingOn.PERSON),
}


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(
            f"{name!r} is no time zone: use an IANA name such as Europe/Stockholm"
        ) from error
    return name


_Column = Annotated[str, Field(min_length=1)]
_Zone = Annotated[str, AfterValidator(_known_zone)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileForm(_Strict):
    """How the file is written; a name that ends in `.gz` is unpacked while it is read."""

    encoding: str = "utf-8"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","


class TimeForm(_Strict):
    """How instants are written: the first of `formats` (of strptime) that fits is taken.

    A format with `%z` brings its own offset; all others are local time of `zone`.
    """

    zone: _Zone
    formats: tuple[_Column, ...] = Field(min_length=1)


class Ordering(_Strict):
    """Columns that order the rows: when, of which ticket, and which update of it."""

    instant: _Column
    ticket: _Column
    sequence: _Column


class OpeningForm(_Strict):
    """Columns of what a ticket begins with: when, for which customer, taken in by which agent."""

    instant: _Column
    customer: _Column | None = None
    opened_by: _Column | None = None


class ChannelValue(_Strict):
    """A channel, and whether the customer came by it alone or was speaking with an agent."""

    channel: Channel
    by: Literal[ActorKind.AGENT, ActorKind.CUSTOMER] = ActorKind.CUSTOMER


class ChannelForm(_Strict):
    """Translation of the channel. A value that is not in `values` makes a row unusable."""

    column: _Column
    values: Mapping[str, ChannelValue]


class PriorityForm(_Strict):
    """Translation of the priority. A value that is not in `values` makes a row unusable."""

    column: _Column
    values: Mapping[str, Priority]


class Change(_Strict):
    """What happens when the state goes from one of `from` to one of `to`; empty: from any."""

    from_: tuple[str, ...] = Field(default=(), alias="from")
    to: tuple[str, ...] = Field(min_length=1)
    moves: tuple[Move, ...] = Field(min_length=1)


class StateForm(_Strict):
    """States and what their changes mean; the first of `changes` that fits is taken.

    A ticket begins in `initial`. A state that is not in `known` makes a row unusable.
    """

    column: _Column
    initial: str
    known: frozenset[str] = Field(min_length=1)
    changes: tuple[Change, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_known_states(self) -> Self:
        named = {self.initial}.union(*((*c.from_, *c.to) for c in self.changes))
        if strange := named - self.known:
            raise ValueError(f"state {min(strange)!r} is not in `known`: add it there")
        return self

    def moves(self, before: str, after: str) -> tuple[Move, ...]:
        """Return what the change does; a change that no entry names is a note."""
        for change in self.changes:
            if after in change.to and (not change.from_ or before in change.from_):
                return change.moves
        return (Move.NOTE,)


class AssignmentForm(_Strict):
    """Columns of the log's own assignments, which are compared with and not followed."""

    team: _Column
    agent: _Column


class RosterForm(_Strict):
    """What is not in the log of its agents. `leads`: each team gets one lead, who is invented."""

    capacity_units: Annotated[float, Field(gt=0, le=MOST_CAPACITY_UNITS)] = 12.0
    leads: bool = True


class OutcomeForm(_Strict):
    """The log's own verdict, read only after the replay: `missed` on any row is a miss.

    `resolved`: the states that end the work; the last row in one of them is the resolution.
    `reassignments`: the column of the log's own count of them, where it has one.
    """

    column: _Column
    missed: frozenset[str] = Field(min_length=1)
    resolved: frozenset[str] = Field(min_length=1)
    reassignments: _Column | None = None

    def columns(self) -> Iterator[tuple[str, str]]:
        """Yield field and column of all that the verdict is read from."""
        yield "outcome.column", self.column
        if self.reassignments is not None:
            yield "outcome.reassignments", self.reassignments


class ReplayMapping(_Strict):
    """One kind of export. `forbidden` columns never feed an event: they tell the future."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    about: str = ""
    file: FileForm = FileForm()
    missing: frozenset[str] = frozenset({""})
    time: TimeForm
    ordering: Ordering
    opening: OpeningForm
    actor: _Column | None = None
    channel: ChannelForm
    priority: PriorityForm
    state: StateForm
    assignment: AssignmentForm
    roster: RosterForm = RosterForm()
    outcome: OutcomeForm | None = None
    forbidden: frozenset[str] = frozenset()

    @model_validator(mode="after")
    def _tells_no_future(self) -> Self:
        for field, column in self.feeding():
            if column in self.forbidden:
                raise ValueError(
                    f"`{field}` reads column {column!r}, which is in `forbidden` because it tells "
                    "the future: use a column that was known at the time of the row"
                )
        for field, column in self.outcome.columns() if self.outcome is not None else ():
            if column not in self.forbidden:
                raise ValueError(
                    f"`{field}` is {column!r}, which tells how it ended: "
                    "add it to `forbidden` so that nothing else can read it"
                )
        if self.outcome is not None and not self.outcome.resolved <= self.state.known:
            raise ValueError("`outcome.resolved` names a state that is not in `state.known`")
        return self

    def feeding(self) -> Iterator[tuple[str, str]]:
        """Yield field and column of all that events are made of."""
        yield "ordering.instant", self.ordering.instant
        yield "ordering.ticket", self.ordering.ticket
        yield "ordering.sequence", self.ordering.sequence
        yield "opening.instant", self.opening.instant
        yield "channel.column", self.channel.column
        yield "priority.column", self.priority.column
        yield "state.column", self.state.column
        yield "assignment.team", self.assignment.team
        yield "assignment.agent", self.assignment.agent
        for field, column in (
            ("opening.customer", self.opening.customer),
            ("opening.opened_by", self.opening.opened_by),
            ("actor", self.actor),
        ):
            if column is not None:
                yield field, column


def load_mapping(source: Path | str) -> ReplayMapping:
    """Return the mapping of a file, or of one that ships by its name.

    InputError names file, field and what to do.
    """
    file = Path(source)
    shipped = SHIPPED / f"{source}.yaml"
    if not file.exists() and shipped.exists():
        file = shipped
    try:
        form = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        names = ", ".join(sorted(path.stem for path in SHIPPED.glob("*.yaml")))
        raise InputError(
            f"mapping {source} cannot be read: {error}; give a YAML file, or the name of a "
            f"mapping that ships ({names})"
        ) from error
    try:
        return ReplayMapping.model_validate(form)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole file"
        why = first["msg"].removeprefix("Value error, ")
        raise InputError(
            f"mapping {file.name}, `{where}`: {why}; correct it and replay again", field=where
        ) from error
