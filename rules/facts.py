"""Facts as rules compare them: typed first, because the engine coerces what is not.

Numbers and durations become whole millionths, in packs and in facts alike, so that a comparison is
exact and no number is ever in exponent form, which the engine refuses.
"""

import math
import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cache

from support.duration import show_duration
from support.errors import RulesEngineError
from support.needs import Fact
from support.situation import CATALOGUE, TRIGGERS, FactSpec, FactType, Subject, facts_of

MILLION = 1_000_000
LARGEST = 2**53
"""Whole numbers up to here are exact in every part of the engine."""

Value = bool | int | str | frozenset[str]
Typed = Mapping[str, Value]

SCALED = frozenset({FactType.NUMBER, FactType.DURATION})
ORDERED = SCALED | {FactType.COUNT, FactType.TIME}
DAY_S = 86_400
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_NEUTRAL: Mapping[FactType, Fact] = {
    FactType.FLAG: False,
    FactType.COUNT: 0,
    FactType.NUMBER: 0.0,
    FactType.DURATION: 0.0,
    FactType.TEXT: "",
    FactType.SET: (),
    FactType.TIME: "00:00:00",
}
_WORDS = frozenset({FactType.CHOICE, FactType.TEXT})


def neutral(spec: FactSpec) -> Fact:
    """Return what a fact is where nothing is said of it: nothing, or its first choice."""
    return spec.choices[0] if spec.choices else _NEUTRAL[spec.type]


def typed(facts: Mapping[str, Fact]) -> dict[str, Value]:
    """Return every fact of the catalogue as it is compared.

    `facts` are those of the subject of their `on`; the facts of other subjects are neutral, and no
    rule for this trigger asks them. Raises RulesEngineError for a fact that is missing, unknown or
    not of its type: such a decision would be a guess.
    """
    subject = TRIGGERS.get(str(facts.get("on")))
    if subject is None:
        raise RulesEngineError(f"facts are without a trigger: there is no `on` {facts.get('on')!r}")
    known = facts_of(subject)
    unknown = facts.keys() - known.keys()
    missing = known.keys() - facts.keys()
    if unknown or missing:
        names = ", ".join(sorted(unknown or missing))
        which = "unknown" if unknown else "missing"
        raise RulesEngineError(
            f"facts are {which}: {names}; support.situation describes all those of a {subject}"
        )
    return {**_neutral(subject), **{name: _value(known[name], facts[name]) for name in known}}


@cache
def _neutral(subject: Subject) -> Mapping[str, Value]:
    """Return what the facts that `subject` has not are taken for."""
    foreign = CATALOGUE.keys() - facts_of(subject).keys()
    return {name: _value(CATALOGUE[name], neutral(CATALOGUE[name])) for name in sorted(foreign)}


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
    if kind is FactType.TIME:
        return seconds_of_day(raw)
    return _number(raw, scaled=kind in SCALED)


def seconds_of_day(raw: object) -> int | None:
    """Return a time of day, written `HH:MM` or `HH:MM:SS`, in seconds since midnight."""
    found = _CLOCK.fullmatch(raw) if isinstance(raw, str) else None
    if found is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


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
    if kind is FactType.TIME:
        minutes, seconds = divmod(value, 60)
        return f"{minutes // 60:02}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")
    return f"{value / MILLION:g}" if kind in SCALED else str(value)
