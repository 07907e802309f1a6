"""Policies as people write them: what ships, and what is refused."""

from pathlib import Path

import pytest

from rules.policies_file import load_policies, read_policies
from support.errors import PolicyError
from support.model import Channel, Priority
from support.policy import Metric, Traits

HOUR = 3600.0
DEFAULTS = {
    Priority.URGENT: (0.5, 1, 8),
    Priority.HIGH: (2, 4, 18),
    Priority.NORMAL: (8, 9, 45),
    Priority.LOW: (18, 18, 90),
}


@pytest.mark.parametrize("priority", Priority)
def test_the_shipped_targets_are_those_of_the_design(priority: Priority) -> None:
    book, _ = load_policies()
    terms = book.choose(Traits("acme", Channel.EMAIL, priority))
    hours = [terms.targets[metric].total_seconds() / HOUR for metric in Metric]
    assert hours == list(DEFAULTS[priority])
    chat = book.choose(Traits("acme", Channel.CHAT, priority))
    assert [chat.targets[m].total_seconds() for m in Metric] == [60, 120, 1800]


def test_a_kept_form_gives_the_same_book_again() -> None:
    book, form = load_policies()
    assert read_policies(form) == book


GOOD = """
calendars: {c: {tz: UTC, hours: 24/7, overrides: {2026-12-24: []}}}
office: c
policies:
  - {id: one, when: {priority: [high]}, calendar: c, targets: {resolution: 2h}}
  - {id: rest, calendar: c, targets: {resolution: 4h}}
"""


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("resolution: 2h", "resolution: 2 hours", "duration"),
        ("resolution: 2h", "resolution: 0m", "0 is no target"),
        ("resolution: 2h", "repair: 2h", "repair"),
        ("targets: {resolution: 2h}", "targets: {}", "no targets"),
        ("calendar: c, targets: {resolution: 2h}", "calendar: d, targets: {resolution: 2h}", "'d'"),
        ("id: rest", "id: one", "twice"),
        ("{id: rest,", "{id: rest, when: {team: [x]},", "match every ticket"),
        ("office: c", "office: nowhere", "nowhere"),
        ("tz: UTC", "tz: Nowhere", "Nowhere"),
        ("{id: rest,", "{id: rest, ladder: [1.0, 0.5],", "must rise"),
        ("{id: rest,", "{id: rest, colour: red,", "colour"),
        ("priority: [high]", "priority: [highest]", "priority"),
        ("office: c", "office: [c", "cannot be read"),
    ],
)
def test_a_wrong_policy_is_refused_with_what_is_wrong(
    tmp_path: Path, before: str, after: str, named: str
) -> None:
    good = tmp_path / "good.yaml"
    good.write_text(GOOD)
    load_policies(good)
    bad = tmp_path / "bad.yaml"
    bad.write_text(GOOD.replace(before, after))
    with pytest.raises(PolicyError, match=named) as refused:
        load_policies(bad)
    assert "bad.yaml" in str(refused.value)
