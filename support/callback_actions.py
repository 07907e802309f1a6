"""What each action of a rule does to a callback: one entry in `CALLBACK_ACTIONS` for each kind."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from datetime import timedelta

from support.callback_moves import given
from support.callback_work import CallbackWork, TicketWord, TicketWordKind
from support.callbacks import CALLBACK_UNITS, KIND, CallbackStatus
from support.errors import FlowHubError
from support.needs import Answer, Need, RuleAction, claim
from support.notifying import filled, notify
from support.owners import recipients, target_of
from support.quotas import message_quota, notification_quota
from support.work import (
    Asking,
    Done,
    Outcome,
    record_done,
)


def perform_on_callback(work: CallbackWork, action: RuleAction) -> Generator[Need, Answer, None]:
    """Carry out `action`; what is refused is on record and stops nothing else."""
    if action.kind == "macro":
        for part in work.macros[str(action.params["name"])]:
            yield from perform_on_callback(work, replace(part, rule_id=action.rule_id))
        record_done(work, action, Done(Outcome.DONE, f"macro {action.params['name']}"))
        return
    step = CALLBACK_ACTIONS.get(action.kind)
    if step is None:
        done = Done(Outcome.REFUSED, f"{action.kind} is for tickets: a callback has no such thing")
    else:
        try:
            found = step(work, action)
            done = found if isinstance(found, Done) else (yield from found)
        except FlowHubError as refusal:
            done = Done(Outcome.REFUSED, str(refusal))
    record_done(work, action, done)


def _escalate(work: CallbackWork, action: RuleAction) -> Asking:
    """Say whose it is to act; a queued callback that may be called now is theirs to call."""
    wanted = target_of(work, action)
    target, told = yield from recipients(work, wanted)
    if not told:
        return Done(Outcome.REFUSED, f"there is no {wanted} to escalate to")
    until = work.now_until
    if work.state.status is CallbackStatus.QUEUED and target != "owner" and until is not None:
        for person in told:
            if (yield from claim(person, CALLBACK_UNITS, forced=False, kind=KIND)):
                work.state = given(work.state, person, work.at, work.accept_by(until))
                return Done(Outcome.DONE, f"had no owner: {target} {person} is owner now")
    place = f" in the place of {wanted}" if target != wanted else ""
    return Done(Outcome.DONE, f"escalated to {target} {', '.join(told)}{place}")


def _lock_owner(work: CallbackWork, action: RuleAction) -> Done:
    """Let the owner keep it for some minutes of business time; it drops with the owner."""
    if work.lock_expired:
        return Done(Outcome.REFUSED, "the owner lock has just run out, and no rule renews it")
    if not work.state.owner:
        return Done(Outcome.REFUSED, "no owner to lock")
    minutes = timedelta(minutes=float(str(action.params["minutes"])))
    until = work.hours.office.add(work.at, minutes)
    work.state = replace(work.state, locked_until=until)
    return Done(Outcome.DONE, f"owner locked until {until.isoformat()}")


def _record(work: CallbackWork, action: RuleAction) -> Done:
    return Done(Outcome.RECORDED, filled(work, action.params["note"]))


def _notify(work: CallbackWork, action: RuleAction) -> Asking:
    if quota := notification_quota(work.state, work.at, work.limits):
        return Done(Outcome.REFUSED, f"quota: {quota}")
    return (yield from notify(work, action))


def _reply(work: CallbackWork, action: RuleAction) -> Done:
    """Write to the customer on the callback's ticket, or on the one that follows it up."""
    opened = any(word.kind is TicketWordKind.FOLLOW_UP for word in work.words)
    if not work.state.ticket_id and not opened:
        return Done(Outcome.REFUSED, "the callback has no ticket to reply on")
    if quota := message_quota(work.state, work.at, work.limits):
        return Done(Outcome.REFUSED, f"quota: {quota}")
    text = str(action.params["text"])
    work.state = replace(work.state, auto_messages=(*work.state.auto_messages[-7:], work.at))
    work.words.append(TicketWord(TicketWordKind.REPLY, text=text, message_ref=work.next_ref))
    return Done(Outcome.DONE, f"{text}: for the ticket")


CALLBACK_ACTIONS: Mapping[str, Callable[[CallbackWork, RuleAction], Done | Asking]] = {
    "escalate": _escalate,
    "lock_owner": _lock_owner,
    "record": _record,
    "notify": _notify,
    "reply": _reply,
}
