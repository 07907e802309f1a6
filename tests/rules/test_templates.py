"""Texts of rules: which fields they may hold, and what is refused."""

import pytest

from support.errors import PackError
from tests.rules.situations import one_rule

ACTIONS = ("[{{record: {{note: {}}}}}]", "[{{notify: {{to: lead, template: t, text: {}}}}}]")


def asked(action: str, text: str) -> str:
    quoted = text.replace("'", "''")
    rule = one_rule("{active: true}", then=action.format(f"'{quoted}'")).rules[0]
    return str(rule.then[0].params.get("note") or rule.then[0].params["text"])


@pytest.mark.parametrize("action", ACTIONS)
def test_a_text_may_hold_every_fact_of_its_subject(action: str) -> None:
    text = "{ticket_id}: {priority}, {age_s}, {tags}, {{kept}}"
    assert asked(action, text) == text


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{__class__}", "has no field `__class__`"),
        ("{priority.__class__}", "has no field `priority.__class__`"),
        ("{tags[0]}", "has no field `tags[0]`; did you mean `tags`?"),
        ("{prioritty}", "has no field `prioritty`; did you mean `priority`?"),
        ("{}", "has no field ``"),
        ("{0}", "has no field `0`"),
        ("{ priority }", "has no field ` priority `; did you mean `priority`?"),
        ("{priority!r}", "write `{priority}` without a format"),
        ("{priority:>9}", "write `{priority}` without a format"),
        ("{priority:{tier}}", "write `{priority}` without a format"),
        ("{priority", "write {{ for a brace"),
        ("priority}", "write {{ for a brace"),
        ("{{priority}", "write {{ for a brace"),
        ("x" * 501, "has more than 500 characters: shorten it"),
        ("", "must be text"),
    ],
)
def test_a_wrong_field_is_refused_with_its_line(action: str, text: str, said: str) -> None:
    with pytest.raises(PackError) as caught:
        asked(action, text)
    assert str(caught.value).startswith("p.yaml, line 7: ")
    assert said in str(caught.value)
