"""Facts as rules compare them: typed first, because the engine coerces what is not.

Numbers and durations become whole millionths, in packs and in facts alike, so that a comparison is
exact and no number is ever in exponent form, which the engine refuses.
"""

import math
from collections.abc import Mapping
from datetime import timedelta

from support.duration import show_duration
from support.errors import RulesEngineError
from support.needs import Fact, Row
from support.relations import QUALIFIED, RELATED, RelatedFact, Relation, RelationSpec
from support.situation import CATALOGUE, FactSpec, FactType

MILLION = 1_000_000
LARGEST = 2**53
"""Whole numbers up to here are exact in every part of the engine."""

Value = bool | int | str | frozenset[str]
Typed = Mapping[str, Value]
TypedRows = Mapping[str, tuple[Typed, ...]]
"""Rows of each relation that was fetched, by qualified names."""
Spec = FactSpec | RelatedFact

SCALED = frozenset({FactType.NUMBER, FactType.DURATION})
ORDERED = SCALED | {FactType.COUNT}
_WORDS = frozenset({FactType.CHOICE, FactType.TEXT})


def typed(facts: Mapping[str, Fact]) -> dict[str, Value]:
    """Return every fact of the catalogue as it is compared.

    Raises RulesEngineError for a fact that is missing, unknown or not of its type: such a decision
    would be a guess.
    """
    unknown = facts.keys() - CATALOGUE.keys()
    missing = CATALOGUE.keys() - facts.keys()
    if unknown or missing:
        names = ", ".join(sorted(unknown or missing))
        which = "unknown" if unknown else "missing"
        raise RulesEngineError(f"facts are {which}: {names}; support.situation describes them all")
    return {name: _value(spec, facts[name]) for name, spec in CATALOGUE.items()}


def spec_of(fact: str) -> Spec:
    """Return the entry of a fact, of the ticket or (by its qualified name) of what is related."""
    return CATALOGUE[fact] if fact in CATALOGUE else QUALIFIED[fact]


def typed_rows(related: Mapping[str, tuple[Row, ...]]) -> TypedRows:
    """Return the rows of every relation as they are compared; RulesEngineError as in `typed`."""
    return {name: _rows(RELATED[Relation(name)], name, rows) for name, rows in related.items()}


def _rows(spec: RelationSpec, name: str, rows: tuple[Row, ...]) -> tuple[Typed, ...]:
    if len(rows) > spec.most:
        raise RulesEngineError(f"{name} has {len(rows)} rows, and {spec.most} is the most")
    wrong = next((row for row in rows if row.keys() != spec.facts.keys()), None)
    if wrong is not None:
        names = ", ".join(sorted(wrong.keys() ^ spec.facts.keys()))
        raise RulesEngineError(f"facts of {name} are missing or unknown: {names}")
    return tuple(
        {fact.name: _value(fact, row[short]) for short, fact in spec.facts.items()} for row in rows
    )


def _value(spec: Spec, fact: Fact) -> Value:
    value = convert(spec.type, fact)
    if value is None:
        raise RulesEngineError(
            f"fact {spec.name} is of type {type(fact).__name__} or out of range, "
            f"not a {spec.type}: the engine would coerce it silently",
            fact=spec.name,
        )
    return value


def convert(kind: FactType, raw: object) -> Value | None:
    """Return `raw` as a value of this kind of fact, or None where it is none."""
    if kind is FactType.FLAG:
        return raw if isinstance(raw, bool) else None
    if kind in _WORDS:
        return str(raw) if isinstance(raw, str) else None
    if kind is FactType.SET:
        return _names(raw)
    return _number(raw, scaled=kind in SCALED)


def _number(raw: object, *, scaled: bool) -> int | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw):
        return None
    if scaled:
        return round(raw * MILLION) if abs(raw) <= LARGEST / MILLION else None
    return raw if isinstance(raw, int) and abs(raw) <= LARGEST else None


def _names(raw: object) -> frozenset[str] | None:
    if not isinstance(raw, tuple | list | set | frozenset):
        return None
    names = frozenset(name for name in raw if isinstance(name, str))
    return names if all(isinstance(name, str) for name in raw) else None


def show(fact: str, value: Value) -> str:
    """Write a value for a person, in the unit of its fact."""
    kind = spec_of(fact).type
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value or "empty"
    if kind is FactType.DURATION:
        return show_duration(timedelta(microseconds=value))
    return f"{value / MILLION:g}" if kind in SCALED else str(value)
