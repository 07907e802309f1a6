import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from structlog.testing import capture_logs

from rules.child import Child
from rules.engine import Engine
from rules.findings import Finding, Reference
from rules.load import load_pack
from support.errors import RulesEngineError
from support.needs import EvaluateRules, RuleVerdict
from tests.rules.situations import facts, one_rule, pack_of

WITHIN_S = 10.0


def _until(condition: Callable[[], bool]) -> bool:
    """Whether `condition` comes true within the limit."""
    limit = time.monotonic() + WITHIN_S
    while time.monotonic() < limit:
        if condition():
            return True
        os.sched_yield()
    return condition()


def _many(count: int) -> str:
    lines = "".join(
        f"  - {{id: r{n}, description: d, on: [created], when: {{reopen_count: {{ge: {n}}}}},"
        " then: [assign]}\n"
        for n in range(count)
    )
    return f"name: p\nrules:\n{lines}"


@pytest.mark.parametrize(
    ("changed", "fact"),
    [
        ({"reopen_count": "7"}, "reopen_count"),
        ({"reopen_count": True}, "reopen_count"),
        ({"reopen_count": 1.0}, "reopen_count"),
        ({"reopen_count": None}, "reopen_count"),
        ({"reopen_count": 10**30}, "reopen_count"),
        ({"owner_set": 1}, "owner_set"),
        ({"age_s": float("inf")}, "age_s"),
        ({"age_s": float("nan")}, "age_s"),
        ({"tier": ["gold"]}, "tier"),
        ({"skills": "billing"}, "skills"),
        ({"skills": (1,)}, "skills"),
        ({"unheard_of": 1}, "facts are unknown: unheard_of"),
    ],
)
def test_a_fact_that_the_engine_would_coerce_is_refused(changed: dict[str, Any], fact: str) -> None:
    with (
        Engine(one_rule("{reopen_count: {ge: 5}}")) as engine,
        pytest.raises(RulesEngineError, match=fact),
    ):
        engine.evaluate_now(facts(**changed))


def test_a_missing_fact_is_refused() -> None:
    some = facts()
    del some["tier"]
    with Engine(load_pack(None)) as engine, pytest.raises(RulesEngineError, match="missing: tier"):
        engine.evaluate_now(some)


def test_small_and_large_numbers_decide_exactly() -> None:
    with Engine(one_rule("{age_s: {ge: 0.00001, lt: 3000000000.000001}}")) as engine:
        for age, expected in [
            (1e-5, True),
            (9e-6, False),
            (3e9, True),
            (3_000_000_000.000001, False),
        ]:
            assert bool(engine.evaluate_now(facts(age_s=age)).fired) is expected


def test_a_message_that_no_rule_takes_is_no_failure() -> None:
    with Engine(one_rule("{tier: gold}")) as engine:
        for _ in range(50):
            assert engine.evaluate_now(facts()).fired == ()
        assert engine.restarts == 0


def test_a_pack_without_rules_decides_nothing() -> None:
    with Engine(pack_of("name: p\nrules: []\n")) as engine:
        assert engine.evaluate_now(facts()).trace == ()


@pytest.mark.parametrize("count", [100, 1000])
def test_large_packs_are_decided_across_rulesets(count: int) -> None:
    with Engine(pack_of(_many(count)), timeout_s=30) as engine:
        for value in (0, 63, count):
            fired = engine.evaluate_now(facts(reopen_count=value)).fired
            assert fired == tuple(f"r{n}" for n in range(min(value + 1, count)))
        assert engine.restarts == 0


def test_a_crash_is_decided_again_in_a_fresh_process() -> None:
    with Engine(one_rule("{tier: gold}")) as engine:
        first = engine.child_pid
        assert first
        os.kill(first, signal.SIGKILL)
        assert engine.evaluate_now(facts(tier="gold")).fired == ("r",)
        assert engine.child_pid not in (None, first)
        assert engine.restarts == 1


def test_a_hang_is_killed_and_decided_again() -> None:
    with Engine(one_rule("{tier: gold}"), timeout_s=0.5) as engine:
        first = engine.child_pid
        assert first
        os.kill(first, signal.SIGSTOP)
        assert engine.evaluate_now(facts(tier="gold")).fired == ("r",)
        assert not psutil.pid_exists(first)
        assert engine.restarts == 1


def test_a_hang_on_a_large_message_is_killed_too() -> None:
    with Engine(one_rule("{tier: gold}"), timeout_s=0.5) as engine:
        first = engine.child_pid
        assert first
        os.kill(first, signal.SIGSTOP)
        assert engine.evaluate_now(facts(tier="x" * 1_000_000)).fired == ()


def test_a_second_failure_is_an_error_and_the_next_decision_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = Child.match

    def crash(child: Child, message: Any, related: Any) -> list[str]:
        os.kill(child.pid, signal.SIGKILL)
        return real(child, message, related)

    with Engine(one_rule("{tier: gold}")) as engine:
        with monkeypatch.context() as patch:
            patch.setattr(Child, "match", crash)
            with pytest.raises(RulesEngineError, match="also not in a fresh engine"):
                engine.evaluate_now(facts())
        assert engine.evaluate_now(facts(tier="gold")).fired == ("r",)


def test_a_disagreement_is_counted_logged_and_never_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wrong(*_: object) -> tuple[Finding, ...]:
        return (Finding("r", matched=True, reason="wrong"),)

    monkeypatch.setattr(Reference, "examine", wrong)
    with Engine(one_rule("{tier: gold}")) as engine:
        with capture_logs() as logged, pytest.raises(RulesEngineError, match="disagree on r"):
            engine.evaluate_now(facts())
        assert (engine.disagreements, engine.restarts) == (2, 2)
    assert [(entry["event"], entry["log_level"]) for entry in logged] == [
        ("rules engine failed", "error")
    ] * 2


def test_an_error_of_the_engine_is_surfaced(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Child.match
    with Engine(one_rule("{tier: gold}")) as engine:
        monkeypatch.setattr(Child, "match", lambda child, *_: real(child, {}, {}))
        with pytest.raises(RulesEngineError, match="engine error: 'on'"):
            engine.evaluate_now(facts())


def test_threads_and_coroutines_share_one_engine() -> None:
    with Engine(one_rule("{reopen_count: {ge: 500}}"), timeout_s=30) as engine:

        def decide(count: int) -> bool:
            return bool(engine.evaluate_now(facts(reopen_count=count)).fired)

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(decide, range(1000))) == [n >= 500 for n in range(1000)]

        async def together() -> list[bool]:
            asked = (engine.judge(EvaluateRules(facts(reopen_count=n))) for n in range(480, 520))
            verdicts = await asyncio.gather(*asked)
            return [isinstance(v, RuleVerdict) and bool(v.fired) for v in verdicts]

        assert asyncio.run(together()) == [n >= 500 for n in range(480, 520)]
        assert (engine.restarts, engine.disagreements) == (0, 0)


def test_thousands_of_decisions_leave_memory_flat() -> None:
    with Engine(load_pack(None), timeout_s=30) as engine:
        child = psutil.Process(engine.child_pid)
        for number in range(1500):
            engine.evaluate_now(facts(reopen_count=number))
        before = child.memory_info().rss
        for number in range(3000):
            engine.evaluate_now(facts(reopen_count=number))
        assert child.memory_info().rss - before < 2_000_000
        assert engine.restarts == 0


def test_a_closed_engine_leaves_no_process_and_refuses() -> None:
    engine = Engine(one_rule("{tier: gold}"))
    with engine:
        child = engine.child_pid
        assert child
    assert not psutil.pid_exists(child)
    with pytest.raises(RulesEngineError, match="is closed"):
        engine.evaluate_now(facts())


def test_the_child_sees_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWHUB_WEBHOOK_SECRET", "s3cret")
    with Engine(one_rule("{tier: gold}")) as engine:
        environment = Path(f"/proc/{engine.child_pid}/environ").read_bytes()
        assert b"FLOWHUB" not in environment
        assert b"s3cret" not in environment


def test_the_child_dies_with_its_parent() -> None:
    script = textwrap.dedent("""
        import os, signal
        from rules.engine import Engine
        from tests.rules.situations import one_rule
        engine = Engine(one_rule("{tier: gold}")).__enter__()
        print(engine.child_pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip(), done.stderr
    child = int(done.stdout)

    def gone() -> bool:
        try:
            return psutil.Process(child).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    assert _until(gone)


class Stuck:
    """A child that answers when it is let."""

    pid = 0

    def __init__(self, let: threading.Event) -> None:
        self._let = let

    def match(self, _message: Any, _related: Any) -> list[str]:
        self._let.wait(WITHIN_S)
        return []

    def close(self) -> None:
        pass

    kill = close


async def test_many_that_wait_for_a_slow_pack_hold_up_no_other() -> None:
    let = threading.Event()
    question = EvaluateRules(facts(on="reopen"))
    pack = one_rule("{active: true}")
    stuck, other = Engine(pack, start=lambda *_: Stuck(let)), Engine(pack)
    waiting = [asyncio.ensure_future(stuck.judge(question)) for _ in range(100)]
    try:
        verdict = await asyncio.wait_for(other.judge(question), WITHIN_S)
        assert isinstance(verdict, RuleVerdict)
        assert not any(one.done() for one in waiting)
    finally:
        let.set()
        await asyncio.gather(*waiting)
        stuck.close()
        other.close()


async def test_a_closed_engine_says_so() -> None:
    with Engine(one_rule("{active: true}")) as engine:
        pass
    with pytest.raises(RulesEngineError, match="is closed"):
        await engine.judge(EvaluateRules(facts()))
