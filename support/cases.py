"""A ticket's life written down by hand: calendar, targets, what happened, and what its clocks say.

This is the form of the oracles that the clocks are tested with, so a doubtful deadline can be
written down, explained, and kept as a test.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from support.calendar import BusinessCalendar, in_utc
from support.clock import Clock, ClockState
from support.errors import InputError, shortened
from support.marks import Mark, MarkKind
from support.model import TicketStatus
from support.policy import Metric, PolicyBook, Terms
from support.proof import Stretch, plain_seconds, proofs_of, stretch_form
from support.sla import clocks_of

CALENDAR = "calendar"
IDLE = "idle"

_FIELDS = (
    *("calendar", "targets", "events", "as_of", "at", "pause_on"),
    *("id", "tags", "note", "source", "why", "expect", "source_expect"),
)
"""What a case says, and what may stand beside it: where it comes from, and what it is to give."""
_EVENT_FIELDS = ("at", "type", "targets", "callback", "window_end", "note")
_PRIORITY, _CREATED, _REOPENED = "priority_changed", "created", "reopened"
_PAUSES, _ENDS = frozenset({"paused", "resumed"}), frozenset({"resolved", "closed"})
_PAUSED = frozenset({TicketStatus.WAITING_CUSTOMER})
_KINDS: Mapping[str, tuple[MarkKind, TicketStatus | None]] = {
    "created": (MarkKind.CREATED, None),
    "agent_reply": (MarkKind.REPLY, None),
    "customer_reply": (MarkKind.CUSTOMER_MESSAGE, None),
    "paused": (MarkKind.STATUS, TicketStatus.WAITING_CUSTOMER),
    "resumed": (MarkKind.STATUS, TicketStatus.OPEN),
    "resolved": (MarkKind.STATUS, TicketStatus.RESOLVED),
    "reopened": (MarkKind.STATUS, TicketStatus.OPEN),
    "closed": (MarkKind.STATUS, TicketStatus.CLOSED),
    "callback_requested": (MarkKind.CALLBACK_REQUESTED, None),
    "callback_dialled": (MarkKind.CALLBACK_DIALLED, None),
    "callback_completed": (MarkKind.CALLBACK_COMPLETED, None),
    "callback_cancelled": (MarkKind.CALLBACK_CANCELLED, None),
}
_CALLBACKS = frozenset(kind for kind, _ in _KINDS.values() if kind.startswith("callback"))
_TARGETS = {f"{metric}_s": metric for metric in Metric}


@dataclass(frozen=True, slots=True)
class Case:
    """What happened to one ticket, in the terms that clocks are computed from, asked at `at`.

    `marks` are in the order in which they are read: by instant, at one instant as listed.
    """

    calendar: BusinessCalendar
    marks: tuple[Mark, ...]
    book: PolicyBook
    at: datetime


@dataclass(frozen=True, slots=True)
class ClockAnswer:
    """A clock with its proof."""

    clock: Clock
    proof: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the clocks say: per metric every cycle in order; a metric without target is left out."""

    metrics: Mapping[Metric, tuple[ClockAnswer, ...]]
    next_due: datetime | None


def read_case(form: Mapping[str, Any], at: datetime | None = None) -> Case:
    """Read a case, else InputError or CalendarError naming the field.

    `calendar` is what `BusinessCalendar.from_dict` reads; `targets` maps `first_response_s` and so
    on to open seconds, or null; `events` are `type` and `at` each; `as_of`, or `at`, is when it is
    asked, unless given here. Events at one instant apply as they are listed; after `resolved` a
    pause changes nothing until `reopened`. `pause_on` names the metrics that a pause stops;
    default: all but `callback`. An event of a callback may name it in `callback`, where there are
    several at once, and a `callback_requested` may promise a `window_end`.
    """
    _only(form, _FIELDS, "")
    calendar = BusinessCalendar.from_dict(_mapping(form.get("calendar"), "calendar"))
    asked = at or _instant(form.get("as_of", form.get("at")), "as_of")
    pauses = _pauses(form.get("pause_on"))
    policies = [_terms(form.get("targets"), "targets", calendar, pauses, "")]
    marks: list[Mark] = []
    for number, event in enumerate(_told(_events(form.get("events")))):
        event_id = f"{number:06}"
        if event.name == _PRIORITY:
            key, where = f"{len(policies):06}", f"{event.where}.targets"
            policies.append(_terms(event.form.get("targets"), where, calendar, pauses, key))
            marks.append(Mark(event.at, MarkKind.TERMS, event_id, terms=key))
            continue
        kind, status = _KINDS[event.name]
        mark = Mark(event.at, kind, event_id, status=status)
        marks.append(_of_callback(mark, event.form, event.where) if kind in _CALLBACKS else mark)
        if kind is MarkKind.CREATED:
            marks.append(Mark(event.at, MarkKind.TERMS, event_id, terms=policies[0].key))
    _check_begun(marks)
    return Case(calendar, tuple(marks), PolicyBook("case", calendar, tuple(policies)), asked)


def answer_of(case: Case) -> Answer:
    """Compute the clocks of a case, each with its proof."""
    known = [mark for mark in case.marks if mark.at <= case.at]
    clocks = clocks_of(known, case.book, case.at)
    proven = [
        ClockAnswer(clock, proof)
        for clock, proof in zip(clocks, proofs_of(clocks, known, case.at), strict=True)
    ]
    found: dict[Metric, tuple[ClockAnswer, ...]] = {}
    for metric in dict.fromkeys((*_aimed(case), *(clock.metric for clock in clocks))):
        found[metric] = tuple(cycle for cycle in proven if cycle.clock.metric is metric)
    running = (clock.due for clock in clocks if clock.state is ClockState.RUNNING)
    return Answer(found, min((due for due in running if due is not None), default=None))


def answer_form(case: Case, answer: Answer) -> dict[str, Any]:
    """Return the answer with the field names of the oracles; a metric without target is None.

    Each metric has its last cycle, with the earlier ones in `earlier`.
    """
    form: dict[str, Any] = {"as_of": case.at.isoformat()}
    for metric in Metric:
        cycles = answer.metrics.get(metric)
        form[str(metric)] = None if cycles is None else _metric_form(metric, cycles, case)
    form["next_due"] = answer.next_due.isoformat() if answer.next_due else None
    return form


def _metric_form(metric: Metric, cycles: Sequence[ClockAnswer], case: Case) -> dict[str, Any]:
    closed = [
        plain_seconds(cycle.clock.consumed)
        for cycle in cycles
        if cycle.clock.state is ClockState.MET
    ]
    about = {"worst_elapsed_s": max(closed, default=None), "closed_elapsed_s": closed}
    if not cycles:
        target = _aimed(case)[metric]
        return {**_IDLE, "remaining_s": plain_seconds(target), **about}
    *earlier, last = (_cycle_form(cycle, case) for cycle in cycles)
    if metric is Metric.NEXT_RESPONSE and cycles[-1].clock.state is ClockState.MET:
        last = {**last, "state": IDLE, "due": None}
    return {**last, **about, "earlier": earlier}


_IDLE: Mapping[str, Any] = {
    "state": IDLE,
    "due": None,
    "elapsed_s": 0,
    "late_by_s": 0,
    "breached": False,
    "segments": [],
    "earlier": [],
}


def _cycle_form(cycle: ClockAnswer, case: Case) -> dict[str, Any]:
    clock = cycle.clock
    named = {"callback": clock.ref} if clock.ref else {}
    return {
        "state": str(clock.state),
        **named,
        "due": clock.due.isoformat() if clock.due else None,
        "target_s": plain_seconds(clock.target),
        "elapsed_s": plain_seconds(clock.consumed),
        "remaining_s": plain_seconds(clock.remaining),
        "late_by_s": plain_seconds(max(timedelta(0), -clock.remaining)),
        "breached": clock.late(case.at),
        "started_at": clock.started_at.isoformat(),
        "stopped_at": clock.stopped_at.isoformat() if clock.stopped_at else None,
        "segments": [stretch_form(stretch) for stretch in cycle.proof],
    }


def _aimed(case: Case) -> Mapping[Metric, timedelta]:
    """Return the targets of the terms in force when the case is asked."""
    moves = (m for m in case.marks if m.kind is MarkKind.TERMS and m.at <= case.at)
    keys = [mark.terms for mark in sorted(moves, key=lambda mark: mark.at)]
    return case.book.terms[keys[-1]].targets if keys else {}


@dataclass(frozen=True, slots=True)
class _Event:
    """An event of the list: `where` names its place there."""

    at: datetime
    name: str
    form: Mapping[str, Any]
    where: str


def _events(listed: object) -> list[_Event]:
    """Return the events by instant, at one instant as listed, but `created` first."""
    if not isinstance(listed, Sequence) or isinstance(listed, str) or not listed:
        raise InputError("`events` must list what happened, from `created` on")
    found = []
    for number, form in enumerate(listed):
        where = f"events[{number}]"
        event = _mapping(form, where)
        _only(event, _EVENT_FIELDS, f"{where}.")
        at, name = _instant(event.get("at"), f"{where}.at"), event.get("type")
        if not isinstance(name, str) or name not in (*_KINDS, _PRIORITY):
            known = ", ".join([*_KINDS, _PRIORITY])
            raise InputError(f"`{where}.type` is {shortened(name)}: use one of {known}")
        found.append(_Event(at, name, event, where))
    return sorted(found, key=lambda event: (event.at, event.name != _CREATED))


def _told(events: Iterable[_Event]) -> Iterator[_Event]:
    """Leave out what changes nothing: a pause, or its end, of a ticket that is done."""
    done = False
    for event in events:
        if done and event.name in _PAUSES:
            continue
        if event.name in _ENDS:
            done = True
        elif event.name == _REOPENED:
            done = False
        yield event


def _only(form: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    """Refuse a field that says nothing here: most likely it is misspelt."""
    for name in form:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"use {', '.join(known)}"
            raise InputError(f"`{where}{name}` is unknown: {hint}")


def _terms(
    form: object,
    where: str,
    calendar: BusinessCalendar,
    pauses: Mapping[Metric, frozenset[TicketStatus]],
    key: str,
) -> Terms:
    targets = _mapping(form, where)
    for name, seconds in targets.items():
        if name not in _TARGETS:
            raise InputError(f"`{where}.{name}` is unknown: use {', '.join(_TARGETS)}")
        number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if seconds is not None and not (number and 0 < seconds < 1e10):
            raise InputError(f"`{where}.{name}` is {seconds!r}: give open seconds, or null")
    return Terms(
        key=key,
        calendar_id=CALENDAR,
        calendar=calendar,
        targets={
            _TARGETS[name]: timedelta(seconds=seconds)
            for name, seconds in targets.items()
            if seconds is not None
        },
        pause_on=pauses,
    )


def _pauses(names: object) -> Mapping[Metric, frozenset[TicketStatus]]:
    if names is None:
        return {metric: _PAUSED for metric in Metric if metric is not Metric.CALLBACK}
    known = [str(metric) for metric in Metric]
    if isinstance(names, Sequence) and not isinstance(names, str):
        listed = [str(name) for name in names]
        if set(listed) <= {*known}:
            return {Metric(name): _PAUSED for name in listed}
    raise InputError(f"`pause_on` must list metrics, of {', '.join(known)}")


def _of_callback(mark: Mark, event: Mapping[str, Any], where: str) -> Mark:
    """Add which callback the event is about, and until when it is promised."""
    named = event.get("callback", "")
    if not isinstance(named, str):
        raise InputError(f"`{where}.callback` is {named!r}: give the name of a callback")
    mark = replace(mark, callback=named)
    promised = event.get("window_end")
    if promised is None:
        return mark
    if mark.kind is not MarkKind.CALLBACK_REQUESTED:
        raise InputError(f"`{where}.window_end` is for a callback_requested only")
    end = _instant(promised, f"{where}.window_end")
    if end <= mark.at:
        raise InputError(f"`{where}.window_end` is not after the request: give a later instant")
    return replace(mark, window_end=end)


def _check_begun(marks: Sequence[Mark]) -> None:
    begun = [mark.at for mark in marks if mark.kind is MarkKind.CREATED]
    if len(begun) != 1 or begun[0] > min(mark.at for mark in marks):
        raise InputError("`events` must have `created` once, and nothing before it")


def _mapping(form: object, where: str) -> Mapping[str, Any]:
    if not isinstance(form, Mapping):
        raise InputError(f"field `{where}` is missing, or no mapping")
    return form


def _instant(value: object, where: str) -> datetime:
    """Read an instant, also one that is read already."""
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError as error:
        raise InputError(
            f"`{where}` is {shortened(value)}: write a time with its offset, "
            "2026-03-02T09:00:00+01:00"
        ) from error
    if at.tzinfo is None:
        raise InputError(f"`{where}` has no offset: write 2026-03-02T09:00:00+01:00")
    try:
        return in_utc(at)
    except InputError as error:
        raise InputError(f"`{where}`: {error}") from error
