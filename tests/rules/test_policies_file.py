"""Policies as people write them: what ships, and what is refused."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from rules.policies_file import load_policies, read_policies
from support.errors import PolicyError
from support.ladder import InClosedHours
from support.model import Channel, Priority
from support.policy import Metric, OnChange, OnReopen, Traits

HOUR = 3600.0
SHIPPED = (Metric.FIRST_RESPONSE, Metric.NEXT_RESPONSE, Metric.RESOLUTION)
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
    hours = [terms.targets[metric].total_seconds() / HOUR for metric in SHIPPED]
    assert hours == list(DEFAULTS[priority])
    chat = book.choose(Traits("acme", Channel.CHAT, priority))
    assert [chat.targets[m].total_seconds() for m in SHIPPED] == [60, 120, 1800]


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
        ("office: c", "office: [c", "not YAML"),
        ("{id: rest,", "{id: rest, ladder: [30m],", "is no rung"),
        ("{id: rest,", "{id: rest, ladder: [0],", "more than 0"),
        ("{id: rest,", "{id: rest, ladder: [+1h, +1h],", "must rise"),
        ("resolution: 4h", "resolution: {in: 4h, calendar: d}", "'d'"),
        ("{id: rest,", "{id: rest, on_change: forget,", "on_change"),
        ("{id: rest,", "{id: rest, pause_on: {next_response: [new]},", "no target"),
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
    assert "bad.yaml, line " in str(refused.value)


LONG = """calendars:
  c:
    tz: UTC
    hours: 24/7
office: c
policies:
  - id: high
    when: {priority: [high, urgent]}
    calendar: c
    targets:
      resolution: 2h
  - id: rest
    calendar: c
    targets:
      resolution: 4h
"""


@pytest.mark.parametrize(
    ("before", "after", "line", "named"),
    [
        ("tz: UTC", "tz: Nowhere", 3, "Nowhere"),
        ("office: c", "office: d", 5, "'d'"),
        ("  - id: high", "  - id: ' '", 7, "id"),
        ("    calendar: c\n    targets:\n      resolution: 2h", "    calendar: c", 7, "targets"),
        ("resolution: 2h", "resolution: soon", 11, "duration"),
        ("resolution: 4h", "resolution: {in: 4h, calendar: d}", 15, "'d'"),
        ("id: rest", "id: high", 12, r"twice: give each its own id \(line 7\)"),
        ("office: c", "office: [c", 6, "not YAML"),
        ("office: c", "office: c\noffice: c", 6, "`office` is here twice: keep one"),
        ("resolution: 4h", "resolution: 4h\n      resolution: 9h", 16, "twice: keep one"),
        ("office: c", "office: c\npolicies: []", 7, "`policies` is here twice"),
        ("office: c", "office: " + "[" * 5000, 5, "nested too deeply"),
        ("office: c", "office: &o [*o]", 5, "aliases"),
        ("resolution: 4h", "resolution: " + "9" * 5000, 15, "is not a value: put it in quotes"),
        ("resolution: 4h", "resolution: 0x" + "f" * 5000, 15, "more than 300 digits"),
        ("resolution: 4h", "resolution: 99999999999999d", 15, "too long"),
        ("resolution: 4h", f"resolution: {'9' * 400}d", 15, "too long"),
        ("resolution: 4h", "resolution: 2026-02-30", 15, "no duration"),
        ("office: c", "office: !!timestamp x", 5, "is not a value"),
        ("office: c", "office: !!bool maybe", 5, "is not a value"),
        ("office: c", "office: !!binary aGk=", 5, "is not a value"),
        ("office: c", "office: c\0", 1, "not YAML"),
        (
            "hours: 24/7",
            "hours: 24/7\n    public_holidays: {country: DE, subdivision: {}}",
            5,
            "code",
        ),
    ],
)
def test_a_wrong_policy_is_refused_with_its_line(
    tmp_path: Path, before: str, after: str, line: int, named: str
) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(LONG.replace(before, after))
    with pytest.raises(PolicyError, match=named) as refused:
        load_policies(bad)
    assert f"bad.yaml, line {line}: " in str(refused.value)


RARE = """calendars:
  c: {tz: UTC, hours: 24/7}
  never: {tz: UTC, hours: {}}
  rare: {tz: UTC, hours: {mon: [["08:00", "08:10"]]}}
  past: {tz: UTC, hours: {}, overrides: {2020-01-01: [["08:00", "18:00"]]}}
office: c
policies:
  - id: all
    calendar: c
    targets:
      first_response: 1h
      resolution: 4h
    ack_lapse: 1h
    ladder:
      - 0.5
      - 1.0
"""


@pytest.mark.parametrize(
    ("before", "after", "line", "named"),
    [
        ("office: c", "office: never", 6, "'never' does not open"),
        ("    calendar: c", "    calendar: never", 9, "does not open"),
        ("    calendar: c", "    calendar: past", 9, "does not open"),
        ("resolution: 4h", "resolution: {in: 4h, calendar: never}", 12, "does not open"),
        ("resolution: 4h", "resolution: 3651d", 12, "at most 3650d"),
        ("resolution: 4h", "resolution: 500000000d", 12, "at most 3650d"),
        ("resolution: 4h", "resolution: {in: 300d, calendar: rare}", 12, "opens too seldom"),
        ("ack_lapse: 1h", "ack_lapse: 3651d", 13, "at most 3650d"),
        ("- 1.0", "- +3651d", 16, "at most 3650d"),
        ("- 0.5", "- -3651d", 15, "at most 3650d"),
        ("- 1.0", "- {at: 1.0, repeat: {every: 100d, times: 37}}", 16, "repeat it sooner"),
        (
            "resolution: 4h\n    ack_lapse: 1h\n    ladder:\n      - 0.5\n      - 1.0",
            "resolution: 3650d\n    ladder:\n      - 1.0\n      - 100",
            15,
            "never falls due",
        ),
        ("- 1.0", "- +0m", 16, r"\+0m is the due itself: write 1.0"),
        ("ack_lapse: 1h", "ack_lapse: 0h", 13, "0 is no time to wait"),
    ],
)
def test_what_could_never_fall_due_is_refused_with_its_line(
    tmp_path: Path, before: str, after: str, line: int, named: str
) -> None:
    file = tmp_path / "rare.yaml"
    file.write_text(RARE)
    load_policies(file)
    assert before in RARE
    file.write_text(RARE.replace(before, after))
    with pytest.raises(PolicyError, match=named) as refused:
        load_policies(file)
    assert f"rare.yaml, line {line}: " in str(refused.value)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("- 0.5\n      - 1.0", "7", "`policies.0.ladder` must be a list"),
        ("calendar: c", "calendr: c", "`policies.0.calendar` is missing"),
        ("ack_lapse", "ack_laps", "did you mean `ack_lapse`?"),
        ("resolution: 4h", "resolution: {}", "`policies.0.targets.resolution.in` is missing"),
        ("resolution: 4h", "repair: 4h", "'repair' is not possible: use 'first_response',"),
        ("ack_lapse: 1h", "ack_lapse:", "it is blank: write a duration"),
        ("- 1.0", "- {at: 1.0, repeat: {every: 1h, times: 0}}", "must be at least 1"),
        ("- 1.0", "- {at: 1.0, repeat: {every: 1h, times: 1.5}}", "must be a whole number"),
        ("id: all", "id: 7", "must be text"),
        ("id: all", "id: all\n    when: [x]", "`policies.0.when` must be a mapping"),
        (RARE, "- 1", "the file must be a mapping"),
    ],
)
def test_what_is_wrong_with_a_field_is_said_in_plain_words(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    file = tmp_path / "rare.yaml"
    assert before in RARE
    file.write_text(RARE.replace(before, after))
    with pytest.raises(PolicyError) as refused:
        load_policies(file)
    assert said in str(refused.value)
    assert "Input" not in str(refused.value)


def test_a_kept_book_is_read_though_its_calendar_never_opens() -> None:
    policy = {"id": "all", "calendar": "c", "targets": {"resolution": "9999d"}}
    calendars = {"c": {"tz": "UTC", "hours": {}}}
    form = json.dumps({"calendars": calendars, "office": "c", "policies": [policy]})
    assert len(read_policies(form).policies) == 1


def test_a_policy_that_can_never_match_is_refused_with_both_lines(tmp_path: Path) -> None:
    hidden = """  - id: hidden
    when: {priority: [urgent], tier: [gold]}
    calendar: c
    targets: {resolution: 1h}
  - id: rest
"""
    bad = tmp_path / "bad.yaml"
    bad.write_text(LONG.replace("  - id: rest\n", hidden))
    with pytest.raises(PolicyError, match=r"line 12: policy 'hidden' can never match.*\(line 7\)"):
        load_policies(bad)


def written(*policies: str) -> str:
    """A policies file; each policy has a line, the first is line 4."""
    form = "  - {%s, calendar: c, targets: {resolution: 1h}}\n"
    lines = "".join(form % policy for policy in policies)
    return f"calendars: {{c: {{tz: UTC, hours: 24/7}}}}\noffice: c\npolicies:\n{lines}"


BY_PRIORITY = [f"id: {name}, when: {{priority: [{name}]}}" for name in Priority]


def test_a_policy_that_several_shadow_together_is_refused_with_all_their_lines(
    tmp_path: Path,
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        written("id: eu, when: {team: [eu]}", *BY_PRIORITY, "id: vip, when: {tier: [a]}", "id: all")
    )
    with pytest.raises(PolicyError) as refused:
        load_policies(file)
    assert str(refused.value) == (
        "bad.yaml, line 9: policy 'vip' can never match: all that it matches, 'low' and 'normal' "
        "and 'high' and 'urgent' together match before it; move it up, or take it out "
        "(lines 5, 6, 7, 8)"
    )


def test_the_last_policy_is_wanted_though_the_others_match_everything(tmp_path: Path) -> None:
    file = tmp_path / "good.yaml"
    file.write_text(written(*BY_PRIORITY, "id: all"))
    assert len(load_policies(file)[0].policies) == 5


def test_a_policy_without_conditions_before_the_last_is_the_one_that_is_wrong(
    tmp_path: Path,
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(written(BY_PRIORITY[0], "id: blank", "id: all"))
    with pytest.raises(PolicyError, match=r"line 5: policy 'blank' matches every.*\(line 6\)"):
        load_policies(file)
    file.write_text(written("id: blank", BY_PRIORITY[0], "id: all"))
    with pytest.raises(PolicyError, match=r"line 5: policy 'low' can never.*'blank'.*\(line 4\)"):
        load_policies(file)


def test_a_kept_book_is_read_though_a_file_like_it_would_be_refused() -> None:
    form = json.dumps(
        {
            "calendars": {"c": {"tz": "UTC", "hours": "24/7"}},
            "office": "c",
            "policies": [
                {"id": name, "calendar": "c", "targets": {"resolution": "1h"}} for name in "ab"
            ],
        }
    )
    assert len(read_policies(form).policies) == 2


def test_the_long_form_of_targets_and_rungs() -> None:
    policy = {
        "id": "all",
        "calendar": "c",
        "targets": {"first_response": {"in": "2h", "calendar": "n"}, "periodic_update": "4h"},
        "on_change": "restart",
        "on_reopen": "restart",
        "void_on": ["spam"],
        "ladder": [
            0.5,
            "-30m",
            {"at": 1.0, "repeat": {"every": "1h", "times": 3}, "in_closed_hours": "on_call"},
            {"at": "+1h", "in_closed_hours": "wait"},
        ],
    }
    calendars = {"c": {"tz": "UTC", "hours": "24/7"}, "n": {"tz": "Europe/Paris", "hours": "24/7"}}
    form = json.dumps({"calendars": calendars, "office": "c", "policies": [policy]})
    terms = read_policies(form).policies[0]
    assert terms.hours(Metric.FIRST_RESPONSE)[0] == "n"
    assert terms.hours(Metric.PERIODIC_UPDATE)[0] == "c"
    assert (terms.on_change, terms.on_reopen) == (OnChange.RESTART, OnReopen.RESTART)
    assert terms.void_on == {"spam"}
    assert [rung.name for rung in terms.ladder] == ["0.5", "-30m", "1", "+1h"]
    assert (terms.ladder[2].every, terms.ladder[2].times) == (timedelta(hours=1), 3)
    closed = [rung.in_closed_hours for rung in terms.ladder[2:]]
    assert closed == [InClosedHours.ON_CALL, InClosedHours.WAIT]
