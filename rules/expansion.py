"""Words that stand for other comparisons: `exists` and `within`.

They are read into comparisons that the engine, the explanation and the search for idle rules know
already.
"""

from rules.document import Node, suggest
from rules.facts import DAY_S, seconds_of_day
from rules.pack import All, Any, Condition, Op, Test
from support.situation import CATALOGUE
from support.subjects import FactSpec, FactType

EXISTS, WITHIN = "exists", "within"
EXPANDED = (EXISTS, WITHIN)
NAMED_HOURS = {"business_hours": "business_open", "shift": "owner_on_shift"}
"""Hours that `within` knows by name, and the fact that says whether it is in them."""
_MIDNIGHT_AT_THE_END = "24:00"


def can_be_empty(spec: FactSpec) -> bool:
    """Whether `exists` says something of this fact."""
    if spec.type is FactType.CHOICE:
        return "" in spec.choices
    return spec.type in {FactType.TEXT, FactType.SET}


def words_of(spec: FactSpec) -> tuple[str, ...]:
    """Return which of `EXPANDED` can be said of a fact."""
    return (*((EXISTS,) if can_be_empty(spec) else ()), *((WITHIN,) if _timed(spec) else ()))


def _timed(spec: FactSpec) -> bool:
    return spec.type is FactType.TIME


def expand(spec: FactSpec, word: str, node: Node) -> Condition:
    """Return the comparisons that `word` stands for; PackError names the line."""
    if word not in words_of(spec):
        why = "is never empty" if word == EXISTS else "is no time of day"
        raise node.place.fault(f"`{spec.name}` {why}, so `{word}` says nothing: leave it out")
    return _exists(spec, node) if word == EXISTS else _within(spec, node)


def _exists(spec: FactSpec, node: Node) -> Condition:
    if not isinstance(node.value, bool):
        raise node.place.fault(f"`exists` of `{spec.name}` must be true or false")
    nothing = frozenset[str]() if spec.type is FactType.SET else ""
    return Test(spec.name, Op.NE if node.value else Op.EQ, (nothing,))


def _within(spec: FactSpec, node: Node) -> Condition:
    if not isinstance(node.value, str):
        raise node.place.fault(
            f"`within` of `{spec.name}` must be hours written in quotes, such as "
            f'"22:00-06:00", or {" or ".join(NAMED_HOURS)}'
        )
    if node.value in NAMED_HOURS:
        return Test(NAMED_HOURS[node.value], Op.EQ, (True,))
    start, dash, end = (part.strip() for part in node.value.partition("-"))
    since, until = seconds_of_day(start), seconds_of_day(end)
    if end == _MIDNIGHT_AT_THE_END:
        until = DAY_S
    if not dash or since is None or until is None:
        hint = suggest(node.value, NAMED_HOURS) if node.value.isidentifier() else ""
        raise node.place.fault(
            f"`within` of `{spec.name}`: {node.value!r} is no span of hours such as "
            f'"22:00-06:00"{hint}'
        )
    if since == until or (since == 0 and until == DAY_S):
        raise node.place.fault(
            f"`within` of `{spec.name}`: {node.value!r} is the whole day or nothing: leave it out, "
            "or name two different times"
        )
    begun, not_over = Test(spec.name, Op.GE, (since,)), Test(spec.name, Op.LT, (until,))
    if until == DAY_S:
        return begun
    return All((begun, not_over)) if since < until else Any((begun, not_over))


def facts_behind(fact: str, comparison: object) -> tuple[str, ...]:
    """Return the facts that a comparison of `fact` asks, which may be others by a name of hours."""
    if fact not in CATALOGUE:
        return ()
    within = comparison.get(WITHIN) if isinstance(comparison, dict) else None
    named = NAMED_HOURS.get(str(within.value)) if isinstance(within, Node) else None
    return (fact, named) if named else (fact,)
