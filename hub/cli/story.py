"""What happened to a ticket, an entry a row: when, what, and who or why."""

import unicodedata
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from hub.cli.tables import Cut
from store.chronicle import (
    BreachEntry,
    DecisionEntry,
    EffectEntry,
    Entry,
    EscalationEntry,
    EventEntry,
    MessageEntry,
    Text,
)
from support.duration import show_duration

_IN_TIME_S = 1.5
"""Lateness up to here is the time that deciding takes."""
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of what follows them."""


def line(entry: Entry) -> tuple[object, str, str]:
    """Return the row of `entry`."""
    match entry:
        case EventEntry():
            refused = "" if entry.outcome == "accepted" else " (refused)"
            return entry.at, f"{entry.name}{refused}", _with_text(_who(entry), entry.text)
        case DecisionEntry():
            done = "; ".join(
                f"{a['kind']}: {a['outcome']} {a['detail']}".strip() for a in entry.actions
            )
            fired = ", ".join(entry.fired) or "no rule fired"
            chains = "".join(f"; {chain}" for chain in map(_chain, entry.rounds) if chain)
            what = f"decision {entry.seq}{_late(entry.lateness_s)}"
            return entry.at, what, f"{fired}{chains}. {done}" if done else fired
        case MessageEntry():
            return entry.at, "message", _with_text(entry.text.kind, entry.text)
        case EffectEntry():
            gone = f"by {entry.dismissed_by}: {entry.dismissed_reason}"
            why = gone if entry.dismissed_by else entry.last_error
            return entry.at, f"{entry.name}: {entry.state}", why
        case BreachEntry():
            why = f"withdrawn by {entry.withdrawn_seq}" if entry.withdrawn_seq else entry.cause
            return entry.at, "breach", f"{entry.metric} ({why})"
        case EscalationEntry():
            which = entry.step or f"{entry.fraction:.0%}"
            about = f"{entry.metric} at {which}{_late(entry.lateness_s)}"
            return entry.at, "escalation step", about


def _chain(stored: Mapping[str, Any]) -> str:
    """Say which rules a rule has set off, such as `a set off b by priority`; empty where none."""
    if not stored["fired"]:
        return ""
    return f"{stored['path'][-1]} set off {', '.join(stored['fired'])} by {stored['trigger']}"


def _late(seconds: float) -> str:
    if seconds < _IN_TIME_S:
        return ""
    return f", {show_duration(timedelta(seconds=round(seconds)))} late"


def _who(entry: EventEntry) -> str:
    """Say who it was and what the event changed; of a refused one, why."""
    who = f"{entry.actor_kind} {entry.actor_id}"
    if entry.on_behalf_of:
        who += f" on behalf of {entry.on_behalf_of}"
    if entry.outcome == "accepted":
        about = _about(entry)
    else:
        about = (entry.result.get("refusal") or {}).get("message", "")
    return f"{who}: {about}" if about else who


def _about(entry: EventEntry) -> str:
    said = entry.details
    match entry.name:
        case "priority":
            return f"priority {said.get('priority')}"
        case "assign":
            return f"to {said.get('assignee') or 'nobody'}{', locked' if said.get('lock') else ''}"
        case "reassign":
            owners = (said.get("expected_owner"), said.get("assignee"))
            before, after = (owner or "nobody" for owner in owners)
            return f"from {before} to {after}, by {said.get('change_id')}"
        case "tag":
            added = [f"+{tag}" for tag in said.get("tags_added") or ()]
            return " ".join([*added, *(f"-{tag}" for tag in said.get("tags_removed") or ())])
        case "wait":
            until = said.get("follow_up_at")
            on = f"for {said.get('waiting_on') or 'customer'} {said.get('waiting_ref') or ''}"
            return on.strip() + (f", until {until}" if until else "")
        case _:
            return str(said.get("disposition") or "")


def _with_text(about: str, text: Text | None) -> str:
    """Put what was written below, as one line without what could move a terminal."""
    if text is None:
        return about
    plain = "".join(
        c
        for c in " ".join(text.body.split())
        if unicodedata.category(c) != "Cc" and c not in _TURNING
    )
    return Cut(f"{about}\n{plain}") if plain else about
