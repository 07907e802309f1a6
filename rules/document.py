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
MOST_VALUES = 300_000
DEEPEST = 100
LONGEST_KEY = 100
MOST_SAID = 1_000
_MOST_DIGITS = 300
_LARGEST = 10**_MOST_DIGITS

_UNSEEN = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069]")
"""Characters that steer a terminal, or turn the order of what is read; never tab or newline."""

Scalar = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file; lines count from 1."""

    file: str
    line: int

    def fault(self, message: str) -> PackError:
        """Return the error that says what is wrong here, in a length that can be read."""
        said = message if len(message) <= MOST_SAID else f"{message[:MOST_SAID]}..."
        return PackError(f"{self.file}, line {self.line}: {said}", file=self.file, line=self.line)


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


class _Loader(yaml.CSafeLoader):
    """SafeLoader without the words, dates and numbers of YAML 1.1; libyaml does the work.

    What only YAML 1.1 takes for a number (`1:30`, `010`, `1_000`) is a word, so that nobody gets 90
    minutes, or 8, where something else is meant. PyYAML's own scanner takes fifty times as long,
    which a pack of 2,000 rules would feel.
    """


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("int", r"[-+]?(0|[1-9][0-9]*)\Z|0x[0-9a-fA-F]+\Z", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?\Z", "-+.0123456789"),
    ("float", r"[-+]?[0-9]+[eE][-+]?[0-9]+\Z", "-+0123456789"),
    ("float", r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z", "-+."),
    ("null", r"~\Z|null\Z|Null\Z|NULL\Z|\Z", ["~", "n", "N", ""]),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})"), list(_first)
    )
_BOOLS = {"true": True, "True": True, "false": False, "False": False}
_STR = "tag:yaml.org,2002:str"
_OWN_TAGS = (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


def read(text: str, file: str) -> Node:
    """Return the document of `text`; PackError names `file` and the line where YAML breaks."""
    if len(text) > MOST_CHARACTERS:
        raise Place(file, 1).fault(f"the file has more than {MOST_CHARACTERS} characters: split it")
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        return _Composer(loader, file).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        hint = _hint(str(error.problem), text.splitlines()[line - 1 : line])
        raise Place(file, line).fault(f"this is not YAML: {error.problem}{hint}") from error
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        what = " ".join(str(error).split())
        raise Place(file, 1).fault(f"this is not YAML: {what}") from error
    finally:
        if loader is not None:
            loader.dispose()


def _hint(problem: str, lines: list[str]) -> str:
    """Return what to do about the mistakes that are made most."""
    if any("\t" in line[: len(line) - len(line.lstrip())] for line in lines):
        return "; indent with spaces, not with tabs"
    if problem.startswith("mapping values"):
        return "; put a text that holds a colon in quotes, or mend the indentation"
    if "quoted scalar" in problem or "end of stream" in problem:
        return "; a quote is opened and not closed"
    if problem.startswith("did not find expected"):
        return (
            "; look here and above for a bracket or brace that is not closed, and the indentation"
        )
    return ""


@dataclass(slots=True)
class _Composer:
    """Makes nodes of the events of a parser, in bounds of depth and number."""

    loader: _Loader
    file: str
    made: int = 0

    def document(self) -> Node:
        """Return the one document of the stream."""
        self.loader.get_event()  # the stream begins
        if self.loader.check_event(yaml.StreamEndEvent):
            raise Place(self.file, 1).fault("the file is empty")
        self.loader.get_event()  # the document begins
        root = self._node(self._next(), 0)
        self.loader.get_event()  # the document ends
        if not self.loader.check_event(yaml.StreamEndEvent):
            raise self._place(self._next()).fault(
                "this is not YAML: there is a second document; keep one"
            )
        return root

    def _next(self) -> yaml.Event:
        event = self.loader.get_event()
        if event is None:
            raise Place(self.file, 1).fault("this is not YAML: it ends too early")
        return event

    def _place(self, event: yaml.Event) -> Place:
        return Place(self.file, event.start_mark.line + 1 if event.start_mark else 1)

    def _node(self, event: yaml.Event, depth: int) -> Node:
        place = self._place(event)
        self.made += 1
        if self.made > MOST_VALUES:
            raise place.fault(f"the file has more than {MOST_VALUES} values: split it")
        if isinstance(event, yaml.ScalarEvent):
            return Node(_scalar(self.loader, event, place), place)
        if isinstance(event, yaml.AliasEvent):
            raise place.fault(
                "this is not YAML: aliases (`*name`) are not allowed: write the value out"
            )
        if depth >= DEEPEST:
            raise place.fault("this is nested too deeply: write it flatter")
        if not isinstance(event, yaml.CollectionStartEvent) or event.tag not in _OWN_TAGS:
            tag = shortened(getattr(event, "tag", ""))
            raise place.fault(f"the tag {tag} says nothing here: leave it out")
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(self._sequence(depth + 1), place)
        return Node(self._mapping(depth + 1), place)

    def _sequence(self, depth: int) -> list[Node]:
        found = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            found.append(self._node(event, depth))
        return found

    def _mapping(self, depth: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        while not isinstance(key := self._next(), yaml.MappingEndEvent):
            if not isinstance(key, yaml.ScalarEvent):
                raise self._place(key).fault("a key must be a word")
            if len(key.value) > LONGEST_KEY:
                raise self._place(key).fault(
                    f"the key {shortened(key.value)} has more than {LONGEST_KEY} characters: "
                    "no word here is that long"
                )
            _refuse_unseen(key.value, self._place(key))
            if key.value in found:
                raise self._place(key).fault(f"`{key.value}` is here twice: keep one")
            found[key.value] = self._node(self._next(), depth)
        return found


def _scalar(loader: _Loader, event: yaml.ScalarEvent, place: Place) -> Scalar:
    """Read one value; what a tag such as `!!timestamp` makes of it may be none of ours."""
    plain = event.implicit[0]
    if plain and event.value in _BOOLS:
        return _BOOLS[event.value]
    tag = event.tag
    if tag is None or tag == "!":
        found: object = loader.resolve(  # type: ignore[no-untyped-call]  # has no types
            yaml.ScalarNode, event.value, event.implicit
        )
        tag = str(found)
    if tag == _STR:
        _refuse_unseen(event.value, place)
        return str(event.value)
    try:
        value = loader.construct_object(
            yaml.ScalarNode(tag, event.value, yaml.Mark(place.file, 0, place.line - 1, 0, None, 0))
        )
    except (ValueError, LookupError, ArithmeticError, AttributeError):
        value = ...
    if isinstance(value, int) and abs(value) >= _LARGEST:
        raise place.fault(f"a number here has more than {_MOST_DIGITS} digits: write a smaller one")
    if not isinstance(value, bool | int | float | str | None):
        raise place.fault(f"{shortened(str(event.value))} is not a value: put it in quotes")
    return value


def _refuse_unseen(text: str, place: Place) -> None:
    """Raise PackError for a text that would not show as what it is to whoever reads the pack."""
    if found := _UNSEEN.search(text):
        raise place.fault(f"there is a control character U+{ord(found[0]):04X} here: take it out")


def suggest(wrong: str, known: Iterable[str]) -> str:
    """Return `; did you mean ...?`, or what is possible where nothing is near."""
    possible = sorted(known)
    near = difflib.get_close_matches(wrong[:LONGEST_KEY], possible, n=1)
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
