"""Texts of rules, filled in with the facts of a decision."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.errors import InputError
from support.needs import Fact
from support.templates import LONGEST, filled, with_facts
from support.work import EffectKind, Outcome, Outside
from tests.support.deciding import Desk, action, created

FACTS: dict[str, Fact] = {
    "priority": "high",
    "tier": "",
    "tags": ("vip", "late"),
    "skills": (),
    "active": True,
    "age_s": 5400.0,
    "step_fraction": 0.75,
    "reopen_count": 2,
    "local_time": "22:05:00",
}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{ticket_id} is {priority}", "T-1 is high"),
        ("tier {tier}, skills {skills}, tags {tags}", "tier none, skills none, tags late, vip"),
        ("{age_s} old, {step_fraction} used", "1h 30m old, 0.75 used"),
        ("{active} {reopen_count} {local_time}", "true 2 22:05:00"),
        ("{{priority}} }}{{", "{priority} }{"),
    ],
)
def test_facts_are_written_as_people_read_them(text: str, said: str) -> None:
    assert with_facts(text, FACTS, "T-1") == said


def test_a_text_that_facts_make_long_is_cut() -> None:
    told = with_facts("{tier}", {"tier": "x" * 10_000}, "T-1")
    assert len(told) == LONGEST
    assert told.endswith("...")


@given(st.text())
def test_a_value_is_put_in_as_it_is(value: str) -> None:
    assert filled("<{tier}>", {"tier": value}) == f"<{value}>"


def test_a_field_without_a_value_is_an_input_error() -> None:
    with pytest.raises(InputError, match="needs a value for 'tier'"):
        filled("{tier}", {})


def test_a_note_and_a_notification_carry_the_facts_of_their_decision() -> None:
    rules = [
        action("record", note="{on} at {priority}"),
        action("notify", to="channel", template="t", text="{ticket_id} in {channel}"),
        action("notify", to="channel", template="t"),
    ]
    decision = Desk(rules=rules, outside=Outside(notify=True)).take(created())
    note = decision.actions[0]
    assert (note.outcome, note.detail) == (Outcome.RECORDED, "created at normal")
    told = [e.params.get("text") for e in decision.effects if e.kind is EffectKind.NOTIFY]
    assert told == ["T-1 in web", None]
