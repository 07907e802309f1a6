"""Rules that set off rules, within one decision: breadth first, and never without end.

What a rule does to the ticket is put before the rules again, where one of them is for it. None
fires twice on the path that leads from the trigger to it. Where that is what ends a path, or where
a limit does, automation on the ticket is halted.
"""

from collections import deque
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field

from support.actions import perform
from support.model import EventKind, Priority, TicketEvent
from support.needs import (
    Answer,
    EvaluateRules,
    Fact,
    Judged,
    Need,
    Row,
    RuleAction,
    RuleTrace,
    RuleVerdict,
    evaluate,
)
from support.relations import related
from support.remembering import remembered
from support.transitions import ALLOWED
from support.work import Work, leave

Look = Callable[[TicketEvent | None, frozenset[str]], EvaluateRules]
"""What the rules are asked now: about the trigger, or about what the rules of a chain did."""


@dataclass(frozen=True, slots=True)
class Round:
    """The rules asked again within one decision, about what the action `cause` did.

    `path` are the rules that led here, each set off by the one before. `changed` are the facts that
    differ from those of the decision, `related` the rows that the rules were asked with; `actions`
    the indexes of what this round asked for.
    """

    trigger: str
    cause: int
    path: tuple[str, ...]
    changed: Mapping[str, Fact]
    fired: tuple[str, ...]
    trace: tuple[RuleTrace, ...]
    actions: tuple[int, ...]
    related: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Course:
    """What the rules said in one decision: the first verdict on its facts, and what followed."""

    facts: Mapping[str, Fact]
    related: Mapping[str, tuple[Row, ...]]
    verdict: RuleVerdict
    fired: tuple[str, ...]
    rounds: tuple[Round, ...]


@dataclass(frozen=True, slots=True)
class _Cause:
    event: TicketEvent
    path: tuple[str, ...]
    action: int


@dataclass(slots=True)
class _Chains:
    """The rounds of one decision; `asked` is what each rule asked for when it fired."""

    work: Work
    look: Look
    ahead: deque[_Cause] = field(default_factory=deque)
    asked: dict[str, list[RuleAction]] = field(default_factory=dict)
    rounds: list[Round] = field(default_factory=list)

    def act(
        self, verdict: RuleVerdict, path: tuple[str, ...], held: str
    ) -> Generator[Need, Answer, tuple[int, ...]]:
        """Do what the verdict asks for, unless it is `held`; return the indexes of the records.

        What only is on record uses up no turn of a rule.
        """
        work, first = self.work, len(self.work.records)
        if not held:
            work.state = remembered(work.state, verdict.firings)
        for action in verdict.actions:
            if held:
                leave(work, action, held)
                continue
            self.asked.setdefault(action.rule_id, []).append(action)
            yield from perform(work, action)
            self._put_ahead(verdict, (*path, action.rule_id))
        return tuple(range(first, len(work.records)))

    def _put_ahead(self, verdict: RuleVerdict, path: tuple[str, ...]) -> None:
        for index, event in self.work.happened:
            if str(event.kind) in verdict.listens:
                self.ahead.append(_Cause(event, path, index))
        self.work.happened.clear()

    def ask_again(self, cause: _Cause, facts: Mapping[str, Fact]) -> Generator[Need, Answer, None]:
        """Put before the rules what one of them did; `facts` are those of the decision."""
        question = self.look(cause.event, frozenset(cause.path))
        judged = yield from _asked(self.work, question)
        verdict = judged.verdict
        if why := self._no_end(verdict, cause.path):
            self.work.halt(why, cause.path)
        actions = yield from self.act(verdict, cause.path, held(self.work))
        known = question.facts.items()
        self.rounds.append(
            Round(
                trigger=str(cause.event.kind),
                cause=cause.action,
                path=cause.path,
                changed={name: fact for name, fact in known if facts.get(name) != fact},
                fired=verdict.fired,
                trace=verdict.trace,
                actions=actions,
                related=judged.related,
            )
        )

    def _no_end(self, verdict: RuleVerdict, path: tuple[str, ...]) -> str:
        """Say why the chain must not go on; empty where it may, or ends by itself."""
        for rule_id in verdict.again:
            if any(changes(self.work, action) for action in self.asked.get(rule_id, ())):
                return f"rule {rule_id} sets itself off without end: {_arrows(*path, rule_id)}"
        deepest = self.work.limits.deepest_chain
        if verdict.fired and len(path) >= deepest:
            rule_id = verdict.fired[0]
            return (
                f"rule {rule_id} would be number {len(path) + 1} of a chain, and the limit is "
                f"{deepest}: {_arrows(*path, rule_id)}"
            )
        return ""


def follow(work: Work, look: Look) -> Generator[Need, Answer, Course]:
    """Ask the rules about the trigger, do what they ask for, and ask about what that did."""
    chains = _Chains(work, look)
    question = look(None, frozenset())
    judged = yield from _asked(work, question)
    verdict = judged.verdict
    work.limits = verdict.limits
    yield from chains.act(verdict, (), held(work))
    while chains.ahead and work.state.halted is None:
        cause = chains.ahead.popleft()
        most = work.limits.most_rounds
        if len(chains.rounds) + 1 >= most:
            reason = f"rules set off rules more than {most} times in one decision, the limit, last"
            work.halt(f"{reason} rule {cause.path[-1]}: {_arrows(*cause.path)}", cause.path)
            break
        yield from chains.ask_again(cause, question.facts)
    all_fired = [*verdict.fired, *(rule_id for r in chains.rounds for rule_id in r.fired)]
    return Course(
        facts=question.facts,
        related=judged.related,
        verdict=verdict,
        fired=tuple(dict.fromkeys(all_fired)),
        rounds=tuple(chains.rounds),
    )


def _asked(work: Work, question: EvaluateRules) -> Generator[Need, Answer, Judged]:
    work.facts = question.facts
    return (yield from evaluate(question, lambda wanted: related(wanted, work.state, work.at)))


def held(work: Work) -> str:
    """Say why what rules ask for is left; empty where it is done."""
    if work.automation_stopped:
        return "automation is stopped"
    return work.state.halted.why if work.state.halted is not None else ""


def changes(work: Work, action: RuleAction) -> bool:
    """Whether `action`, done once more, would change the ticket and so set off rules again."""
    state, params = work.state, action.params
    match action.kind:
        case "macro":
            return any(changes(work, part) for part in work.macros[str(params["name"])])
        case "set_priority":
            return state.priority is not Priority(str(params["priority"]))
        case "tag":
            added, removed = set(_tags(params, "add")), set(_tags(params, "remove"))
            return bool(added - set(state.tags) or removed & set(state.tags))
        case "escalate":
            return state.active and not state.owner
        case "assign" | "reply" | "resolve" | "close" | "resume" | "reopen":
            in_vain = action.kind == "assign" and not state.owner and work.told_no_owner
            return EventKind(action.kind) in ALLOWED[state.status] and not in_vain
        case _:
            return False


def _tags(params: Mapping[str, object], name: str) -> tuple[str, ...]:
    found = params.get(name)
    return found if isinstance(found, tuple) else ()


def _arrows(*rules: str) -> str:
    return " -> ".join(rules)
