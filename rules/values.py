"""Reads a value of the catalogue from a file: checked against the type and choices of its fact."""

from collections.abc import Mapping

from rules.document import Node, suggest
from rules.facts import SCALED, Spec, Value, convert
from support.duration import parse_duration
from support.errors import InputError
from support.needs import Fact, Row
from support.relations import RELATED, Relation, RelationSpec
from support.situation import CATALOGUE, FactType

EXAMPLES = {
    FactType.FLAG: "true or false",
    FactType.COUNT: "a whole number",
    FactType.NUMBER: "a number",
    FactType.DURATION: "a duration such as 45m, or seconds",
    FactType.CHOICE: "one of its choices",
    FactType.TEXT: "text, in quotes",
    FactType.SET: "text, in quotes",
}
"""How a value that a fact is compared with is written."""
_NEUTRAL: Mapping[FactType, Fact] = {
    FactType.FLAG: False,
    FactType.COUNT: 0,
    FactType.NUMBER: 0.0,
    FactType.DURATION: 0.0,
    FactType.TEXT: "",
    FactType.SET: (),
}


def neutral(spec: Spec) -> Fact:
    """Return what a fact is where a test says nothing of it: nothing, or its first choice."""
    return spec.choices[0] if spec.choices else _NEUTRAL[spec.type]


def read_facts(node: Node) -> dict[str, Fact]:
    """Return the facts of a mapping, as a decision would see them; PackError names the line."""
    found: dict[str, Fact] = {}
    for name, value in node.mapping("facts").items():
        spec = CATALOGUE.get(name)
        if spec is None:
            known = (*CATALOGUE, *Relation)
            raise value.place.fault(f"there is no fact `{name}`{suggest(name, known)}")
        found[name] = _fact(spec, value)
    return found


def read_situation(node: Node) -> tuple[dict[str, Fact], dict[str, tuple[Row, ...]]]:
    """Return the facts of a mapping, and the rows that it gives of relations.

    Facts of a row that are left out are neutral.
    """
    form = node.mapping("facts")
    relations = [name for name in form if name in tuple(Relation)]
    rows = {name: _rows(Relation(name), form[name]) for name in relations}
    facts = {name: value for name, value in form.items() if name not in rows}
    return read_facts(Node(facts, node.place)), rows


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
    """Return every fact of the catalogue: those of `facts`, and neutral ones for the rest."""
    return {**{name: neutral(spec) for name, spec in CATALOGUE.items()}, **facts}


def _fact(spec: Spec, node: Node) -> Fact:
    if spec.type is FactType.SET:
        items = node.items(f"`{spec.name}`")
        return tuple(dict.fromkeys(str(read_value(spec, item)) for item in items))
    read_value(spec, node)
    raw = _unpacked(spec, node)
    return raw if isinstance(raw, bool | int | float) else str(raw)


def read_value(spec: Spec, node: Node) -> Value:
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
    return value


def _unpacked(spec: Spec, node: Node) -> object:
    """Return the bare value; a duration in seconds."""
    if spec.type is not FactType.DURATION or not isinstance(node.value, str):
        return node.value
    try:
        return parse_duration(node.value).total_seconds()
    except InputError as error:
        raise node.place.fault(f"`{spec.name}`: {error}") from error
