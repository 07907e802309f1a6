"""What each action of a rule does to a ticket: one entry in `ACTIONS` for each kind.

Actions inside the hub change the state and commit with the decision. Actions outside (notify,
reply) leave an `Effect`: an intent that an activity performs under its key afterwards.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import replace

from support.assigning import assign
from support.errors import FlowHubError
from support.model import EventKind, Priority
from support.moves import moved
from support.needs import Answer, Need, Param, RuleAction
from support.notifying import filled, notify
from support.owners import escalate, lock_owner
from support.quotas import message_quota, notification_quota
from support.work import (
    Asking,
    AutoMessage,
    Done,
    EffectKind,
    Outcome,
    Work,
    leave,
    queue_effect,
    record_done,
)

NEVER_ON_BREACH = "automation never raises a priority because of a breach"


def perform(work: Work, action: RuleAction) -> Generator[Need, Answer, None]:
    """Carry out `action`; what the life cycle refuses is on record and stops nothing else.

    Of a rule that has halted automation on the ticket, what it asks for further is left.
    """
    halt = work.state.halted
    if halt is not None and action.rule_id in halt.rules:
        leave(work, action, halt.why)
        return
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
    record_done(work, action, done)


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
    return Done(Outcome.RECORDED, filled(work, action.params["note"]))


def _notify(work: Work, action: RuleAction) -> Asking:
    if quota := notification_quota(work.state, work.at, work.limits):
        return _over(work, action, quota)
    return (yield from notify(work, action))


def _over(work: Work, action: RuleAction, quota: str) -> Done:
    """Refuse what is over a quota; a rule that goes on asking is a reason to look."""
    work.halt(f"rule {action.rule_id} went over the quota of {quota}", (action.rule_id,))
    return Done(Outcome.REFUSED, f"quota: {quota}")


def _reply(work: Work, action: RuleAction) -> Done:
    if quota := message_quota(work.state, work.at, work.limits):
        return _over(work, action, quota)
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


def _use_policies(work: Work, action: RuleAction) -> Done:
    done = use_policies(work)
    event = work.event(EventKind.USE_POLICIES, action.rule_id)
    work.happened.append((len(work.records), event))
    return done


def _move(kind: EventKind) -> Callable[[Work, RuleAction], Done]:
    def act(work: Work, action: RuleAction) -> Done:
        event = work.event(kind, action.rule_id)
        work.apply(replace(event, disposition=str(action.params.get("disposition", ""))))
        return Done(Outcome.DONE, f"ticket is {work.state.status}")

    return act


ACTIONS: Mapping[str, Callable[[Work, RuleAction], Done | Asking]] = {
    "assign": assign,
    "escalate": escalate,
    "lock_owner": lock_owner,
    "set_priority": _set_priority,
    "tag": _tag,
    "record": _note,
    "notify": _notify,
    "reply": _reply,
    "resolve": _move(EventKind.RESOLVE),
    "close": _move(EventKind.CLOSE),
    "resume": _move(EventKind.RESUME),
    "reopen": _move(EventKind.REOPEN),
    "use_policies": _use_policies,
}
