"""The facts that rules see: one entry in `CATALOGUE` each, with type, unit and meaning.

Those of tickets are here, with how a situation tells them; the others in `support.subjects`.

A fact is always there and always of its type; absence is said explicitly (`owner_set` false,
`breached_metric` empty). Durations are elapsed seconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from support.calendar import DAYS, BusinessCalendar
from support.clock import Clocks
from support.deadlines import Due, DueKind
from support.escalation import acknowledged
from support.model import ActorKind, Channel, LeftCause, Priority, TicketEvent, TicketStatus
from support.needs import Fact
from support.ownership import NoOwnerWhy
from support.policy import Metric, Terms
from support.standing import Standing
from support.subjects import DEADLINE, OTHERS, TRIGGERS, FactSpec, FactType, Subject
from support.ticket import TicketState, recent


@dataclass(frozen=True, slots=True)
class Situation:
    """A ticket at the instant of a decision, after the trigger itself and before any rule."""

    state: TicketState
    clocks: Clocks
    terms: Terms
    standing: Standing
    event: TicketEvent | None
    due: Due | None
    at: datetime
    lateness: timedelta
    calendar: BusinessCalendar
    owner_available: bool
    owner_on_shift: bool


def _flag(name: str, meaning: str, read: Callable[[Situation], bool]) -> FactSpec:
    return FactSpec(name, FactType.FLAG, meaning, read)


def _count(name: str, meaning: str, read: Callable[[Situation], int]) -> FactSpec:
    return FactSpec(name, FactType.COUNT, meaning, read)


def _duration(name: str, meaning: str, read: Callable[[Situation], float]) -> FactSpec:
    return FactSpec(name, FactType.DURATION, meaning, read, unit="s")


def _choice(
    name: str, meaning: str, choices: tuple[str, ...], read: Callable[[Situation], str]
) -> FactSpec:
    return FactSpec(name, FactType.CHOICE, meaning, read, choices=choices)


def _shared(spec: FactSpec, *more: Subject) -> FactSpec:
    """Return a fact of tickets as one of `more` subjects too; of all where none is named."""
    return replace(spec, subjects=(Subject.TICKET, *more) if more else tuple(Subject))


def _text(name: str, meaning: str, read: Callable[[Situation], str]) -> FactSpec:
    return FactSpec(name, FactType.TEXT, meaning, read)


def _set(name: str, meaning: str, read: Callable[[Situation], tuple[str, ...]]) -> FactSpec:
    return FactSpec(name, FactType.SET, meaning, read)


def _metric(situation: Situation, kind: DueKind) -> str:
    due = situation.due
    return due.metric if due is not None and due.kind is kind else ""


def _customer_waiting_s(situation: Situation) -> float:
    wrote = situation.state.customer_wrote_at
    if wrote is None or not situation.state.unanswered:
        return 0.0
    return (situation.at - wrote).total_seconds()


def _ownerless_s(situation: Situation) -> float:
    state = situation.state
    since = state.ownership.since or state.created_at
    return 0.0 if state.owner else max(0.0, (situation.at - since).total_seconds())


def _next_shift_in_s(situation: Situation) -> float:
    none = situation.state.ownership.none
    if none is None or none.next_shift_at is None:
        return 0.0
    return max(0.0, (none.next_shift_at - situation.at).total_seconds())


def _wall_clock(situation: Situation) -> datetime:
    """Return what a clock on the wall of the ticket's office shows."""
    return situation.at.astimezone(ZoneInfo(situation.calendar.rules.tz))


_METRICS = ("", *(str(metric) for metric in Metric))

_SPECS = (
    _shared(
        _choice(
            "on",
            "what is being decided: the kind of event, deadline, or what changed",
            tuple(TRIGGERS),
            lambda s: str(s.event.kind) if s.event else DEADLINE,
        )
    ),
    _choice(
        "left_cause",
        "why its owner is not at work any more, when the ticket is told of it; empty otherwise",
        ("", *(str(cause) for cause in LeftCause)),
        lambda s: str((s.event and s.event.left_cause) or ""),
    ),
    _choice(
        "due_kind",
        "which deadline fell due; empty for an event",
        ("", *(str(kind) for kind in DueKind)),
        lambda s: str(s.due.kind) if s.due else "",
    ),
    _choice(
        "step_metric",
        "metric whose escalation step fell due; empty otherwise",
        _METRICS,
        lambda s: _metric(s, DueKind.STEP),
    ),
    _shared(
        FactSpec(
            "step_fraction",
            FactType.NUMBER,
            "share of the target at which the step fell due; 0 otherwise",
            lambda s: s.due.fraction if s.due else 0.0,
        ),
        Subject.CALLBACK,
    ),
    _shared(
        _count(
            "step_repeat",
            "which repeat of its step fell due; 0 for the first time",
            lambda s: int(s.due.step.partition("#")[2] or 0) if s.due else 0,
        ),
        Subject.CALLBACK,
    ),
    _shared(
        _flag(
            "step_on_call",
            "the step fell due in closed hours and goes to the on-call rota",
            lambda s: s.due is not None and s.due.on_call,
        ),
        Subject.CALLBACK,
    ),
    _choice(
        "breached_metric",
        "metric whose target is missed at this very deadline; empty otherwise",
        _METRICS,
        lambda s: _metric(s, DueKind.BREACH),
    ),
    _shared(
        _duration(
            "lateness_s",
            "how long after its nominal instant the decision is made",
            lambda s: s.lateness.total_seconds(),
        )
    ),
    _choice(
        "channel",
        "where the ticket came in",
        tuple(str(channel) for channel in Channel),
        lambda s: str(s.state.channel),
    ),
    _shared(
        _choice(
            "priority",
            "how urgent it is",
            tuple(str(priority) for priority in Priority),
            lambda s: str(s.state.priority),
        ),
        Subject.CALLBACK,
    ),
    _choice(
        "status",
        "where the ticket stands after the event",
        tuple(str(status) for status in TicketStatus),
        lambda s: str(s.state.status),
    ),
    _choice(
        "actor_kind",
        "who caused the event; system for a deadline",
        tuple(str(kind) for kind in ActorKind),
        lambda s: str(s.event.actor.kind if s.event else ActorKind.SYSTEM),
    ),
    _shared(_text("tenant", "tenant that is decided for", lambda s: s.state.tenant)),
    _shared(
        _text("team", "team that it is for; may be empty", lambda s: s.state.team),
        Subject.CALLBACK,
    ),
    _shared(
        _text("tier", "tier of the customer; may be empty", lambda s: s.state.tier),
        Subject.CALLBACK,
    ),
    _shared(
        _set("skills", "skills that it needs", lambda s: s.state.skills),
        Subject.CALLBACK,
    ),
    _set("tags", "tags of the ticket", lambda s: s.state.tags),
    _flag("active", "not resolved and not closed", lambda s: s.state.active),
    _flag("unanswered", "the customer wrote last", lambda s: s.state.unanswered),
    _shared(
        _flag("owner_set", "it has an owner", lambda s: bool(s.state.owner)),
        Subject.CALLBACK,
    ),
    _shared(
        _flag("owner_locked", "automation may not move it now", lambda s: s.state.locked(s.at)),
        Subject.CALLBACK,
    ),
    _flag(
        "owner_available",
        "it has an owner who is online, and on shift where the roster has shifts",
        lambda s: s.owner_available,
    ),
    _flag(
        "owner_on_shift",
        "its owner is at work: on shift where the roster has shifts, else online; not on leave",
        lambda s: s.owner_on_shift,
    ),
    _shared(
        _choice(
            "no_owner",
            "why it found no owner when it last looked for one; empty where it has one",
            ("", *(str(why) for why in NoOwnerWhy)),
            lambda s: str(s.state.ownership.none.why) if s.state.ownership.none else "",
        ),
        Subject.CALLBACK,
    ),
    _shared(
        _duration(
            "ownerless_s",
            "time since it has had no owner; 0 where it has one",
            _ownerless_s,
        ),
        Subject.CALLBACK,
    ),
    _shared(
        _duration(
            "next_shift_in_s",
            "time until somebody's shift begins who could take it; 0 where none is known",
            _next_shift_in_s,
        ),
        Subject.CALLBACK,
    ),
    _shared(
        _count(
            "declines",
            "agents who declined it, or did not accept it in time, and are not asked again yet",
            lambda s: len(s.state.ownership.declined_by(s.at)),
        ),
        Subject.CALLBACK,
    ),
    _flag("follow_up", "it follows up a closed ticket", lambda s: bool(s.state.follow_up_of)),
    _flag("breached", "an unmet, running clock is past due", lambda s: s.standing.breached),
    _flag(
        "escalation_due",
        "a fired step is neither acknowledged, met nor held",
        lambda s: s.standing.escalation_due,
    ),
    _flag(
        "acknowledged",
        "an acknowledgement is in force",
        lambda s: acknowledged(s.state.acks, s.terms, s.at),
    ),
    _shared(
        _flag(
            "business_open",
            "the calendar is open: of the ticket's policy, else of the office",
            lambda s: s.calendar.is_open(s.at),
        )
    ),
    _shared(
        _choice(
            "weekday",
            "day of the week in the zone of that calendar",
            DAYS,
            lambda s: DAYS[_wall_clock(s).weekday()],
        )
    ),
    _shared(
        FactSpec(
            "local_time",
            FactType.TIME,
            "time of day in the zone of that calendar",
            lambda s: f"{_wall_clock(s):%H:%M:%S}",
        )
    ),
    _duration(
        "age_s",
        "time since the ticket was created",
        lambda s: (s.at - s.state.created_at).total_seconds(),
    ),
    _duration(
        "customer_waiting_s",
        "time since the customer's last unanswered message; 0 when answered",
        _customer_waiting_s,
    ),
    _count("reopen_count", "times it was reopened", lambda s: s.state.reopen_count),
    _count("reassign_count", "times it changed owner", lambda s: s.state.reassign_count),
    _count(
        "automation_messages_4h",
        "automatic messages to the customer in the last 4 hours",
        lambda s: len(recent(s.state.auto_messages, s.at, timedelta(hours=4))),
    ),
    _shared(
        _count(
            "notifications_24h",
            "notifications to colleagues in the last 24 hours",
            lambda s: len(recent(s.state.notifications, s.at, timedelta(days=1))),
        ),
        Subject.CALLBACK,
    ),
)

CATALOGUE: Mapping[str, FactSpec] = {spec.name: spec for spec in (*_SPECS, *OTHERS)}
_READERS = tuple((spec.name, spec.read) for spec in CATALOGUE.values() if spec.read is not None)


@cache
def facts_of(*subjects: Subject) -> Mapping[str, FactSpec]:
    """Return the facts that all of `subjects` have."""
    return {name: spec for name, spec in CATALOGUE.items() if set(subjects) <= set(spec.subjects)}


def describe(situation: Situation) -> dict[str, Fact]:
    """Return every fact of the ticket."""
    return {name: read(situation) for name, read in _READERS}
