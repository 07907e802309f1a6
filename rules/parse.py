"""Reads a rule pack from YAML; whatever is wrong is named with file, line and what to do."""

import re

from rules.actions import Names, read_actions
from rules.bundle import Bundle
from rules.conditions import read_condition
from rules.document import Node, only, read, suggest
from rules.examples import read_examples
from rules.macros import MacroBook
from rules.pack import All, Condition, Pack, Rule
from support.model import EventKind
from support.situation import DEADLINE

MOST_RULES = 2_000
LONGEST_OWNER = 100
TRIGGERS = (*(str(kind) for kind in EventKind), DEADLINE)
_REQUIRED = ("id", "description", "on", "then")
_OPTIONAL = ("when", "priority", "stop", "enabled", "owner", "tests")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FURTHEST = 1_000_000


def read_pack(bundle: Bundle, macros: MacroBook) -> Pack:
    """Return the pack of `bundle`, whose macros are `macros`."""
    root = read(bundle.text, bundle.file)
    form = root.mapping("a pack")
    only(form, ("name", "rules"), "a pack")
    for key in ("name", "rules"):
        if key not in form:
            raise root.place.fault(f"the pack has no `{key}`")
    listed = form["rules"].items("`rules`")
    if len(listed) > MOST_RULES:
        raise form["rules"].place.fault(f"more than {MOST_RULES} rules: split the pack")
    names = Names(texts=frozenset(macros.texts), macros=frozenset(macros.actions))
    rules: dict[str, Rule] = {}
    for node in listed:
        rule = _rule(node, names)
        if rule.id in rules:
            raise node.place.fault(
                f"rule `{rule.id}` is here already, in line {rules[rule.id].line}: "
                "give this one another id"
            )
        rules[rule.id] = rule
    return Pack(
        name=_identifier(form["name"], "`name`"),
        version=bundle.version,
        text=bundle.to_json(),
        file=bundle.file,
        rules=tuple(rules.values()),
        macros=macros,
    )


def _rule(node: Node, names: Names) -> Rule:
    form = node.mapping("a rule")
    only(form, (*_REQUIRED, *_OPTIONAL), "a rule")
    for key in _REQUIRED:
        if key not in form:
            raise node.place.fault(f"the rule has no `{key}`")
    rule_id = _identifier(form["id"], "`id`")
    on = _triggers(form["on"])
    return Rule(
        id=rule_id,
        description=form["description"].word("`description`"),
        on=on,
        when=_when(form),
        then=read_actions(form["then"], rule_id, names),
        priority=_priority(form),
        stop=_flag(form, "stop", default=False),
        enabled=_flag(form, "enabled", default=True),
        owner=_owner(form["owner"]) if "owner" in form else "",
        tests=read_examples(form["tests"], rule_id, on[0], names) if "tests" in form else (),
        line=node.place.line,
    )


def _identifier(node: Node, what: str) -> str:
    word = node.word(what)
    if not _ID.fullmatch(word):
        raise node.place.fault(
            f"{what} {word!r} is not allowed: use 1 to 64 of the characters A-Z a-z 0-9 . _ -"
        )
    return word


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


def _when(form: dict[str, Node]) -> Condition:
    return read_condition(form["when"]) if "when" in form else All(())


def _priority(form: dict[str, Node]) -> int:
    if "priority" not in form:
        return 100
    value = form["priority"].value
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _FURTHEST:
        raise form["priority"].place.fault("`priority` must be a whole number, lower goes first")
    return value


def _flag(form: dict[str, Node], name: str, *, default: bool) -> bool:
    if name not in form:
        return default
    value = form[name].value
    if not isinstance(value, bool):
        raise form[name].place.fault(f"`{name}` must be true or false")
    return value
