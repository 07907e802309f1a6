"""What changed between two packs, rule by rule, as an author would say it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import timedelta

from rules.facts import neutral
from rules.pack import Example, Pack, Rule
from rules.words import action_in_words, condition_in_words
from support.duration import show_duration
from support.needs import Fact, Row, RuleAction
from support.relations import RELATED, Relation
from support.situation import CATALOGUE
from support.subjects import FactSpec, FactType

_NOT_SETTINGS = frozenset({"version", "text", "file", "rules", "macros"})
_KEYS = {"tenants": "tenant"}
"""What a pack's file calls a field otherwise."""
_NOT_PARTS = frozenset({"id", "line", "file"})


@dataclass(frozen=True, slots=True)
class Change:
    """One part that reads differently; `before` or `after` is empty where there is none."""

    part: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A rule that both packs have, and its parts that changed."""

    rule_id: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class PackDiff:
    """What the second pack has that the first has not, the other way round, and otherwise.

    `reordered`: rules of both that are asked in another order, although none of their parts
    changed.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[RuleChange, ...]
    reordered: bool
    settings: tuple[Change, ...]
    macros: tuple[Change, ...]
    texts: tuple[Change, ...]

    @property
    def empty(self) -> bool:
        """Whether the two decide alike; they may still be written differently."""
        parts = (self.added, self.removed, self.changed, self.settings, self.macros, self.texts)
        return not any(parts) and not self.reordered


def diff(before: Pack, after: Pack) -> PackDiff:
    """Return what changes when `after` takes the place of `before`."""
    old = {rule.id: rule for rule in before.rules}
    new = {rule.id: rule for rule in after.rules}
    kept = [rule_id for rule_id in new if rule_id in old]
    changed = [RuleChange(rule_id, _parts(old[rule_id], new[rule_id])) for rule_id in kept]
    return PackDiff(
        added=tuple(rule_id for rule_id in new if rule_id not in old),
        removed=tuple(rule_id for rule_id in old if rule_id not in new),
        changed=tuple(one for one in changed if one.changes),
        reordered=_asked(before, kept, old) != _asked(after, kept, old),
        settings=_named(_settings(before), _settings(after)),
        macros=_named(
            {name: _actions(actions) for name, actions in before.macros.actions.items()},
            {name: _actions(actions) for name, actions in after.macros.actions.items()},
        ),
        texts=_named(_texts(before), _texts(after)),
    )


def _asked(pack: Pack, kept: Sequence[str], old: Mapping[str, Rule]) -> list[str]:
    """Return the order in which rules of both are asked as far as the file's order decides it."""
    both = [rule for rule in pack.rules if rule.id in set(kept)]
    return [rule.id for rule in sorted(both, key=lambda rule: old[rule.id].priority)]


def _parts(before: Rule, after: Rule) -> tuple[Change, ...]:
    names = [field.name for field in fields(Rule) if field.name not in _NOT_PARTS]
    found = (Change(name, _part(before, name), _part(after, name)) for name in names)
    return tuple(change for change in found if change.before != change.after)


def _part(rule: Rule, name: str) -> str:
    """Return a part of a rule in words. What has no words of its own reads as Python says it."""
    match name:
        case "when":
            return condition_in_words(rule.when) or "always"
        case "then":
            return _actions(rule.then)
        case "tests":
            return "; ".join(_test(test) for test in rule.tests)
        case _:
            return _said(getattr(rule, name))


def _test(test: Example) -> str:
    """Return a test without its line, which moves with every edit."""
    given = ", ".join(f"{name}: {_given(test, name)}" for name in test.given)
    return f"{given or 'anything'} -> {_actions(test.then) or 'nothing'}"


def _given(test: Example, name: str) -> str:
    if name not in test.related:
        return _value(CATALOGUE[name], test.facts[name])
    specs = RELATED[Relation(name)].facts
    return " ".join(f"({_row(row, specs)})" for row in test.related[name]) or "none"


def _row(row: Row, specs: Mapping[str, FactSpec]) -> str:
    """Return the facts of a row that are not neutral, which is what those left out are."""
    told = {name: value for name, value in row.items() if value != neutral(specs[name])}
    said = (f"{name}: {_value(specs[name], value)}" for name, value in told.items())
    return ", ".join(said) or "all neutral"


def _value(spec: FactSpec, value: Fact) -> str:
    if spec.type is FactType.DURATION and isinstance(value, int | float):
        return show_duration(timedelta(seconds=value))
    return _said(value)


def _said(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list | frozenset):
        return ", ".join(str(item) for item in value)
    return show_duration(value) if isinstance(value, timedelta) else str(value)


def _actions(actions: Sequence[RuleAction]) -> str:
    return "; ".join(action_in_words(action) for action in actions)


def _settings(pack: Pack) -> dict[str, str]:
    """Return what a pack says beside its rules; a group of settings one by one."""
    found: dict[str, str] = {}
    for field in fields(Pack):
        value = getattr(pack, field.name)
        if field.name in _NOT_SETTINGS:
            continue
        if is_dataclass(value):
            found |= {inner.name: _said(getattr(value, inner.name)) for inner in fields(value)}
        else:
            found[_KEYS.get(field.name, field.name)] = _said(value)
    return found


def _texts(pack: Pack) -> dict[str, str]:
    return {
        f"{name} ({locale})": text
        for name, locales in pack.macros.texts.items()
        for locale, text in locales.items()
    }


def _named(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    names = [*before, *(name for name in after if name not in before)]
    return tuple(
        Change(name, before.get(name, ""), after.get(name, ""))
        for name in names
        if before.get(name, "") != after.get(name, "")
    )
