"""Facts as rules compare them: typed first, because the engine coerces what is not.

Numbers and durations become whole millionths, in packs and in facts alike, so that a comparison is
exact and no number is ever in exponent form, which the engine refuses.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from support.duration import show_duration
from support.errors import RulesEngineError
from support.needs import Fact, Row
from support.relations import QUALIFIED, RELATED, Relation, RelationSpec
from support.situation import CATALOGUE, facts_of
from support.subjects import TRIGGERS, FactSpec, FactType, Subject

MILLION = 1_000_000
LARGEST = 2**53
"""Whole numbers up to here are exact in every part of the engine."""

Value = bool | int | str | frozenset[str]
Typed = Mapping[str, Value]
TypedRows = Mapping[str, tuple[Typed, ...]]
"""Rows of each relation that was fetched, by qualified names."""

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


def neutral(spec: FactSpec) -> Fact:
    """Return what a fact is where nothing is said of it: nothing, or its first choice."""
    return spec.choices[0] if spec.choices else _NEUTRAL[spec.type]


@dataclass(frozen=True, slots=True)
class _Reader:
    """How the facts of one subject are read: each by its kind; those of others are neutral."""

    subject: Subject
    kinds: Mapping[str, Callable[[object], Value | None]]
    foreign: Mapping[str, Value]


@cache
def _reader(subject: Subject) -> _Reader:
    known = facts_of(subject)
    foreign = [CATALOGUE[name] for name in sorted(CATALOGUE.keys() - known.keys())]
    return _Reader(
        subject,
        {name: _CONVERTERS[spec.type] for name, spec in known.items()},
        {spec.name: _value(spec, neutral(spec)) for spec in foreign},
    )


def typed(facts: Mapping[str, Fact]) -> dict[str, Value]:
    """Return every fact of the catalogue as it is compared.

    `facts` are those of the subject of their `on`; the facts of other subjects are neutral, and no
    rule for this trigger asks them. Raises RulesEngineError for a fact that is missing, unknown or
    not of its type: such a decision would be a guess.
    """
    subject = TRIGGERS.get(str(facts.get("on")))
    if subject is None:
        raise RulesEngineError(f"facts are without a trigger: there is no `on` {facts.get('on')!r}")
    reader = _reader(subject)
    if facts.keys() != reader.kinds.keys():
        raise _unlike(facts, reader)
    found = dict(reader.foreign)
    for name, convert_it in reader.kinds.items():
        value = convert_it(facts[name])
        if value is None:
            raise _mistyped(CATALOGUE[name], facts[name])
        found[name] = value
    return found


def _unlike(facts: Mapping[str, Fact], reader: _Reader) -> RulesEngineError:
    unknown = facts.keys() - reader.kinds.keys()
    names = ", ".join(sorted(unknown or reader.kinds.keys() - facts.keys()))
    which = "unknown" if unknown else "missing"
    return RulesEngineError(
        f"facts are {which}: {names}; support.situation describes all those of a {reader.subject}"
    )


def spec_of(fact: str) -> FactSpec:
    """Return the entry of a fact, of the ticket or (by its qualified name) of what is related."""
    return CATALOGUE[fact] if fact in CATALOGUE else QUALIFIED[fact]


def typed_rows(related: Mapping[str, tuple[Row, ...]]) -> TypedRows:
    """Return the rows of every relation as they are compared; RulesEngineError as in `typed`."""
    return {name: _rows(RELATED[Relation(name)], name, rows) for name, rows in related.items()}


def _rows(spec: RelationSpec, name: str, rows: tuple[Row, ...]) -> tuple[Typed, ...]:
    if len(rows) > spec.most:
        raise RulesEngineError(f"{name} has {len(rows)} rows, and {spec.most} is the most")
    kinds = [(short, fact.name, _CONVERTERS[fact.type]) for short, fact in spec.facts.items()]
    return tuple([_row(spec, name, row, kinds) for row in rows])


def _row(
    spec: RelationSpec,
    name: str,
    row: Row,
    kinds: Sequence[tuple[str, str, Callable[[object], Value | None]]],
) -> Typed:
    if row.keys() != spec.facts.keys():
        names = ", ".join(sorted(row.keys() ^ spec.facts.keys()))
        raise RulesEngineError(f"facts of {name} are missing or unknown: {names}")
    found: dict[str, Value] = {}
    for short, qualified, convert_it in kinds:
        value = convert_it(row[short])
        if value is None:
            raise _mistyped(spec.facts[short], row[short])
        found[qualified] = value
    return found


def _value(spec: FactSpec, fact: Fact) -> Value:
    value = convert(spec.type, fact)
    if value is None:
        raise _mistyped(spec, fact)
    return value


def _mistyped(spec: FactSpec, fact: Fact) -> RulesEngineError:
    return RulesEngineError(
        f"fact {spec.name} is of type {type(fact).__name__} or out of range, "
        f"not a {spec.type}: the engine would coerce it silently",
        fact=spec.name,
    )


def convert(kind: FactType, raw: object) -> Value | None:
    """Return `raw` as a value of this kind of fact, or None where it is none."""
    return _CONVERTERS[kind](raw)


def seconds_of_day(raw: object) -> int | None:
    """Return a time of day, written `HH:MM` or `HH:MM:SS`, in seconds since midnight."""
    found = _CLOCK.fullmatch(raw) if isinstance(raw, str) else None
    if found is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def _flag(raw: object) -> bool | None:
    return raw if isinstance(raw, bool) else None


def _count(raw: object) -> int | None:
    if isinstance(raw, bool) or not isinstance(raw, int):
        return None
    return raw if -LARGEST <= raw <= LARGEST else None


def _scaled(raw: object) -> int | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return None
    # False for infinities, and for what is not a number.
    return round(raw * MILLION) if -LARGEST <= raw * MILLION <= LARGEST else None


def _text(raw: object) -> str | None:
    return str(raw) if isinstance(raw, str) else None


def _names(raw: object) -> frozenset[str] | None:
    if not isinstance(raw, tuple | list | set | frozenset):
        return None
    names = frozenset(name for name in raw if isinstance(name, str))
    return names if all(isinstance(name, str) for name in raw) else None


_CONVERTERS: Mapping[FactType, Callable[[object], Value | None]] = {
    FactType.FLAG: _flag,
    FactType.COUNT: _count,
    FactType.NUMBER: _scaled,
    FactType.DURATION: _scaled,
    FactType.CHOICE: _text,
    FactType.TEXT: _text,
    FactType.SET: _names,
    FactType.TIME: seconds_of_day,
}


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
    if kind is FactType.TIME:
        minutes, seconds = divmod(value, 60)
        return f"{minutes // 60:02}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")
    return f"{value / MILLION:g}" if kind in SCALED else str(value)
