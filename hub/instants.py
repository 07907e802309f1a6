"""The times that people name, on the command line and in requests."""

from datetime import datetime

from support.calendar import in_utc, instant_of_reading
from support.errors import InputError, shortened


def read_instant(text: str, tz: str) -> datetime:
    """Return the UTC instant of an ISO time; without offset it is a reading of a clock of `tz`."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"{shortened(text)} is no time: write 2026-03-02T09:00+01:00, or without offset a "
            f"reading of the calendar's clock ({tz})"
        ) from error
    return instant_of_reading(at, tz) if at.tzinfo is None else in_utc(at)
