import json

import pytest

from rules.words import action_in_words, condition_in_words, rule_in_words
from support.needs import RuleAction
from tests.rules.situations import unjudged_pack_of

PACK = "name: p\nrules:\n  - {{id: r, description: d, on: [note], when: {}, then: [close]}}\n"


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("{owner_set: true}", "owner_set is true"),
        ("{age_s: {ge: 45m, lt: 1h 30m}}", "age_s is at least 45m and age_s is less than 1h 30m"),
        ("{tags: vip, tier: ''}", "tags has vip and tier is empty"),
        ("{not: {tags: vip}}", "tags has not vip"),
        ("{not: {priority: {in: [high, urgent]}}}", "priority is not one of high, urgent"),
        (
            "{active: true, any: [{tier: a}, {tier: b, owner_set: false}]}",
            "active is true and (tier is a or (tier is b and owner_set is false))",
        ),
        ("{not: {any: [{tier: a}, {tier: b}]}}", "tier is not a and tier is not b"),
        ("{any: [{all: [{tier: a}]}]}", "tier is a"),
        (
            "{tier: a, all: [{tier: b}, {any: [{any: [{tags: x}, {tags: y}]}, {tags: z}]}]}",
            "tier is a and tier is b and (tags has x or tags has y or tags has z)",
        ),
        ("{all: [{any: [{tier: a}, {tier: b}]}]}", "tier is a or tier is b"),
    ],
)
def test_conditions_are_said_in_words(when: str, words: str) -> None:
    assert condition_in_words(unjudged_pack_of(PACK.format(when)).rules[0].when) == words


def test_a_rule_is_said_line_by_line() -> None:
    more = "{tier: gold}, once_per: day, stop: true"
    (rule,) = unjudged_pack_of(PACK.format(more)).rules
    said = ["d", "on: note", "when: tier is gold", "then: close", "once per day", "stops"]
    assert rule_in_words(rule).splitlines() == said


def test_actions_are_said_in_words() -> None:
    assert action_in_words(RuleAction("r", "close", {})) == "close"
    action = RuleAction("r", "tag", {"add": ("vip", "new"), "remove": ("trial",)})
    assert action_in_words(action) == "tag add: vip, new, remove: trial"
    stored = RuleAction("r", "tag", json.loads('{"add": ["vip", "new"]}'))
    assert action_in_words(stored) == "tag add: vip, new"
