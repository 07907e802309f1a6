"""Turns what matched into what fires: in order of priority, until a rule that stops.

A rule that matched does not fire while it rests (`cooldown`), where it has had its turn
(`once_per`), or where its own actions led to this evaluation.
"""

from collections.abc import Mapping, Sequence

from rules.findings import Finding
from rules.pack import Pack, Rule
from support.duration import show_duration
from support.needs import EvaluateRules, Firing, Memory, RuleTrace, RuleVerdict


def verdict_of(pack: Pack, findings: Sequence[Finding], question: EvaluateRules) -> RuleVerdict:
    """Return the verdict on findings that are one for each rule, in the order of the file."""
    places = [place for place, finding in enumerate(findings) if finding.matched]
    ordered = sorted((pack.rules[place] for place in places), key=lambda rule: rule.priority)
    fired: list[Rule] = []
    held: dict[str, str] = {}
    again = []
    for rule in ordered:
        if fired and fired[-1].stop:
            held[rule.id] = f"rule {fired[-1].id} came first and stops"
        elif why := _rests(rule, question.memory):
            held[rule.id] = why
        elif rule.id in question.chain:
            again.append(rule.id)
            held[rule.id] = "it has fired in this chain, and what it did led here"
        else:
            fired.append(rule)
    ids = tuple(rule.id for rule in fired)
    return RuleVerdict(
        fired=ids,
        actions=tuple(action for rule in fired for action in rule.then),
        trace=_trace(findings, held),
        pack_name=pack.name,
        pack_version=pack.version,
        firings=tuple(_firings(fired, question.memory)),
        again=tuple(again),
        listens=pack.listens,
        limits=pack.limits,
    )


def _rests(rule: Rule, memory: Memory | None) -> str:
    """Return why the rule may not fire yet; empty where it may."""
    if memory is None or (rule.cooldown is None and rule.once_per is None):
        return ""
    scope = memory.scopes.get(rule.once_per, "") if rule.once_per else ""
    for firing in memory.firings:
        if firing.rule_id != rule.id:
            continue
        if scope and firing.scope == scope:
            return f"it has fired at {firing.at:%Y-%m-%d %H:%M:%S} UTC, once per {rule.once_per}"
        if rule.cooldown is not None and memory.at - firing.at < rule.cooldown:
            return (
                f"it has fired at {firing.at:%Y-%m-%d %H:%M:%S} UTC, and rests for "
                f"{show_duration(rule.cooldown)}"
            )
    return ""


def _firings(fired: Sequence[Rule], memory: Memory | None) -> list[Firing]:
    """Return what is to be remembered of the rules that fired."""
    if memory is None:
        return []
    return [
        Firing(rule.id, memory.at, memory.scopes.get(rule.once_per, "") if rule.once_per else "")
        for rule in fired
        if rule.cooldown is not None or rule.once_per is not None
    ]


def _trace(findings: Sequence[Finding], held: Mapping[str, str]) -> tuple[RuleTrace, ...]:
    if not held:
        return tuple([finding.trace for finding in findings])
    return tuple(
        RuleTrace(f.rule_id, fired=False, reason=f"{f.reason}; but {held[f.rule_id]}")
        if f.rule_id in held
        else f.trace
        for f in findings
    )
