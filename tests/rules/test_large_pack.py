"""A thousand rules, and twice as many: read, compiled and decided as each alone would be."""

import json
from typing import Any

import pytest

from rules.compiler import compile_pack
from rules.engine import Engine
from rules.pack import Pack
from rules.parse import MOST_RULES
from rules.sharding import RULES_A_RULESET
from tests.rules.situations import facts, pack_of

PRIORITIES = ("low", "normal", "high", "urgent")


def rule(number: int, *, stop: bool) -> dict[str, Any]:
    """One that only tickets of its tier, priority and age can fire, and every tenth by a tag."""
    when: dict[str, Any] = {
        "tier": f"t{number}",
        "priority": PRIORITIES[number % 4],
        "age_s": {"ge": number},
    }
    if number % 10 == 0:
        when = {"any": [when, {"tags": {"matches": f"^tag-{number}$"}}]}
    return {
        "id": f"r{number}",
        "description": f"Rule number {number}.",
        "on": ["created", "priority"],
        "when": when,
        "then": ["assign", {"record": {"note": "{tier} at {priority}"}}],
        "priority": number % 7,
        "stop": stop,
    }


def large(many: int, *, stop: bool = False) -> Pack:
    return pack_of(
        json.dumps({"name": "large", "rules": [rule(n, stop=stop) for n in range(many)]})
    )


def test_a_thousand_rules_are_decided_right() -> None:
    pack = large(1_000)
    program = compile_pack(pack)
    assert len(program.shards) == -(-1_100 // (RULES_A_RULESET - 1))
    with Engine(pack, timeout_s=60) as engine:
        for number in (0, 1, 499, 500, 998, 999):
            own = facts(tier=f"t{number}", priority=PRIORITIES[number % 4], age_s=float(number))
            assert engine.evaluate_now(own).fired == (f"r{number}",)
            young = {**own, "age_s": number - 0.5}
            assert engine.evaluate_now(young).fired == ()
            tagged = facts(tags=(f"tag-{number}",))
            assert engine.evaluate_now(tagged).fired == (
                (f"r{number}",) if number % 10 == 0 else ()
            )
        assert (engine.disagreements, engine.restarts) == (0, 0)


@pytest.mark.parametrize("stop", [False, True])
def test_the_largest_pack_is_checked(stop: bool) -> None:
    assert len(large(MOST_RULES, stop=stop).rules) == MOST_RULES
