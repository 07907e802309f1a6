"""Whose a ticket is and has been: since when, who declined it, and why nobody has it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

DECLINED_FOR = timedelta(hours=4)
"""How long a ticket is not offered again to who declined it."""
MISSED_FOR = timedelta(minutes=5)
"""How long to the first who did not accept it in time, and so is probably not looking; each
further one is spared it twice as long as the one before, at most `DECLINED_FOR`."""


class NoOwnerWhy(StrEnum):
    """Why a ticket that looked for an owner found none."""

    NOBODY_SUITS = "nobody_suits"
    NOBODY_AT_WORK = "nobody_at_work"
    ALL_FULL = "all_full"
    ALL_DECLINED = "all_declined"


_WORDS = {
    NoOwnerWhy.NOBODY_SUITS: "no {who} is on the roster",
    NoOwnerWhy.NOBODY_AT_WORK: "no {who} is at work",
    NoOwnerWhy.ALL_FULL: "no {who} who is at work has room",
    NoOwnerWhy.ALL_DECLINED: "no {who} is left who has not declined it",
}


@dataclass(frozen=True, slots=True)
class NoOwner:
    """Why nobody has the ticket, and when the next shift begins of somebody who could."""

    why: NoOwnerWhy
    next_shift_at: datetime | None = None

    def sentence(self, who: str) -> str:
        """Say it; `who` was looked for."""
        said = _WORDS[self.why].format(who=who)
        if self.next_shift_at is None:
            return said
        return f"{said}; the next suitable shift begins {self.next_shift_at.isoformat()}"


@dataclass(frozen=True, slots=True)
class Declined:
    """Who gave the ticket back, and until when it is not offered to them again."""

    agent_id: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Ownership:
    """What a ticket remembers of its owners beside the present one.

    `since` is when the present owner got it, or since when it has had none. `last` had it
    before, unless a person took it from them or they gave it back: a ticket sticks to them.
    `accept_by`: the owner has to show by then that they took it; `missed` have not, one after
    another. `overflow_at`: from then on it is also given to who lacks its skills, and once that has
    come it is `overflowed`. `sought_teams` are teams beside its own that rules have asked for it in
    vain, `sought_roles` roles beside agents. `none` is why nobody has it.
    """

    since: datetime | None = None
    last: str = ""
    declined: tuple[Declined, ...] = ()
    accept_by: datetime | None = None
    missed: int = 0
    overflow_at: datetime | None = None
    overflowed: bool = False
    sought_teams: tuple[str, ...] = ()
    sought_roles: tuple[str, ...] = ()
    none: NoOwner | None = None

    def passed(self, before: str, to: str, at: datetime, *, sticks: bool) -> "Ownership":
        """Return it when the ticket has gone from `before` to `to` (empty: nobody) at `at`.

        `sticks`: it may come back to who had it.
        """
        if before == to:
            return replace(self, accept_by=None)
        return Ownership(
            since=at,
            last=(before if sticks else "") if before else self.last,
            declined=_in_force(self.declined, at, without=to),
            missed=self.missed,
            overflow_at=self.overflow_at,
            overflowed=self.overflowed,
            sought_teams=self.sought_teams,
            sought_roles=self.sought_roles,
        )

    def accepted(self) -> "Ownership":
        """Return it when the owner has taken the ticket: what led to it is over."""
        return Ownership(since=self.since, last=self.last, declined=self.declined)

    def given_back(self, owner: str, at: datetime, *, spared: timedelta) -> "Ownership":
        """Return it when `owner` gave the ticket back, who is `spared` it for a time.

        It is as old as it was: its overflow is neither put off nor taken back.
        """
        after = self.passed(owner, "", at, sticks=False)
        declined = _in_force(after.declined, at, without=owner)
        return replace(after, declined=(*declined, Declined(owner, at + spared)))

    def not_accepted(self, owner: str, at: datetime) -> "Ownership":
        """Return it when `owner` did not accept the ticket in time."""
        spared = min(MISSED_FOR * 2 ** min(self.missed, 6), DECLINED_FOR)
        return replace(self.given_back(owner, at, spared=spared), missed=self.missed + 1)

    def without_past(self, at: datetime) -> "Ownership":
        """Return it when something that it waited for has come at `at`."""
        overflows = self.overflows(at)
        return replace(
            self,
            declined=_in_force(self.declined, at, without=""),
            overflow_at=None if overflows else self.overflow_at,
            overflowed=overflows,
        )

    def begun(self, at: datetime) -> "Ownership":
        """Return it when a ticket without an owner becomes active."""
        declined = _in_force(self.declined, at, without="")
        return Ownership(since=at, last=self.last, declined=declined)

    def declined_by(self, at: datetime) -> tuple[str, ...]:
        """Who is not to be asked at `at`."""
        return tuple(one.agent_id for one in self.declined if at < one.until)

    def overflows(self, at: datetime) -> bool:
        """Whether its skills are no longer insisted on at `at`."""
        return self.overflowed or (self.overflow_at is not None and self.overflow_at <= at)


def _in_force(declined: Iterable[Declined], at: datetime, *, without: str) -> tuple[Declined, ...]:
    return tuple(one for one in declined if at < one.until and one.agent_id != without)
