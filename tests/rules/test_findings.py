import pytest

from rules.facts import typed
from rules.findings import Reference
from rules.verdict import verdict_of
from support.needs import EvaluateRules, RuleVerdict
from tests.rules.situations import facts, one_rule, pack_of

ORDER = """
name: order
rules:
  - {id: late, description: d, on: [created], then: [assign], priority: 200}
  - {id: normal, description: d, on: [created], then: [resume, {record: {note: n}}]}
  - {id: stopper, description: d, on: [created], when: {tier: gold}, then: [close], stop: true}
  - {id: early, description: d, on: [created], then: [resolve], priority: -1}
  - {id: elsewhere, description: d, on: [reopen], then: [resolve]}
  - {id: off, description: d, on: [created], then: [resolve], enabled: false}
"""


def _verdict(**changed: str) -> RuleVerdict:
    pack = pack_of(ORDER)
    return verdict_of(pack, Reference(pack).examine(typed(facts(**changed))), EvaluateRules({}))


def test_rules_fire_by_priority_then_as_defined() -> None:
    verdict = _verdict()
    assert verdict.fired == ("early", "normal", "late")
    assert [(a.rule_id, a.kind) for a in verdict.actions] == [
        ("early", "resolve"),
        ("normal", "resume"),
        ("normal", "record"),
        ("late", "assign"),
    ]
    assert verdict.pack_name == "order"


def test_a_rule_that_stops_keeps_later_ones_from_firing_and_the_trace_says_so() -> None:
    verdict = _verdict(tier="gold")
    assert verdict.fired == ("early", "normal", "stopper")
    reasons = {trace.rule_id: (trace.fired, trace.reason) for trace in verdict.trace}
    assert reasons == {
        "late": (False, "it has no conditions; but rule stopper came first and stops"),
        "normal": (True, "it has no conditions"),
        "stopper": (True, "tier is gold"),
        "early": (True, "it has no conditions"),
        "elsewhere": (False, "not for created"),
        "off": (False, "switched off"),
    }


@pytest.mark.parametrize(
    ("when", "changed", "matched", "reason"),
    [
        ("{owner_set: true}", {}, False, "owner_set is false, not true"),
        ("{age_s: {ge: 45m}}", {"age_s": 60.0}, False, "age_s is 1m, not at least 45m"),
        ("{age_s: {ge: 45m}}", {"age_s": 3600.0}, True, "age_s is 1h, at least 45m"),
        ("{tier: {ne: gold}}", {}, True, "tier is empty, other than gold"),
        ("{tags: vip}", {"tags": ("b", "a")}, False, "tags is a, b, not one with vip"),
        ("{step_fraction: {lt: 1}}", {"step_fraction": 0.75}, True,
         "step_fraction is 0.75, less than 1"),
        ("{status: {in: [new, open]}}", {"status": "closed"}, False,
         "status is closed, not one of new, open"),
        ("{active: true, owner_set: true, tier: x}", {}, False, "owner_set is false, not true"),
        ("{active: true, owner_set: false}", {}, True, "active is true; owner_set is false"),
        ("{any: [{tier: a}, {tier: b}]}", {"tier": "c"}, False,
         "none of: tier is c, not a; tier is c, not b"),
        ("{any: [{tier: a}, {tier: b}]}", {"tier": "b"}, True, "tier is b"),
        ("{not: {any: [{tier: a}, {owner_set: true}]}}", {}, True,
         "none of: tier is empty, not a; owner_set is false, not true"),
        ("{not: {active: true}}", {}, False, "active is true"),
    ],
)  # fmt: skip
def test_the_reason_names_the_values_that_decided(
    when: str, changed: dict[str, object], matched: bool, reason: str
) -> None:
    (finding,) = Reference(one_rule(when)).examine(typed(facts(**changed)))
    assert (finding.matched, finding.reason) == (matched, reason)


def test_a_reason_says_the_first_of_a_long_list_and_how_many_there_are() -> None:
    listed = ", ".join(f"customer-{n:04}" for n in range(5_000))
    reference = Reference(one_rule(f"{{tier: {{in: [{listed}]}}}}"))
    for tier, said in (("customer-4999", "one of"), ("x", "not one of")):
        (finding,) = reference.examine(typed(facts(tier=tier)))
        assert finding.reason.startswith(f"tier is {tier}, {said} customer-0000, customer-0001, ")
        assert finding.reason.endswith(", customer-0019, ... (5000 in all)")
