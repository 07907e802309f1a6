import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import rules
from rules.actions import CATALOGUE, NOT_BARE, ParamType
from rules.document import read
from rules.expansion import EXPANDED
from rules.imports import MOST_IMPORTS
from rules.load import SHIPPED
from rules.pack import OncePer, Op
from rules.pack_scope import COUNTS, MOST_TENANTS, SETTINGS
from rules.parse import MOST_RULES, OPTIONAL_OF_PACK, REQUIRED_OF_PACK
from rules.patterns import LONGEST_PATTERN
from rules.rule_form import LONGEST_OWNER, OPTIONAL, REQUIRED, SWITCH
from support.limits import Limits
from support.relations import Relation
from support.subjects import TRIGGERS

FOLDER = Path(rules.__file__).parent
SCHEMA: dict[str, Any] = json.loads((FOLDER / "pack.schema.json").read_text(encoding="utf-8"))


def test_the_shipped_pack_satisfies_the_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    form = read(SHIPPED.read_text(encoding="utf-8"), SHIPPED.name).plain()
    jsonschema.validate(form, SCHEMA)


def test_the_schema_knows_the_same_events_operators_and_limits() -> None:
    parts = SCHEMA["$defs"]
    assert parts["trigger"]["enum"] == list(TRIGGERS)
    assert set(parts["comparison"]["properties"]) == {*Op, *EXPANDED}
    assert parts["comparison"]["properties"]["matches"]["maxLength"] == LONGEST_PATTERN
    assert set(parts["condition"]["properties"]) == {"all", "any", "not", *Relation}
    assert SCHEMA["properties"]["rules"]["maxItems"] == MOST_RULES


def test_the_schema_knows_the_same_parts_of_a_pack() -> None:
    assert set(SCHEMA["required"]) == set(REQUIRED_OF_PACK)
    assert set(SCHEMA["properties"]) == {*REQUIRED_OF_PACK, *OPTIONAL_OF_PACK}
    assert SCHEMA["properties"]["imports"]["maxItems"] == MOST_IMPORTS
    assert SCHEMA["properties"]["tenant"]["anyOf"][1]["maxItems"] == MOST_TENANTS
    settings = SCHEMA["properties"]["settings"]["properties"]
    assert set(settings) == set(SETTINGS) == {field.name for field in fields(Limits)}
    assert {name: (form["minimum"], form["maximum"]) for name, form in settings.items()
            if name in COUNTS} == {name: (1, most) for name, most in COUNTS.items()}  # fmt: skip


def test_the_schema_knows_the_same_parts_of_a_rule() -> None:
    assert set(SCHEMA["$defs"]["switch"]["required"]) == SWITCH
    rule = SCHEMA["$defs"]["whole_rule"]
    assert rule["properties"]["once_per"]["enum"] == list(OncePer)
    assert set(rule["required"]) == set(REQUIRED)
    assert set(rule["properties"]) == {*REQUIRED, *OPTIONAL}
    assert rule["properties"]["owner"]["maxLength"] == LONGEST_OWNER


def test_the_schema_knows_the_same_actions_and_parameters() -> None:
    bare, named = SCHEMA["$defs"]["action"]["anyOf"]
    assert set(named["properties"]) == set(CATALOGUE)
    for kind, params in CATALOGUE.items():
        form = named["properties"][kind]
        assert set(form.get("properties", {})) == set(params)
        assert set(form.get("required", [])) == {n for n, p in params.items() if p.required}
        for name, param in params.items():
            if param.type is ParamType.CHOICE:
                assert form["properties"][name]["enum"] == list(param.choices)
    assert set(bare["enum"]) == {
        kind
        for kind, params in CATALOGUE.items()
        if kind not in NOT_BARE and not any(p.required for p in params.values())
    }


@pytest.mark.parametrize("key", ["imports", "settings"])
def test_the_schema_takes_what_the_reader_takes(key: str) -> None:
    pack = {
        "name": "p",
        "imports": ["default", "team-base.yaml"],
        "tenant": "acme",
        "settings": {"message_every": "1h 30m", "notifications_a_day": 3},
        "rules": [
            {"id": "confirm-receipt", "override": True, "enabled": False},
            {"id": "a", "description": "d", "on": ["roster"], "cooldown": "4h", "once_per": "day",
             "when": {"local_time": {"within": "22:00-06:00"}, "agent_team": {"exists": True}},
             "then": [{"notify": {"to": "lead", "template": "t", "text": "{agent}"}}]},
        ],
    }  # fmt: skip
    jsonschema.validate(pack, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**pack, key: 1}, SCHEMA)


@pytest.mark.parametrize(
    "rule",
    [
        {"id": "a", "description": "d", "on": ["created"]},
        {"id": "a", "description": "d", "on": ["made"], "then": ["assign"]},
        {"id": "a", "description": "d", "on": ["created"], "then": ["escalate"]},
        {"id": "a b", "description": "d", "on": ["created"], "then": ["assign"]},
        {"id": "a", "description": "d", "on": ["created"], "then": ["assign"], "owner": "a\nb"},
        {"id": "a", "description": "d", "on": ["created"], "then": ["assign"],
         "tests": [{"facts": {}}]},
        {"id": "a", "description": "d", "on": ["created"], "then": ["assign"],
         "tests": [{"facts": {"tags": [1]}, "then": []}]},
    ],
)  # fmt: skip
def test_the_schema_refuses_a_bad_rule(rule: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"name": "p", "rules": [rule]}, SCHEMA)
