import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import rules
from rules.actions import CATALOGUE, NOT_BARE, ParamType
from rules.document import read
from rules.load import SHIPPED
from rules.pack import Op
from rules.parse import _OPTIONAL, _REQUIRED, LONGEST_OWNER, MOST_RULES, TRIGGERS
from support.relations import Relation

FOLDER = Path(rules.__file__).parent
SCHEMA: dict[str, Any] = json.loads((FOLDER / "pack.schema.json").read_text(encoding="utf-8"))


def test_the_shipped_pack_satisfies_the_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    form = read(SHIPPED.read_text(encoding="utf-8"), SHIPPED.name).plain()
    jsonschema.validate(form, SCHEMA)


def test_the_schema_knows_the_same_events_operators_and_limits() -> None:
    parts = SCHEMA["$defs"]
    assert parts["trigger"]["enum"] == list(TRIGGERS)
    assert set(parts["comparison"]["properties"]) == set(Op)
    assert set(parts["condition"]["properties"]) == {"all", "any", "not", *Relation}
    assert SCHEMA["properties"]["rules"]["maxItems"] == MOST_RULES


def test_the_schema_knows_the_same_parts_of_a_rule() -> None:
    rule = SCHEMA["$defs"]["rule"]
    assert set(rule["required"]) == set(_REQUIRED)
    assert set(rule["properties"]) == {*_REQUIRED, *_OPTIONAL}
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
