"""Where in a policies file a fault is, and what contradicts itself there."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from support.errors import PolicyError
from support.model import TicketStatus
from support.policy import Conditions, PolicyBook, Terms
from support.shadow import shadowing

Loc = tuple[str | int, ...]

_ACTIVE = frozenset(status for status in TicketStatus if status.active)


class Lines:
    """Lines of the values of a YAML text that was read without fault, counted from 1."""

    def __init__(self, text: str) -> None:
        self._root = yaml.compose(text, Loader=yaml.SafeLoader)

    def of(self, loc: Loc) -> int:
        """Line of the value at `loc`, or of the nearest that is there around it."""
        node, line = self._root, 1
        for part in loc:
            found = _inside(node, part)
            if found is None:
                break
            node, line = found
        return line

    def placed(self, file: str, error: PolicyError) -> PolicyError:
        """Return the error with file and line, and the line of what it clashes with."""
        line = self.of(_loc(error.details.get("at")))
        clashes = error.details.get("clashes")
        others = [self.of(_loc(loc)) for loc in clashes] if isinstance(clashes, tuple) else []
        word = "line" if len(others) == 1 else "lines"
        other = f" ({word} {', '.join(map(str, others))})" if others else ""
        return PolicyError(f"{file}, line {line}: {error}{other}", file=file, line=line)


def _loc(value: object) -> Loc:
    parts = value if isinstance(value, tuple) else ()
    return tuple(part for part in parts if isinstance(part, str | int))


def _inside(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node, int] | None:
    """Return the child of a node, with its line; of a mapping, that of the key."""
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        child = node.value[part]
        return child, child.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return value, key.start_mark.line + 1
    return None


def refuse_contradictions(book: PolicyBook, form: Mapping[str, Any]) -> None:
    """Raise PolicyError for a policy that can never match, or a clock that can never run.

    Only for a file: a kept book, which tickets go by, is never refused for it.
    """
    _refuse_shadowed(book.policies)
    for number, (terms, written) in enumerate(zip(book.policies, form["policies"], strict=True)):
        for metric in written.get("pause_on") or {}:
            at = ("policies", number, "pause_on", metric)
            if metric not in terms.targets:
                raise PolicyError(
                    f"policy {terms.key!r} pauses {metric}, which has no target: give it one, or "
                    "take the pause out",
                    at=at,
                )
            if terms.pause_on[metric] >= _ACTIVE:
                raise PolicyError(
                    f"policy {terms.key!r} pauses {metric} in every status: its clock never runs",
                    at=at,
                )


def _refuse_shadowed(policies: Sequence[Terms]) -> None:
    """Raise PolicyError for what earlier policies leave nothing for.

    The last one has to be there: where the one before it matches everything, that one is wrong.
    """
    for number, terms in enumerate(policies[:-1]):
        earlier = shadowing(terms.when, [other.when for other in policies[:number]])
        if earlier:
            names = " and ".join(repr(policies[other].key) for other in earlier)
            match = "matches" if len(earlier) == 1 else "together match"
            raise PolicyError(
                f"policy {terms.key!r} can never match: all that it matches, {names} {match} "
                "before it; move it up, or take it out",
                at=("policies", number),
                clashes=tuple(("policies", other) for other in earlier),
            )
        if terms.when == Conditions() and number == len(policies) - 2:
            raise PolicyError(
                f"policy {terms.key!r} matches every ticket and is not the last: give it "
                "conditions, or take out the one after it",
                at=("policies", number),
                clashes=(("policies", number + 1),),
            )
