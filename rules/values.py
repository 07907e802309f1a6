"""Reads a value of the catalogue from a file: checked against the type and choices of its fact."""

from collections.abc import Mapping

from rules.document import Node, suggest
from rules.facts import SCALED, Value, convert, neutral
from support.duration import parse_duration
from support.errors import InputError
from support.needs import Fact, Row
from support.relations import RELATED, Relation, RelationSpec
from support.situation import CATALOGUE, facts_of
from support.subjects import TRIGGERS, FactSpec, FactType, Subject

LONGEST_TEXT = 500
EXAMPLES = {
    FactType.FLAG: "true or false",
    FactType.COUNT: "a whole number",
    FactType.NUMBER: "a number",
    FactType.DURATION: "a duration such as 45m, or seconds",
    FactType.CHOICE: "one of its choices",
    FactType.TEXT: "text, in quotes",
    FactType.SET: "text, in quotes",
    FactType.TIME: 'a time of day in quotes, such as "08:00"',
}
"""How a value that a fact is compared with is written."""
_SIGNS = ("<", ">", "=")


def read_facts(node: Node, on: str = "") -> dict[str, Fact]:
    """Return the facts of a mapping, as a decision would see them; PackError names the line.

    `on` is the trigger where they name none; they must be facts of the trigger's subject.
    """
    found: dict[str, Fact] = {}
    form = node.mapping("facts")
    trigger = form["on"].value if "on" in form else on
    subject = TRIGGERS.get(str(trigger))
    known = CATALOGUE if subject is None else facts_of(subject)
    for name, value in form.items():
        if name not in CATALOGUE:
            words = (*known, *Relation)
            raise value.place.fault(f"there is no fact `{name}`{suggest(name, words)}")
        if name not in known:
            raise value.place.fault(
                f"`{name}` is no fact of a {subject}, which `on` makes it{suggest(name, known)}"
            )
        found[name] = _fact(known[name], value)
    return found


def read_situation(node: Node, on: str = "") -> tuple[dict[str, Fact], dict[str, tuple[Row, ...]]]:
    """Return the facts of a mapping, and the rows that it gives of relations.

    Facts of a row that are left out are neutral; `on` is as in `read_facts`.
    """
    form = node.mapping("facts")
    relations = [name for name in form if name in tuple(Relation)]
    rows = {name: _rows(Relation(name), form[name]) for name in relations}
    facts = {name: value for name, value in form.items() if name not in rows}
    return read_facts(Node(facts, node.place), on), rows


def _rows(relation: Relation, node: Node) -> tuple[Row, ...]:
    spec = RELATED[relation]
    items = [node] if spec.most == 1 and isinstance(node.value, dict) else node.items(f"{relation}")
    if len(items) > spec.most:
        raise node.place.fault(f"{relation} are at most {spec.most}: these are {len(items)}")
    return tuple(_row(spec, relation, item) for item in items)


def _row(spec: RelationSpec, relation: Relation, node: Node) -> Row:
    row = {name: neutral(fact) for name, fact in spec.facts.items()}
    for name, value in node.mapping(f"a row of {relation}").items():
        if name not in row:
            raise value.place.fault(
                f"there is no fact `{name}` of {relation}{suggest(name, spec.facts)}"
            )
        row[name] = _fact(spec.facts[name], value)
    return row


def completed(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    """Return every fact of the subject: those of `facts`, and neutral ones for the rest.

    The subject is that of their `on`; without one they are of a ticket.
    """
    subject = TRIGGERS.get(str(facts.get("on")), Subject.TICKET)
    return {**{name: neutral(spec) for name, spec in facts_of(subject).items()}, **facts}


def _fact(spec: FactSpec, node: Node) -> Fact:
    if spec.type is FactType.SET:
        items = node.items(f"`{spec.name}`")
        return tuple(dict.fromkeys(str(read_value(spec, item)) for item in items))
    read_value(spec, node)
    raw = _unpacked(spec, node)
    return raw if isinstance(raw, bool | int | float) else str(raw)


def read_value(spec: FactSpec, node: Node) -> Value:
    """Return one value that a fact can be compared with (for a set, one of its members)."""
    raw = _unpacked(spec, node)
    kind = FactType.TEXT if spec.type is FactType.SET else spec.type
    value = convert(kind, raw)
    if value is None:
        hint = "; use `in` for several" if isinstance(raw, list) else ""
        shown = "a list" if isinstance(raw, list) else f"{raw!r}"
        raise node.place.fault(
            f"`{spec.name}` is a {spec.type}: {shown} is not {EXAMPLES[spec.type]}{hint}"
        )
    if spec.type in SCALED and isinstance(raw, int | float) and raw and not value:
        raise node.place.fault(f"`{spec.name}`: {raw!r} is finer than a millionth")
    if spec.choices and isinstance(value, str) and value not in spec.choices:
        raise node.place.fault(f"`{spec.name}` is never `{value}`{suggest(value, spec.choices)}")
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        raise node.place.fault(
            f"`{spec.name}`: this text has more than {LONGEST_TEXT} characters: shorten it"
        )
    return value


def _unpacked(spec: FactSpec, node: Node) -> object:
    """Return the bare value; a duration in seconds."""
    if spec.type is not FactType.DURATION or not isinstance(node.value, str):
        return node.value
    try:
        return parse_duration(node.value).total_seconds()
    except InputError as error:
        hint = "; compare with `gt`, `ge`, `lt` or `le`" if node.value[:1] in _SIGNS else ""
        raise node.place.fault(f"`{spec.name}`: {error}{hint}") from error
