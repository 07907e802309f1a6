"""Replays a log: reads it, drives every event through an engine, and says what came of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from activities.decide import Rulebook
from embedded.time_skipping import obtain_test_server, time_skipping_environment
from hub.progress import Progress, Shown, Ticker
from hub.replay.comparison import Comparison
from hub.replay.engine import Ended, Engine
from hub.replay.events import Happening, in_order, roster_of
from hub.replay.fairness import Fairness, measure_fairness
from hub.replay.mapping import MOST_CAPACITY_UNITS, ReplayMapping, load_mapping
from hub.replay.ownership import Recording
from hub.replay.report import Driven, Report, Versions, make_report
from hub.replay.scratch import scratch_database
from hub.replay.simulate import SimulatedEngine
from hub.replay.source import read_usable
from hub.replay.strategy import macros_with_strategy, with_strategy
from hub.replay.temporal import temporal_engine
from rules.caching import CachingEngine
from rules.engine import Engine as RulesEngine
from rules.load import load_pack
from rules.policies_file import load_policies
from settings import Settings
from store import packs, policy_books
from store.pool import open_pool
from support.errors import InputError
from support.needs import RuleAction
from support.policy import PolicyBook
from support.routing import Strategy
from support.simulate import Evaluate, Member
from support.work import Outside

ENGINES = ("simulate", "temporal")
REPLAYING = "Replaying: events"


@dataclass(frozen=True, slots=True)
class _Pinned:
    """What decisions go by, and the texts that the ledger keeps of it."""

    rulebook: Rulebook
    pack: tuple[str, str, str]
    policies_text: str


async def replay(
    file: Path,
    mapping: Path | str,
    *,
    limit: int | None,
    engine: str,
    settings: Settings,
    progress: Progress,
    fairness: bool = False,
    capacity_units: float | None = None,
) -> Report:
    """Replay the first `limit` incidents of `file` (all of it for None) and return the report.

    `mapping` is a file or the name of one that ships; `engine` is simulate or temporal. `fairness`
    replays the log once more, by round robin, and compares; `capacity_units` go before the
    mapping's. InputError and PackError kinds say what is wrong with log, mapping, rules, policies.
    """
    _check(engine, fairness=fairness)
    form = _with_capacity(load_mapping(mapping), capacity_units)
    pack = load_pack(settings.pack)
    policies, policies_text = load_policies(settings.policies)
    log = await asyncio.to_thread(read_usable, file, form, limit, progress)
    happenings = in_order(log.incidents, form)
    members = roster_of(log.incidents, form.roster)
    begun = time.monotonic()
    fair: Fairness | None = None
    with RulesEngine(pack, timeout_s=settings.engine_timeout_s) as rules:
        if engine == "simulate":
            evaluate = CachingEngine(rules).judge
            course = _Course(policies, pack.macros.actions, evaluate, members, happenings)
            driven, ended, ours = await course.simulate(progress)
            if fairness:
                other = await course.by_round_robin(progress)
                fair = measure_fairness(log.incidents, members, ours, other, progress)
        else:
            rulebook = Rulebook(rules, pack.macros, policies, Outside())
            pinned = _Pinned(rulebook, (pack.version, pack.name, pack.text), policies_text)
            async with _on_servers(pinned, happenings, members, settings, progress) as real:
                driven, ended = await drive(real, happenings, members, progress)
    versions = Versions(
        engine=engine,
        mapping=form.name,
        log=file.name,
        limit=limit,
        pack=f"{pack.name}@{pack.version}",
        policies=policies.version,
        capacity_units=form.roster.capacity_units,
        seconds=round(time.monotonic() - begun, 2),
    )
    return make_report(log, driven, ended, versions).model_copy(update={"fairness": fair})


def _check(engine: str, *, fairness: bool) -> None:
    if engine not in ENGINES:
        raise InputError(f"there is no engine {engine!r}: use one of {', '.join(ENGINES)}")
    if fairness and engine != "simulate":
        raise InputError("fairness is measured in memory: use --engine simulate with --fairness")


def _with_capacity(form: ReplayMapping, capacity_units: float | None) -> ReplayMapping:
    if capacity_units is None:
        return form
    if not 0 < capacity_units <= MOST_CAPACITY_UNITS:
        raise InputError(f"--capacity must be above 0 and at most {MOST_CAPACITY_UNITS} units")
    roster = form.roster.model_copy(update={"capacity_units": capacity_units})
    return form.model_copy(update={"roster": roster})


@dataclass(frozen=True, slots=True)
class _Course:
    """One log and one team, which can be simulated several times."""

    policies: PolicyBook
    macros: Mapping[str, tuple[RuleAction, ...]]
    evaluate: Evaluate
    members: Sequence[Member]
    happenings: Sequence[Happening]

    async def simulate(
        self, progress: Progress, text: str = REPLAYING
    ) -> tuple[Driven, Ended, Recording]:
        since, recording = self.happenings[0].instant, Recording()
        engine = SimulatedEngine(
            self.policies, self.macros, self.evaluate, self.members, since, watch=recording.note
        )
        driven, ended = await drive(engine, self.happenings, self.members, progress, text)
        return driven, ended, recording

    async def by_round_robin(self, progress: Progress) -> Recording:
        """Simulate it once more, by the same rules but for how they choose among agents."""
        strategy = Strategy.ROUND_ROBIN
        other = replace(
            self,
            macros=macros_with_strategy(self.macros, strategy),
            evaluate=with_strategy(self.evaluate, strategy),
        )
        _, _, recording = await other.simulate(progress, "By round robin: events")
        return recording


async def drive(
    engine: Engine,
    happenings: Sequence[Happening],
    members: Sequence[Member],
    progress: Progress,
    text: str = REPLAYING,
) -> tuple[Driven, Ended]:
    """Take all events, one instant at a time, each after the deadlines before it.

    `text` says what goes on.
    """
    driven = Driven(Comparison.of(members))
    ticker = Ticker(progress, text, len(happenings))
    for instant, group in groupby(happenings, key=lambda happening: happening.instant):
        coming = list(group)
        await engine.pass_before(instant, len(coming))
        for happening in coming:
            taken = await engine.submit(happening)
            driven.events += 1
            if taken.refused:
                driven.refused[taken.refused] += 1
            if happening.last:
                driven.comparison.row(happening.ticket_id, happening.update, taken.owner)
            ticker.add()
    ticker.end()
    return driven, await engine.end()


@asynccontextmanager
async def _on_servers(
    pinned: _Pinned,
    happenings: Sequence[Happening],
    members: Sequence[Member],
    settings: Settings,
    progress: Progress,
) -> AsyncIterator[Engine]:
    """Run the real workflows on servers that this replay has for itself."""
    shown = Shown(progress)
    await asyncio.to_thread(obtain_test_server, settings.data_dir, shown)
    async with (
        scratch_database(settings, progress) as url,
        open_pool(url, max_size=settings.db_pool_max) as pool,
        time_skipping_environment(settings.data_dir) as environment,
    ):
        version, name, text = pinned.pack
        async with pool.connection() as conn:
            await packs.remember(conn, version=version, name=name, body=text)
            await policy_books.remember(
                conn, version=pinned.rulebook.policies.version, body=pinned.policies_text
            )
        since = happenings[0].instant
        async with temporal_engine(environment, pool, pinned.rulebook, members, since) as engine:
            yield engine
