"""Actions that a pack may ask for, with the parameters each takes: checked when a pack is read.

What they do is in `support.actions`; a test holds the two lists together.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from rules.document import Node, only, suggest
from rules.templates import read_template
from support.errors import InputError
from support.model import Priority, checked_tags
from support.needs import Param, RuleAction
from support.routing import Role, Strategy


class ParamType(StrEnum):
    """What a parameter holds."""

    CHOICE = "choice"
    MINUTES = "minutes"
    LINE = "line with {fields}"
    NAME = "name"
    TAGS = "tag, or list of tags"
    TEXT_NAME = "name of a text of the macros file"
    MACRO_NAME = "name of a macro"


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """One parameter: its type, what may be chosen, and whether it must be there."""

    type: ParamType
    choices: tuple[str, ...] = ()
    required: bool = True


_PEOPLE = ("owner", "lead", "manager", "on_call")
_TO = ParamSpec(ParamType.CHOICE, _PEOPLE)

CATALOGUE: Mapping[str, Mapping[str, ParamSpec]] = {
    "assign": {
        "role": ParamSpec(ParamType.CHOICE, tuple(Role), required=False),
        "team": ParamSpec(ParamType.NAME, required=False),
        "strategy": ParamSpec(ParamType.CHOICE, tuple(Strategy), required=False),
        "otherwise": ParamSpec(ParamType.CHOICE, ("keep", "release"), required=False),
    },
    "escalate": {"to": _TO},
    "lock_owner": {"minutes": ParamSpec(ParamType.MINUTES)},
    "set_priority": {"priority": ParamSpec(ParamType.CHOICE, tuple(Priority))},
    "tag": {
        "add": ParamSpec(ParamType.TAGS, required=False),
        "remove": ParamSpec(ParamType.TAGS, required=False),
    },
    "record": {"note": ParamSpec(ParamType.LINE)},
    "notify": {
        "to": ParamSpec(ParamType.CHOICE, (*_PEOPLE, "channel")),
        "template": ParamSpec(ParamType.NAME),
        "text": ParamSpec(ParamType.LINE, required=False),
    },
    "reply": {"text": ParamSpec(ParamType.TEXT_NAME)},
    "resolve": {"disposition": ParamSpec(ParamType.NAME, required=False)},
    "close": {"disposition": ParamSpec(ParamType.NAME, required=False)},
    "resume": {},
    "reopen": {},
    "use_policies": {},
    "macro": {"name": ParamSpec(ParamType.MACRO_NAME)},
}
NOT_BARE = frozenset({"tag"})
"""Actions of whose optional parameters at least one must be there."""

MOST_ACTIONS = 50
"""Actions of one rule or macro."""
MOST_MINUTES = 30 * 24 * 60
MOST_NOTE = 500
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Names:
    """What an action may refer to. `macros` is None inside a macro, which cannot run another.

    `fields` are those that its texts may hold.
    """

    texts: frozenset[str]
    macros: frozenset[str] | None
    fields: frozenset[str] = frozenset()


def read_actions(node: Node, rule_id: str, names: Names) -> tuple[RuleAction, ...]:
    """Return the actions of a list; PackError names line, action and parameter."""
    items = node.items("`then`")
    if len(items) > MOST_ACTIONS:
        raise node.place.fault(
            f"there are {len(items)} actions here, and {MOST_ACTIONS} is the most: split the rule"
        )
    found = tuple(_action(item, rule_id, names) for item in items)
    if not found:
        raise node.place.fault("there is no action here: name at least one")
    return found


def _action(node: Node, rule_id: str, names: Names) -> RuleAction:
    if isinstance(node.value, str):
        kind, given = node.value, Node({}, node.place)
    else:
        form = node.mapping("an action")
        if len(form) != 1:
            raise node.place.fault("an action is one `kind: {parameters}`, or a bare `kind`")
        kind, given = next(iter(form.items()))
    spec = CATALOGUE.get(kind)
    if spec is None:
        raise node.place.fault(f"there is no action `{kind}`{suggest(kind, CATALOGUE)}")
    if kind == "macro" and names.macros is None:
        raise node.place.fault("a macro cannot run another macro: write its actions out")
    params = {} if given.value is None else _params(kind, given, spec)
    only(params, spec, f"action `{kind}`")
    for name, param in spec.items():
        if param.required and name not in params:
            raise node.place.fault(f"action `{kind}` needs `{name}`{_possible(param, names)}")
    if kind in NOT_BARE and not params:
        raise node.place.fault(f"action `{kind}` needs one of `{'`, `'.join(spec)}`")
    found = {name: _param(value, name, spec[name], names) for name, value in params.items()}
    listed = [tag for tags in found.values() if isinstance(tags, tuple) for tag in tags]
    twice = [tag for tag in listed if listed.count(tag) > 1]
    if twice:
        raise node.place.fault(f"action `{kind}` has `{twice[0]}` on both sides: choose one")
    return RuleAction(rule_id, kind, found)


def _params(kind: str, given: Node, spec: Mapping[str, ParamSpec]) -> dict[str, Node]:
    if not isinstance(given.value, dict):
        if not spec:
            raise given.place.fault(f"action `{kind}` has no parameters: write `{kind}` alone")
        meant = [name for name, param in spec.items() if given.value in param.choices]
        needed = [name for name, param in spec.items() if param.required]
        shown = next(iter((*meant, *needed, *spec)))
        value = given.value if meant else "..."
        raise given.place.fault(
            f"parameters of `{kind}` have names: write `{kind}: {{{shown}: {value}}}`"
        )
    return given.value


def _possible(spec: ParamSpec, names: Names) -> str:
    possible = _choices(spec, names)
    return f": {', '.join(sorted(possible))}" if possible else f", a {spec.type}"


def _choices(spec: ParamSpec, names: Names) -> Iterable[str]:
    if spec.type is ParamType.TEXT_NAME:
        return names.texts
    if spec.type is ParamType.MACRO_NAME:
        return names.macros or frozenset()
    return spec.choices


def _param(node: Node, name: str, spec: ParamSpec, names: Names) -> Param:
    if spec.type is ParamType.MINUTES:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MOST_MINUTES:
            raise node.place.fault(f"`{name}` must be whole minutes from 1 to {MOST_MINUTES}")
        return value
    if spec.type is ParamType.TAGS:
        return _tags(node, name)
    word = node.word(f"`{name}`")
    if spec.type is ParamType.LINE:
        if len(word) > MOST_NOTE:
            raise node.place.fault(f"`{name}` has more than {MOST_NOTE} characters: shorten it")
        read_template(node, f"`{name}`", names.fields)
    elif spec.type is ParamType.NAME:
        if not _NAME.fullmatch(word):
            raise node.place.fault(
                f"`{name}` {word!r} is no name: use 1 to 64 of the characters A-Z a-z 0-9 . _ -"
            )
    elif word not in (possible := _choices(spec, names)):
        raise node.place.fault(f"`{name}` cannot be `{word}`{suggest(word, possible)}")
    return word


def _tags(node: Node, name: str) -> tuple[str, ...]:
    items = node.value if isinstance(node.value, list) else [node]
    if not items:
        raise node.place.fault(f"`{name}` names no tag: leave it out instead")
    try:
        return checked_tags(item.word(f"`{name}`") for item in items)
    except InputError as error:
        raise node.place.fault(f"`{name}`: {error}") from error
