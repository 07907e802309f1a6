"""Lays two trails side by side: which tickets differ, in what, and where they part."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from pathlib import Path
from typing import Self

from hub.simulation.models import (
    ActShown,
    Change,
    Counts,
    Parting,
    RuleSaid,
    StepShown,
    Summary,
    TicketDifference,
)
from hub.simulation.recorder import INDEX, STEPS, TRACES, Line
from hub.simulation.trail import Step

_ABSENT = "this pack has no such rule"
_WEIGHTS = {"breaches": 1000, "escalations": 100, "owner": 10}


class Trail:
    """What one side has written; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._steps = self._open.enter_context((self._folder / STEPS).open("rb"))
        self._traces = self._open.enter_context((self._folder / TRACES).open("rb"))
        return self

    def __exit__(self, *_error: object) -> None:
        self._open.close()

    def tickets(self) -> Iterator[Line]:
        """Yield every ticket, in the order of ids."""
        with (self._folder / INDEX).open("rb") as file:
            for line in file:
                yield Line.model_validate_json(line)

    def step(self, line: Line, number: int) -> Step | None:
        """Return decision `number` of a ticket, counted from 0; None where it has no more."""
        if number >= len(line.steps):
            return None
        self._steps.seek(line.steps[number])
        return Step.from_json(self._steps.readline().decode())

    def trace(self, line: Line, number: int) -> Mapping[str, tuple[bool, str]]:
        """Return what each rule said at decision `number`: whether it fired, and why or why not."""
        if number >= len(line.traces):
            return {}
        self._traces.seek(line.traces[number])
        told = json.loads(self._traces.readline())
        return {rule_id: (fired, reason) for rule_id, fired, reason in told}


@dataclass(slots=True)
class Found:
    """Counts over all tickets, and those that differ most."""

    most: int
    counted: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    _top: list[tuple[int, int, TicketDifference]] = field(default_factory=list)

    def add(self, difference: TicketDifference) -> None:
        """Count one ticket that differs."""
        self.counted["differ"] += 1
        self.counted["ended_alike"] += not difference.changes
        self.counted["indirect"] += difference.indirect
        self.changed.update({change.what for change in difference.changes})
        if self.most:
            # Of equal weight the first ticket is kept; the count never ties, so none is compared.
            entry = (weight(difference), -self.counted["differ"], difference)
            push = heappush if len(self._top) < self.most else heappushpop
            push(self._top, entry)

    @property
    def top(self) -> tuple[TicketDifference, ...]:
        """Those that differ most, most first."""
        return tuple(difference for _, _, difference in sorted(self._top, reverse=True))

    def counts(self, tickets: int) -> Counts:
        """Return the counts; `tickets` are all that were compared."""
        return Counts(
            tickets=tickets,
            differ=self.counted["differ"],
            ended_alike=self.counted["ended_alike"],
            indirect=self.counted["indirect"],
            changed=dict(sorted(self.changed.items(), key=lambda item: (-item[1], item[0]))),
        )


def weight(difference: TicketDifference) -> int:
    """Say how much a ticket differs: breaches before escalations before owners before the rest."""
    total = 0
    for change in difference.changes:
        by = 1
        if isinstance(change.before, int) and isinstance(change.after, int):
            by = min(abs(change.after - change.before), 9)
        total += by * _WEIGHTS.get(change.what.split()[0], 1)
    return 2 * total + (not difference.indirect)


def differences(before: Trail, after: Trail) -> Iterator[TicketDifference | None]:
    """Yield for every ticket what differs, None where nothing does; both have the same tickets."""
    for ours, theirs in zip(before.tickets(), after.tickets(), strict=True):
        if ours.digests == theirs.digests:
            yield None
            continue
        parting = _parting(before, after, ours, theirs)
        yield TicketDifference(
            ticket_id=ours.ticket_id,
            indirect=not parting.rules and _fired(parting.before) == _fired(parting.after),
            changes=tuple(changes(ours.summary, theirs.summary)),
            parting=parting,
        )


def changes(before: Summary, after: Summary) -> Iterator[Change]:
    """Yield what is different at the end of one ticket."""
    for name in ("owner", "status", "priority"):
        ours, theirs = getattr(before, name), getattr(after, name)
        if ours != theirs:
            yield Change(what=f"{name} at the end", before=ours, after=theirs)
    yield from _counts("breaches of {}", before.breaches, after.breaches)
    yield from _counts("escalations at {}", before.escalations, after.escalations)
    for name in (
        "steps",
        "assignments",
        "notifications",
        "automatic_messages",
        "actions_refused",
        "decisions",
    ):
        ours, theirs = getattr(before, name), getattr(after, name)
        if ours != theirs:
            yield Change(what=name.replace("_", " "), before=ours, after=theirs)


def _counts(what: str, before: Mapping[str, int], after: Mapping[str, int]) -> Iterator[Change]:
    for name in sorted(before.keys() | after.keys()):
        ours, theirs = before.get(name, 0), after.get(name, 0)
        if ours != theirs:
            yield Change(what=what.format(name.replace("_", " ")), before=ours, after=theirs)


def _parting(before: Trail, after: Trail, ours: Line, theirs: Line) -> Parting:
    number = _first_difference(ours.digests, theirs.digests)
    step_before, step_after = before.step(ours, number), after.step(theirs, number)
    said_before, said_after = before.trace(ours, number), after.trace(theirs, number)
    alike = step_before and step_after and step_before.trigger_id == step_after.trigger_id
    rules = tuple(_said(said_before, said_after)) if alike else ()
    return Parting(before=_shown(step_before), after=_shown(step_after), rules=rules)


def _first_difference(ours: Iterable[int], theirs: Iterable[int]) -> int:
    number = 0
    for number, (one, other) in enumerate(zip(ours, theirs, strict=False)):
        if one != other:
            return number
    return number + 1


def _said(
    before: Mapping[str, tuple[bool, str]], after: Mapping[str, tuple[bool, str]]
) -> Iterator[RuleSaid]:
    for rule_id in dict.fromkeys((*before, *after)):
        fired_before, reason_before = before.get(rule_id, (False, _ABSENT))
        fired_after, reason_after = after.get(rule_id, (False, _ABSENT))
        if fired_before != fired_after:
            yield RuleSaid(
                rule_id=rule_id,
                fired_before=fired_before,
                before=reason_before,
                fired_after=fired_after,
                after=reason_after,
            )


def _fired(step: StepShown | None) -> tuple[str, ...]:
    return step.fired if step is not None else ()


def _shown(step: Step | None) -> StepShown | None:
    if step is None:
        return None
    return StepShown(
        seq=step.seq,
        trigger_id=step.trigger_id,
        trigger=step.trigger,
        at=step.at,
        fired=step.fired,
        actions=tuple(
            ActShown(rule_id=a.rule_id, kind=a.kind, outcome=a.outcome, detail=a.detail)
            for a in step.actions
        ),
        owner=step.owner,
    )
