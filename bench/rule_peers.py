"""The rules of a compiled pack in other engines, for `bench/rules.py`: raw, CLIPS, ZEN.

All of them read the program that `rules.compiler` makes: the same comparisons of the same facts, so
that every answer can be compared. CLIPS and ZEN come with `uv sync --group bench`.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import clips as clips_package
import zen as zen_package
from durable import engine as durable

from rules.engine_process import Matcher
from rules.program import KIND, TICKET, Program
from rules.sharding import NEVER, SENTINEL

Message = dict[str, Any]
Rows = dict[str, list[Message]]
Decide = Callable[[Message, Rows], list[str]]

_SIGNS = {"$neq": "!=", "$lt": "<", "$lte": "<=", "$gt": ">", "$gte": ">="}


def matcher(program: Program) -> Matcher:
    """Return durable_rules in this process, with the rulesets of `program`."""
    return Matcher([shard.form for shard in program.shards])


def raw(program: Program) -> Decide:
    """Return durable_rules as its package drives it: messages ready, the names of what fired.

    Its `Host` without the two timer threads, which make decisions silently wrong.
    """
    host, fired = _Host(), set[str]()
    rulesets = []

    def noted(name: str) -> Callable[[object], None]:
        return lambda _context: fired.add(name)

    for shard in program.shards:
        definition = {
            name: {**dict(body), "run": noted(name)}  # type: ignore[call-overload]  # a JSON object
            for name, body in shard.definition.items()
        }
        host.register_rulesets({shard.name: definition})
        rulesets.append((shard.name, shard.properties, shard.related))
    count = 0

    def decide(message: Message, rows: Rows) -> list[str]:
        nonlocal count
        count += 1
        sid = f"s{count}"
        fired.clear()
        for name, properties, relations in rulesets:
            fact = {key: message[key] for key in properties}
            fact |= {"id": "f", "sid": sid, SENTINEL: True}
            if relations:
                related = [
                    {key: row[key] for key in needed}
                    | {"id": f"{relation}{number}", "sid": sid, KIND: relation}
                    for relation, needed in relations.items()
                    for number, row in enumerate(rows[relation])
                ]
                host.assert_facts(name, [*related, {**fact, KIND: TICKET}])
            else:
                host.assert_fact(name, fact)
            host.delete_state(name, sid)
        return sorted(fired - {SENTINEL})

    return decide


class _Host(durable.Host):  # type: ignore[misc]  # the package ships no types
    def _run(self) -> None:
        """Start no threads."""


Comparison = tuple[str, str, Any]
"""Property, sign and value."""


def rules_of(program: Program) -> list[tuple[str, list[tuple[str, bool, list[Comparison]]]]]:
    """Return every engine rule with its patterns: kind, whether wanted, and what is compared."""
    found = []
    for shard in program.shards:
        for name, body in shard.definition.items():
            if name == SENTINEL or name.startswith(NEVER):
                continue
            patterns = [_pattern(*next(iter(part.items()))) for part in body["all"]]  # type: ignore[index]
            found.append((name, patterns))
    return found


def _pattern(name: str, condition: Mapping[str, Any]) -> tuple[str, bool, list[Comparison]]:
    comparisons = [_comparison(part) for part in condition["$and"]]
    kinds = [value for prop, _, value in comparisons if prop == KIND]
    rest = [c for c in comparisons if c[0] != KIND]
    return (kinds[0] if kinds else TICKET, not name.endswith("$not"), rest)


def _comparison(part: Mapping[str, Any]) -> Comparison:
    ((key, value),) = part.items()
    sign = "=="
    if key in _SIGNS:
        sign = _SIGNS[key]
        ((key, value),) = value.items()
    if isinstance(value, dict):
        raise TypeError("the peers are not given comparisons of a row with the ticket")
    return key, sign, value


def zen(program: Program) -> Decide:
    """Return ZEN with its trace, the rules as one decision table that collects all hits."""
    rows = [
        {
            "_id": name,
            "i": " and ".join(_zen_pattern(*pattern) for pattern in patterns),
            "o": f"'{name}'",
        }
        for name, patterns in rules_of(program)
    ]
    table = {
        "hitPolicy": "collect",
        "inputs": [{"id": "i", "name": "when", "field": ""}],
        "outputs": [{"id": "o", "name": "rule", "field": "rule"}],
        "rules": rows,
    }
    place = {"x": 0, "y": 0}
    nodes = [
        {"id": "in", "type": "inputNode", "name": "in", "position": place},
        {"id": "t", "type": "decisionTableNode", "name": "t", "position": place, "content": table},
        {"id": "out", "type": "outputNode", "name": "out", "position": place},
    ]
    edges = [
        {"id": "1", "sourceId": "in", "targetId": "t", "type": "edge"},
        {"id": "2", "sourceId": "t", "targetId": "out", "type": "edge"},
    ]
    decision = zen_package.ZenEngine().create_decision(json.dumps({"nodes": nodes, "edges": edges}))

    def decide(message: Message, rows: Rows) -> list[str]:
        answer = decision.evaluate({**message, **rows}, {"trace": True})
        return sorted(hit["rule"] for hit in answer["result"] or [])

    return decide


def _zen_pattern(kind: str, wanted: bool, comparisons: list[Comparison]) -> str:  # noqa: FBT001
    if kind == TICKET:
        return " and ".join(_zen(prop, sign, value) for prop, sign, value in comparisons)
    inner = " and ".join(_zen(f"#.{prop}", sign, value) for prop, sign, value in comparisons)
    some = f"some({kind}, {inner or 'true'})"
    return some if wanted else f"not({some})"


def _zen(name: str, sign: str, value: Any) -> str:  # noqa: ANN401  JSON of any shape
    return f"{name} {sign} {json.dumps(value)}"


def clips(program: Program) -> Decide:
    """Return CLIPS: one fact for the ticket, one for each row, and what fired by name."""
    environment = clips_package.Environment()
    rules = rules_of(program)
    slots: dict[str, dict[str, None]] = {TICKET: dict.fromkeys(program.ticket.properties)}
    for relation, table in program.rows.items():
        slots[str(relation)] = dict.fromkeys(table.properties)
    for kind, names in slots.items():
        environment.build(f"(deftemplate {kind} {' '.join(f'(slot {n})' for n in names)})")
    environment.build("(deftemplate hit (slot rule))")
    for name, patterns in rules:
        parts = " ".join(_clips_pattern(*pattern) for pattern in patterns)
        environment.build(f"(defrule {name} {parts} => (assert (hit (rule {name}))))")
    templates = {kind: environment.find_template(kind) for kind in slots}
    hit = environment.find_template("hit")

    def plain(value: Any) -> Any:  # noqa: ANN401  what a slot holds
        return (
            clips_package.Symbol("TRUE" if value else "FALSE") if isinstance(value, bool) else value
        )

    def decide(message: Message, rows: Rows) -> list[str]:
        environment.reset()
        templates[TICKET].assert_fact(**{n: plain(message[n]) for n in slots[TICKET]})
        for relation, each in rows.items():
            for row in each:
                templates[relation].assert_fact(**{n: plain(row[n]) for n in slots[relation]})
        environment.run()
        return sorted(str(fact["rule"]) for fact in hit.facts())

    return decide


def _clips_pattern(kind: str, wanted: bool, comparisons: list[Comparison]) -> str:  # noqa: FBT001
    slots: dict[str, list[str]] = {}
    for prop, sign, value in comparisons:
        slots.setdefault(prop, []).append(_clips(prop, sign, value))
    pattern = f"({kind} {' '.join(f'({n} {chr(38).join(tests)})' for n, tests in slots.items())})"
    if kind == TICKET:
        return pattern
    return f"(exists {pattern})" if wanted else f"(not {pattern})"


def _clips(prop: str, sign: str, value: Any) -> str:  # noqa: ANN401  JSON of any shape
    said = ("TRUE" if value else "FALSE") if isinstance(value, bool) else json.dumps(value)
    if sign == "==":
        return said
    return f"~{said}" if sign == "!=" else f"?{prop}_&:({sign} ?{prop}_ {said})"
