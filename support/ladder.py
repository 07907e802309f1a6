"""Rungs of an escalation ladder: when a step falls due, how often again, and in closed hours."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from support.calendar import BusinessCalendar
from support.duration import show_duration

_NOW = timedelta(0)


class InClosedHours(StrEnum):
    """What a step does that falls due while the office is closed."""

    FIRE = "fire"
    WAIT = "wait"
    ON_CALL = "on_call"


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of a ladder, at a `fraction` of the target or at an `offset` from its due.

    A fraction is consumed in business time; an offset and `every` are elapsed time, closed hours
    included. After the first time it falls due `times` times more, `every` after the one before.
    """

    fraction: float = 0.0
    offset: timedelta | None = None
    every: timedelta = _NOW
    times: int = 0
    in_closed_hours: InClosedHours = InClosedHours.FIRE

    @property
    def name(self) -> str:
        """What tells it from the other rungs: `0.75`, `-30m`, `+1h`."""
        if self.offset is None:
            return f"{self.fraction:g}"
        sign = "+" if self.offset >= _NOW else ""
        return f"{sign}{show_duration(self.offset)}"

    @property
    def always(self) -> bool:
        """Whether no acknowledgement silences it: at the due or later."""
        return self.fraction >= 1.0 if self.offset is None else self.offset >= _NOW

    def share(self, target: timedelta) -> float:
        """Share of the target that rules see; for an offset, as if all of it were open time."""
        if self.offset is None:
            return self.fraction
        return max(0.0, round((target + self.offset) / target, 6))

    def settled(self, at: datetime, office: BusinessCalendar) -> datetime:
        """Instant at which it falls due when planned at `at`."""
        waits = self.in_closed_hours is InClosedHours.WAIT and not _staffed(at, office)
        return office.next_open(at) if waits else at

    def to_on_call(self, at: datetime, office: BusinessCalendar) -> bool:
        """Whether it goes to the on-call rota at `at`."""
        return self.in_closed_hours is InClosedHours.ON_CALL and not _staffed(at, office)


def _staffed(at: datetime, office: BusinessCalendar) -> bool:
    """Whether the office is open at `at`, or was to this very instant: closing time is a due."""
    return office.is_open(at) or office.is_open(at - timedelta.resolution)


def rungs(*fractions: float) -> tuple[Rung, ...]:
    """Return plain rungs at `fractions` of the target."""
    return tuple(Rung(fraction=fraction) for fraction in fractions)
