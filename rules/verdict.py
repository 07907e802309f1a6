"""Turns what matched into what fires: in order of priority, until a rule that stops."""

from collections.abc import Sequence

from rules.pack import Pack
from rules.reference import Finding
from support.needs import RuleTrace, RuleVerdict


def verdict_of(pack: Pack, findings: Sequence[Finding]) -> RuleVerdict:
    """Return the verdict on findings that are one for each rule, in the order of the file."""
    matched = {finding.rule_id for finding in findings if finding.matched}
    ordered = sorted((r for r in pack.rules if r.id in matched), key=lambda r: r.priority)
    fired = []
    stopper = ""
    for rule in ordered:
        fired.append(rule)
        if rule.stop:
            stopper = rule.id
            break
    ids = tuple(rule.id for rule in fired)
    return RuleVerdict(
        fired=ids,
        actions=tuple(action for rule in fired for action in rule.then),
        trace=tuple(_trace(finding, ids, stopper) for finding in findings),
        pack_name=pack.name,
        pack_version=pack.version,
    )


def _trace(finding: Finding, fired: tuple[str, ...], stopper: str) -> RuleTrace:
    if finding.matched and finding.rule_id not in fired:
        reason = f"{finding.reason}; but rule {stopper} came first and stops"
        return RuleTrace(finding.rule_id, fired=False, reason=reason)
    return RuleTrace(finding.rule_id, finding.matched, finding.reason)
