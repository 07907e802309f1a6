"""How much automation may say about one ticket: what is used up, in words; empty: go on."""

from datetime import datetime, timedelta
from typing import Protocol

from support.duration import show_duration
from support.limits import Limits
from support.ticket import recent

_DAY = timedelta(days=1)


class Sending(Protocol):
    """About what automation tells colleagues and customer, and when it did."""

    @property
    def notifications(self) -> tuple[datetime, ...]:
        """When colleagues were told."""

    @property
    def auto_messages(self) -> tuple[datetime, ...]:
        """When the customer was written to."""


def sent_today(state: Sending, at: datetime) -> tuple[datetime, ...]:
    """Return the notifications to colleagues in the 24 hours before `at`."""
    return recent(state.notifications, at, _DAY)


def notification_quota(state: Sending, at: datetime, limits: Limits) -> str:
    """Say which quota a notification at `at` would go over."""
    if len(sent_today(state, at)) < limits.notifications_a_day:
        return ""
    return f"{limits.notifications_a_day} notifications in 24h"


def message_quota(state: Sending, at: datetime, limits: Limits) -> str:
    """Say which quota an automatic message to the customer at `at` would go over."""
    if not recent(state.auto_messages, at, limits.message_every):
        return ""
    return f"one automatic message in {show_duration(limits.message_every)}"
