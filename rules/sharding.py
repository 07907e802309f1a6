"""Deals the conjunctions of a pack out to rulesets that durable_rules can hold."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from rules.pack import Op
from rules.program import KIND, Atom, Conjunction, Join, Plain, Same, Shard, durable_rule
from support.relations import Relation

RULES_A_RULESET = 32
"""From 70 on, durable_rules 2.0.28 corrupts the heap; up to 60 it never failed."""
PROPERTIES_A_MESSAGE = 255
SENTINEL = "always"
"""A rule of every ruleset that every ticket satisfies.

`delete_state` reads memory that only the start of an action initialises: without one the process
dies on messages that no rule takes. It also proves that the ruleset has looked at the message.
"""
NEVER = "never"
"""Property that nothing has: rows wait for it, so that the engine takes every one of them.

A row that no rule takes cuts the evaluation short (`MessageNotHandledException`) and ends in the
same fault of `delete_state`; a rule that fires for each row would cost three times as much.
"""
_RESERVED = 4  # id, sid, kind and the sentinel's own property


@dataclass
class _Batch:
    """Conjunctions of one ruleset, and the properties that they read."""

    joining: bool
    conjunctions: list[Conjunction] = field(default_factory=list)
    ticket: set[str] = field(default_factory=set)
    rows: dict[str, set[str]] = field(default_factory=dict)

    def takes(self, conjunction: Conjunction) -> bool:
        """Whether there is room for it within the limits of the engine."""
        if not self.conjunctions:
            return True
        more = self.ticket | _ticket_names(conjunction)
        own = 1 + (len(Relation) if self.joining else 0)
        return (
            len(self.conjunctions) < RULES_A_RULESET - own
            and len(more) + _RESERVED <= PROPERTIES_A_MESSAGE
        )

    def add(self, conjunction: Conjunction) -> None:
        """Take it in."""
        self.conjunctions.append(conjunction)
        self.ticket |= _ticket_names(conjunction)
        for join in conjunction:
            if isinstance(join, Join):
                self.rows.setdefault(join.relation, set()).update(a.name for a in join.atoms)


def _ticket_names(conjunction: Conjunction) -> set[str]:
    """Return the properties of the ticket that it reads, also in comparisons with rows."""
    found = set()
    for literal in conjunction:
        if isinstance(literal, Atom):
            found.add(literal.name)
        else:
            found |= {atom.value.name for atom in literal.atoms if isinstance(atom.value, Same)}
    return found


def sharded(
    conjunctions_of: Mapping[Conjunction, Sequence[str]], rules_of: dict[str, tuple[str, ...]]
) -> Iterator[Shard]:
    """Yield the rulesets: those that join apart, because rows cost time in every rule.

    What asks for the same value of the property that tells most rules apart lies together, so that
    a ticket with another one passes by; joins with another value have a ruleset of their own.
    """
    plain: list[Conjunction] = []
    joining: list[Conjunction] = []
    for conjunction in conjunctions_of:
        joins = any(isinstance(literal, Join) for literal in conjunction)
        (joining if joins else plain).append(conjunction)
    number = count()
    for conjunctions in (plain, joining):
        teller = _teller(conjunctions)
        batch = _Batch(joining=conjunctions is joining)
        before: object = None
        for conjunction in sorted(conjunctions, key=lambda c: str(_equals(c).get(teller, ""))):
            value = _equals(conjunction).get(teller)
            if not batch.takes(conjunction) or (batch.joining and value != before):
                yield from _finished(next(number), batch, conjunctions_of, rules_of)
                batch = _Batch(joining=batch.joining)
            batch.add(conjunction)
            before = value
        yield from _finished(next(number), batch, conjunctions_of, rules_of)


def _equals(conjunction: Conjunction) -> dict[str, Plain]:
    """Return the properties of the ticket that must be one value, with it."""
    return {
        literal.name: literal.value
        for literal in conjunction
        if isinstance(literal, Atom) and literal.op is Op.EQ and not isinstance(literal.value, Same)
    }


def _teller(conjunctions: Sequence[Conjunction]) -> str:
    """Return the property of which most conjunctions ask one of several values."""
    asked: dict[str, Counter[Plain]] = {}
    for conjunction in conjunctions:
        for name, value in _equals(conjunction).items():
            asked.setdefault(name, Counter())[value] += 1
    told = {name: values.total() for name, values in asked.items() if len(values) > 1}
    return max(sorted(told), key=lambda name: told[name], default="")


def _guards(conjunctions: Sequence[Conjunction]) -> dict[str, tuple[Plain, ...]]:
    """Return the properties that every conjunction asks one value of, with all those values."""
    each = [_equals(conjunction) for conjunction in conjunctions]
    shared = set(each[0]).intersection(*each[1:])
    return {name: tuple(dict.fromkeys(found[name] for found in each)) for name in sorted(shared)}


def _finished(
    number: int,
    batch: _Batch,
    conjunctions_of: Mapping[Conjunction, Sequence[str]],
    rules_of: dict[str, tuple[str, ...]],
) -> Iterator[Shard]:
    if batch.conjunctions:
        yield _shard(number, batch, conjunctions_of, rules_of)


def _shard(
    number: int,
    batch: _Batch,
    conjunctions_of: Mapping[Conjunction, Sequence[str]],
    rules_of: dict[str, tuple[str, ...]],
) -> Shard:
    definition: dict[str, object] = {SENTINEL: {"all": [{"m": {SENTINEL: True}}]}}
    for relation in batch.rows:
        waiting = [{"m": {KIND: str(relation)}}, {"n": {NEVER: True}}]
        definition[f"{NEVER}_{relation}"] = {"all": waiting}
    for index, conjunction in enumerate(batch.conjunctions):
        name = f"r{number}_{index}"
        rules_of[name] = tuple(conjunctions_of[conjunction])
        definition[name] = durable_rule(conjunction, joining=batch.joining)
    return Shard(
        name=f"shard{number}",
        definition=definition,
        properties=tuple(sorted(batch.ticket)),
        related={str(relation): tuple(sorted(names)) for relation, names in batch.rows.items()},
        guards=_guards(batch.conjunctions),
    )
