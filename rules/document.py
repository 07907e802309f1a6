"""YAML in which every value knows its line, so that a fault can be shown where it is.

YAML 1.2 booleans only: `on`, `off`, `yes` and `no` are words here. Aliases are refused, because
they let a small file stand for a huge one.
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

import yaml

from support.errors import PackError, shortened

MOST_CHARACTERS = 2_000_000
_MOST_DIGITS = 300
_LARGEST = 10**_MOST_DIGITS

Scalar = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file; lines count from 1."""

    file: str
    line: int

    def fault(self, message: str) -> PackError:
        """Return the error that says what is wrong here."""
        return PackError(
            f"{self.file}, line {self.line}: {message}", file=self.file, line=self.line
        )


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the document: a scalar, a list of nodes, or a mapping of nodes."""

    value: "Scalar | list[Node] | dict[str, Node]"
    place: Place

    def mapping(self, what: str) -> "dict[str, Node]":
        """Return it as a mapping, or raise PackError saying that `what` must be one."""
        if not isinstance(self.value, dict):
            raise self.place.fault(f"{what} must be a mapping of `key: value`")
        return self.value

    def items(self, what: str) -> "list[Node]":
        """Return it as a list, or raise PackError saying that `what` must be one."""
        if not isinstance(self.value, list):
            raise self.place.fault(f"{what} must be a list, such as `[a, b]`")
        return self.value

    def word(self, what: str) -> str:
        """Return it as text that is not blank, or raise PackError."""
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.place.fault(f"{what} must be text; put it in quotes")
        return self.value

    def plain(self) -> object:
        """Return the bare data, as a JSON Schema is checked against."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


class _Loader(yaml.SafeLoader):
    """SafeLoader without the words, dates and base-60 numbers of YAML 1.1, and without aliases."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.MarkedYAMLError(
                problem="aliases (`*name`) are not allowed: write the value out",
                problem_mark=self.get_mark(),
            )
        return super().compose_node(parent, index)


_KEPT = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:null")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in _KEPT]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(  # YAML 1.1 takes 1e-5 for a word
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+\Z"),
    list("-+0123456789"),
)
_BOOLS = {"true": True, "True": True, "false": False, "False": False}


def read(text: str, file: str) -> Node:
    """Return the document of `text`; PackError names `file` and the line where YAML breaks."""
    if len(text) > MOST_CHARACTERS:
        raise Place(file, 1).fault(f"the file has more than {MOST_CHARACTERS} characters: split it")
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            raise Place(file, 1).fault("the file is empty")
        return _node(loader, root, file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise Place(file, line).fault(f"this is not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        what = " ".join(str(error).split())
        raise Place(file, 1).fault(f"this is not YAML: {what}") from error
    except RecursionError as error:
        raise Place(file, 1).fault("this is nested too deeply: write it flatter") from error
    finally:
        if loader is not None:
            loader.dispose()


def _node(loader: _Loader, raw: yaml.Node, file: str) -> Node:
    place = Place(file, raw.start_mark.line + 1)
    if isinstance(raw, yaml.SequenceNode):
        return Node([_node(loader, item, file) for item in raw.value], place)
    if isinstance(raw, yaml.MappingNode):
        return Node(_mapping(loader, raw, file), place)
    if isinstance(raw, yaml.ScalarNode) and raw.style is None and raw.value in _BOOLS:
        return Node(_BOOLS[raw.value], place)
    return Node(_scalar(loader, raw, place), place)


def _scalar(loader: _Loader, raw: yaml.Node, place: Place) -> Scalar:
    """Read one value; what a tag such as `!!timestamp` makes of it may be none of ours."""
    try:
        value = loader.construct_object(raw)
    except (ValueError, LookupError, ArithmeticError, AttributeError):
        value = ...
    if isinstance(value, int) and abs(value) >= _LARGEST:
        raise place.fault(f"a number here has more than {_MOST_DIGITS} digits: write a smaller one")
    if not isinstance(value, bool | int | float | str | None):
        raise place.fault(f"{shortened(str(raw.value))} is not a value: put it in quotes")
    return value


def _mapping(loader: _Loader, raw: yaml.MappingNode, file: str) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for key, value in raw.value:
        place = Place(file, key.start_mark.line + 1)
        if not isinstance(key, yaml.ScalarNode):
            raise place.fault("a key must be a word")
        if key.value in found:
            raise place.fault(f"`{key.value}` is here twice: keep one")
        found[key.value] = _node(loader, value, file)
    return found


def suggest(wrong: str, known: Iterable[str]) -> str:
    """Return `; did you mean ...?`, or what is possible where nothing is near."""
    possible = sorted(known)
    near = difflib.get_close_matches(wrong, possible, n=1)
    if near:
        return f"; did you mean `{near[0]}`?"
    shown = ", ".join(name or "''" for name in possible[:16])
    return f"; possible: {shown}{', ...' if len(possible) > 16 else ''}"


def only(found: dict[str, Node], allowed: Iterable[str], what: str) -> None:
    """Raise PackError for the first key of `found` that is not `allowed`."""
    names = tuple(allowed)
    for key, node in found.items():
        if key not in names:
            raise node.place.fault(f"{what} has no `{key}`{suggest(key, names)}")
