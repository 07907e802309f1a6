from unittest import mock

import pytest

from rules.compiler import ALTERNATIVES_A_RULE, compile_pack
from rules.facts import typed
from rules.program import Join
from rules.sharding import PROPERTIES_A_MESSAGE, RULES_A_RULESET, SENTINEL
from support.errors import PackError
from tests.rules.situations import facts, one_rule, pack_of


def _many(count: int, when: str = "{{reopen_count: {n}}}") -> str:
    rules = "".join(
        f"  - {{id: r{n}, description: d, on: [created], then: [assign],"
        f" when: {when.format(n=n)}}}\n"
        for n in range(count)
    )
    return f"name: p\nrules:\n{rules}"


def test_a_pack_is_sharded_below_the_limit_of_a_ruleset() -> None:
    program = compile_pack(pack_of(_many(100)))
    assert len(program.shards) == 4
    assert all(len(shard.definition) <= RULES_A_RULESET for shard in program.shards)
    assert all(SENTINEL in shard.definition for shard in program.shards)
    assert sorted(rule for rules in program.rules_of.values() for rule in rules) == sorted(
        f"r{n}" for n in range(100)
    )


def test_equal_conditions_are_registered_once() -> None:
    program = compile_pack(pack_of(_many(100, "{{owner_set: true}}")))
    (shard,) = program.shards
    assert len(shard.definition) == 2
    assert len(program.rules_of["r0_0"]) == 100


def test_a_ticket_passes_by_rulesets_that_ask_for_another_value() -> None:
    when = "{{priority: {p}, reopen_count: {n}}}"
    rules = "".join(
        f"  - {{id: r{n}, description: d, on: [created], then: [assign],"
        f" when: {when.format(n=n, p=('urgent', 'low')[n % 2])}}}\n"
        for n in range(60)
    )
    program = compile_pack(pack_of(f"name: p\nrules:\n{rules}"))
    assert [shard.guards["priority"] for shard in program.shards] == [
        ("low", "urgent"),
        ("urgent",),
    ]


def test_messages_stay_below_the_limit_of_properties() -> None:
    program = compile_pack(pack_of(_many(400, "{{skills: {{contains: s{n}}}, tags: t{n}}}")))
    assert all(len(shard.properties) + 3 <= PROPERTIES_A_MESSAGE for shard in program.shards)


def test_a_condition_becomes_comparisons_that_the_engine_can_make() -> None:
    program = compile_pack(
        one_rule("{not: {any: [{age_s: {gt: 1m}}, {owner_set: true}, {tags: vip}]}}")
    )
    assert program.shards[0].definition["r0_0"] == {
        "all": [
            {
                "t": {
                    "$and": [
                        {"$lte": {"age_s": 60_000_000}},
                        {"on": "created"},
                        {"owner_set": False},
                        {"tags__has__0": False},
                    ]
                }
            }
        ]
    }
    message = program.message(typed(facts(tags=("vip",), age_s=1e-5)))
    assert message == {"age_s": 10, "on": "created", "owner_set": False, "tags__has__0": True}


def test_text_crosses_as_plain_ascii_and_absence_is_never_asked_for() -> None:
    program = compile_pack(one_rule("""{tier: 'å"\\'}"""))
    assert "nex" not in str(program.shards)
    assert program.message(typed(facts(tier='å"\\')))["tier"] == "%C3%A5%22%5C"


def test_long_lists_are_computed_beforehand_instead_of_multiplied_out() -> None:
    lists = ", ".join(f"{name}: {{in: [a, b, c, d]}}" for name in ("tier", "team", "tenant"))
    program = compile_pack(one_rule(f"{{{lists}}}"))
    assert len(program.rules_of) == 1
    assert [test.fact for test in program.ticket.derived.values()] == ["tier", "team", "tenant"]


def test_a_rule_with_too_many_alternatives_is_refused_with_its_line() -> None:
    either = "{any: [{tier: a}, {team: b}, {tenant: c}]}"
    with pytest.raises(PackError) as caught:
        one_rule(f"{{all: [{', '.join([either] * 4)}]}}")
    assert f"p.yaml, line 3: rule `r` has more than {ALTERNATIVES_A_RULE}" in str(caught.value)


def test_a_rule_that_compares_too_many_things_is_refused_with_its_line() -> None:
    tests = ", ".join(f"{{tags: t{n}}}" for n in range(40))
    with pytest.raises(PackError, match="line 3: rule `r` compares 41 things at once"):
        one_rule(f"{{all: [{tests}]}}")


def test_rules_that_are_switched_off_do_not_reach_the_engine() -> None:
    text = _many(1).replace("then:", "enabled: false, then:")
    assert compile_pack(pack_of(text)).shards == ()


def test_dealing_out_many_joins_takes_time_in_line_with_them() -> None:
    pack = pack_of(_many(300, "{{candidates: {{agent: a{n}}}}}"))
    hashed, hash_of = [0], Join.__hash__

    def counted(join: Join) -> int:
        hashed[0] += 1
        return hash_of(join)

    with mock.patch.object(Join, "__hash__", counted):
        compile_pack(pack)
    assert 0 < hashed[0] < 300 * 20
