"""What each action of a rule does to a ticket: one entry in `ACTIONS` for each kind.

Actions inside the hub change the state and commit with the decision. Actions outside (notify,
reply) leave an `Effect`: an intent that an activity performs under its key afterwards.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from support.calendar import BusinessCalendar
from support.corrections import Correction
from support.errors import FlowHubError
from support.lifecycle import advance
from support.marks import Mark
from support.model import (
    AUTO_PREFIX,
    Actor,
    ActorKind,
    Channel,
    EventKind,
    Priority,
    TicketEvent,
    TicketStatus,
)
from support.moves import moved
from support.needs import (
    Answer,
    Fact,
    FindCandidates,
    Need,
    Param,
    RuleAction,
    candidates,
    claim,
    people,
)
from support.policy import PolicyBook
from support.routing import Ranked, Role, Strategy, rank
from support.sla import Clocks
from support.templates import with_facts
from support.ticket import TicketState, recent
from support.transitions import check

NOTIFICATIONS_A_DAY = 6
MESSAGE_EVERY = timedelta(hours=4)
NEVER_ON_BREACH = "automation never raises a priority because of a breach"


class Outcome(StrEnum):
    """What came of an action."""

    DONE = "done"
    QUEUED = "queued"
    RECORDED = "recorded"
    REFUSED = "refused"


class EffectKind(StrEnum):
    """What an activity does in the outside world."""

    NOTIFY = "notify"
    REPLY = "reply"


_STAND_INS: Mapping[Role, tuple[Role, ...]] = {
    Role.LEAD: (Role.MANAGER,),
    Role.MANAGER: (Role.LEAD,),
    Role.ON_CALL: (Role.MANAGER, Role.LEAD),
}
"""Who is told where nobody has the role: a step that reaches nobody would be a silent one."""


@dataclass(frozen=True, slots=True)
class ActionRecord:
    """One action of a decision, what came of it and why; `ranked` are the candidates weighed."""

    index: int
    rule_id: str
    kind: str
    params: Mapping[str, Param]
    outcome: Outcome
    detail: str = ""
    effect_key: str = ""
    ranked: tuple[Ranked, ...] = ()


@dataclass(frozen=True, slots=True)
class Effect:
    """An intent for the outside world, performed under its `key` by an activity.

    `params["automatic"]`: automation wants it, so the stop switch holds it back.
    """

    key: str
    kind: EffectKind
    params: Mapping[str, Param]


@dataclass(frozen=True, slots=True)
class AutoMessage:
    """A message that automation writes; the text of `macro` is rendered where it is stored."""

    message_ref: str
    macro: str


@dataclass(frozen=True, slots=True)
class Outside:
    """Which ways out of the hub exist; without one, an action is recorded and stays inside."""

    notify: bool = False
    reply: frozenset[Channel] = frozenset()


@dataclass(slots=True)
class Work:
    """A decision in the making: the state so far, and what is to be written with it."""

    state: TicketState
    at: datetime
    book: PolicyBook
    follow_up_default: datetime
    workflow_id: str
    decision_seq: int
    outside: Outside
    macros: Mapping[str, tuple[RuleAction, ...]]
    current: PolicyBook | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)
    about_breach: bool = False
    on_call: bool = False
    corrections: tuple[Correction, ...] = ()
    reckoned: tuple[tuple[Mark, ...], PolicyBook, Clocks] | None = None
    records: list[ActionRecord] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    messages: list[AutoMessage] = field(default_factory=list)

    @property
    def calendar(self) -> BusinessCalendar:
        """Calendar of the policy that the ticket comes under."""
        return self.book.choose(self.state.traits).calendar

    @property
    def next_key(self) -> str:
        """Key of the outside action that comes next: workflow id, decision, index."""
        return f"{self.workflow_id}/{self.decision_seq}/{len(self.records)}"

    @property
    def next_ref(self) -> str:
        """Reference of what automation writes next; unique in the ticket, and a valid id."""
        return f"{AUTO_PREFIX}{self.decision_seq}.{len(self.records)}"

    def apply(self, event: TicketEvent) -> None:
        """Let automation do what a person could do; the life cycle may refuse."""
        self.state = advance(self.state, event, self.at, self.follow_up_default)

    def event(self, kind: EventKind, rule_id: str) -> TicketEvent:
        """Return an event of `kind` by the rule, at the decision's instant."""
        return TicketEvent(
            event_id=self.next_ref,
            kind=kind,
            occurred_at=self.at,
            received_at=self.at,
            actor=Actor(ActorKind.RULE, rule_id),
            source="rules",
        )


@dataclass(frozen=True, slots=True)
class Done:
    """What an action's function reports: its outcome, and how it came about."""

    outcome: Outcome
    detail: str = ""
    effect_key: str = ""
    ranked: tuple[Ranked, ...] = ()


Asking = Generator[Need, Answer, Done]


def perform(work: Work, action: RuleAction) -> Generator[Need, Answer, None]:
    """Carry out `action`; what the life cycle refuses is on record and stops nothing else."""
    if action.kind == "macro":
        for part in work.macros[str(action.params["name"])]:
            yield from perform(work, replace(part, rule_id=action.rule_id))
        done = Done(Outcome.DONE, f"macro {action.params['name']}")
    else:
        try:
            step = ACTIONS[action.kind](work, action)
            done = step if isinstance(step, Done) else (yield from step)
        except FlowHubError as refusal:
            done = Done(Outcome.REFUSED, str(refusal))
    _record_done(work, action, done)


def leave(work: Work, action: RuleAction, why: str) -> None:
    """Put on record that `action` was asked for and not done."""
    _record_done(work, action, Done(Outcome.REFUSED, why))


def _record_done(work: Work, action: RuleAction, done: Done) -> None:
    work.records.append(
        ActionRecord(
            index=len(work.records),
            rule_id=action.rule_id,
            kind=action.kind,
            params=action.params,
            outcome=done.outcome,
            detail=done.detail,
            effect_key=done.effect_key,
            ranked=done.ranked,
        )
    )


def queue_effect(work: Work, kind: EffectKind, params: Mapping[str, Param]) -> str:
    """Record the intent of an outside action and return its key."""
    effect = Effect(work.next_key, kind, params)
    work.effects.append(effect)
    return effect.key


def _assign(work: Work, action: RuleAction) -> Asking:
    state = work.state
    check(state.status, EventKind.ASSIGN)
    if state.locked(work.at):
        return Done(Outcome.REFUSED, f"owner locked until {state.locked_until}")
    need = FindCandidates(
        role=Role(str(action.params.get("role", Role.AGENT))),
        team=str(action.params.get("team") or state.team),
        skills=state.skills,
    )
    found = yield from candidates(need)
    units = replace(state, status=TicketStatus.OPEN).units
    strategy = Strategy(str(action.params.get("strategy", Strategy.LEAST_LOADED)))
    ranked = rank(found, units, strategy, exclude=state.owner)
    for place in ranked:
        if place.rejected:
            break
        if (yield from claim(place.agent_id, units, forced=False)):
            event = work.event(EventKind.ASSIGN, action.rule_id)
            work.apply(replace(event, assignee=place.agent_id))
            return Done(Outcome.DONE, f"owner is {place.agent_id}", ranked=ranked)
    who = f"{need.role} of team {need.team}" if need.team else f"{need.role}"
    return Done(Outcome.REFUSED, f"no {who} is online with skills and room", ranked=ranked)


def _escalate(work: Work, action: RuleAction) -> Asking:
    wanted = _target(work, action)
    target, told = yield from _recipients(work, wanted)
    if not told:
        return Done(Outcome.REFUSED, f"there is no {wanted} to escalate to")
    if not work.state.owner and target != "owner" and work.state.active:
        units = replace(work.state, status=TicketStatus.OPEN).units
        for person in told:
            if (yield from claim(person, units, forced=False)):
                event = work.event(EventKind.ASSIGN, action.rule_id)
                work.apply(replace(event, assignee=person))
                return Done(Outcome.DONE, f"had no owner: {target} {person} is owner now")
    place = f" in the place of {wanted}" if target != wanted else ""
    return Done(Outcome.DONE, f"escalated to {target} {', '.join(told)}{place}")


def _target(work: Work, action: RuleAction) -> str:
    """Whom a step is for: as the rule says, or the on-call rota where the ladder says so."""
    target = str(action.params["to"])
    return str(Role.ON_CALL) if work.on_call and target != "channel" else target


def _recipients(work: Work, target: str) -> Generator[Need, Answer, tuple[str, tuple[str, ...]]]:
    """Return who is told, and in which role: where nobody has the one asked for, a stand-in."""
    if target == "owner":
        return target, ((work.state.owner,) if work.state.owner else ())
    for role in (Role(target), *_STAND_INS.get(Role(target), ())):
        found = yield from people(role, work.state.team)
        if found:
            return str(role), found
    return target, ()


def _lock_owner(work: Work, action: RuleAction) -> Done:
    if not work.state.owner:
        return Done(Outcome.REFUSED, "no owner to lock")
    until = work.calendar.add(work.at, timedelta(minutes=float(str(action.params["minutes"]))))
    work.state = replace(work.state, locked_until=until)
    return Done(Outcome.DONE, f"owner locked until {until.isoformat()}")


def _set_priority(work: Work, action: RuleAction) -> Done:
    wanted = Priority(str(action.params["priority"]))
    order = list(Priority)
    if work.about_breach and order.index(wanted) > order.index(work.state.priority):
        return Done(Outcome.REFUSED, NEVER_ON_BREACH)
    event = work.event(EventKind.PRIORITY, action.rule_id)
    work.apply(replace(event, priority=wanted))
    return Done(Outcome.DONE, f"priority is {wanted}")


def _tag(work: Work, action: RuleAction) -> Done:
    event = replace(
        work.event(EventKind.TAG, action.rule_id),
        tags_added=_words(action.params.get("add")),
        tags_removed=_words(action.params.get("remove")),
    )
    work.apply(event)
    return Done(Outcome.DONE, f"tags are {', '.join(work.state.tags) or 'none'}")


def _words(param: Param | None) -> tuple[str, ...]:
    return param if isinstance(param, tuple) else ()


def _note(work: Work, action: RuleAction) -> Done:
    return Done(Outcome.RECORDED, _filled(work, action.params["note"]))


def _filled(work: Work, text: Param) -> str:
    """Return a rule's text with the facts that it was decided on."""
    return with_facts(str(text), work.facts, work.state.ticket_id)


def _notify(work: Work, action: RuleAction) -> Asking:
    target = _target(work, action)
    sent = recent(work.state.notifications, work.at, timedelta(days=1))
    if len(sent) >= NOTIFICATIONS_A_DAY:
        return Done(Outcome.REFUSED, f"quota: {NOTIFICATIONS_A_DAY} notifications in 24 h")
    told: tuple[str, ...] = ()
    if target != "channel":
        target, told = yield from _recipients(work, target)
        if not told:
            return Done(Outcome.REFUSED, f"there is no {target} to tell")
    work.state = replace(work.state, notifications=(*sent, work.at))
    whom = f"{target} {', '.join(told)}".rstrip()
    if not work.outside.notify:
        return Done(Outcome.RECORDED, f"{whom}: no notification channel is set up")
    params: dict[str, Param] = {
        "to": told,
        "role": target,
        "template": action.params["template"],
        "automatic": True,
    }
    if "text" in action.params:
        params["text"] = _filled(work, action.params["text"])
    key = queue_effect(work, EffectKind.NOTIFY, params)
    return Done(Outcome.QUEUED, whom, effect_key=key)


def _reply(work: Work, action: RuleAction) -> Done:
    if recent(work.state.auto_messages, work.at, MESSAGE_EVERY):
        return Done(Outcome.REFUSED, "quota: one automatic message in 4 h")
    message = AutoMessage(work.next_ref, str(action.params["text"]))
    event = work.event(EventKind.REPLY, action.rule_id)
    work.apply(replace(event, automatic=True, message_ref=message.message_ref))
    work.messages.append(message)
    if work.state.channel not in work.outside.reply:
        return Done(Outcome.RECORDED, f"{message.macro}: kept for the customer to read")
    params: dict[str, Param] = {"message_ref": message.message_ref, "automatic": True}
    key = queue_effect(work, EffectKind.REPLY, params)
    return Done(Outcome.QUEUED, message.macro, effect_key=key)


def use_policies(work: Work) -> Done:
    """Move the ticket to the current policies; InputError where it uses them already."""
    before = work.state.policy_version
    work.state, work.book = moved(work.state, work.book, work.current or work.book)
    return Done(Outcome.DONE, f"policies {before} are {work.book.version} now")


def _move(kind: EventKind) -> Callable[[Work, RuleAction], Done]:
    def act(work: Work, action: RuleAction) -> Done:
        event = work.event(kind, action.rule_id)
        work.apply(replace(event, disposition=str(action.params.get("disposition", ""))))
        return Done(Outcome.DONE, f"ticket is {work.state.status}")

    return act


ACTIONS: Mapping[str, Callable[[Work, RuleAction], Done | Asking]] = {
    "assign": _assign,
    "escalate": _escalate,
    "lock_owner": _lock_owner,
    "set_priority": _set_priority,
    "tag": _tag,
    "record": _note,
    "notify": _notify,
    "reply": _reply,
    "resolve": _move(EventKind.RESOLVE),
    "close": _move(EventKind.CLOSE),
    "resume": _move(EventKind.RESUME),
    "reopen": _move(EventKind.REOPEN),
    "use_policies": lambda work, _action: use_policies(work),
}
