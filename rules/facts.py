"""Facts as rules compare them: typed first, because the engine coerces what is not.

Numbers and durations become whole millionths, in packs and in facts alike, so that a comparison is
exact and no number is ever in exponent form, which the engine refuses.
"""

import math
from collections.abc import Mapping
from datetime import timedelta

from support.duration import show_duration
from support.errors import RulesEngineError
from support.needs import Fact
from support.situation import CATALOGUE, FactSpec, FactType

MILLION = 1_000_000
LARGEST = 2**53
"""Whole numbers up to here are exact in every part of the engine."""

Value = bool | int | str | frozenset[str]
Typed = Mapping[str, Value]

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


def _value(spec: FactSpec, fact: Fact) -> Value:
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
    kind = CATALOGUE[fact].type
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value or "empty"
    if kind is FactType.DURATION:
        return show_duration(timedelta(microseconds=value))
    return f"{value / MILLION:g}" if kind in SCALED else str(value)
