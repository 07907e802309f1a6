"""Packs made of several files: whose rule counts, what is refused, and what a stored one needs."""

from pathlib import Path

import pytest

from rules import load
from rules.bundle import Bundle
from rules.engine import Engine
from rules.examples import run_examples
from rules.load import load_bundle, load_pack, parse_pack
from support.errors import PackError
from tests.rules.situations import MACROS

BASE = """name: base
settings: {notifications_a_day: 3, most_rounds: 9}
tenant: acme
rules:
  - {id: one, description: d, on: [note], then: [assign]}
  - id: two
    description: d
    on: [note]
    then: [close]
    tests: [{facts: {}, then: [close]}]
"""


def rule(rule_id: str, more: str = "") -> str:
    return f"  - {{id: {rule_id}, description: own, on: [note], then: [resolve]{more}}}\n"


def own(rules: str, imports: str = "[base.yaml]") -> str:
    return f"name: own\nimports: {imports}\nrules:\n{rules or '  []'}"


def bundle(text: str, **imports: str) -> Bundle:
    texts = {f"{name}.yaml": text for name, text in imports.items()}
    return Bundle(text, MACROS, "own.yaml", "m.yaml", texts)


def refusal(packed: Bundle) -> str:
    with pytest.raises(PackError) as caught:
        parse_pack(packed)
    return str(caught.value)


def test_imported_rules_come_first_and_know_where_they_stand() -> None:
    pack = parse_pack(bundle(own(rule("three")), base=BASE))
    assert [(r.id, r.file, r.line) for r in pack.rules] == [
        ("one", "base.yaml", 5),
        ("two", "base.yaml", 6),
        ("three", "own.yaml", 4),
    ]
    assert (pack.name, pack.imports) == ("own", ("base.yaml",))


def test_a_rule_that_overrides_takes_the_place_of_the_imported_one() -> None:
    pack = parse_pack(bundle(own(rule("one", ", override: true")), base=BASE))
    assert [(r.id, r.description, r.file) for r in pack.rules] == [
        ("one", "own", "own.yaml"),
        ("two", "d", "base.yaml"),
    ]


def test_an_imported_rule_is_switched_off_and_keeps_the_rest() -> None:
    pack = parse_pack(bundle(own("  - {id: two, override: true, enabled: false}\n"), base=BASE))
    two = pack.rules[1]
    assert (two.enabled, two.then[0].kind, two.file) == (False, "close", "base.yaml")
    with Engine(pack, timeout_s=30) as engine:
        assert (
            run_examples(pack, engine) == ()
        )  # what it is to do says nothing of a rule that rests


def test_an_imported_rule_is_switched_on_again() -> None:
    base = BASE.replace("    description: d\n", "    description: d\n    enabled: false\n")
    pack = parse_pack(bundle(own("  - {id: two, override: true, enabled: true}\n"), base=base))
    assert [r.enabled for r in pack.rules] == [True, True]


def test_own_settings_win_over_imported_ones_and_the_scope_is_the_own() -> None:
    text = own("").replace("name: own\n", "name: own\nsettings: {notifications_a_day: 5}\n")
    pack = parse_pack(bundle(text, base=BASE))
    assert (pack.limits.notifications_a_day, pack.limits.most_rounds) == (5, 9)
    assert pack.serves("other")


def test_a_pack_that_two_imports_share_is_taken_once() -> None:
    pack = parse_pack(
        bundle(
            own(rule("four"), "[left.yaml, right.yaml]"),
            left=own(rule("one", ", override: true")),
            right=own(rule("three")),
            base=BASE,
        )
    )
    assert [(r.id, r.file) for r in pack.rules] == [
        ("one", "left.yaml"),
        ("two", "base.yaml"),
        ("three", "right.yaml"),
        ("four", "own.yaml"),
    ]
    assert pack.imports == ("base.yaml", "left.yaml", "right.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (own(rule("one")),
         ("own.yaml, line 4: rule `one` is here already, in base.yaml, line 5: say `override: "
         "true`, or give this one another id")),
        (own(rule("oen", ", override: true")),
         "own.yaml, line 4: no import has a rule `oen` to override; did you mean `one`?"),
        (own("  - {id: tow, override: true, enabled: false}\n"),
         "own.yaml, line 4: no import has a rule `tow` to override; did you mean `two`?"),
        (own(rule("new") + rule("new", ", override: true")),
         "own.yaml, line 5: no import has a rule `new` to override; did you mean `one`?"),
        (own(rule("one", ", override: true") * 2),
         "own.yaml, line 5: no import has a rule `one` to override"),
        (own(rule("new") * 2), "own.yaml, line 5: rule `new` is here already, in line 4: give"),
        (own("  - {id: two, enabled: false}\n"), "own.yaml, line 4: the rule has no `description`"),
        (own(rule("r", ", override: true"), "[]"),
         "own.yaml, line 4: no import has a rule `r` to override: leave `override` out"),
        (own("", "[base.yaml, base.yaml]"), "own.yaml, line 2: `base.yaml` is imported twice"),
        (own("", "[own.yaml]"),
         "own.yaml, line 2: imports go round in a circle, own.yaml -> own.yaml: take one out"),
        (own("", "[bse.yaml]"),
         "own.yaml, line 2: there is no pack `bse.yaml`; did you mean `base.yaml`?"),
        (own("", "base.yaml"), "own.yaml, line 2: `imports` must be a list"),
        (own("", "[7]"), "own.yaml, line 2: `imports` must be text"),
        (own("", "[/etc/passwd]"), "own.yaml, line 2: `imports` cannot name '/etc/passwd'"),
        (own("", "[../base.yaml]"), "own.yaml, line 2: `imports` cannot name '../base.yaml'"),
        (own("", "[sub/base.yaml]"), "name a pack that ships, such as `default`, or a file in"),
        (own("", "['a\\nb.yaml']"), "own.yaml, line 2: `imports` cannot name"),
    ],
)  # fmt: skip
def test_a_wrong_import_or_override_is_refused_with_its_line(text: str, said: str) -> None:
    assert said in refusal(bundle(text, base=BASE))


def test_what_only_a_sibling_has_is_not_there_to_override() -> None:
    packed = bundle(
        own("", "[base.yaml, right.yaml]"),
        base=BASE,
        right="name: right\nrules:\n" + rule("one", ", override: true"),
    )
    assert refusal(packed).startswith("right.yaml, line 3: no import has a rule `one` to override")
    clash = bundle(
        own("", "[base.yaml, right.yaml]"), base=BASE, right="name: r\nrules:\n" + rule("one")
    )
    assert refusal(clash) == (
        "right.yaml, line 3: rule `one` is here already, in base.yaml, line 5: "
        "give this one another id"
    )


def test_a_circle_of_imports_is_refused_with_its_path() -> None:
    packed = bundle(
        own("", "[a.yaml]"), a=own("", "[b.yaml]"), b=own("", "[c.yaml]"), c=own("", "[a.yaml]")
    )
    assert refusal(packed) == (
        "c.yaml, line 2: imports go round in a circle, a.yaml -> b.yaml -> c.yaml -> a.yaml: "
        "take one out"
    )


def test_imports_are_at_most_four_deep_and_ten_in_all() -> None:
    last = "name: e\nrules: []\n"
    chain = {name: own("", f"[{after}.yaml]") for name, after in zip("abcd", "bcde", strict=True)}
    assert refusal(bundle(own("", "[a.yaml]"), **chain, e=last)) == (
        "d.yaml, line 2: imports are more than 4 deep, own.yaml -> a.yaml -> b.yaml -> c.yaml -> "
        "d.yaml -> e.yaml: import it higher up"
    )
    assert len(parse_pack(bundle(own("", "[b.yaml]"), **chain, e=last)).imports) == 4
    many = [f"x{n}" for n in range(11)]
    listed = f"[{', '.join(f'{name}.yaml' for name in many)}]"
    assert refusal(bundle(own("", listed), **dict.fromkeys(many, last))) == (
        "own.yaml, line 2: more than 10 imports in all: put some together"
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[assign]", "[asign]", "base.yaml, line 5: there is no action `asign`; did you mean"),
        ("[note]", "[noet]", "base.yaml, line 5: there is no event `noet`; did you mean `note`?"),
        ("rules:", "ruls:", "base.yaml, line 5: a pack has no `ruls`; did you mean `rules`?"),
        ("on: [note], then: [assign]", "on: [note], then: [assign], when: {tier: {eq: a, ne: a}}",
         "base.yaml, line 5: rule `one` can never fire"),
    ],
)  # fmt: skip
def test_a_fault_of_an_imported_rule_names_its_file(old: str, new: str, said: str) -> None:
    assert refusal(bundle(own(""), base=BASE.replace(old, new, 1))).startswith(said)


def test_a_rule_that_an_imported_one_shadows_is_refused_with_both_places() -> None:
    base = BASE.replace("then: [assign]}", "then: [assign], stop: true}").replace(
        "    on: [note]\n", "    on: [created]\n"
    ).replace("tests: [{facts: {}", "tests: [{facts: {on: created}")  # fmt: skip
    assert refusal(bundle(own(rule("three")), base=base)).startswith(
        "own.yaml, line 4: rule `three` can never fire: whatever it matches, `one` (base.yaml, "
        "line 5) matches first and stops"
    )


def test_a_stored_pack_is_read_again_without_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "team-base.yaml").write_text(BASE)
    file = tmp_path / "own.yaml"
    file.write_text(own(rule("three"), "[default, team-base.yaml]"))
    pack = load_pack(file)
    assert pack.imports == ("default", "team-base.yaml")
    assert pack.rules[0].file == "rules/packs/default.yaml"
    (tmp_path / "team-base.yaml").unlink()
    monkeypatch.setattr(load, "SHIPPED", tmp_path / "changed-since.yaml")
    assert parse_pack(Bundle.from_json(pack.text)) == pack


def test_the_version_covers_what_is_imported(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    file = tmp_path / "own.yaml"
    file.write_text(own(""))
    before = load_bundle(file)
    assert dict(before.imports) == {"base.yaml": BASE}
    (tmp_path / "base.yaml").write_text(BASE + "# more\n")
    assert load_bundle(file).version != before.version


def test_an_import_that_is_no_file_is_refused_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "folder.yaml").mkdir()
    file = tmp_path / "own.yaml"
    for wanted, what_to_do in (
        ("defalt", "did you mean `default`?"),
        ("base", "did you mean `base.yaml`?"),
        ("bas.yaml", "did you mean `base.yaml`?"),
        ("folder.yaml", "put that file beside own.yaml"),
        ("own-things.yaml", "put that file beside own.yaml"),
    ):
        file.write_text(own("", f"[{wanted}]"))
        with pytest.raises(PackError) as caught:
            load_pack(file)
        assert str(caught.value) == (f"own.yaml, line 2: there is no pack `{wanted}`; {what_to_do}")
