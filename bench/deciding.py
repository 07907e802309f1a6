"""What `bench/rules.py` measures, and how."""

import argparse
import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import yaml
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench import rule_peers
from rules.bundle import Bundle
from rules.compiler import compile_pack
from rules.engine import Engine
from rules.facts import typed, typed_rows
from rules.load import load_pack, parse_pack
from rules.pack import Pack
from rules.program import Program
from rules.values import completed
from support.needs import EvaluateRules, Fact, Row, RuleVerdict, Wanted
from support.subjects import TRIGGERS, Subject

MIB = 2**20
LEAST_EXPLAINED, LEAST_ISOLATED, LEAST_ZEN = 0.5, 0.2, 1.0
MOST_SIMULATE_S, MOST_PEAK_MIB = 120.0, 1024.0
CANDIDATES = 20
SEED = 20_260_302


class InProcess:
    """Matches in this process, to tell the cost of the pipe from that of the rest."""

    def __init__(self, program: Program, _timeout_s: float) -> None:
        self._matcher = rule_peers.matcher(program)
        self._sids = count(1)
        self.pid = 0

    def match(self, message: Mapping[str, Any], related: Mapping[str, Any]) -> list[str]:
        """Return the engine's rules that match."""
        return self._matcher.match(f"s{next(self._sids)}", dict(message), dict(related))

    def close(self) -> None:
        """Nothing runs apart."""

    def kill(self) -> None:
        """Nothing runs apart."""


@dataclass(frozen=True, slots=True)
class Question:
    """One situation: as a decision gives it, and as the engines take it."""

    facts: Mapping[str, Fact]
    related: Mapping[str, tuple[Row, ...]]
    message: dict[str, Any]
    rows: dict[str, list[dict[str, Any]]]

    def judged_by(self, engine: Engine) -> RuleVerdict:
        """Return the verdict as a decision gets it: what is related is given when asked for."""
        verdict = engine.judge_now(EvaluateRules(self.facts))
        if isinstance(verdict, Wanted):
            verdict = engine.judge_now(EvaluateRules(self.facts, related=self.related))
        assert isinstance(verdict, RuleVerdict)
        return verdict


def made_up(size: int, rng: random.Random) -> Pack:
    """Return a pack of `size` rules with three conditions each; every tenth joins with agents."""
    rules = [_rule(number, rng) for number in range(size)]
    macros = "texts: {}\nmacros: {}\n"
    return parse_pack(Bundle(yaml.safe_dump({"name": f"made-{size}", "rules": rules}), macros))


def _rule(number: int, rng: random.Random) -> dict[str, Any]:
    when: dict[str, Any] = {
        "priority": rng.choice(["low", "normal", "high", "urgent"]),
        "age_s": {"ge": rng.randrange(0, 90_000, 900)},
        "reopen_count": {"lt": rng.randrange(1, 9)},
    }
    if number % 10 == 0:
        share = rng.randrange(10, 90) / 100
        when["candidates"] = {"room": True, "load_share": {"lt": share}}
    return {
        "id": f"r{number}",
        "description": "made up",
        "on": ["created", "customer_message"],
        "when": when,
        "then": [{"record": {"note": f"rule {number}"}}],
    }


def questions(pack: Pack, program: Program, many: int, rng: random.Random) -> list[Question]:
    """Return `many` situations that the rules of a desk see."""
    return [_question(pack, program, rng) for _ in range(many)]


def _question(pack: Pack, program: Program, rng: random.Random) -> Question:
    on = rng.choice(sorted(on for on in pack.listens if TRIGGERS[on] is Subject.TICKET))
    facts = completed(
        {
            "on": on,
            "due_kind": rng.choice(["step", "breach", "follow_up"]) if on == "deadline" else "",
            "step_fraction": rng.choice([0.75, 1.0, 1.5]),
            "priority": rng.choice(["low", "normal", "high", "urgent"]),
            "channel": rng.choice(["email", "web", "chat"]),
            "status": "open",
            "active": True,
            "owner_set": rng.random() < 0.7,
            "owner_available": rng.random() < 0.5,
            "unanswered": rng.random() < 0.5,
            "age_s": float(rng.randrange(0, 100_000)),
            "reopen_count": rng.randrange(0, 9),
            "tags": ("vip",) if rng.random() < 0.2 else (),
        }
    )
    related = {"candidates": tuple(_candidate(n, rng) for n in range(CANDIDATES))}
    related = {name: rows for name, rows in related.items() if name in program.rows}
    values = typed(facts)
    rows = program.related(typed_rows(related), values)
    return Question(facts, related, program.message(values), rows)


def _candidate(number: int, rng: random.Random) -> Row:
    load = rng.randrange(0, 13)
    return {
        "agent": f"agent-{number}",
        "owner": False,
        "room": load < 12,
        "load_share": load / 12,
        "free_units": 12.0 - load,
        "speaks": rng.random() < 0.5,
        "level": rng.randrange(0, 10),
        "idle_s": float(rng.randrange(0, 3600)),
    }


Way = Callable[[Question], RuleVerdict | list[str]]
"""Decides a question: ours with a verdict, the others with the names of what fired."""


def matched(answer: RuleVerdict | list[str], program: Program) -> list[str]:
    """Return the ids of the rules that match."""
    if isinstance(answer, RuleVerdict):
        told = (t.rule_id for t in answer.trace if t.fired or "; but" in t.reason)
        return sorted(told)
    return sorted({rule for name in answer for rule in program.rules_of[name]})


@contextlib.contextmanager
def ways(pack: Pack, program: Program) -> Iterator[dict[str, Way]]:
    """Yield every way to decide a question."""
    raw, clips, zen = (peer(program) for peer in (rule_peers.raw, rule_peers.clips, rule_peers.zen))

    with Engine(pack, start=InProcess) as here, Engine(pack) as apart:
        yield {
            "raw": lambda q: raw(q.message, q.rows),
            "explained": lambda q: q.judged_by(here),
            "isolated": lambda q: q.judged_by(apart),
            "clips": lambda q: clips(q.message, q.rows),
            "zen, trace": lambda q: zen(q.message, q.rows),
        }


def compare(pack: Pack, asked: int, rounds: int, progress: Progress) -> dict[str, float]:
    """Return decisions a second of every way, the median of rounds that alternate."""
    program = compile_pack(pack)
    posed = questions(pack, program, asked, random.Random(SEED))
    took: dict[str, list[float]] = {}
    with ways(pack, program) as each:
        task = progress.add_task(f"{pack.name}: {len(pack.rules)} rules", total=rounds * len(each))
        answers = {n: [matched(way(q), program) for q in posed] for n, way in each.items()}
        for name, given in answers.items():
            assert given == answers["raw"], f"{name} decides otherwise than raw durable_rules"
        for _ in range(rounds):
            for name, way in each.items():
                begun = time.perf_counter()
                for question in posed:
                    way(question)
                took.setdefault(name, []).append(time.perf_counter() - begun)
                progress.advance(task)
    return {name: asked / median(times) for name, times in took.items()}


def growth_mib(decisions: int, progress: Progress) -> float:
    """Return what parent and child have grown by after so many decisions, warmed up before."""
    pack = load_pack(None)
    posed = questions(pack, compile_pack(pack), 500, random.Random(SEED))
    warm = min(50_000, decisions // 4)
    task = progress.add_task(f"Memory over {decisions:,} decisions", total=decisions + warm)
    with Engine(pack) as engine:
        assert engine.child_pid is not None
        processes = (psutil.Process(), psutil.Process(engine.child_pid))
        before = 0.0
        for number in range(warm + decisions):
            if number == warm:
                before = sum(process.memory_info().rss for process in processes) / MIB
            posed[number % len(posed)].judged_by(engine)
            if number % 1000 == 0:
                progress.update(task, completed=number)
        progress.update(task, completed=warm + decisions)
        return sum(process.memory_info().rss for process in processes) / MIB - before


def simulate(log: Path, progress: Progress) -> tuple[float, float]:
    """Return seconds and peak MiB of trying a change on the whole log, all processes together."""
    task = progress.add_task("Simulating the log with two packs", total=None)
    with tempfile.TemporaryDirectory() as folder:
        changed = Path(folder) / "changed.yaml"
        changed.write_text(
            "name: changed\nimports: [default]\nrules:\n"
            "  - {id: step-early, override: true, enabled: false}\n",
            encoding="utf-8",
        )
        words = ["rules", "simulate", str(changed), "--log", str(log), "--json"]
        begun = time.perf_counter()
        with (Path(folder) / "answer.json").open("w") as answer:
            main = subprocess.Popen(
                [sys.executable, "-m", "hub.cli", *words], stdout=answer, stderr=subprocess.DEVNULL
            )
            peak = 0.0
            while main.poll() is None:
                peak = max(peak, _resident_mib(main.pid))
                progress.advance(task)
                time.sleep(0.2)
        took = time.perf_counter() - begun
        if main.returncode:
            raise SystemExit(f"the simulation failed: flowhub {' '.join(words)}")
    progress.update(task, total=1, completed=1)
    return took, peak


def _resident_mib(pid: int) -> float:
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
    return total / MIB


def main(what: str) -> None:
    """Measure, show, and end with one line of JSON; `what` is shown as help."""
    parser = argparse.ArgumentParser(description=what.splitlines()[0] if what else "")
    parser.add_argument("--quick", action="store_true", help="fewer questions, rounds, decisions")
    parser.add_argument("--log", type=Path, help="incident log that is simulated whole")
    given = parser.parse_args()
    asked, rounds = (200, 3) if given.quick else (500, 9)
    console = Console(stderr=True)
    rng = random.Random(SEED)
    packs = (load_pack(None), made_up(50, rng), made_up(250, rng))
    with Progress(console=console) as progress:
        rates = {f"{p.name} ({len(p.rules)})": compare(p, asked, rounds, progress) for p in packs}
        grown = growth_mib(20_000 if given.quick else 1_000_000, progress)
        took, peak = simulate(given.log, progress) if given.log else (None, None)
    _show(rates)
    explained = min(r["explained"] / r["raw"] for r in rates.values())
    isolated = min(r["isolated"] / r["raw"] for r in rates.values())
    to_zen = min(r["explained"] / r["zen, trace"] for r in rates.values())
    print(
        json.dumps(
            {
                "explained_to_raw_ratio": round(explained, 2),
                "isolated_to_raw_ratio": round(isolated, 2),
                "to_zen_trace_ratio": round(to_zen, 2),
                "growth_mib": round(grown, 1),
                "simulate_s": took and round(took, 1),
                "simulate_peak_mib": peak and round(peak),
                "per_second": {
                    pack: {way: round(rate) for way, rate in rate_of.items()}
                    for pack, rate_of in rates.items()
                },
                "targets_met": explained >= LEAST_EXPLAINED
                and isolated >= LEAST_ISOLATED
                and to_zen > LEAST_ZEN
                and (took is None or took < MOST_SIMULATE_S)
                and (peak is None or peak < MOST_PEAK_MIB),
            }
        )
    )


def _show(rates: Mapping[str, Mapping[str, float]]) -> None:
    names = list(next(iter(rates.values())))
    table = Table("pack (rules)", *names, title="Decisions a second, and beside raw")
    for pack, rate in rates.items():
        cells = (f"{rate[name]:,.0f} ({rate[name] / rate['raw']:.2f})" for name in names)
        table.add_row(pack, *cells)
    Console().print(table)
