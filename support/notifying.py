"""Telling colleagues of a ticket or a callback, in words with its facts."""

from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from support.callback_work import CallbackWork
from support.needs import Param, RuleAction
from support.owners import recipients, target_of
from support.quotas import sent_today
from support.templates import with_facts
from support.work import Asking, Done, EffectKind, Outcome, Work, queue_effect

W = TypeVar("W", Work, CallbackWork)


def filled(work: W, text: Param) -> str:
    """Return a rule's text with the facts that it was decided on."""
    return with_facts(str(text), work.facts, work.state.ticket_id)


def notify(work: W, action: RuleAction) -> Asking:
    """Tell whom the action names, or their stand-in; the quota has been looked at before."""
    target = target_of(work, action)
    told: tuple[str, ...] = ()
    if target != "channel":
        target, told = yield from recipients(work, target)
        if not told:
            return Done(Outcome.REFUSED, f"there is no {target} to tell")
    sent: tuple[datetime, ...] = sent_today(work.state, work.at)
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
        params["text"] = filled(work, action.params["text"])
    key = queue_effect(work, EffectKind.NOTIFY, params)
    return Done(Outcome.QUEUED, whom, effect_key=key)
