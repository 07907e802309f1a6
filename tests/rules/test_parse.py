from pathlib import Path

import pytest

from rules.bundle import Bundle
from rules.load import load_pack, parse_pack
from rules.pack import All, Any, Not, Op, Test
from support.errors import PackError
from tests.rules.situations import MACROS, one_rule, pack_of

GOOD = """name: p
rules:
  - id: first
    description: d
    on: [created, deadline]
    when: {owner_set: false}
    then: [assign]
"""


def test_a_pack_is_read_with_defaults() -> None:
    (rule,) = pack_of(GOOD).rules
    assert (rule.id, rule.on, rule.priority) == ("first", ("created", "deadline"), 100)
    assert (rule.stop, rule.enabled, rule.line) == (False, True, 3)
    assert rule.when == Test("owner_set", Op.EQ, (False,))
    assert [(a.rule_id, a.kind, dict(a.params)) for a in rule.then] == [("first", "assign", {})]


def test_tags_are_one_word_or_a_list() -> None:
    then = "[{tag: {add: vip, remove: [trial, new, new]}}]"
    (rule,) = one_rule("{owner_set: true}", then=then).rules
    assert dict(rule.then[0].params) == {"add": ("vip",), "remove": ("trial", "new")}


def test_conditions_nest_and_values_take_the_type_of_their_fact() -> None:
    (rule,) = one_rule(
        "{any: [{age_s: {ge: 45m, lt: 1h 30m}}, {not: {skills: {contains: billing}}}],"
        " tier: 'on', step_fraction: 0.75, reopen_count: {in: [1, 2]}}"
    ).rules
    assert rule.when == All(
        (
            Any(
                (
                    All(
                        (
                            Test("age_s", Op.GE, (2_700_000_000,)),
                            Test("age_s", Op.LT, (5_400_000_000,)),
                        )
                    ),
                    Not(Test("skills", Op.CONTAINS, ("billing",))),
                )
            ),
            Test("tier", Op.EQ, ("on",)),
            Test("step_fraction", Op.EQ, (750_000,)),
            Test("reopen_count", Op.IN, (1, 2)),
        )
    )


def test_version_is_of_content_and_covers_the_macros() -> None:
    version = pack_of(GOOD).version
    assert len(version) == 12
    assert pack_of(GOOD).version == version
    assert pack_of(GOOD + "# more\n").version != version
    assert pack_of(GOOD, MACROS + "# more\n").version != version


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("{priorty: high}", "there is no fact `priorty`; did you mean `priority`?"),
        ("{priority: hihg}", "`priority` is never `hihg`; did you mean `high`?"),
        ("{priority: [low, high]}", "use `in` for several"),
        ("{age_s: {gte: 5}}", "there is no operator `gte`; did you mean `gt`?"),
        ("{age_s: {ge: 45 minutes}}", "is no duration: write 90s, 45m, 1h 30m or 3d"),
        ("{age_s: '>45m'}", "1h 30m or 3d; compare with `gt`, `ge`, `lt` or `le`"),
        ("{age_s: {ge: .inf}}", "is not a duration such as 45m"),
        ("{age_s: {ge: 0.0000001}}", "is finer than a millionth"),
        ("{owner_set: 'true'}", "`owner_set` is a flag: 'true' is not true or false"),
        ("{owner_set: yes}", "`owner_set` is a flag: 'yes' is not true or false"),
        ("{owner_set: 1}", "`owner_set` is a flag: 1 is not true or false"),
        ("{owner_set: {gt: true}}", "`gt` cannot compare; possible: eq, ne"),
        ("{reopen_count: '7'}", "`reopen_count` is a count: '7' is not a whole number"),
        ("{reopen_count: 1.5}", "1.5 is not a whole number"),
        ("{reopen_count: true}", "True is not a whole number"),
        ("{reopen_count: 99999999999999999999}", "is not a whole number"),
        ("{tier: 7}", "`tier` is a text: 7 is not text, in quotes"),
        ("{skills: {eq: x}}", "possible: contains"),
        ("{status: {in: []}}", "is empty, so it can never be true"),
        ("{status: {in: open}}", "must be a list"),
        ("{all: []}", "`all` is empty"),
        ("{any: {owner_set: true}}", "`any` must be a list"),
        ("{}", "an empty condition says nothing"),
        ("[a]", "a condition must be a mapping"),
        ("{tier: {}}", "is compared with nothing"),
        ("{tier: *x}", "aliases (`*name`) are not allowed"),
        ("{tier: a, tier: b}", "`tier` is here twice"),
        ("{not: " * 14 + "{owner_set: true}" + "}" * 14, "nested more than 12 deep"),
    ],
)
def test_a_bad_condition_is_refused_with_its_line(when: str, said: str) -> None:
    with pytest.raises(PackError) as caught:
        one_rule(when)
    assert str(caught.value).startswith("p.yaml, line 6: ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ("[asign]", "there is no action `asign`; did you mean `assign`?"),
        ("[{escalate: {too: lead}}]", "action `escalate` has no `too`; did you mean `to`?"),
        ("[{escalate: {to: leed}}]", "`to` cannot be `leed`; did you mean `lead`?"),
        ("[{escalate: {to: channel}}]", "`to` cannot be `channel`"),
        ("[escalate]", "action `escalate` needs `to`: lead, manager, on_call, owner"),
        ("[{macro: {name: great}}]", "`name` cannot be `great`; did you mean `greet`?"),
        ("[{reply: {text: helo}}]", "`text` cannot be `helo`; did you mean `hello`?"),
        ("[{lock_owner: {minutes: 0}}]", "whole minutes from 1 to 43200"),
        ("[{lock_owner: {minutes: '60'}}]", "whole minutes"),
        ("[{lock_owner: {minutes: true}}]", "whole minutes"),
        ("[{lock_owner: {minutes: 1:30}}]", "whole minutes"),
        ("[{lock_owner: {minutes: 060}}]", "whole minutes"),
        ("[{lock_owner: {minutes: 1_000}}]", "whole minutes"),
        ("[{notify: {to: lead, template: a b}}]", "is no name"),
        ("[{record: {note: ''}}]", "`note` must be text"),
        ("[tag]", "action `tag` needs one of `add`, `remove`"),
        ("[{tag: {}}]", "action `tag` needs one of `add`, `remove`"),
        ("[{tag: {ad: vip}}]", "action `tag` has no `ad`; did you mean `add`?"),
        ("[{tag: {add: []}}]", "`add` names no tag"),
        ("[{tag: {add: [a b]}}]", "`add`: tag 'a b' is not allowed"),
        ("[{tag: {add: [7]}}]", "`add` must be text"),
        ("[{tag: {add: [a, b], remove: b}}]", "action `tag` has `b` on both sides"),
        ("[{assign: {}, close: {}}]", "an action is one `kind: {parameters}`"),
        (
            "[{assign: least_loaded}]",
            "have names: write `assign: {strategy: least_loaded}`",
        ),
        ("[{tag: vip}]", "parameters of `tag` have names: write `tag: {add: ...}`"),
        ("[{resume: now}]", "action `resume` has no parameters: write `resume` alone"),
        ("[]", "there is no action here"),
        ("assign", "`then` must be a list"),
    ],
)
def test_a_bad_action_is_refused_with_its_line(then: str, said: str) -> None:
    with pytest.raises(PackError) as caught:
        one_rule("{owner_set: true}", then=then)
    assert str(caught.value).startswith("p.yaml, line 7: ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: p\n", "", "line 1: the pack has no `name`"),
        ("name: p\n", "name: a b\n", "line 1: `name` 'a b' is not allowed"),
        ("name: p\n", "name: p\nrule: []\n", "line 2: a pack has no `rule`; did you mean `rules`?"),
        ("    description: d\n", "", "line 3: the rule has no `description`"),
        ("description: d\n", "description: ''\n", "line 4: `description` must be text"),
        ("    on: [created, deadline]\n", "", "line 3: the rule has no `on`"),
        ("[created, deadline]", "[]", "line 5: `on` is empty"),
        ("created,", "creatd,", "line 5: there is no event `creatd`; did you mean `created`?"),
        ("when:", "wen:", "line 6: a rule has no `wen`; did you mean `when`?"),
        ("id: first", "id: 7", "line 3: `id` must be text"),
        ("[assign]\n", "[assign]\n    stop: 1\n", "line 8: `stop` must be true or false"),
        ("[assign]\n", "[assign]\n    priority: x\n", "line 8: `priority` must be a whole number"),
        ("[assign]\n", "[assign\n", "a bracket or brace that is not closed"),
        ("    on:", "\ton:", "indent with spaces, not with tabs"),
        ("description: d\n", "description: d: e\n", "put a text that holds a colon in quotes"),
        ("description: d\n", "description: 'd\n", "a quote is opened and not closed"),
        (GOOD, "", "line 1: the file is empty"),
        (GOOD, "- a\n", "line 1: a pack must be a mapping"),
        (GOOD, "name: p\nrules: 5\n", "line 2: `rules` must be a list"),
        (GOOD, "[" * 5000, "line 1: this is nested too deeply"),
        (GOOD, GOOD + GOOD.split("rules:\n")[1], "line 8: rule `first` is here already, in line 3"),
    ],
)
def test_a_bad_pack_is_refused_with_its_line(old: str, new: str, said: str) -> None:
    with pytest.raises(PackError) as caught:
        pack_of(GOOD.replace(old, new))
    assert "p.yaml" in str(caught.value)
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_a_pack_error(tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"gone\.yaml, line 1: the file cannot be read"):
        load_pack(tmp_path / "gone.yaml")


def test_a_pack_on_disk_is_read_with_the_shipped_macros(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(GOOD, encoding="utf-8")
    assert "handover" in load_pack(path).macros.actions


def test_a_pack_can_be_read_again_from_the_text_that_is_stored() -> None:
    pack = pack_of(GOOD)
    assert parse_pack(Bundle.from_json(pack.text)) == pack


def test_a_text_that_is_no_stored_pack_is_refused_with_what_to_do() -> None:
    with pytest.raises(PackError, match="publish it again from its file"):
        Bundle.from_json("name: p")
