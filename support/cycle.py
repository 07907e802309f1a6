"""One run of a clock, from what starts it to what meets it, while it is built mark by mark."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from support.calendar import ALWAYS, BusinessCalendar
from support.clock import ClockState, Segment, reached

WINDOW = "window"
"""Calendar id of a promise that ends at an instant, which is counted around the clock."""
_ROUND_THE_CLOCK = BusinessCalendar.from_dict({"tz": "UTC", "hours": ALWAYS})


class Cycle:
    """What is known of one run: when it began, was met, ended or was void, and what it counted.

    `met_at` is when it was met, void or not; `stopped_at` when it stopped for either reason. `ref`
    names the callback that it waits for. `window_end`: it is due at that very instant, whatever the
    policy says and however the ticket is changed or paused.
    """

    __slots__ = (
        "_done",
        "_ended",
        "_open",
        "met_at",
        "ref",
        "restarted_at",
        "started_at",
        "stopped_at",
        "voided",
        "voids",
        "window_end",
    )

    def __init__(self, started_at: datetime, ref: str = "") -> None:
        self.started_at = started_at
        self.ref = ref
        self.window_end: datetime | None = None
        self.met_at: datetime | None = None
        self.stopped_at: datetime | None = None
        self.restarted_at: datetime | None = None
        self.voided = False
        self.voids: list[tuple[datetime, datetime]] = []
        self._ended = False
        self._done: list[Segment] = []
        self._open: Segment | None = None

    @property
    def unmet(self) -> bool:
        """Whether it can still be met: neither met nor ended for good; it may be void."""
        return self.met_at is None and not self._ended

    def count(self, by: tuple[str, BusinessCalendar] | None, at: datetime) -> None:
        """From `at` on count by a calendar, given with its id, or not at all."""
        running = self._open
        if running is not None and by is not None and running.calendar == by[1]:
            return
        if running is not None:
            self._done.append(Segment(running.start, at, running.calendar_id, running.calendar))
        self._open = Segment(at, None, *by) if by is not None else None

    def meet(self, at: datetime) -> None:
        """Let it be met at `at`, unless it ended before."""
        if self.unmet:
            self.met_at = at
            if not self.voided:
                self.stopped_at = at
                self.count(None, at)

    def resume(self) -> None:
        """Take back that it was met."""
        self.met_at = None
        if not self.voided:
            self.stopped_at = None

    def end(self, at: datetime) -> None:
        """End it for good at `at` without counting, unless it was met before."""
        if self.unmet:
            self.void(at)
            self._ended = True

    def restart(self, at: datetime) -> None:
        """Forget what was consumed and begin anew at `at`; a window's end stays promised."""
        if self.window_end is None:
            self.restarted_at = at
            self._done.clear()
            self._open = None

    def void(self, at: datetime) -> None:
        """End it at `at` without counting, unless it was met before."""
        if not self.voided and self.met_at in (None, at):
            self.voided, self.stopped_at = True, at
            self.count(None, at)

    def revive(self, at: datetime) -> None:
        """Let it be void no more from `at` on; what met it meanwhile has met it."""
        if self.voided and self.stopped_at is not None and not self._ended:
            self.voids.append((self.stopped_at, at))
            self.voided, self.stopped_at = False, self.met_at

    @property
    def revived_at(self) -> datetime:
        """Since when it counts: what it has missed by then, a change of the ticket has brought."""
        return self.voids[-1][1] if self.voids else self.started_at

    def segments(self) -> tuple[Segment, ...]:
        """Return the stretches that it counted; a window is one, around the clock."""
        if self.window_end is not None:
            return (Segment(self.started_at, self.stopped_at, WINDOW, _ROUND_THE_CLOCK),)
        return (*self._done, *([self._open] if self._open else []))

    def target(self, by_policy: timedelta | None) -> timedelta | None:
        """Return what it may consume: all the time to the window's end, or as the policy says."""
        return by_policy if self.window_end is None else self.window_end - self.started_at

    def state(self, *, counting: bool) -> ClockState:
        """Return what the clock does."""
        if self.voided:
            return ClockState.VOID
        if self.stopped_at is not None:
            return ClockState.MET
        return ClockState.RUNNING if counting else ClockState.HELD

    def due(
        self, segments: Sequence[Segment], counted: Sequence[timedelta], target: timedelta
    ) -> datetime | None:
        """Return when the segments, which counted so much, reach `target`; None while unknown."""
        due = reached(segments, counted, target)
        if due is None and self.stopped_at is not None and segments and not self.voided:
            left = target - sum(counted, timedelta(0))
            due = segments[-1].calendar.add(self.stopped_at, left)
        return due
