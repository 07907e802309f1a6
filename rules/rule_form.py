"""Reads one rule of a pack; whatever is wrong is named with file, line and what to do."""

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from rules.actions import Names, read_actions
from rules.conditions import read_condition
from rules.document import Node, Place, only, suggest
from rules.examples import read_examples
from rules.pack import All, Condition, OncePer, Rule
from rules.subjects import refuse_foreign_actions, refuse_foreign_facts, subjects_of
from rules.templates import fields_of
from support.duration import DURATIONS, parse_duration, show_duration
from support.errors import InputError
from support.subjects import TRIGGERS, Subject

LONGEST_OWNER = 100
LONGEST_DESCRIPTION = 500
LONGEST_COOLDOWN = timedelta(days=30)
REQUIRED = ("id", "description", "on", "then")
OPTIONAL = (
    "when",
    "priority",
    "stop",
    "enabled",
    "owner",
    "tests",
    "cooldown",
    "once_per",
    "override",
)
SWITCH = frozenset({"id", "override", "enabled"})
"""The keys of a rule that only switches an imported one on or off."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FURTHEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of `rules`. Without a `rule` it only switches an imported one, as `enabled` says."""

    id: str
    place: Place
    override: bool
    enabled: bool
    rule: Rule | None


def read_entry(node: Node, names: Names) -> Entry:
    """Return what an item of `rules` says."""
    form = node.mapping("a rule")
    only(form, (*REQUIRED, *OPTIONAL), "a rule")
    override = read_flag(form, "override", default=False)
    enabled = read_flag(form, "enabled", default=True)
    if override and form.keys() == SWITCH:
        return Entry(identifier(form["id"], "`id`"), node.place, override, enabled, None)
    rule = _rule(node, form, names)
    return Entry(rule.id, node.place, override, enabled, rule)


def _rule(node: Node, form: dict[str, Node], names: Names) -> Rule:
    for key in REQUIRED:
        if key not in form:
            raise node.place.fault(f"the rule has no `{key}`")
    rule_id = identifier(form["id"], "`id`")
    on = _triggers(form["on"])
    subjects = subjects_of(on)
    names = replace(names, fields=fields_of(subjects))
    then = read_actions(form["then"], rule_id, names)
    refuse_foreign_actions(form["then"], then, subjects)
    return Rule(
        id=rule_id,
        description=_description(form["description"]),
        on=on,
        when=_when(form, subjects),
        then=then,
        priority=_priority(form),
        stop=read_flag(form, "stop", default=False),
        enabled=read_flag(form, "enabled", default=True),
        owner=_owner(form["owner"]) if "owner" in form else "",
        tests=read_examples(form["tests"], rule_id, on[0], names) if "tests" in form else (),
        line=node.place.line,
        cooldown=_cooldown(form),
        once_per=_once_per(form),
        file=node.place.file,
    )


def identifier(node: Node, what: str) -> str:
    """Return a name that may stand in logs and pages; PackError for others."""
    word = node.word(what)
    if not _ID.fullmatch(word):
        raise node.place.fault(
            f"{what} {word[:80]!r} is not allowed: use 1 to 64 of the characters A-Z a-z 0-9 . _ -"
        )
    return word


def read_flag(form: dict[str, Node], name: str, *, default: bool) -> bool:
    """Return true or false; PackError for anything else."""
    if name not in form:
        return default
    value = form[name].value
    if not isinstance(value, bool):
        raise form[name].place.fault(f"`{name}` must be true or false")
    return value


def read_span(node: Node, what: str, least: timedelta, most: timedelta) -> timedelta:
    """Return a duration between two others; PackError names the line."""
    written = node.value
    if isinstance(written, int | float) and not isinstance(written, bool):
        raise node.place.fault(f"{what} is {written} of no unit: write {DURATIONS}")
    try:
        span = parse_duration(node.word(what))
    except InputError as error:
        raise node.place.fault(f"{what}: {error}") from error
    if not least <= span <= most:
        raise node.place.fault(
            f"{what} is {show_duration(span)}: give {show_duration(least)} to {show_duration(most)}"
        )
    return span


def _description(node: Node) -> str:
    description = node.word("`description`")
    if len(description) > LONGEST_DESCRIPTION:
        raise node.place.fault(
            f"`description` has more than {LONGEST_DESCRIPTION} characters: shorten it"
        )
    return description


def _owner(node: Node) -> str:
    owner = node.word("`owner`")
    if len(owner) > LONGEST_OWNER or not owner.isprintable():
        raise node.place.fault(
            f"`owner` must be one line of at most {LONGEST_OWNER} characters: name a role or a team"
        )
    return owner


def _triggers(node: Node) -> tuple[str, ...]:
    items = node.items("`on`")
    if not items:
        raise node.place.fault("`on` is empty, so the rule can never fire: name an event")
    found = []
    for item in items:
        word = item.word("`on`")
        if word not in TRIGGERS:
            raise item.place.fault(f"there is no event `{word}`{suggest(word, TRIGGERS)}")
        found.append(word)
    return tuple(dict.fromkeys(found))


def _when(form: dict[str, Node], subjects: tuple[Subject, ...]) -> Condition:
    if "when" not in form:
        return All(())
    condition = read_condition(form["when"])
    refuse_foreign_facts(form["when"], subjects)
    return condition


def _priority(form: dict[str, Node]) -> int:
    if "priority" not in form:
        return 100
    value = form["priority"].value
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _FURTHEST:
        raise form["priority"].place.fault("`priority` must be a whole number, lower goes first")
    return value


def _cooldown(form: dict[str, Node]) -> timedelta | None:
    if "cooldown" not in form:
        return None
    return read_span(form["cooldown"], "`cooldown`", timedelta(seconds=1), LONGEST_COOLDOWN)


def _once_per(form: dict[str, Node]) -> OncePer | None:
    if "once_per" not in form:
        return None
    word = form["once_per"].word("`once_per`")
    known: type[StrEnum] = OncePer
    if word not in tuple(known):
        raise form["once_per"].place.fault(
            f"`once_per` cannot be `{word}`{suggest(word, tuple(known))}"
        )
    return OncePer(word)
