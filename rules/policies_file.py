"""SLA policies from YAML: checked as a whole, versioned by content, kept as plain data."""

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from support.calendar import BusinessCalendar
from support.duration import parse_duration
from support.errors import CalendarError, InputError, PolicyError
from support.model import Channel, Priority, TicketStatus
from support.policy import DEFAULT_PAUSE_ON, Conditions, Metric, PolicyBook, Terms

SHIPPED = Path(__file__).parent / "policies" / "default.yaml"


def _span(value: object) -> timedelta:
    try:
        span = parse_duration(str(value))
    except InputError as error:
        raise ValueError(str(error)) from error
    if not span:
        raise ValueError("0 is no target: leave the metric out instead")
    return span


_Span = Annotated[timedelta, BeforeValidator(_span)]
_Fraction = Annotated[float, Field(gt=0, le=100)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _When(_Strict):
    tenant: frozenset[str] = frozenset()
    channel: frozenset[Channel] = frozenset()
    priority: frozenset[Priority] = frozenset()
    team: frozenset[str] = frozenset()
    tier: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()

    def conditions(self) -> Conditions:
        return Conditions(self.tenant, self.channel, self.priority, self.team, self.tier, self.tags)


class _Policy(_Strict):
    id: str = Field(min_length=1, max_length=64)
    when: _When = _When()
    calendar: str
    targets: Mapping[Metric, _Span]
    pause_on: Mapping[Metric, frozenset[TicketStatus]] = DEFAULT_PAUSE_ON
    ladder: tuple[_Fraction, ...] = (0.75, 1.0, 1.5)
    ack_lapse: _Span = timedelta(hours=4)


class _Book(_Strict):
    calendars: Mapping[str, Mapping[str, Any]]
    office: str
    policies: tuple[_Policy, ...] = Field(min_length=1)


def load_policies(path: Path | None = None) -> tuple[PolicyBook, str]:
    """Return the book of a file (the shipped one without `path`) and its form, to be kept.

    Raises PolicyError naming file and field.
    """
    file = path or SHIPPED
    try:
        form = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise PolicyError(f"{file.name}: cannot be read: {error}") from error
    try:
        kept = json.dumps(_plain(form), sort_keys=True)
        return read_policies(kept), kept
    except PolicyError as error:
        raise PolicyError(f"{file.name}: {error}") from error


def _plain(value: object) -> object:
    """Return what YAML gave as JSON can say it: dates, also as keys, become text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | None) else str(value)


@lru_cache(maxsize=64)
def read_policies(form: str) -> PolicyBook:
    """Return the book of a form written as JSON with sorted keys; PolicyError names the field.

    Its version is the digest of the form.
    """
    try:
        book = _Book.model_validate(json.loads(form))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PolicyError(f"`{where}`: {first['msg']}") from error
    calendars = {}
    for name, calendar in book.calendars.items():
        try:
            calendars[name] = BusinessCalendar.from_dict(calendar)
        except CalendarError as error:
            raise PolicyError(f"`calendars.{name}`: {error}") from error
    for name in (book.office, *(policy.calendar for policy in book.policies)):
        if name not in calendars:
            raise PolicyError(f"calendar {name!r} is not there: use one of {', '.join(calendars)}")
    return PolicyBook(
        version=hashlib.sha256(form.encode()).hexdigest()[:12],
        office=calendars[book.office],
        policies=tuple(_terms(policy, calendars) for policy in book.policies),
    )


def _terms(policy: _Policy, calendars: Mapping[str, BusinessCalendar]) -> Terms:
    if not policy.targets:
        raise PolicyError(f"policy {policy.id!r} has no targets: name at least one metric")
    if list(policy.ladder) != sorted(set(policy.ladder)):
        raise PolicyError(f"policy {policy.id!r}: the ladder must rise, such as [0.75, 1.0, 1.5]")
    return Terms(
        key=policy.id,
        calendar_id=policy.calendar,
        calendar=calendars[policy.calendar],
        targets=dict(policy.targets),
        pause_on=dict(policy.pause_on),
        ladder=policy.ladder,
        ack_lapse=policy.ack_lapse,
        when=policy.when.conditions(),
    )
