"""Packs by somebody who means harm: each is refused or bounded, and says where and why."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from rules.actions import MOST_ACTIONS
from rules.bundle import Bundle
from rules.comparing import passes
from rules.document import DEEPEST, MOST_CHARACTERS, MOST_VALUES, read
from rules.facts import Value, typed
from rules.findings import Reference
from rules.imports import MOST_IMPORTS, gather
from rules.load import load_pack, parse_pack
from rules.pack import Test
from rules.parse import MOST_RULES
from rules.patterns import MOST_KEPT, MOST_MEMORY, _compiled, found_in
from rules.reach import MOST_WORK
from rules.rule_form import LONGEST_DESCRIPTION
from support.errors import PackError
from support.templates import filled
from tests.rules.situations import MACROS, facts, one_rule, pack_of

LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{name}: &{name} [*{before}, *{before}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def listed(many: int) -> str:
    rules = [
        {"id": f"r{n}", "description": "d", "on": ["note"], "then": ["close"]} for n in range(many)
    ]
    return json.dumps({"name": "p", "rules": rules})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("#" * 10_000_000, f"line 1: the file has more than {MOST_CHARACTERS} characters: split"),
        (LAUGHS, "line 2: this is not YAML: aliases (`*name`) are not allowed: write the value"),
        ("a: &a [*a]", "line 1: this is not YAML: aliases"),
        ("<<: *x", "aliases (`*name`) are not allowed"),
        ("a: " + "[" * 500_000, "line 1: this is nested too deeply: write it flatter"),
        ("a: " + "{a: " * 200_000, "line 1: this is nested too deeply: write it flatter"),
        ("\n".join(" " * n + "a:" for n in range(1000)), f"line {DEEPEST + 1}: this is nested too"),
        ("a: [" + "," .join("x" * (MOST_VALUES + 1)) + "]", "values: split it"),
        (listed(5_000), f"line 1: more than {MOST_RULES} rules: split the pack"),
        ("a: !!python/object/apply:os.system [id]", "the tag 'tag:yaml.org,2002:python/object"),
        ("a: !!python/name:os.system x", "line 1: this is not YAML: could not determine"),
        ("a: !own {b: c}", "line 1: the tag '!own' says nothing here: leave it out"),
        ("a: !!set {b, c}", "line 1: the tag 'tag:yaml.org,2002:set' says nothing here"),
        ("a: !!binary YQ==", "is not a value: put it in quotes"),
        ("a: b\n---\nc: d\n", "line 2: this is not YAML: there is a second document; keep one"),
        ("a: \ud800", "line 1: this is not YAML"),
        ("a: \x00", "this is not YAML"),
        ("[a, b]: c", "line 1: a key must be a word"),
        (f"a: 1\n? {'k' * 1_000_000}\n: 1\n", "line 2: the key 'kkk"),
        ('name: "\\e]0;title\\a"', "line 1: there is a control character U+001B here: take it out"),
        ('a: 1\n"\\x1b[2J": 1', "line 2: there is a control character U+001B here"),
        ('name: "all \\u202edoog si"', "there is a control character U+202E here"),
    ],
    ids=lambda value: str(value)[:24].encode("ascii", "replace").decode(),
)  # fmt: skip
def test_a_hostile_file_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(PackError) as caught:
        pack_of(text)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 1_100


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (f"{{reopen_count: {'9' * 1_000}}}", "a number here has more than 300 digits"),
        (f"{{reopen_count: {'9' * 200}}}", "is not a whole number"),
        ("{reopen_count: 1e3}", "1000.0 is not a whole number"),
        ("{age_s: {ge: 1e400}}", "is not a duration such as 45m"),
        ("{age_s: {ge: 1e300}}", "is not a duration such as 45m"),
        ("{age_s: {ge: 1e-300}}", "is finer than a millionth"),
        (f"{{age_s: {{ge: {'9' * 1000}d}}}}", "`age_s`: "),
        ("{step_fraction: {ge: .nan}}", "`step_fraction` is a number: nan is not a number"),
        ("{reopen_count: 0x7fffffffffffffffffff}", "is not a whole number"),
        (json.dumps({"any": [{"all": [{"tier": f"t{n}"}, {"team": "x"}]} for n in range(1000)]}),
         "more than 32 alternatives"),
        (json.dumps({"all": [{"any": [{"tier": f"a{n}"}, {"team": f"b{n}"}]} for n in range(64)]}),
         "more than 32 alternatives"),
        (json.dumps({"tier": {"matches": "(" * 500}}), "RE2 takes: missing )"),
        (json.dumps({"tier": {"matches": r"\pN{1000}{1000}"}}), "RE2 takes: "),
        (json.dumps({"tier": {"matches": r"((\pL{1,99}){1,99}){1,99}"}}), "RE2 takes: "),
        (json.dumps({"tier" + "r" * 500: 1}), "has more than 100 characters: no word here is"),
        (json.dumps({"tier": {"eq": ["r" * 100_000]}}), "`tier` is a text: a list is not text"),
        (json.dumps({"priority": "r" * 100_000}), "`priority` is never `rrr"),
        (json.dumps({"tier": {"contains": "r" * 501}}),
         "`tier`: this text has more than 500 characters: shorten it"),
    ],
    ids=lambda value: str(value)[:24],
)  # fmt: skip
def test_a_hostile_condition_is_refused_with_its_line(when: str, said: str) -> None:
    with pytest.raises(PackError) as caught:
        one_rule(when)
    assert "p.yaml, line " in str(caught.value)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 1_100


def test_more_actions_than_a_decision_can_carry_are_refused_in_rules_and_macros() -> None:
    many = json.dumps([{"macro": {"name": "greet"}}] * (MOST_ACTIONS + 1))
    with pytest.raises(PackError, match=r"p\.yaml, line 7: there are 51 actions here, and 50 is"):
        one_rule("{active: true}", then=many)
    resolves = json.dumps({"texts": {}, "macros": {"m": ["resolve"] * (MOST_ACTIONS + 1)}})
    with pytest.raises(PackError, match=r"m\.yaml, line 1: there are 51 actions here"):
        pack_of("name: p\nrules: []\n", macros=resolves)


def test_a_description_is_no_book() -> None:
    text = listed(1).replace('"d"', json.dumps("d" * (LONGEST_DESCRIPTION + 1)))
    with pytest.raises(PackError, match="`description` has more than 500 characters: shorten it"):
        pack_of(text)


def test_exponents_that_are_no_trouble_are_compared_exactly() -> None:
    pack = one_rule("{age_s: {ge: 1.5e+3, lt: 2E3}}")
    for age, held in ((1499.999999, False), (1500, True), (1999.999999, True), (2000, False)):
        (finding,) = Reference(pack).examine(typed(facts(age_s=age)))
        assert finding.matched is held


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*)*b$", "(a*)*" * 20 + "$"])
def test_a_pattern_that_ruins_others_takes_time_in_line_with_the_text(pattern: str) -> None:
    text = "a" * 200_000 + "!"
    pack = one_rule(json.dumps({"tier": {"matches": pattern}}))
    (finding,) = Reference(pack).examine(typed(facts(tier=text)))
    assert finding.matched is found_in(pattern, text)


def test_many_patterns_on_long_lists_are_let_through_in_time() -> None:
    words = [f"a{number}" for number in range(1_000)]
    patterns = [{"tier": {"matches": f"a.*[0-9]{{0,{number + 2}}}"}} for number in range(25)]
    rules = [
        {"id": f"r{n}", "description": "d", "on": ["note"], "then": ["close"], "stop": True,
         "when": {"all": [{"tier": {"in": words}}, *patterns,
                          {"any": [{"team": f"t{k}-{n}"} for k in range(32)]}]}}
        for n in range(40)
    ]  # fmt: skip
    counts = itertools.count()

    def counted(test: Test, value: Value) -> bool:
        next(counts)
        return passes(test, value)

    with mock.patch("rules.domains.passes", counted):
        pack = pack_of(json.dumps({"name": "p", "rules": rules}))
    assert len(pack.rules) == 40
    assert 0 < next(counts) <= MOST_WORK // 4


def test_patterns_take_bounded_memory() -> None:
    for number in range(MOST_KEPT + 100):
        assert found_in(f"^[a-z]{{{number % 50}}}.*{number}$", f"{'a' * 50}{number}")
    assert _compiled.cache_info().currsize <= MOST_KEPT
    assert _compiled("a").options.max_mem == MOST_MEMORY


@pytest.mark.parametrize("field", ["{__class__}", "{priority.__class__.__mro__}", "{tags[0]}"])
def test_a_text_reaches_nothing_but_facts(field: str) -> None:
    with pytest.raises(PackError, match="has no field"):
        one_rule("{active: true}", then=json.dumps([{"record": {"note": field}}]))
    assert filled("{tier}", {"tier": field}) == field


def endless() -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield f"p{number}.yaml"


def test_imports_without_end_are_not_followed() -> None:
    asked: list[str] = []
    names = endless()

    def fetch(name: str, _place: Any) -> str:
        asked.append(name)
        return f"name: p\nimports: [{next(names)}, {next(names)}]\nrules: []\n"

    with pytest.raises(PackError, match=r"imports are more than 4 deep|more than 10 imports"):
        gather(fetch("own.yaml", None), "own.yaml", fetch)
    assert len(asked) <= MOST_IMPORTS + 1


def test_a_huge_import_is_refused_by_its_name(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("name: p\nimports: [huge.yaml]\nrules: []\n")
    (tmp_path / "huge.yaml").write_text("#" * 10_000_000)
    with pytest.raises(PackError, match=r"huge\.yaml, line 1: the file has more than"):
        load_pack(own)


def test_many_rules_by_imports_are_too_many_as_well() -> None:
    imports = {f"b{n}.yaml": listed(1_500).replace('"id": "', f'"id": "b{n}-') for n in range(3)}
    text = f"name: p\nimports: [{', '.join(imports)}]\nrules: []\n"
    with pytest.raises(PackError, match=r"b1\.yaml, line 1: more than 2000 rules: split the pack"):
        parse_pack(Bundle(text, MACROS, "own.yaml", "m.yaml", imports))


def test_the_most_that_is_allowed_is_read() -> None:
    deep: Any = "x"
    for _ in range(DEEPEST):
        deep = [deep]
    assert read(json.dumps(deep), "f").plain() == deep
