"""What changes between two packs is said rule by rule, in the words of the pack."""

from rules.diff import Change, diff
from tests.rules.situations import MACROS, pack_of

RULE = """  - id: {id}
    description: d
    on: [created]
    when: {when}
    then: {then}
"""


def rule(rule_id: str, when: str = "{tier: gold}", then: str = "[assign]", more: str = "") -> str:
    return RULE.format(id=rule_id, when=when, then=then) + (f"    {more}\n" if more else "")


def pack(*rules: str, name: str = "p") -> str:
    return f"name: {name}\nrules:\n" + "".join(rules)


def test_a_pack_written_otherwise_changes_nothing() -> None:
    text = pack(rule("a"), rule("b"))
    same = diff(pack_of(text), pack_of(f"# A comment\n\n{text}"))
    assert same.empty
    assert (same.added, same.removed, same.changed) == ((), (), ())


def test_added_removed_and_changed_rules_are_named() -> None:
    found = diff(
        pack_of(pack(rule("a"), rule("b"), rule("c"))),
        pack_of(pack(rule("b"), rule("c", when="{tier: silver}"), rule("d"))),
    )
    assert (found.added, found.removed) == (("d",), ("a",))
    [one] = found.changed
    assert one.rule_id == "c"
    assert one.changes == (Change("when", "tier is gold", "tier is silver"),)
    assert not found.empty


def test_every_part_that_changed_is_said_before_and_after() -> None:
    both = "[assign, {tag: {add: [x]}}]"
    more = f"priority: 5\n    stop: true\n    tests: [{{facts: {{tier: gold}}, then: {both}}}]"
    before, after = (
        rule("a").replace("    when: {tier: gold}\n", ""),
        rule("a", then=both, more=more),
    )
    [one] = diff(pack_of(pack(before)), pack_of(pack(after))).changed
    assert {c.part: (c.before, c.after) for c in one.changes} == {
        "when": ("always", "tier is gold"),
        "then": ("assign", "assign; tag add: x"),
        "priority": ("100", "5"),
        "stop": ("no", "yes"),
        "tests": ("", "tier: gold -> assign; tag add: x"),
    }


def test_the_rows_of_a_test_are_said_as_far_as_they_are_not_neutral() -> None:
    rows = "{candidates: [{agent: kim, room: true, idle_s: 5m}, {room: false}], customer: []}"
    asked = "{not: {candidates: {room: true, load_share: {lt: 0.8}}}}"
    test = f"tests: [{{facts: {rows}, then: []}}]"
    before, after = pack(rule("a", asked)), pack(rule("a", asked, more=test))
    [one] = diff(pack_of(before), pack_of(after)).changed
    rows_said = "candidates: (agent: kim, room: yes, idle_s: 5m) (all neutral), customer: none"
    said = f"{rows_said} -> nothing"
    assert one.changes == (Change("tests", "", said),)


def test_rules_in_another_order_are_a_change_where_priority_does_not_decide_it() -> None:
    a, b = rule("a"), rule("b")
    assert diff(pack_of(pack(a, b)), pack_of(pack(b, a))).reordered
    first = rule("a", more="priority: 1")
    assert not diff(pack_of(pack(first, b)), pack_of(pack(b, first))).reordered


def test_name_settings_macros_and_texts_are_compared_too() -> None:
    text = pack(rule("a"))
    macros = MACROS.replace("Hello", "Dear {ticket_id}").replace("resolve]", "assign]")
    found = diff(pack_of(text), pack_of(text.replace("name: p", "name: q"), macros))
    assert found.settings == (Change("name", "p", "q"),)
    assert [(c.part, c.after) for c in found.macros] == [("greet", "reply text: hello; assign")]
    assert [c.part for c in found.texts] == ["hello (en)"]
    assert not found.empty


def test_for_whom_a_pack_is_has_the_name_that_it_has_in_the_file() -> None:
    text = pack(rule("a"))
    found = diff(pack_of(text), pack_of(f"tenant: [acme, demo]\n{text}"))
    assert found.settings == (Change("tenant", "", "acme, demo"),)
