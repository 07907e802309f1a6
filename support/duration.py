"""Durations as people write them in policies, packs and commands: `90s`, `45m`, `1h 30m`, `3d`."""

import re
from datetime import timedelta

from support.errors import InputError, shortened

DURATIONS = "90s, 45m, 1h 30m or 3d"
"""How durations are written, for messages."""
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_duration(text: str) -> timedelta:
    """Read `text`, parts in any order, as elapsed time; InputError for anything else."""
    parts = _PART.findall(text)
    if not parts or _PART.sub("", text).strip():
        raise InputError(f"{shortened(text)} is no duration: write {DURATIONS}")
    try:
        return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
    except OverflowError as error:
        raise InputError(
            f"{shortened(text)} is too long: give at most {timedelta.max.days} days"
        ) from error


def show_duration(span: timedelta) -> str:
    """Write `span` the same way, largest unit first, to the second."""
    left = int(abs(span).total_seconds())
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return ("-" if span < timedelta(0) else "") + (" ".join(parts) or "0s")


def show_hours(span: timedelta) -> str:
    """Write open time with hours for its largest unit: a day of it would be read as a date's."""
    seconds = abs(span).total_seconds()
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    text = " ".join(f"{value:g}{unit}" for value, unit in parts if value) or "0h"
    return ("-" if span < timedelta(0) else "") + text
