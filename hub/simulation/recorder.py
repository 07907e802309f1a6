"""Writes down what one side decides: on disk what may be looked at, in memory only where it is."""

import json
import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Self

from pydantic import BaseModel, ConfigDict

from hub.simulation.models import AgentLoad, Summary, Totals
from hub.simulation.trail import Step
from support.deadlines import Due, DueKind
from support.decision import Decision
from support.fairness import jain
from support.model import TicketEvent
from support.needs import RuleTrace
from support.routing import Role
from support.simulate import Member
from support.ticket import TicketState
from support.work import Outcome

STEPS, TRACES, INDEX = "steps.jsonl", "traces.jsonl", "index.jsonl"
_TRACES_KNOWN = 20_000
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]+(\+00:00)?")
_HOUR = timedelta(hours=1)


class Line(BaseModel):
    """One ticket of the index: how it ended, and by decision its digest and where to read it."""

    model_config = ConfigDict(frozen=True)

    ticket_id: str
    digests: tuple[int, ...]
    steps: tuple[int, ...]
    traces: tuple[int, ...]
    summary: Summary


@dataclass(slots=True)
class _Seen:
    """What is kept of a ticket while it is simulated."""

    since: datetime
    owner: str = ""
    units: Decimal = Decimal(0)
    assignments: int = 0
    notifications: int = 0
    messages: int = 0
    refused: int = 0
    escalations: dict[str, int] = field(default_factory=dict)
    digests: "array[int]" = field(default_factory=lambda: array("Q"))
    steps: "array[int]" = field(default_factory=lambda: array("Q"))
    traces: "array[int]" = field(default_factory=lambda: array("Q"))


class Recorder:
    """Follows one side; a context manager that owns the files in `folder`."""

    def __init__(self, folder: Path, members: Iterable[Member]) -> None:
        self._folder = folder
        self._members = {member.agent_id: member for member in members}
        self._seen: dict[str, _Seen] = {}
        self._traces = _Traces()
        self._hours: defaultdict[str, float] = defaultdict(float)
        self._owned: dict[str, set[str]] = {}
        self._by_day: Counter[str] = Counter()
        self._actions_refused: Counter[str] = Counter()
        self.events_refused: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._steps_file = (self._folder / STEPS).open("wb")
        self._traces_file = (self._folder / TRACES).open("wb")
        return self

    def __exit__(self, *_error: object) -> None:
        self._steps_file.close()
        self._traces_file.close()

    def note(self, event: TicketEvent | None, decision: Decision, now: datetime) -> None:
        """Write a decision down; `now` is when it was taken up."""
        state = decision.state
        seen = self._seen.get(state.ticket_id)
        if seen is None:
            seen = self._seen[state.ticket_id] = _Seen(now)
        line = Step.of(len(seen.digests) + 1, event, decision).to_json().encode()
        seen.digests.append(int.from_bytes(blake2b(line, digest_size=8).digest(), "big"))
        seen.steps.append(self._steps_file.tell())
        self._steps_file.write(line + b"\n")
        seen.traces.append(self._traces.place(decision.trace, self._traces_file))
        self._count(seen, decision)
        self._carry(seen, state, now)

    def _count(self, seen: _Seen, decision: Decision) -> None:
        seen.messages += len(decision.messages)
        for action in decision.actions:
            if action.outcome is Outcome.REFUSED:
                seen.refused += 1
                why = _reason(action.detail, decision.state)
                self._actions_refused[f"{action.kind}: {why}"] += 1
            elif action.kind == "notify":
                seen.notifications += 1
            elif action.kind == "escalate":
                step = _step_of(decision.due)
                seen.escalations[step] = seen.escalations.get(step, 0) + 1
                self._by_day[f"{decision.at:%Y-%m-%d}"] += 1

    def _carry(self, seen: _Seen, state: TicketState, now: datetime) -> None:
        """Count what the owner has carried until now, and who carries it from now on."""
        if seen.owner and seen.units:
            self._hours[seen.owner] += float(seen.units) * ((now - seen.since) / _HOUR)
        if state.owner and state.owner != seen.owner:
            seen.assignments += 1
            self._owned.setdefault(state.owner, set()).add(state.ticket_id)
        seen.owner, seen.units, seen.since = state.owner, state.units, now

    def end(self, states: Mapping[str, TicketState], until: datetime) -> Totals:
        """Write the index, tickets in order, and return the totals up to `until`."""
        escalations: Counter[str] = Counter()
        breaches: Counter[str] = Counter()
        steps = 0
        with (self._folder / INDEX).open("w", encoding="utf-8") as index:
            for ticket_id in sorted(self._seen):
                seen, state = self._seen[ticket_id], states[ticket_id]
                if seen.since < until:
                    self._carry(seen, state, until)
                summary = _summary(seen, state)
                escalations.update(summary.escalations)
                breaches.update(summary.breaches)
                steps += summary.steps
                line = Line(
                    ticket_id=ticket_id,
                    digests=tuple(seen.digests),
                    steps=tuple(seen.steps),
                    traces=tuple(seen.traces),
                    summary=summary,
                )
                index.write(line.model_dump_json() + "\n")
        return self._totals(steps, escalations, breaches)

    def _totals(self, steps: int, escalations: Counter[str], breaches: Counter[str]) -> Totals:
        every = self._seen.values()
        load = tuple(self._load())
        agents = [line for line in load if self._members[line.agent_id].role is Role.AGENT]
        return Totals(
            tickets=len(every),
            decisions=sum(len(seen.digests) for seen in every),
            assignments=sum(seen.assignments for seen in every),
            assignments_changed=sum(max(0, seen.assignments - 1) for seen in every),
            never_owned=sum(not seen.assignments for seen in every),
            steps=steps,
            escalations=escalations.total(),
            escalations_by_step=dict(sorted(escalations.items())),
            escalations_by_day=dict(sorted(self._by_day.items())),
            breaches=breaches.total(),
            breaches_by_metric=dict(sorted(breaches.items())),
            notifications=sum(seen.notifications for seen in every),
            automatic_messages=sum(seen.messages for seen in every),
            actions_refused=_by_count(self._actions_refused),
            events_refused=_by_count(self.events_refused),
            load=load,
            fairness_unit_hours=_even(line.unit_hours for line in agents),
            fairness_tickets=_even(line.tickets for line in agents),
        )

    def _load(self) -> Iterator[AgentLoad]:
        for agent_id, member in sorted(self._members.items()):
            yield AgentLoad(
                agent_id=agent_id,
                team=member.team,
                unit_hours=round(self._hours[agent_id], 3),
                tickets=len(self._owned.get(agent_id, ())),
            )


class _Traces:
    """Where each trace is in its file; equal ones are written once, as long as they are known."""

    def __init__(self) -> None:
        self._by_identity: dict[int, tuple[tuple[RuleTrace, ...], int]] = {}
        self._by_value: dict[tuple[RuleTrace, ...], int] = {}

    def place(self, trace: tuple[RuleTrace, ...], file: BinaryIO) -> int:
        # What is remembered of the rules is the same object each time: that is quicker to look up
        # than twenty reasons, and holding it keeps the identity from being used again.
        known = self._by_identity.get(id(trace))
        if known is not None:
            return known[1]
        place = self._by_value.get(trace)
        if place is None:
            place = file.tell()
            told = [(rule.rule_id, rule.fired, rule.reason) for rule in trace]
            file.write(json.dumps(told).encode() + b"\n")
        if len(self._by_value) >= _TRACES_KNOWN or len(self._by_identity) >= _TRACES_KNOWN:
            self._by_value.clear()
            self._by_identity.clear()
        self._by_value[trace] = place
        self._by_identity[id(trace)] = (trace, place)
        return place


def _summary(seen: _Seen, state: TicketState) -> Summary:
    return Summary(
        owner=state.owner,
        status=str(state.status),
        priority=str(state.priority),
        decisions=len(seen.digests),
        assignments=seen.assignments,
        steps=len(state.steps),
        escalations=dict(sorted(seen.escalations.items())),
        breaches=dict(sorted(Counter(str(b.metric) for b in state.missed).items())),
        notifications=seen.notifications,
        automatic_messages=seen.messages,
        actions_refused=seen.refused,
    )


def _step_of(due: Due | None) -> str:
    """Name the step of the ladder at which a rule escalates; what is no step is told apart."""
    if due is None or due.kind is not DueKind.STEP:
        return "other"
    return due.step or f"{due.fraction:g}"


def _reason(detail: str, state: TicketState) -> str:
    """Say why an action was refused, so that equal reasons are counted together."""
    by_team = detail.replace(f" of team {state.team}", " of its team") if state.team else detail
    return _INSTANT.sub("...", by_team)


def _by_count(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _even(shares: Iterable[float]) -> float | None:
    index = jain(shares)
    return None if index is None else round(index, 4)
