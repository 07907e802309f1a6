"""One side of a simulation: one pack over all events, in a process of its own.

The order comes as JSON on standard input; what goes on is told on standard output, one JSON object
a line: `{"done": 120}`, then `{"side": {...}}`, or `{"error": {...}}`.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

import logs
from hub.replay.engine import reason
from hub.simulation.feed import Head, read_entries, read_head
from hub.simulation.models import Cost, Side, Totals
from hub.simulation.recorder import Recorder
from rules.bundle import Bundle
from rules.caching import CachingEngine
from rules.engine import Engine
from rules.load import parse_pack
from rules.pack import Pack
from rules.policies_file import read_policies
from support.errors import FlowHubError, InputError
from support.policy import PolicyBook
from support.simulate import Evaluate, Simulation, Team

_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Order:
    """What a side is to do: texts of pack and policies, where the events are, where to write."""

    pack: str
    policies: str
    feed: Path
    out: Path
    engine_timeout_s: float


ORDER = TypeAdapter(Order)


def simulate(order: Order, tell: Callable[[int], None]) -> Side:
    """Simulate the whole feed and return what came of it; `tell` hears how many events are done.

    PackError and PolicyError say what is wrong with the texts, RulesEngineError with the engine.
    """
    begun = time.monotonic()
    pack = parse_pack(Bundle.from_json(order.pack))
    book = read_policies(order.policies)
    head = read_head(order.feed)
    with Engine(pack, order.engine_timeout_s) as engine:
        caching = CachingEngine(engine)
        with Recorder(order.out, head.members) as recorder:
            run = _Run(head, pack, book, caching.judge, recorder)
            totals = run.all_of(order.feed, tell)
    return Side(
        pack=f"{pack.name}@{pack.version}",
        file=pack.file,
        totals=totals,
        cost=Cost(
            seconds=round(time.monotonic() - begun, 2),
            cpu_s=round(_used(lambda usage: usage.ru_utime + usage.ru_stime), 2),
            peak_mib=round(_used(lambda usage: usage.ru_maxrss / 1024), 1),
            asked=caching.asked,
            answered=caching.answered,
        ),
    )


def _used(read: Callable[[resource.struct_rusage], float]) -> float:
    """Sum what this process and the engine's, which has ended, have used."""
    of = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(read(resource.getrusage(who)) for who in of)


class _Run:
    """The events of a feed, one after the other, each after the deadlines before it."""

    def __init__(
        self, head: Head, pack: Pack, book: PolicyBook, evaluate: Evaluate, recorder: Recorder
    ) -> None:
        if head.since is None or head.until is None:
            raise InputError(f"{head.source} has no event to simulate")
        self._until = head.until
        self._recorder = recorder
        self._simulation = Simulation(
            head.tenant,
            book,
            Team(head.members, head.since),
            evaluate,
            pack.macros.actions,
            outside=head.outside,
        )

    def all_of(self, feed: Path, tell: Callable[[int], None]) -> Totals:
        simulation, recorder = self._simulation, self._recorder
        told_s = time.monotonic()
        for number, entry in enumerate(read_entries(feed), start=1):
            for passed in simulation.pass_before(entry.now):
                recorder.note(passed.event, passed.decision, passed.decision.at)
            try:
                decision = simulation.submit(entry.ticket_id, entry.event, entry.now)
            except InputError as error:
                recorder.events_refused[reason(entry.event, error)] += 1
            else:
                recorder.note(entry.event, decision, entry.now)
            if time.monotonic() - told_s >= _EVERY_S:
                told_s = time.monotonic()
                tell(number)
        return recorder.end(simulation.states, self._until)


def _say(what: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Do what standard input orders; exit code 2 where an error was told."""
    logs.configure("ERROR")
    order = ORDER.validate_json(sys.stdin.buffer.read())
    try:
        side = simulate(order, lambda done: _say({"done": done}))
    except FlowHubError as error:
        _say({"error": {"code": error.code, "message": str(error)}})
        return 2
    _say({"side": side.model_dump(mode="json")})
    return 0


if __name__ == "__main__":
    sys.exit(main())
