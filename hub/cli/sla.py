"""`flowhub sla explain`: why a deadline is when it is."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from hub.cli.forms import read_form
from hub.cli.output import AsJson, print_json, print_table, quoted, say
from hub.instants import read_instant
from support.calendar import BusinessCalendar
from support.cases import Answer, Case, ClockAnswer, answer_form, answer_of, read_case
from support.clock import ClockState
from support.duration import show_hours
from support.errors import CalendarError, InputError
from support.policy import Metric
from support.proof import Stretch

app = typer.Typer(no_args_is_help=True)

MOST_SHOWN = 400
"""Stretches of a clock that people are shown; nobody reads a century of them."""


@app.callback()
def family() -> None:
    """Explain deadlines."""


@app.command(
    epilog=(
        "Example: `flowhub sla explain case.yaml --html proof.html`, where case.yaml holds "
        '`calendar: {tz: Europe/Stockholm, hours: {mon: [["09:00", "17:00"]]}}`, '
        "`targets: {first_response_s: 3600}`, "
        "`events: [{at: '2026-03-02T16:30:00+01:00', type: created}]` and "
        "`as_of: '2026-03-09T09:00:00+01:00'`"
    )
)
def explain(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Calendar, targets and events, YAML or JSON.")
    ],
    at: Annotated[str, typer.Option("--at", help="When to look; default: the file's.")] = "",
    html: Annotated[
        Path | None, typer.Option("--html", metavar="PAGE", help="Write a page as well.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show each clock's due, consumed and remaining time, and the stretches that prove it.

    Events: created, agent_reply, customer_reply, paused, resumed, resolved, reopened, closed,
    priority_changed with its `targets`, callback_requested (also with its `window_end`),
    callback_dialled, callback_completed and callback_cancelled. `pause_on` may list the metrics
    that a pause stops.
    """
    case, answer = _answered(file, at)
    if html is not None:
        _write(html, file, case, answer)
    if as_json:
        print_json(answer_form(case, answer))
        return
    for metric, cycles in answer.metrics.items():
        if not cycles:
            say(f"[bold]{metric}[/]: idle, nothing waits for an answer")
        for cycle in cycles:
            _show(metric, cycle, case)
    _conclude(answer, case, html)


def _answered(file: Path, at: str) -> tuple[Case, Answer]:
    form = read_form(file)
    try:
        asked: datetime | None = None
        if at:
            tz = BusinessCalendar.from_dict(form.get("calendar") or {}).rules.tz
            asked = read_instant(at, tz)
        case = read_case(form, asked)
        return case, answer_of(case)
    except (InputError, CalendarError) as error:
        raise type(error)(f"{file}: {error}", **error.details) from error


def _write(page: Path, file: Path, case: Case, answer: Answer) -> None:
    from hub.proof_page import proof_page

    text = proof_page(case, answer, f"Clocks of {file.stem}")
    try:
        if page.exists() and page.samefile(file):
            raise InputError(f"{page}: is the file that is explained: name another for the page")
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{page}: cannot be written: {error.strerror}") from error


def _conclude(answer: Answer, case: Case, html: Path | None) -> None:
    due = _local(answer.next_due, case) if answer.next_due else "nothing"
    say(f"Next due: [bold]{due}[/], as of {_local(case.at, case)}")
    if html is not None:
        say(f"The page is {html}")


def _show(metric: Metric, cycle: ClockAnswer, case: Case) -> None:
    clock = cycle.clock
    state = "breached" if clock.late(case.at) else str(clock.state)
    if clock.state is ClockState.MET:
        state = "met late" if clock.late(case.at) else "met in time"
    unknown = "no more" if clock.state is ClockState.VOID else "unknown while held"
    due = _local(clock.due, case) if clock.due else unknown
    named = f" {clock.ref}" if clock.ref else ""
    say(
        f"[bold]{metric}{quoted(named)}[/]: {state}, due {due}, "
        f"consumed {show_hours(clock.consumed)} of {show_hours(clock.target)}, "
        f"remaining {show_hours(clock.remaining)}"
    )
    print_table(
        "",
        ("from", "to", "counted", "what"),
        (
            (
                _local(part.start, case),
                _local(part.end, case),
                show_hours(part.counted) if part.counted else "-",
                f"{part.why} {part.note}".rstrip(),
            )
            for part in _ends(cycle.proof)
        ),
    )
    if (more := len(cycle.proof) - MOST_SHOWN) > 0:
        say(f"{more} stretches in the middle are not shown: `--json` and `--html` have them all")


def _ends(proof: Sequence[Stretch]) -> Sequence[Stretch]:
    """Return the first and the last stretches of a long proof."""
    half = MOST_SHOWN // 2
    return proof if len(proof) <= MOST_SHOWN else (*proof[:half], *proof[-half:])


def _local(at: datetime, case: Case) -> str:
    local = at.astimezone(ZoneInfo(case.calendar.rules.tz))
    return f"{local:%a %Y-%m-%d %H:%M}{f':{local:%S}' if local.second else ''}"
