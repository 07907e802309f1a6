"""Refuses rules that can never fire: they look like a promise, and keep none.

A rule is refused when no facts satisfy it, or when earlier rules that stop cover all that it
matches. What is refused can certainly never fire; what is not may still be idle in practice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rules.comparing import in_words
from rules.compiler import spread
from rules.document import Place
from rules.domains import Domain, domain_of
from rules.pack import All, Exists, Op, Pack, Rule, Test
from rules.words import condition_in_words

MOST_WORK = 2_000_000
"""What comparing the alternatives of one pack may cost (about a microsecond each); rules beyond
that are let through."""
_OF_A_PATTERN = 40
"""How much longer a value takes to match than to compare."""
LONGEST_REASON = 300

Literal = tuple[Test | Exists, bool]
Box = Mapping[str, Domain]


@dataclass
class _Search:
    """The alternatives of rules that stop, as far as the pack has been walked through."""

    stoppers: list[tuple[Rule, Box]] = field(default_factory=list)
    cost: int = 0
    work: int = 0

    def add(self, rule: Rule, boxes: list[Box]) -> None:
        """Let every alternative of `rule` stop what comes after."""
        self.stoppers += ((rule, box) for box in boxes)
        self.cost += sum(map(_cost, boxes))

    def covering(self, box: Box) -> Rule | None:
        """Return the first rule that stops on all of `box`; None also beyond MOST_WORK."""
        self.work += len(self.stoppers) * _cost(box) + self.cost
        if self.work > MOST_WORK:
            return None
        return next((rule for rule, stopper in self.stoppers if _inside(box, stopper)), None)


def refuse_idle_rules(pack: Pack) -> None:
    """Raise PackError for the first enabled rule that can never fire; the pack must compile."""
    search = _Search()
    boxes = {rule.id: _boxes(rule, search) for rule in pack.rules if rule.enabled}
    for rule in sorted((r for r in pack.rules if r.enabled), key=lambda r: r.priority):
        judged = boxes[rule.id]
        if not judged:
            continue
        _refuse_shadowed(rule, judged, search)
        if rule.stop:
            search.add(rule, judged)


def _boxes(rule: Rule, search: _Search) -> list[Box]:
    """Return the alternatives of a rule that can be true; PackError if there are none.

    Beyond MOST_WORK none are returned: the rule is let through.
    """
    found: list[Box] = []
    reason = ""
    alternatives = _alternatives(rule)
    for literals in alternatives:
        box: dict[str, Domain] = {}
        for leaf, wanted in literals:
            test = _as_test(leaf, rule)
            domain = box.get(test.fact) or _domain(leaf)
            search.work += 1 + domain.size * (_OF_A_PATTERN if test.op is Op.MATCHES else 1) // 4
            if search.work > MOST_WORK:
                return []
            box[test.fact] = domain.narrowed(test, wanted=wanted)
        broken = next((fact for fact, domain in box.items() if domain.empty), None)
        if broken is None:
            found.append(box)
        else:
            reason = reason or _contradiction(broken, literals)
    if not found:
        several = len(alternatives) > 1
        prefix = f"none of its {len(alternatives)} alternatives can be true; " if several else ""
        raise Place(rule.file, rule.line).fault(
            f"rule `{rule.id}` can never fire: {prefix}{reason}; change its conditions, or keep it "
            "out with `enabled: false`"
        )
    return found


def _as_test(leaf: Test | Exists, rule: Rule) -> Test:
    """Return a join as a comparison of a fact of its own: there are such rows, or there are not."""
    if isinstance(leaf, Test):
        return leaf
    _refuse_impossible_rows(leaf, rule)
    return Test(condition_in_words(leaf), Op.EQ, (True,))


def _domain(leaf: Test | Exists) -> Domain:
    return domain_of(leaf.fact) if isinstance(leaf, Test) else Domain(frozenset({True, False}))


def _refuse_impossible_rows(exists: Exists, rule: Rule) -> None:
    """Raise PackError where no row could ever satisfy what is asked of it."""
    reason = ""
    for literals in spread(exists.part, _literal, wanted=True):
        box: dict[str, Domain] = {}
        for test, wanted in literals:
            if isinstance(test, Test) and test.op is not Op.SAME_AS:
                known = box.get(test.fact, domain_of(test.fact))
                box[test.fact] = known.narrowed(test, wanted=wanted)
        broken = next((fact for fact, domain in box.items() if domain.empty), None)
        if broken is None:
            return
        reason = reason or _contradiction(broken, literals)
    raise Place(rule.file, rule.line).fault(
        f"rule `{rule.id}`: no row of {exists.relation} can ever be like that; {reason}"
    )


def _alternatives(rule: Rule) -> list[tuple[Literal, ...]]:
    condition = All((Test("on", Op.IN, rule.on), rule.when))
    return spread(condition, _literal, wanted=True)


def _literal(leaf: Test | Exists, *, wanted: bool) -> list[tuple[Literal, ...]]:
    return [((leaf, wanted),)]


def _contradiction(fact: str, literals: tuple[Literal, ...]) -> str:
    asked = [
        in_words(test, held=wanted)
        for test, wanted in literals
        if isinstance(test, Test) and test.fact == fact
    ]
    if not asked:
        return f"{fact} would have to be and not to be"
    said = " and ".join(dict.fromkeys(asked))
    shown = said if len(said) <= LONGEST_REASON else f"{said[:LONGEST_REASON]}..."
    return f"`{fact}` would have to be {shown}"


def _refuse_shadowed(rule: Rule, boxes: list[Box], search: _Search) -> None:
    covers: dict[str, Rule] = {}
    for box in boxes:
        stopper = search.covering(box)
        if stopper is None:
            return
        covers[stopper.id] = stopper
    names = " and ".join(f"`{r.id}` ({_where(r, rule)})" for r in covers.values())
    one = len(covers) == 1
    raise Place(rule.file, rule.line).fault(
        f"rule `{rule.id}` can never fire: whatever it matches, {names} "
        f"{'matches' if one else 'match'} first and {'stops' if one else 'stop'}; give it a lower "
        f"`priority` than {'that one' if one else 'those'}, or let {'that' if one else 'those'} "
        "match less"
    )


def _where(rule: Rule, seen_from: Rule) -> str:
    line = f"line {rule.line}"
    return line if rule.file == seen_from.file else f"{rule.file}, {line}"


def _inside(box: Box, other: Box) -> bool:
    return all(fact in box and box[fact].within(domain) for fact, domain in other.items())


def _cost(box: Box) -> int:
    return 1 + sum(domain.size // 4 for domain in box.values())
