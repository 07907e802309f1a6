"""Fills in texts with `{field}`s that a pack or a macros file has checked."""

import string
from collections.abc import Mapping
from datetime import timedelta

from support.duration import show_duration
from support.errors import InputError
from support.needs import Fact
from support.situation import CATALOGUE
from support.subjects import FactType

LONGEST = 500
"""Characters of a text that is filled in with facts."""
NOTHING = "none"
_CUT = "..."
_FORMATTER = string.Formatter()


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with `values` in place of its fields, and `{{` as a brace.

    Raises InputError for a field without a value. A value is put in as it is, never read again.
    """
    found = []
    for before, field, _, _ in _FORMATTER.parse(text):
        found.append(before)
        if field is None:
            continue
        if field not in values:
            raise InputError(f"a text needs a value for {field!r}: {text[:LONGEST]}")
        found.append(values[field])
    return "".join(found)


def with_facts(text: str, facts: Mapping[str, Fact], ticket_id: str) -> str:
    """Return a rule's text with the facts that it was decided on, in at most LONGEST characters."""
    values = {name: _shown(name, fact) for name, fact in facts.items()}
    whole = filled(text, {**values, "ticket_id": ticket_id})
    return whole if len(whole) <= LONGEST else whole[: LONGEST - len(_CUT)] + _CUT


def _shown(name: str, fact: Fact) -> str:
    if isinstance(fact, bool):
        return "true" if fact else "false"
    if isinstance(fact, tuple):
        return ", ".join(sorted(fact)) or NOTHING
    if isinstance(fact, str):
        return fact or NOTHING
    if CATALOGUE[name].type is FactType.DURATION:
        return show_duration(timedelta(seconds=fact))
    return f"{fact:g}" if isinstance(fact, float) else str(fact)
