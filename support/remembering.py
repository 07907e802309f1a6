"""What a ticket remembers of its rules, so that `cooldown` and `once_per` hold across decisions."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from support.calendar import BusinessCalendar
from support.deadlines import Due
from support.needs import Firing, Memory
from support.ticket import TicketState

SCOPES_A_RULE = 16
"""Exchanges, breaches or days that are remembered of one rule: the newest."""
FIRINGS_A_TICKET = 200
"""Firings that a ticket remembers of all its rules: the last of each, then the ones before."""


def memory_of(
    state: TicketState, at: datetime, due: Due | None, calendar: BusinessCalendar
) -> Memory:
    """Return what the rules are asked with at `at`.

    The day is the date in the zone of `calendar`; a breach is that of the metric whose step or
    breach falls due, in its exchange.
    """
    scopes = {
        "ticket": state.ticket_id,
        "day": at.astimezone(ZoneInfo(calendar.rules.tz)).date().isoformat(),
    }
    if due is not None and due.metric:
        scopes["breach"] = f"{due.metric}/{due.cycle}"
    return Memory(at, state.firings, scopes)


def remembered(state: TicketState, new: Iterable[Firing]) -> TicketState:
    """Return the state that remembers `new` as well, of each rule the newest in each scope."""
    added = tuple(new)
    return replace(state, firings=with_firings(state.firings, added)) if added else state


def with_firings(known: Iterable[Firing], new: Iterable[Firing]) -> tuple[Firing, ...]:
    """Return what is remembered of `known` and `new`, oldest first."""
    kept = {(one.rule_id, one.scope): one for one in known}
    for one in new:
        before = kept.pop((one.rule_id, one.scope), None)
        newest = before if before is not None and before.at > one.at else one
        kept[one.rule_id, one.scope] = newest
    return _newest(list(kept.values()))


def _newest(firings: list[Firing]) -> tuple[Firing, ...]:
    """Return what is kept, oldest first.

    A rule that fires daily must not push out that another has had its one turn on the ticket.
    """
    ordered = sorted(firings, key=lambda one: one.at)
    left: dict[str, int] = {}
    ranked = []
    for place in reversed(range(len(ordered))):
        rule_id = ordered[place].rule_id
        left[rule_id] = left.get(rule_id, 0) + 1
        if left[rule_id] <= SCOPES_A_RULE:
            ranked.append((left[rule_id], -place))
    kept = sorted(-turned for _, turned in sorted(ranked)[:FIRINGS_A_TICKET])
    return tuple(ordered[place] for place in kept)
