"""The facts that rules see of a callback; what each means is in the catalogue.

Those that it shares with tickets have their entry in `support.situation`, its own in
`support.subjects`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from support.calendar import DAYS, BusinessCalendar
from support.callback_deadlines import CallbackDue
from support.callback_hours import Dispatchable, Never
from support.callback_promise import Promise
from support.callbacks import CallbackEvent, CallbackState
from support.needs import Fact
from support.quotas import sent_today

CALLBACK = "callback"
"""The trigger of rules about callbacks."""


@dataclass(frozen=True, slots=True)
class CallbackSituation:
    """A callback at the instant of a decision, after trigger and dispatch and before any rule."""

    state: CallbackState
    promise: Promise
    opens: Dispatchable | Never
    event: CallbackEvent | None
    due: CallbackDue | None
    at: datetime
    lateness: timedelta
    calendar: BusinessCalendar


def _overdue_s(s: CallbackSituation) -> float:
    since = s.promise.overdue_since
    return 0.0 if since is None else max(0.0, (s.at - since).total_seconds())


def _opens_in_s(s: CallbackSituation) -> float:
    if isinstance(s.opens, Never):
        return 0.0
    return (s.opens.at - s.at).total_seconds()


def _last_outcome(s: CallbackSituation) -> str:
    told = [one.outcome for one in s.state.history if one.outcome is not None]
    return str(told[-1]) if told else ""


def _ownerless_s(s: CallbackSituation) -> float:
    since = s.state.ownership.since or s.state.requested_at
    return 0.0 if s.state.owner else max(0.0, (s.at - since).total_seconds())


def _next_shift_in_s(s: CallbackSituation) -> float:
    none = s.state.ownership.none
    if none is None or none.next_shift_at is None:
        return 0.0
    return max(0.0, (none.next_shift_at - s.at).total_seconds())


def _wall_clock(s: CallbackSituation) -> datetime:
    return s.at.astimezone(ZoneInfo(s.calendar.rules.tz))


READERS: Mapping[str, Callable[[CallbackSituation], Fact]] = {
    "on": lambda _: CALLBACK,
    "tenant": lambda s: s.state.tenant,
    "lateness_s": lambda s: s.lateness.total_seconds(),
    "business_open": lambda s: s.calendar.is_open(s.at),
    "weekday": lambda s: DAYS[_wall_clock(s).weekday()],
    "local_time": lambda s: f"{_wall_clock(s):%H:%M:%S}",
    "team": lambda s: s.state.team,
    "tier": lambda s: s.state.tier,
    "priority": lambda s: str(s.state.priority),
    "skills": lambda s: s.state.skills,
    "owner_set": lambda s: bool(s.state.owner),
    "owner_locked": lambda s: s.state.locked(s.at),
    "no_owner": lambda s: str(s.state.ownership.none.why) if s.state.ownership.none else "",
    "ownerless_s": _ownerless_s,
    "next_shift_in_s": _next_shift_in_s,
    "declines": lambda s: len(s.state.ownership.declined_by(s.at)),
    "step_fraction": lambda s: s.due.fraction if s.due else 0.0,
    "step_repeat": lambda s: int(s.due.step.partition("#")[2] or 0) if s.due else 0,
    "step_on_call": lambda s: s.due is not None and s.due.on_call,
    "notifications_24h": lambda s: len(sent_today(s.state, s.at)),
    "callback_status": lambda s: str(s.state.status),
    "callback_event": lambda s: str(s.event.kind) if s.event else "",
    "callback_due": lambda s: str(s.due.kind) if s.due else "",
    "callback_overdue": lambda s: s.promise.overdue,
    "callback_missed": lambda s: s.promise.missed,
    "callback_attempts": lambda s: s.state.attempts,
    "callback_outcome": _last_outcome,
    "callback_parked": lambda s: s.state.active and s.state.parked_at is not None,
    "callback_age_s": lambda s: (s.at - s.state.requested_at).total_seconds(),
    "callback_overdue_s": _overdue_s,
    "callback_blocked": lambda s: str(s.opens.why) if isinstance(s.opens, Never) else "",
    "callback_opens_in_s": _opens_in_s,
    "callback_ended": lambda s: str(s.state.ended) if s.state.ended else "",
    "callback_language": lambda s: s.state.language,
    "callback_country": lambda s: s.state.country,
    "callback_has_ticket": lambda s: bool(s.state.ticket_id),
}


def describe_callback(situation: CallbackSituation) -> dict[str, Fact]:
    """Return every fact of the callback."""
    return {name: read(situation) for name, read in READERS.items()}
