"""Policies whose deadlines nobody would live to see, refused before a ticket depends on them."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from rules.policy_lines import Loc
from support.calendar import BusinessCalendar
from support.duration import show_duration
from support.errors import CalendarError, PolicyError
from support.ladder import Rung
from support.policy import PolicyBook, Terms

LONGEST = timedelta(days=3650)
"""Open time of a target or a lapse, and elapsed time of an offset or of all repeats, at most."""


def refuse_unreachable(book: PolicyBook, office: str, since: datetime) -> None:
    """Raise PolicyError where a ticket that starts at `since` would have no deadline.

    `office` is the name of the book's office calendar. Only for a file: a kept book, which
    tickets go by, is never refused for it.
    """
    _check_opens(book.office, office, ("office",), since)
    for number, terms in enumerate(book.policies):
        place: Loc = ("policies", number)
        _check_opens(terms.calendar, terms.calendar_id, (*place, "calendar"), since)
        _check_targets(terms, place, since)
        named, calendar = f"policy {terms.key!r}: `ack_lapse`", (terms.calendar_id, terms.calendar)
        _reached(named, terms.ack_lapse, calendar, (*place, "ack_lapse"), since)
        for step, rung in enumerate(terms.ladder):
            _check_rung(rung, terms, (*place, "ladder", step), since)


def _check_opens(calendar: BusinessCalendar, name: str, at: Loc, since: datetime) -> None:
    try:
        calendar.next_open(since)
    except CalendarError as error:
        raise PolicyError(
            f"calendar {name!r} does not open within ten years: give it hours", at=at
        ) from error


def _check_targets(terms: Terms, place: Loc, since: datetime) -> None:
    for metric, target in terms.targets.items():
        at: Loc = (*place, "targets", str(metric))
        name, calendar = terms.hours(metric)
        _check_opens(calendar, name, (*at, "calendar"), since)
        _reached(f"policy {terms.key!r}: `{metric}`", target, (name, calendar), at, since)


def _reached(
    what: str, span: timedelta, calendar: tuple[str, BusinessCalendar], at: Loc, since: datetime
) -> datetime:
    """Return when so much open time has passed."""
    _check_length(what, span, at)
    try:
        return calendar[1].add(since, span)
    except CalendarError as error:
        raise PolicyError(
            f"{what} is never reached: calendar {calendar[0]!r} opens too seldom for "
            f"{show_duration(span)}; give less time, or more hours",
            at=at,
        ) from error


def _check_length(what: str, span: timedelta, at: Loc) -> None:
    if abs(span) > LONGEST:
        raise PolicyError(
            f"{what} of {show_duration(span)} is too long: give at most {show_duration(LONGEST)}",
            at=at,
        )


def _check_rung(rung: Rung, terms: Terms, at: Loc, since: datetime) -> None:
    what = f"policy {terms.key!r}: rung {rung.name}"
    _check_length(what, rung.offset or timedelta(0), at)
    if rung.times and rung.every > LONGEST / rung.times:
        raise PolicyError(
            f"{what} is repeated over more than {show_duration(LONGEST)}: repeat it sooner", at=at
        )
    try:
        for planned in _planned(rung, terms, since):
            last = planned + rung.every * rung.times
            terms.staffed.is_open(last)
            rung.settled(last, terms.staffed)
    except CalendarError as error:
        raise PolicyError(
            f"{what} never falls due: it lies too far ahead; give an earlier one", at=at
        ) from error


def _planned(rung: Rung, terms: Terms, since: datetime) -> Iterator[datetime]:
    """Yield when the rung would first fall due, for each metric."""
    for metric, target in terms.targets.items():
        calendar = terms.hours(metric)[1]
        if rung.offset is None:
            yield calendar.add(since, target * rung.fraction)
        else:
            yield calendar.add(since, target) + rung.offset
