"""What the rules of a subject may ask and do: checked when a pack is read, with file and line."""

from collections.abc import Iterable, Iterator, Sequence

from rules.document import Node, suggest
from rules.expansion import facts_behind
from support.callback_actions import CALLBACK_ACTIONS
from support.needs import RuleAction
from support.relations import Relation
from support.situation import CATALOGUE, facts_of
from support.subjects import TRIGGERS, Subject

_NESTING = ("all", "any")
_TELLABLE = ("lead", "manager", "on_call", "channel")
_ELSEWHERE = frozenset({"notify", "record"})
"""Actions that need neither a ticket nor a callback."""
_OF_CALLBACKS = _ELSEWHERE | CALLBACK_ACTIONS.keys()


def _possible(subject: Subject) -> frozenset[str]:
    """Return what rules about anything but tickets can do."""
    return _OF_CALLBACKS if subject is Subject.CALLBACK else _ELSEWHERE


def _tellable(subject: Subject) -> tuple[str, ...]:
    return ("owner", *_TELLABLE) if subject is Subject.CALLBACK else _TELLABLE


def subjects_of(on: Iterable[str]) -> tuple[Subject, ...]:
    """Return what rules with these triggers are about, each once, in the order of the enum."""
    found = {TRIGGERS[trigger] for trigger in on}
    return tuple(subject for subject in Subject if subject in found)


def refuse_foreign_facts(when: Node, subjects: Sequence[Subject]) -> None:
    """Raise PackError for the first fact of `when` that not all of `subjects` have."""
    known = set(facts_of(*subjects))
    if tuple(subjects) == (Subject.TICKET,):
        known.update(Relation)
    for name, node in _asked(when):
        if name in known:
            continue
        if len(subjects) == 1:
            raise node.place.fault(
                f"`{name}` is no fact of a {subjects[0]}, which `on` is about; it may ask "
                f"{_listed(known)}"
            )
        raise node.place.fault(
            f"`on` mixes {' and '.join(subjects)}, and `{name}` is not a fact of each: split the "
            f"rule, or ask only {_listed(known)}"
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _asked(node: Node) -> Iterator[tuple[str, Node]]:
    """Return every fact that a condition asks, with where it does; what is no condition is left."""
    if not isinstance(node.value, dict):
        return
    for key, part in node.value.items():
        if key == "not":
            yield from _asked(part)
        elif key in _NESTING:
            for item in part.value if isinstance(part.value, list) else ():
                yield from _asked(item)
        elif key in tuple(Relation):
            yield key, part
        elif key in CATALOGUE:
            for name in facts_behind(key, part.value):
                yield name, part


def refuse_foreign_actions(
    then: Node, actions: Iterable[RuleAction], subjects: Sequence[Subject]
) -> None:
    """Raise PackError for the first action of the list `then` that needs a ticket and has none."""
    others = [subject for subject in subjects if subject is not Subject.TICKET]
    for node, action in zip(then.items("`then`"), actions, strict=True):
        for subject in others:
            _refuse(node, action, subject)


def _refuse(node: Node, action: RuleAction, subject: Subject) -> None:
    if action.kind not in _possible(subject):
        raise node.place.fault(
            f"a rule about a {subject} cannot `{action.kind}`, which needs a ticket; "
            f"possible: {_listed(_possible(subject))}"
        )
    to, tellable = action.params.get("to", ""), _tellable(subject)
    if action.kind == "notify" and to not in tellable:
        raise node.place.fault(
            f"a rule about a {subject} has no {to} to notify{suggest(str(to), tellable)}"
        )
