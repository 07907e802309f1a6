"""Escalation ladders: which step of which clock falls due next, and which is still owed an answer.

A step falls due when its fraction of the target has been consumed. An acknowledgement silences
the steps below 1.0 until it lapses; the steps at 1.0 and later always fire. When it lapses and the
clock is still unmet, the last step is due again. A met or held clock has no steps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from support.policy import Metric, Terms
from support.sla import Clock, Clocks, ClockState


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step that fired: due at `due_at`, decided at the nominal instant `fired_at`."""

    metric: Metric
    cycle: int
    fraction: float
    due_at: datetime
    fired_at: datetime


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Somebody has it: a public reply, an explicit one, or the owner's acceptance."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """A step that is going to fall due."""

    due_at: datetime
    metric: Metric
    cycle: int
    fraction: float


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
    lapse = lapse_of(acks, terms)
    running = (clock for clock in clocks if clock.state is ClockState.RUNNING)
    steps = (s for clock in running for s in _pending(clock, terms, records, acks, lapse))
    return min(steps, key=lambda step: (step.due_at, step.fraction, step.metric), default=None)


def _pending(
    clock: Clock,
    terms: Terms,
    records: Sequence[StepRecord],
    acks: Sequence[Acknowledgement],
    lapse: datetime | None,
) -> Iterator[Step]:
    fired = [r for r in records if (r.metric, r.cycle) == (clock.metric, clock.cycle)]
    highest = max((r.fraction for r in fired), default=0.0)
    for fraction in terms.ladder:
        due_at = clock.instant_of(fraction)
        if fraction <= highest or due_at is None:
            continue
        acked = lapse is not None and acks[-1].at <= due_at < lapse
        if acked and lapse is not None and fraction < 1.0:
            due_at = lapse
        yield Step(due_at, clock.metric, clock.cycle, fraction)
    if fired and lapse is not None and acks[-1].at >= fired[-1].fired_at:
        yield Step(lapse, clock.metric, clock.cycle, highest)


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
