"""SLA policies: which targets, calendar and ladder a ticket has; the first match in order wins."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum

from support.calendar import BusinessCalendar
from support.errors import PolicyError
from support.ladder import Rung, rungs
from support.model import Channel, Priority, TicketStatus


class Metric(StrEnum):
    """What a clock measures."""

    FIRST_RESPONSE = "first_response"
    NEXT_RESPONSE = "next_response"
    RESOLUTION = "resolution"
    PERIODIC_UPDATE = "periodic_update"
    CALLBACK = "callback"


class OnChange(StrEnum):
    """What becomes of the time that a clock has consumed when its ticket comes under a policy."""

    CARRY = "carry"
    RESTART = "restart"


class OnReopen(StrEnum):
    """Whether the resolution clock of a reopened ticket goes on, or a new one starts."""

    RESUME = "resume"
    RESTART = "restart"


DEFAULT_PAUSE_ON: Mapping[Metric, frozenset[TicketStatus]] = {
    Metric.RESOLUTION: frozenset({TicketStatus.WAITING_CUSTOMER})
}


@dataclass(frozen=True, slots=True)
class Traits:
    """What policies match on."""

    tenant: str
    channel: Channel
    priority: Priority
    team: str = ""
    tier: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Conditions:
    """All that are set must hold: the trait is one of them; for tags, one of the tags is."""

    tenants: frozenset[str] = frozenset()
    channels: frozenset[Channel] = frozenset()
    priorities: frozenset[Priority] = frozenset()
    teams: frozenset[str] = frozenset()
    tiers: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()

    def match(self, traits: Traits) -> bool:
        """Whether every condition that is set holds."""
        return (
            (not self.tenants or traits.tenant in self.tenants)
            and (not self.channels or traits.channel in self.channels)
            and (not self.priorities or traits.priority in self.priorities)
            and (not self.teams or traits.team in self.teams)
            and (not self.tiers or traits.tier in self.tiers)
            and (not self.tags or not self.tags.isdisjoint(traits.tags))
        )


@dataclass(frozen=True, slots=True)
class Terms:
    """One policy: targets in business time of `calendar`; a metric left out has no clock.

    `ladder` holds the rungs at which an escalation step falls due; `ack_lapse` is the business time
    for which an acknowledgement silences them. `calendars` holds id and calendar of the metrics
    that have their own. A ticket with a tag, or resolved with a disposition, that is in `void_on`
    has its clocks ended without counting. Steps are in closed hours while `office`, by default
    `calendar`, is closed.
    """

    key: str
    calendar_id: str
    calendar: BusinessCalendar
    targets: Mapping[Metric, timedelta]
    pause_on: Mapping[Metric, frozenset[TicketStatus]] = field(
        default_factory=lambda: DEFAULT_PAUSE_ON
    )
    ladder: tuple[Rung, ...] = rungs(0.75, 1.0, 1.5)
    ack_lapse: timedelta = timedelta(hours=4)
    when: Conditions = Conditions()
    calendars: Mapping[Metric, tuple[str, BusinessCalendar]] = field(default_factory=dict)
    on_change: OnChange = OnChange.CARRY
    on_reopen: OnReopen = OnReopen.RESUME
    void_on: frozenset[str] = frozenset()
    office: BusinessCalendar | None = None

    def hours(self, metric: Metric) -> tuple[str, BusinessCalendar]:
        """Id and calendar by which the clock of `metric` counts."""
        return self.calendars.get(metric, (self.calendar_id, self.calendar))

    @property
    def staffed(self) -> BusinessCalendar:
        """Calendar outside of which a step falls due in closed hours."""
        return self.office or self.calendar

    def pauses(self, metric: Metric, status: TicketStatus) -> bool:
        """Whether the clock of `metric` stands still in `status`."""
        return status in self.pause_on.get(metric, frozenset())


@dataclass(frozen=True, slots=True)
class PolicyBook:
    """All policies of one version, in order, and the office calendar for what has no policy.

    `earlier` holds, as version/key, the policies of the versions that a ticket was moved away from:
    the time before the move is reckoned by them.
    """

    version: str
    office: BusinessCalendar
    policies: tuple[Terms, ...]
    earlier: Mapping[str, Terms] = field(default_factory=dict)

    def __post_init__(self) -> None:
        keys = [terms.key for terms in self.policies]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            name = min(twice)
            last = len(keys) - 1 - keys[::-1].index(name)
            raise PolicyError(
                f"policy {name!r} is there twice: give each its own id",
                at=("policies", last, "id"),
                clashes=(("policies", keys.index(name), "id"),),
            )
        if not self.policies or self.policies[-1].when != Conditions():
            raise PolicyError(
                "the last policy must match every ticket: give it no conditions",
                at=("policies", len(keys) - 1),
            )

    @property
    def terms(self) -> Mapping[str, Terms]:
        """The policies by key, the earlier ones by version and key."""
        return {**self.earlier, **{terms.key: terms for terms in self.policies}}

    def after(self, books: "Iterable[PolicyBook]") -> "PolicyBook":
        """Return the same policies for a ticket that was under `books` before."""
        earlier = {
            key: terms
            for book in books
            for key, terms in (
                *book.earlier.items(),
                *((earlier_key(book.version, terms.key), terms) for terms in book.policies),
            )
        }
        return replace(self, earlier=earlier)

    def choose(self, traits: Traits) -> Terms:
        """Return the first policy that matches."""
        return next(terms for terms in self.policies if terms.when.match(traits))

    def chosen_like(self, key: str, traits: Traits) -> str:
        """Return the key of the first policy that matches, of the version that `key` is of."""
        if key not in self.earlier:
            return self.choose(traits).key
        version = key.partition("/")[0]
        return next(
            name
            for name, terms in self.earlier.items()
            if name.partition("/")[0] == version and terms.when.match(traits)
        )


def earlier_key(version: str, key: str) -> str:
    """Name of a policy in a ticket that was moved away from its version."""
    return f"{version}/{key}"
