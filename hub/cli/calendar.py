"""`flowhub calendar ...`: reckon in business time, and show when a calendar is open."""

import json
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from hub.cli.forms import read_form
from hub.cli.output import AsJson, print_json, print_table, say
from hub.instants import read_instant
from rules.policies_file import load_policies
from settings import read_settings
from support.calendar import BusinessCalendar, instant_of_reading
from support.daybook import DayKind, SpecialDay, clock_changes, special_days
from support.duration import parse_duration, show_hours
from support.errors import CalendarError, InputError, shortened
from support.timeline import FIRST_YEAR, LAST_YEAR

app = typer.Typer(no_args_is_help=True)

LONGEST_DAYS = 3660
FileOption = Annotated[
    Path | None,
    typer.Option("--file", "-f", metavar="FILE", help="A calendar in YAML or JSON."),
]
PoliciesOption = Annotated[
    Path | None,
    typer.Option("--policies", metavar="FILE", help="A policy file; default: those in use."),
]
NameOption = Annotated[
    str, typer.Option("--name", help="Calendar of the policy file; default: its office.")
]
Start = Annotated[
    str, typer.Argument(metavar="START", help="ISO time; without offset, on the calendar's clock.")
]


@app.command(epilog="Example: `flowhub calendar add 2026-03-27T16:00 4h --file office.yaml`")
def add(
    start: Start,
    duration: Annotated[str, typer.Argument(help="Open time, such as 90s, 45m, 1h 30m.")],
    file: FileOption = None,
    policies: PoliciesOption = None,
    name: NameOption = "",
    as_json: AsJson = False,
) -> None:
    """Say when so much open time has passed since START."""
    calendar = _calendar(file, policies, name)
    since, span = read_instant(start, calendar.rules.tz), parse_duration(duration)
    until = calendar.add(since, span)
    if as_json:
        seconds = span.total_seconds()
        print_json({**_zone(calendar), "start": since, "seconds": seconds, "end": until})
        return
    say(f"[bold]{_shown(until, calendar)}[/]  ({show_hours(span)} of open time later)")


@app.command(epilog="Example: `flowhub calendar between 2026-03-27T16:00 2026-03-30T09:00`")
def between(
    start: Start,
    end: Annotated[str, typer.Argument(metavar="END", help="Likewise.")],
    file: FileOption = None,
    policies: PoliciesOption = None,
    name: NameOption = "",
    as_json: AsJson = False,
) -> None:
    """Say how much open time lies between START and END."""
    calendar = _calendar(file, policies, name)
    since, until = (read_instant(text, calendar.rules.tz) for text in (start, end))
    span = calendar.between(since, until)
    if as_json:
        seconds = span.total_seconds()
        print_json({**_zone(calendar), "start": since, "end": until, "open_s": seconds})
        return
    say(f"[bold]{show_hours(span)}[/] of open time ({span.total_seconds():g} s)")


@app.command(epilog="Example: `flowhub calendar show 2026-03-23 --days 14 --name office`")
def show(
    first: Annotated[
        str, typer.Argument(metavar="[DATE]", help="First date; default: Monday of this week.")
    ] = "",
    days: Annotated[int, typer.Option(min=1, max=LONGEST_DAYS, help="How many dates.")] = 7,
    file: FileOption = None,
    policies: PoliciesOption = None,
    name: NameOption = "",
    as_json: AsJson = False,
) -> None:
    """Show the open intervals date by date, with holidays, overrides and changes of the clock."""
    calendar = _calendar(file, policies, name)
    since = _first(first, calendar)
    _check_kept(since, days)
    rows = _dates(calendar, since, days)
    if as_json:
        print_json({**_zone(calendar), "days": rows})
        return
    print_table(
        f"Open in {calendar.rules.tz}",
        ("date", "open", "hours", "why"),
        (
            (row["date"], _windows(row), _hours(row["open_s"]), "; ".join(row["notes"]))
            for row in rows
        ),
    )
    say(f"{_hours(sum(row['open_s'] for row in rows))} of open time in {days} days")


def _calendar(file: Path | None, policies: Path | None, name: str) -> BusinessCalendar:
    """Return the calendar of a file, or the one of a policy file by its name."""
    if file is not None:
        if policies is not None or name:
            raise InputError("give --file, or --policies with --name, not both")
        form = read_form(file)
        try:
            return BusinessCalendar.from_dict(form.get("calendar", form))
        except CalendarError as error:
            raise CalendarError(f"{file}: {error}", **error.details) from error
    book, kept = load_policies(policies or read_settings().policies)
    calendars = json.loads(kept)["calendars"]
    if not name:
        return book.office
    if name not in calendars:
        raise InputError(f"calendar {name!r} is not there: use one of {', '.join(calendars)}")
    return BusinessCalendar.from_dict(calendars[name])


def _first(text: str, calendar: BusinessCalendar) -> date:
    if not text:
        today = datetime.now(UTC).astimezone(ZoneInfo(calendar.rules.tz)).date()
        return today - timedelta(days=today.weekday())
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{shortened(text)} is no date: write 2026-03-23") from error


def _check_kept(first: date, days: int) -> None:
    """Refuse dates outside the years that calendars reckon in."""
    last = date(LAST_YEAR, 12, 31)
    if first.year < FIRST_YEAR or (last - first).days < days:
        raise InputError(
            f"{days} days from {first} are not all from the year {FIRST_YEAR} to {LAST_YEAR}, in "
            "which calendars reckon: give another date, or fewer --days"
        )


def _dates(calendar: BusinessCalendar, first: date, days: int) -> list[dict[str, Any]]:
    tz = calendar.rules.tz
    midnights = [
        instant_of_reading(datetime.combine(first + timedelta(days=step), time()), tz)
        for step in range(days + 1)
    ]
    special = special_days(calendar, midnights[0], midnights[-1])
    changes = clock_changes(calendar, midnights[0] - timedelta(microseconds=1), midnights[-1])
    rows = []
    for step, (since, until) in enumerate(pairwise(midnights)):
        day = first + timedelta(days=step)
        open_spans = calendar.openings(since, until)
        rows.append(
            {
                "date": f"{day:%a %Y-%m-%d}",
                "open": [[_local(a, tz), _local(b, tz)] for a, b in open_spans],
                "open_s": calendar.between(since, until).total_seconds(),
                "notes": [
                    *(_note(special_day) for special_day in special if special_day.day == day),
                    *(change.label for change in changes if since <= change.at < until),
                ],
            }
        )
    return rows


def _note(day: SpecialDay) -> str:
    if day.kind is DayKind.HOLIDAY:
        return f"holiday: {day.name}" if day.name else "holiday"
    return "override" if day.opened else "override: closed"


def _local(at: datetime, tz: str) -> str:
    return at.astimezone(ZoneInfo(tz)).isoformat()


def _windows(row: dict[str, Any]) -> str:
    """Write the intervals as the clock shows them; one that ends at midnight ends at 24:00."""
    texts = []
    for since, until in row["open"]:
        a, b = datetime.fromisoformat(since), datetime.fromisoformat(until)
        texts.append(f"{a:%H:%M}-{'24:00' if b.date() > a.date() else f'{b:%H:%M}'}")
    return ", ".join(texts) or "closed"


def _hours(seconds: float) -> str:
    return show_hours(timedelta(seconds=seconds))


def _shown(at: datetime, calendar: BusinessCalendar) -> str:
    return f"{at.astimezone(ZoneInfo(calendar.rules.tz)):%a %Y-%m-%d %H:%M:%S %Z (%z)}"


def _zone(calendar: BusinessCalendar) -> dict[str, str]:
    return {"tz": calendar.rules.tz}
