"""Escalation ladders: which step of which clock falls due next, and which is still owed an answer.

A step falls due when its fraction of the target has been consumed, or at its offset from the due.
An acknowledgement silences repeats and the steps below 1.0 until it lapses, and again as long as
others follow; the steps at 1.0 and later always fire. When the last one lapses and the clock is
still unmet, the last step is due again. A met or held clock has no steps.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from support.calendar import BusinessCalendar
from support.clock import Clock, Clocks, ClockState
from support.ladder import Rung
from support.policy import Metric, Terms


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step that fired: due at `due_at`, decided at the nominal instant `fired_at`.

    `step` names one that is no plain fraction: `-30m`, `+1h`, and `1#2` for a second repeat.
    """

    metric: Metric
    cycle: int
    fraction: float
    due_at: datetime
    fired_at: datetime
    step: str = ""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Somebody has it: a public reply, an explicit one, or the owner's acceptance."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """A step that is going to fall due; `on_call`: it goes to the on-call rota."""

    due_at: datetime
    metric: Metric
    cycle: int
    fraction: float
    step: str = ""
    on_call: bool = False


Silence = tuple[datetime, datetime]
"""From an acknowledgement to its lapse."""


def lapse_of(acks: Sequence[Acknowledgement], terms: Terms) -> datetime | None:
    """Instant at which the last acknowledgement lapses, None where there is none."""
    return terms.calendar.add(acks[-1].at, terms.ack_lapse) if acks else None


def next_step(
    clocks: Clocks,
    terms: Terms,
    records: Sequence[StepRecord],
    acks: Sequence[Acknowledgement],
) -> Step | None:
    """Return the step that falls due next over all running clocks."""
    silences = tuple((ack.at, terms.calendar.add(ack.at, terms.ack_lapse)) for ack in acks)
    running = (clock for clock in clocks if clock.state is ClockState.RUNNING)
    steps = (s for clock in running for s in _pending(clock, terms, records, silences))
    return min(steps, key=lambda s: (s.due_at, s.fraction, s.metric, s.step), default=None)


def _pending(
    clock: Clock,
    terms: Terms,
    records: Sequence[StepRecord],
    silences: Sequence[Silence],
) -> Iterator[Step]:
    since = clock.restarted_at
    fired = {
        r.step or f"{r.fraction:g}": r
        for r in records
        if (r.metric, r.cycle) == (clock.metric, clock.cycle)
        and (since is None or r.fired_at >= since)
    }
    again = False
    for rung in terms.ladder:
        step = _next_of(rung, clock, terms, fired, silences)
        if step is not None:
            lapse = rung.settled(silences[-1][1], terms.staffed) if silences else None
            again = again or ("#" in step.step and step.due_at == lapse)
            yield step
    if silences and not again:
        yield from _due_again(clock, terms, fired, silences[-1])


def _due_again(
    clock: Clock, terms: Terms, fired: Mapping[str, StepRecord], silence: Silence
) -> Iterator[Step]:
    """Yield the last step that fired, if it was acknowledged since, as due at the lapse."""
    since, lapse = silence
    last = max(fired.values(), key=lambda r: (r.fired_at, r.fraction), default=None)
    if last is None or since < last.fired_at:
        return
    name = (last.step or f"{last.fraction:g}").partition("#")[0]
    rung = next((rung for rung in terms.ladder if rung.name == name), None)
    on_call = False
    if rung is not None:
        lapse = rung.settled(lapse, terms.staffed)
        on_call = rung.to_on_call(lapse, terms.staffed)
    yield Step(lapse, clock.metric, clock.cycle, last.fraction, last.step, on_call)


def _next_of(
    rung: Rung,
    clock: Clock,
    terms: Terms,
    fired: Mapping[str, StepRecord],
    silences: Sequence[Silence],
) -> Step | None:
    """Return the first time that the rung has not yet fallen due, None if there is none ahead."""
    before = None
    for time in range(rung.times + 1):
        name = f"{rung.name}#{time}" if time else rung.name
        if name in fired:
            before = fired[name]
            continue
        if time:
            due_at = before.due_at + rung.every if before is not None else None
        else:
            due_at = None if _passed(rung, fired) else _planned(rung, clock)
        if due_at is None:
            return None
        heeded = silences if time or not rung.always else ()
        due_at = _put_off(rung, due_at, heeded, terms.staffed)
        plain = rung.offset is None and not time
        share = rung.share(clock.target)
        on_call = rung.to_on_call(due_at, terms.staffed)
        return Step(due_at, clock.metric, clock.cycle, share, "" if plain else name, on_call)
    return None


def _put_off(
    rung: Rung, at: datetime, silences: Sequence[Silence], office: BusinessCalendar
) -> datetime:
    """Instant at which a step planned at `at` falls due: neither silenced nor to wait any more."""
    settled = rung.settled(at, office)
    for since, lapse in silences:
        if since <= settled < lapse:
            settled = rung.settled(lapse, office)
    return settled


def _passed(rung: Rung, fired: Mapping[str, StepRecord]) -> bool:
    """Whether a higher rung has fired, as after a change of policy: then this one is left out."""
    if rung.offset is None:
        return any(not r.step and r.fraction >= rung.fraction for r in fired.values())
    return not rung.always and any(r.fraction >= 1.0 for r in fired.values())


def _planned(rung: Rung, clock: Clock) -> datetime | None:
    if rung.offset is None:
        return clock.instant_of(rung.fraction)
    if clock.due is None:
        return None
    return max(clock.due + rung.offset, clock.restarted_at or clock.started_at)


def escalation_due(
    clocks: Clocks,
    terms: Terms,
    records: Sequence[StepRecord],
    acks: Sequence[Acknowledgement],
    at: datetime,
) -> bool:
    """Whether a fired step of a running clock is neither acknowledged, met nor held at `at`."""
    lapse = lapse_of(acks, terms)
    running = {(c.metric, c.cycle) for c in clocks if c.state is ClockState.RUNNING}
    return any(
        (r.metric, r.cycle) in running
        and not (lapse is not None and acks[-1].at >= r.fired_at and at < lapse)
        for r in records
    )


def acknowledged(acks: Sequence[Acknowledgement], terms: Terms, at: datetime) -> bool:
    """Whether an acknowledgement is in force at `at`."""
    lapse = lapse_of(acks, terms)
    return lapse is not None and at < lapse
