"""SLA policies from YAML: checked as a whole, versioned by content, kept as plain data."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from rules import document
from rules.policy_lines import Lines, Loc, refuse_contradictions
from rules.policy_reach import refuse_unreachable
from rules.policy_words import in_own_words
from support.calendar import BusinessCalendar
from support.duration import parse_duration
from support.errors import CalendarError, InputError, PackError, PolicyError, shortened
from support.ladder import InClosedHours, Rung
from support.model import Channel, Priority, TicketStatus
from support.policy import (
    DEFAULT_PAUSE_ON,
    Conditions,
    Metric,
    OnChange,
    OnReopen,
    PolicyBook,
    Terms,
)

SHIPPED = Path(__file__).parent / "policies" / "default.yaml"


def _length(value: object) -> timedelta:
    if value is None:
        raise ValueError("it is blank: write a duration such as 45m or 2h")
    try:
        return parse_duration(str(value))
    except InputError as error:
        raise ValueError(str(error)) from error


def _span(value: object) -> timedelta:
    span = _length(value)
    if not span:
        raise ValueError("0 is no time to wait: give more, or leave it out")
    return span


def _aim(value: object) -> timedelta:
    span = _length(value)
    if not span:
        raise ValueError("0 is no target: leave the metric out instead")
    return span


def _short(field: str) -> Callable[[object], object]:
    """Return what makes `{field: value}` of a bare value."""
    return lambda value: value if isinstance(value, Mapping) else {field: value}


def _instant(value: object) -> float | timedelta:
    """Read a fraction of the target, or `-30m` and `+1h` for an offset from its due."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 < value <= 100:
            raise ValueError("a fraction of the target is more than 0 and at most 100")
        return float(value)
    sign, span = str(value)[:1], str(value)[1:]
    if sign not in ("+", "-"):
        raise ValueError(
            f"{shortened(value)} is no rung: write a fraction such as 0.75, or -30m, +1h"
        )
    offset = _length(span)
    if not offset:
        raise ValueError(f"{value} is the due itself: write 1.0")
    return offset * (-1 if sign == "-" else 1)


_Span = Annotated[timedelta, BeforeValidator(_span)]


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


class _Repeat(_Strict):
    every: _Span
    times: int = Field(ge=1, le=100)


class _Rung(_Strict):
    at: Annotated[Any, BeforeValidator(_instant)]
    repeat: _Repeat | None = None
    in_closed_hours: InClosedHours = InClosedHours.FIRE

    def rung(self) -> Rung:
        place = {"offset" if isinstance(self.at, timedelta) else "fraction": self.at}
        again = {} if self.repeat is None else self.repeat.model_dump()
        return Rung(**place, **again, in_closed_hours=self.in_closed_hours)


class _Target(_Strict):
    span: Annotated[timedelta, BeforeValidator(_aim)] = Field(alias="in")
    calendar: str = ""


class _Policy(_Strict):
    id: str = Field(min_length=1, max_length=64, pattern=r"\S")
    when: _When = _When()
    calendar: str
    targets: Mapping[Metric, Annotated[_Target, BeforeValidator(_short("in"))]]
    pause_on: Mapping[Metric, frozenset[TicketStatus]] = DEFAULT_PAUSE_ON
    ladder: tuple[Annotated[_Rung, BeforeValidator(_short("at"))], ...] = tuple(
        _Rung(at=fraction) for fraction in (0.75, 1.0, 1.5)
    )
    ack_lapse: _Span = timedelta(hours=4)
    on_change: OnChange = OnChange.CARRY
    on_reopen: OnReopen = OnReopen.RESUME
    void_on: frozenset[Annotated[str, Field(min_length=1)]] = frozenset()


class _Book(_Strict):
    calendars: Mapping[str, Mapping[str, Any]]
    office: str
    policies: tuple[_Policy, ...] = Field(min_length=1)


_FIELDS = frozenset(
    field.alias or name
    for model in (_Book, _Policy, _When, _Target, _Rung, _Repeat)
    for name, field in model.model_fields.items()
)


def load_policies(path: Path | None = None) -> tuple[PolicyBook, str]:
    """Return the book of a file (the shipped one without `path`) and its form, to be kept.

    Raises PolicyError naming file, line and field.
    """
    file = path or SHIPPED
    try:
        text = file.read_text(encoding="utf-8")
        kept = json.dumps(document.read(text, file.name).plain(), sort_keys=True)
    except PackError as error:
        raise PolicyError(str(error), **error.details) from error
    except (OSError, ValueError) as error:
        raise PolicyError(f"{file.name}: cannot be read: {error}") from error
    try:
        book = read_policies(kept)
        form = json.loads(kept)
        refuse_contradictions(book, form)
        refuse_unreachable(book, form["office"], datetime.now(UTC))
    except PolicyError as error:
        raise Lines(text).placed(file.name, error) from error
    return book, kept


@lru_cache(maxsize=64)
def read_policies(form: str) -> PolicyBook:
    """Return the book of a form written as JSON with sorted keys; PolicyError names the field.

    Its version is the digest of the form.
    """
    try:
        book = _Book.model_validate(json.loads(form))
    except ValidationError as error:
        raise in_own_words(error, _FIELDS) from error
    calendars = {}
    for name, calendar in book.calendars.items():
        try:
            calendars[name] = BusinessCalendar.from_dict(calendar)
        except CalendarError as error:
            at: Loc = ("calendars", name, *str(error.details.get("field", "")).split("."))
            raise PolicyError(f"`calendars.{name}`: {error}", at=at) from error
    for place, name in _named_calendars(book):
        if name not in calendars:
            raise PolicyError(
                f"calendar {name!r} is not there: use one of {', '.join(calendars)}", at=place
            )
    return PolicyBook(
        version=hashlib.sha256(form.encode()).hexdigest()[:12],
        office=calendars[book.office],
        policies=tuple(
            _terms(policy, calendars, calendars[book.office], ("policies", number))
            for number, policy in enumerate(book.policies)
        ),
    )


def _named_calendars(book: _Book) -> Iterator[tuple[Loc, str]]:
    yield ("office",), book.office
    for number, policy in enumerate(book.policies):
        yield ("policies", number, "calendar"), policy.calendar
        for metric, target in policy.targets.items():
            if target.calendar:
                yield ("policies", number, "targets", str(metric), "calendar"), target.calendar


def _terms(
    policy: _Policy, calendars: Mapping[str, BusinessCalendar], office: BusinessCalendar, at: Loc
) -> Terms:
    if not policy.targets:
        raise PolicyError(
            f"policy {policy.id!r} has no targets: name at least one metric", at=(*at, "targets")
        )
    ladder = tuple(rung.rung() for rung in policy.ladder)
    fractions = [rung.fraction for rung in ladder if rung.offset is None]
    names = [rung.name for rung in ladder]
    if fractions != sorted(fractions) or len(names) != len(set(names)):
        raise PolicyError(
            f"policy {policy.id!r}: the ladder must rise, such as [0.75, 1.0, 1.5]",
            at=(*at, "ladder"),
        )
    return Terms(
        key=policy.id,
        calendar_id=policy.calendar,
        calendar=calendars[policy.calendar],
        targets={metric: target.span for metric, target in policy.targets.items()},
        pause_on=dict(policy.pause_on),
        ladder=ladder,
        ack_lapse=policy.ack_lapse,
        when=policy.when.conditions(),
        calendars={
            metric: (target.calendar, calendars[target.calendar])
            for metric, target in policy.targets.items()
            if target.calendar
        },
        on_change=policy.on_change,
        on_reopen=policy.on_reopen,
        void_on=policy.void_on,
        office=office,
    )
