"""SLA policies: which targets, calendar and ladder a ticket has; the first match in order wins."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from support.calendar import BusinessCalendar
from support.errors import PolicyError
from support.model import Channel, Priority, TicketStatus


class Metric(StrEnum):
    """What a clock measures."""

    FIRST_RESPONSE = "first_response"
    NEXT_RESPONSE = "next_response"
    RESOLUTION = "resolution"


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

    `ladder` holds the fractions of a target at which an escalation step falls due, ascending;
    `ack_lapse` is the business time for which an acknowledgement silences them.
    """

    key: str
    calendar_id: str
    calendar: BusinessCalendar
    targets: Mapping[Metric, timedelta]
    pause_on: Mapping[Metric, frozenset[TicketStatus]] = field(
        default_factory=lambda: DEFAULT_PAUSE_ON
    )
    ladder: tuple[float, ...] = (0.75, 1.0, 1.5)
    ack_lapse: timedelta = timedelta(hours=4)
    when: Conditions = Conditions()

    def pauses(self, metric: Metric, status: TicketStatus) -> bool:
        """Whether the clock of `metric` stands still in `status`."""
        return status in self.pause_on.get(metric, frozenset())


@dataclass(frozen=True, slots=True)
class PolicyBook:
    """All policies of one version, in order, and the office calendar for what has no policy."""

    version: str
    office: BusinessCalendar
    policies: tuple[Terms, ...]

    def __post_init__(self) -> None:
        keys = [terms.key for terms in self.policies]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise PolicyError(f"policy {min(twice)!r} is there twice: give each its own id")
        if not self.policies or self.policies[-1].when != Conditions():
            raise PolicyError("the last policy must match every ticket: give it no conditions")

    @property
    def terms(self) -> Mapping[str, Terms]:
        """The policies by key."""
        return {terms.key: terms for terms in self.policies}

    def choose(self, traits: Traits) -> Terms:
        """Return the first policy that matches."""
        return next(terms for terms in self.policies if terms.when.match(traits))
