"""Reads what a pack says of itself: how far automation may go, and for which tenants it is."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta

from rules.document import Node, only
from rules.rule_form import read_span
from support.errors import InputError
from support.limits import USUAL, Limits
from support.model import checked_id

MESSAGE_EVERY = (timedelta(minutes=1), timedelta(days=30))
COUNTS: Mapping[str, int] = {"notifications_a_day": 100, "deepest_chain": 20, "most_rounds": 100}
"""Settings that are whole numbers, and the largest of each; the least is 1."""
SETTINGS = ("message_every", *COUNTS)
MOST_TENANTS = 100


def read_settings(node: Node) -> Mapping[str, timedelta | int]:
    """Return the settings that a pack names; PackError names the line."""
    form = node.mapping("`settings`")
    only(form, SETTINGS, "`settings`")
    return {name: _setting(name, value) for name, value in form.items()}


def limits_of(settings: Mapping[str, timedelta | int]) -> Limits:
    """Return the limits with these settings, and the usual ones for the rest."""
    return Limits(**{**asdict(USUAL), **settings})


def _setting(name: str, node: Node) -> timedelta | int:
    if name not in COUNTS:
        return read_span(node, f"`{name}`", *MESSAGE_EVERY)
    value, most = node.value, COUNTS[name]
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise node.place.fault(f"`{name}` must be a whole number from 1 to {most}")
    return value


def read_tenants(node: Node) -> tuple[str, ...]:
    """Return the tenants of one id or a list of them; PackError names the line."""
    items = node.value if isinstance(node.value, list) else [node]
    if not 1 <= len(items) <= MOST_TENANTS:
        raise node.place.fault(
            f"`tenant` must name 1 to {MOST_TENANTS} tenants; without it a pack is for all"
        )
    found = []
    for item in items:
        try:
            found.append(checked_id(item.word("`tenant`"), "tenant"))
        except InputError as error:
            raise item.place.fault(f"`tenant`: {error}") from error
    return tuple(dict.fromkeys(found))
