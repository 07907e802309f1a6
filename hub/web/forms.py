"""What the API takes: every field named, bounded and checked before anything is stored."""

from collections.abc import Mapping
from datetime import UTC
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from hub.drafts import (
    CONTROL,
    LOCALE,
    MAX_BODY,
    MAX_NAME,
    MAX_SUBJECT,
    NOT_BY_HAND,
    Command,
    NewTicket,
)
from support.model import (
    ID_PATTERN,
    MOST_TAGS,
    Actor,
    ActorKind,
    Channel,
    EventKind,
    Priority,
    TicketStatus,
    WaitingOn,
)


def _optional_id(value: str) -> str:
    if value and not ID_PATTERN.fullmatch(value):
        raise ValueError("use 1 to 64 of the characters A-Z a-z 0-9 . _ -")
    return value


def one_line(value: str) -> str:
    """Return `value` if it is one line, else ValueError."""
    if CONTROL.search(value):
        raise ValueError("must be one line without control characters")
    return value


def _storable(value: str) -> str:
    if "\x00" in value:
        raise ValueError("must not contain the character U+0000")
    return value


def not_blank(value: str) -> str:
    """Return `value` if it says something, else ValueError."""
    if not value.strip():
        raise ValueError("must not be blank")
    return value


_ALWAYS = frozenset({"kind", "text", "event_id", "actor"})
_FIELDS: Mapping[EventKind, frozenset[str]] = {
    EventKind.PRIORITY: frozenset({"priority"}),
    EventKind.ASSIGN: frozenset({"assignee", "lock"}),
    EventKind.WAIT: frozenset({"status", "waiting_on", "waiting_ref", "follow_up_at"}),
    EventKind.RESOLVE: frozenset({"disposition"}),
    EventKind.CLOSE: frozenset({"disposition"}),
    EventKind.TAG: frozenset({"tags_added", "tags_removed"}),
}
"""What a kind takes besides what every event has."""


def one_of(kind: object, also: tuple[EventKind, ...] = ()) -> object:
    """Return `kind` if it is an event to send, or one of `also`; ValueError names those."""
    possible = sorted({*EventKind, *also} - (NOT_BY_HAND - {*also}))
    if kind not in possible:
        raise ValueError(f"must be one of {', '.join(possible)}")
    return kind


OptionalId = Annotated[str, AfterValidator(_optional_id)]
Id = Annotated[str, Field(min_length=1), AfterValidator(_optional_id)]
Ids = Annotated[tuple[Id, ...], Field(max_length=32)]
Line = Annotated[str, Field(max_length=MAX_NAME), AfterValidator(one_line)]
Tags = Annotated[tuple[Id, ...], Field(max_length=MOST_TAGS)]
Body = Annotated[str, Field(max_length=MAX_BODY), AfterValidator(_storable)]


class Form(BaseModel):
    """A form with no field that the hub does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ActorForm(Form):
    """Who did it. Rules speak for themselves and cannot be named here."""

    kind: Literal["agent", "customer", "system"]
    id: Id
    role: OptionalId = ""
    on_behalf_of: OptionalId = ""

    def actor(self) -> Actor:
        """Return it as the core knows it."""
        return Actor(ActorKind(self.kind), self.id, self.role, self.on_behalf_of)


class NewTicketForm(Form):
    """A ticket to open. Only `subject` is needed; without `actor` its customer wrote it."""

    subject: Annotated[
        str,
        Field(max_length=MAX_SUBJECT),
        AfterValidator(one_line),
        AfterValidator(not_blank),
    ]
    body: Body = ""
    ticket_id: OptionalId = ""
    channel: Channel = Channel.WEB
    priority: Priority = Priority.NORMAL
    team: OptionalId = ""
    skills: Ids = ()
    customer_id: OptionalId = ""
    customer_name: Annotated[str, Field(max_length=200), AfterValidator(one_line)] = ""
    customer_email: Annotated[str, Field(max_length=320), AfterValidator(one_line)] = ""
    locale: Annotated[str, Field(pattern=f"^{LOCALE}$")] = "en"
    tier: OptionalId = ""
    tags: Tags = ()
    follow_up_of: OptionalId = ""
    event_id: OptionalId = ""
    actor: ActorForm | None = None

    def who(self) -> Actor:
        """Return who opens it: as told, else the customer."""
        if self.actor is not None:
            return self.actor.actor()
        return Actor(ActorKind.CUSTOMER, self.customer_id or "unknown")

    def new_ticket(self) -> NewTicket:
        """Return it as the way in takes it."""
        return NewTicket(**self.model_dump(exclude={"event_id", "actor"}))


class EventForm(Form):
    """One thing to do to a ticket. Without `actor` the system did it, or the customer wrote."""

    kind: Annotated[EventKind, BeforeValidator(one_of)]
    text: Body = ""
    priority: Priority | None = None
    assignee: OptionalId = ""
    lock: bool = False
    status: TicketStatus | None = None
    waiting_on: WaitingOn | None = None
    waiting_ref: OptionalId = ""
    follow_up_at: AwareDatetime | None = None
    disposition: OptionalId = ""
    tags_added: Tags = ()
    tags_removed: Tags = ()
    event_id: OptionalId = ""
    actor: ActorForm | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Refuse what does not belong to the kind; fields that say nothing may stay."""
        fields = type(self).model_fields
        said = {name for name in fields if getattr(self, name) != fields[name].default}
        belong = _FIELDS.get(self.kind, frozenset())
        if strange := sorted(said - belong - _ALWAYS):
            takes = ", ".join(sorted(belong | _ALWAYS))
            raise ValueError(f"{self.kind} does not take {', '.join(strange)}: it takes {takes}")
        if self.kind is EventKind.ASSIGN and "assignee" not in self.model_fields_set:
            raise ValueError('assign needs its assignee: name an agent, or send "" to release')
        return self

    def who(self) -> Actor:
        """Return who does it."""
        if self.actor is not None:
            return self.actor.actor()
        if self.kind is EventKind.CUSTOMER_MESSAGE:
            return Actor(ActorKind.CUSTOMER, "unknown")
        return Actor(ActorKind.SYSTEM, "api")

    def command(self) -> Command:
        """Return it as the way in takes it."""
        fields = self.model_dump(exclude={"event_id", "actor"})
        if self.follow_up_at is not None:
            fields["follow_up_at"] = self.follow_up_at.astimezone(UTC)
        return Command(**fields)
