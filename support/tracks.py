"""What starts, stops and ends the clocks of each metric, read mark by mark."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from support.clock import Clock
from support.cycle import Cycle
from support.marks import Mark, MarkKind, tagged
from support.model import TicketStatus
from support.policy import Metric, OnChange, OnReopen, Terms

# Members are read through these for every mark: through the class costs three times as much.
_CREATED, _TERMS, _STATUS, _TAG = (
    MarkKind.CREATED,
    MarkKind.TERMS,
    MarkKind.STATUS,
    MarkKind.TAG,
)
_MESSAGE, _REQUESTED, _CANCELLED = (
    MarkKind.CUSTOMER_MESSAGE,
    MarkKind.CALLBACK_REQUESTED,
    MarkKind.CALLBACK_CANCELLED,
)
_FIRST, _NEXT = Metric.FIRST_RESPONSE, Metric.NEXT_RESPONSE
_RESOLUTION, _PERIODIC = Metric.RESOLUTION, Metric.PERIODIC_UPDATE
_ANSWERS = frozenset({MarkKind.REPLY, MarkKind.CALLBACK_COMPLETED})
_DIALS = frozenset({MarkKind.CALLBACK_DIALLED, MarkKind.CALLBACK_COMPLETED})
_SAID = _ANSWERS | _DIALS | {_MESSAGE, _REQUESTED, _CANCELLED, MarkKind.PRIORITY, MarkKind.VOID}


class Track:
    """All clocks of one metric."""

    def __init__(self, metric: Metric, terms: Mapping[str, Terms], first: str) -> None:
        self._metric = metric
        self._all = terms
        self._terms = terms[first]
        self._terms_since: datetime | None = None
        self._status = TicketStatus.NEW
        self._tags: tuple[str, ...] = ()
        self._words: tuple[str, ...] = ()
        self._cycles: list[Cycle] = []

    def take(self, mark: Mark) -> None:
        """Read the next mark."""
        if mark.kind in _SAID and not self._hears(mark.kind):
            return
        before = self._status
        self._learn(mark)
        self._start(mark, before)
        self._stop(mark)
        if self._cycles:
            self._count(self._cycles[-1], mark.at)

    def clocks(self, at: datetime) -> Iterable[Clock]:
        """Return every clock as it stands at `at`, in the order in which they began."""
        by_policy = self._terms.targets.get(self._metric)
        for number, cycle in enumerate(self._cycles):
            target = cycle.target(by_policy)
            if target is None:
                continue
            segments = cycle.segments()
            counted = [s.counted(at) for s in segments]
            consumed = sum(counted, timedelta(0))
            yield Clock(
                metric=self._metric,
                cycle=number,
                state=cycle.state(counting=self._counting(cycle)),
                target=target,
                started_at=cycle.started_at,
                stopped_at=cycle.stopped_at,
                consumed=consumed,
                due=cycle.due(segments, counted, target),
                terms_since=max(self._terms_since or cycle.started_at, cycle.revived_at),
                segments=segments,
                restarted_at=cycle.restarted_at,
                ref=cycle.ref,
                voids=tuple(cycle.voids),
            )

    def _hears(self, said: MarkKind) -> bool:
        """Whether what was said can start or stop an exchange of this metric."""
        if self._metric is _RESOLUTION:
            return False
        if self._metric is _PERIODIC:
            return said in _ANSWERS
        waiting = bool(self._cycles) and self._cycles[-1].unmet
        if self._metric is _FIRST:
            return waiting and said in _ANSWERS
        return said in _ANSWERS if waiting else said is _MESSAGE

    def _learn(self, mark: Mark) -> None:
        """Keep what the mark says of terms, status, tags and disposition."""
        kind = mark.kind
        if kind is _STATUS and mark.status is not None:
            self._status = mark.status
            if mark.words or mark.status.active:
                self._words = mark.words
        elif kind is _TERMS:
            self._change(self._all[mark.terms], mark.at)
        elif kind is _CREATED or kind is _TAG:
            self._tags = tagged(self._tags, mark)

    def _change(self, terms: Terms, at: datetime) -> None:
        anew = self._terms_since is not None and terms.on_change is OnChange.RESTART
        if anew:
            for cycle in self._cycles:
                if cycle.unmet:
                    cycle.restart(at)
        self._terms, self._terms_since = terms, at

    def _start(self, mark: Mark, before: TicketStatus) -> None:
        idle = not self._cycles or not self._cycles[-1].unmet
        if self._metric is _FIRST:
            starts = idle and mark.kind is _CREATED
        elif self._metric is _NEXT:
            starts = idle and mark.kind is _MESSAGE
        elif self._metric is _RESOLUTION:
            again = self._terms.on_reopen is OnReopen.RESTART and self._reopened(mark, before)
            starts = again or (idle and mark.kind is _CREATED)
        else:
            again = bool(self._cycles) and self._reopened(mark, before)
            starts = again or (_answers(mark) and self._status.active)
        if starts:
            if not idle:
                self._cycles[-1].meet(mark.at)
            self._cycles.append(Cycle(mark.at))

    def _reopened(self, mark: Mark, before: TicketStatus) -> bool:
        return (
            mark.kind is _STATUS
            and self._status.active
            and not before.active
            and not (self._cycles and self._cycles[-1].voided)
        )

    def _stop(self, mark: Mark) -> None:
        if not self._cycles:
            return
        cycle = self._cycles[-1]
        if self._metric is _RESOLUTION:
            if mark.kind is _STATUS and self._status.active:
                cycle.resume()
            elif mark.kind is _STATUS:
                cycle.meet(mark.at)
        elif self._metric is _PERIODIC:
            if not self._status.active:
                cycle.meet(mark.at)
        elif _answers(mark):
            cycle.meet(mark.at)

    def _count(self, cycle: Cycle, at: datetime) -> None:
        """From `at` on count, or not, as ticket and terms are now."""
        void_on = self._terms.void_on
        if void_on and not void_on.isdisjoint((*self._tags, *self._words)):
            cycle.void(at)
        elif cycle.voided:
            cycle.revive(at)
        cycle.count(self._terms.hours(self._metric) if self._counting(cycle) else None, at)

    def _counting(self, cycle: Cycle) -> bool:
        return (
            cycle.stopped_at is None
            and self._status.active
            and not self._terms.pauses(self._metric, self._status)
        )


class CallbackTrack(Track):
    """The clocks of callbacks: each runs from its request to the first attempt to dial.

    A callback that is asked for again while nobody has dialled is the same promise; a new window's
    end moves it. A cancelled callback ends without counting, and so does what is still promised
    when the ticket closes. A resolved ticket is still to be called. Asked for again at the instant
    of its cancellation, a callback is a new promise.
    """

    def __init__(self, metric: Metric, terms: Mapping[str, Terms], first: str) -> None:
        super().__init__(metric, terms, first)
        self._again: dict[str, tuple[Mark, datetime | None]] = {}

    def take(self, mark: Mark) -> None:
        """Read the next mark."""
        self._learn(mark)
        if mark.kind is _REQUESTED:
            self._request(mark)
        elif mark.kind in _DIALS:
            for cycle in self._waiting(mark.callback):
                cycle.meet(mark.at)
        elif mark.kind is _CANCELLED:
            self._cancel(mark)
        for cycle in self._cycles:
            if self._status is TicketStatus.CLOSED:
                cycle.end(mark.at)
            self._count(cycle, mark.at)

    def _waiting(self, ref: str) -> list[Cycle]:
        return [cycle for cycle in self._cycles if cycle.ref == ref and cycle.unmet]

    def _request(self, mark: Mark) -> None:
        if self._status is TicketStatus.CLOSED:
            return
        waiting = self._waiting(mark.callback)
        if not waiting:
            waiting = [Cycle(mark.at, mark.callback)]
            self._cycles += waiting
        elif waiting[0].started_at < mark.at:
            first = self._again.get(mark.callback)
            known = first is not None and first[0].at == mark.at
            before = first[1] if first is not None and known else waiting[0].window_end
            self._again[mark.callback] = (mark, before)
        if mark.window_end is not None and mark.window_end > mark.at:
            waiting[0].window_end = mark.window_end

    def _cancel(self, mark: Mark) -> None:
        """End what is waited for; what was asked for again at this instant begins after it."""
        again, before = self._again.pop(mark.callback, (None, None))
        for cycle in self._waiting(mark.callback):
            if again is None or again.at < mark.at:
                cycle.end(mark.at)
            else:
                cycle.window_end = before
                cycle.end(mark.at)
                self._request(again)

    def _counting(self, cycle: Cycle) -> bool:
        paused = self._terms.pauses(self._metric, self._status)
        return cycle.stopped_at is None and (cycle.window_end is not None or not paused)


def _answers(mark: Mark) -> bool:
    """Whether somebody spoke to the customer."""
    return mark.kind in _ANSWERS or (mark.answered and mark.kind is _CREATED)
