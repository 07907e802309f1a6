"""When a callback may be dispatched: inside window, calendar and calling hours, off every list."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from support.calendar import BusinessCalendar
from support.callbacks import CallbackState
from support.calling_hours import CallingHours
from support.errors import CalendarError


class NeverWhy(StrEnum):
    """Why a callback is not to be dispatched any more."""

    ENDED = "ended"
    DO_NOT_CALL = "do_not_call"
    WINDOW_OVER = "window_over"
    EXPIRES_FIRST = "expires_first"


NEVER_IN_WORDS = {
    NeverWhy.ENDED: "the callback has ended",
    NeverWhy.DO_NOT_CALL: "the number is on the do-not-call list",
    NeverWhy.WINDOW_OVER: "no open time is left in the customer's window: agree on another",
    NeverWhy.EXPIRES_FIRST: "it expires before anybody may call",
}


@dataclass(frozen=True, slots=True)
class Dispatchable:
    """The first instant `at` at which it may be dispatched, and that it may be before `until`."""

    at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Never:
    """That it is not to be dispatched any more, and why."""

    why: NeverWhy

    @property
    def sentence(self) -> str:
        """Say it."""
        return NEVER_IN_WORDS[self.why]


@dataclass(frozen=True, slots=True)
class Hours:
    """All that a dispatch depends on beside the callback.

    `office` is when agents call by the policy, `legal` the calling hours of the countries;
    `do_not_call`: the number is on the list.
    """

    office: BusinessCalendar
    legal: CallingHours
    do_not_call: bool = False

    def next(self, state: CallbackState, at: datetime) -> Dispatchable | Never:
        """Return when the callback may be dispatched from `at` on, to the microsecond."""
        return next_dispatch(state, at, self.office, self.legal, do_not_call=self.do_not_call)


def next_dispatch(
    state: CallbackState,
    at: datetime,
    office: BusinessCalendar,
    legal: CallingHours,
    *,
    do_not_call: bool,
) -> Dispatchable | Never:
    """Return when the callback may be dispatched from `at` on, or why it never may.

    The window's end, closing time and the instant of expiry are no longer inside. A quarantine
    after an attempt is waited for.
    """
    if not state.active:
        return Never(NeverWhy.ENDED)
    if do_not_call:
        return Never(NeverWhy.DO_NOT_CALL)
    begins = max(at, state.window.start or at, state.next_retry or at)
    limit = min(state.expires_at, state.window.end or state.expires_at)
    calendars = (office, legal.calendar(state.country, state.zone))
    opens = _open_in_all(calendars, begins, limit)
    if opens is None:
        within = state.window.end is not None and state.window.end <= state.expires_at
        return Never(NeverWhy.WINDOW_OVER if within else NeverWhy.EXPIRES_FIRST)
    closing = (end for calendar in calendars for _, end in calendar.openings(opens, limit)[:1])
    return Dispatchable(opens, min(limit, *closing))


def _open_in_all(
    calendars: Sequence[BusinessCalendar], at: datetime, limit: datetime
) -> datetime | None:
    """Return the first instant from `at` on, before `limit`, that is open in every calendar."""
    while at < limit:
        try:
            opens = max(calendar.next_open(at) for calendar in calendars)
        except CalendarError:
            return None
        if opens == at:
            return at
        at = opens
    return None
