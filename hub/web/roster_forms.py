"""What the API takes about the roster: every field named, bounded and checked."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from hub.roster_changes import MOST_UNITS, ProfileChange, new_agent
from hub.shift_file import shift_of
from hub.web.forms import Form, Id, Ids, Line, OptionalId
from store.roster import Agent
from support.model import Presence
from support.rota import MOST_DAYS, MOST_MEMBERS, WEEK_DAYS, Rota, read_rota
from support.routing import Role, WorkKind
from support.shifts import Shift

Words = Annotated[str, Field(max_length=64)]
"""A zone, a date, hours or a time, as people write it; what it means is read later."""
Units = Annotated[float, Field(ge=0, le=MOST_UNITS)]


class AgentForm(Form):
    """An agent as a whole: what is not said is empty. `online` counts for a new one only."""

    name: Line = ""
    email: Line = ""
    team: OptionalId = ""
    role: Role = Role.AGENT
    skills: Ids = ()
    capacity_units: Annotated[Decimal, Field(ge=0, le=MOST_UNITS, decimal_places=1)] = Decimal(12)
    online: bool = False

    def agent(self, agent_id: str) -> Agent:
        """Return it as the roster takes it; InputError where it cannot be."""
        return new_agent(agent_id, **self.model_dump())


class PresenceForm(Form):
    """Whether an agent is there."""

    presence: Presence


class ProfileForm(Form):
    """What is to be changed of a profile; what is not said stays.

    A level of 0 forgets it, units of null are no limit, and so is a `limit_new` of 0.
    """

    tz: Words | None = None
    country: Words | None = None
    languages: Annotated[tuple[Words, ...], Field(max_length=32)] | None = None
    levels: Annotated[dict[Id, Annotated[int, Field(ge=0, le=5)]], Field(max_length=64)] = Field({})
    kind_capacity: dict[WorkKind, Units | None] = Field({})
    limit_new: Annotated[int, Field(ge=0, le=100)] | None = None
    limit_minutes: Annotated[int, Field(ge=1, le=10_080)] | None = None

    def change(self) -> ProfileChange:
        """Return it as the roster takes it."""
        return ProfileChange(**self.model_dump())


class ShiftForm(Form):
    """A shift by the agent's clock: weekly on `weekdays`, or of one `date`."""

    hours: Words
    weekdays: Words = ""
    date: Words = ""
    first: Annotated[Words, Field(alias="from")] = ""
    last: Annotated[Words, Field(alias="until")] = ""
    holidays: bool = False

    def shift(self) -> Shift:
        """Return it as the roster takes it; InputError where it cannot be."""
        return shift_of(
            hours=self.hours,
            weekdays=self.weekdays,
            date=self.date,
            first=self.first,
            last=self.last,
            on_holidays=self.holidays,
        )


class SpanForm(Form):
    """Time by a clock of the roster, or with offset; by default from now on, without end."""

    since: Annotated[Words, Field(alias="from")] = ""
    until: Words = ""


class RotaForm(Form):
    """A rota as a whole, but for its swaps; `first_handover` is by the clock in `tz`."""

    tz: Words
    members: Annotated[tuple[Id, ...], Field(min_length=1, max_length=MOST_MEMBERS)]
    first_handover: Words
    days: Annotated[int, Field(ge=1, le=MOST_DAYS)] = WEEK_DAYS
    team: OptionalId = ""

    def rota(self) -> Rota:
        """Return it as the roster takes it; InputError where it cannot be."""
        return read_rota(**self.model_dump())


class SwapForm(Form):
    """Who takes over, by the rota's clock or with offset; by default from now on."""

    agent_id: Id
    since: Annotated[Words, Field(alias="from")] = ""
    until: Annotated[Words, Field(min_length=1)]
