"""Shifts in CSV, as planning tools and spreadsheets write it."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from support.errors import InputError
from support.model import checked_id
from support.shifts import Shift, dated, recurring

COLUMNS = ("agent", "weekdays", "date", "hours", "from", "until", "holidays")
MOST_LINES = 50_000
_YES = {"yes": True, "no": False, "": False}


def read_shifts(file: Path) -> Mapping[str, Sequence[Shift]]:
    """Return the shifts of a file by agent, as `shifts_of`; InputError also where it is not read.

    The message names the file.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            return shifts_of(text, str(file))
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error


def shifts_of(text: Iterable[str], name: str) -> Mapping[str, Sequence[Shift]]:
    """Return the shifts of CSV by agent; InputError has `name`, the line and what is wrong.

    A line has `agent`, `hours` (09:00-17:00), and either `weekdays` (mon-fri) with optional `from`,
    `until` and `holidays` (yes: worked on holidays too), or a `date`.
    """
    found: dict[str, list[Shift]] = {}
    try:
        lines = csv.DictReader(text, strict=True)
        _check_columns(name, lines.fieldnames or ())
        for line in lines:
            if lines.line_num > MOST_LINES:
                raise InputError(f"{name}: has more than {MOST_LINES} lines: split it")
            try:
                agent, shift = _shift(line)
            except InputError as error:
                raise InputError(f"{name}, line {lines.line_num}: {error}") from error
            found.setdefault(agent, []).append(shift)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{name}: is no CSV in UTF-8: {error}") from error
    if not found:
        raise InputError(f"{name}: has no shifts: write one a line below the columns")
    return found


def _check_columns(name: str, columns: Sequence[str]) -> None:
    unknown = [column for column in columns if column not in COLUMNS]
    if unknown:
        raise InputError(
            f"{name}, line 1: column {unknown[0]!r} is unknown: use {', '.join(COLUMNS)}"
        )
    missing = [column for column in ("agent", "hours") if column not in columns]
    if missing:
        raise InputError(f"{name}, line 1: column `{missing[0]}` is missing")


def _shift(line: Mapping[str | None, str | None]) -> tuple[str, Shift]:
    if None in line:
        raise InputError("has more fields than there are columns")
    told = {column: (line.get(column) or "").strip() for column in COLUMNS}
    agent = checked_id(told["agent"], "agent")
    if told["holidays"] not in _YES:
        raise InputError(f"`holidays` is {told['holidays']!r}: write yes or no")
    return agent, shift_of(
        hours=told["hours"],
        weekdays=told["weekdays"],
        date=told["date"],
        first=told["from"],
        last=told["until"],
        on_holidays=_YES[told["holidays"]],
    )


def shift_of(
    *, hours: str, weekdays: str, date: str, first: str, last: str, on_holidays: bool
) -> Shift:
    """Return a shift of its columns, those that say nothing empty; InputError: what is wrong."""
    if bool(weekdays) == bool(date):
        raise InputError("needs either `weekdays` or a `date`")
    if not date:
        return recurring(weekdays, hours, first=first, last=last, on_holidays=on_holidays)
    if first or last or on_holidays:
        raise InputError("`from`, `until` and `holidays` are for `weekdays`, not for a `date`")
    return dated(date, hours)
