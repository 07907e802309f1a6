"""Puts the commands together, and turns errors into one sentence and an exit code."""

import os
import sys

import typer

from hub.cli import automation, calendar, feeds, lanes, roster, rules, runtime, sla, tickets
from hub.cli.output import show_error
from support.errors import FlowHubError

app = typer.Typer(
    name="flowhub",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Rules-driven support: tickets with exact SLA timers, decided by rules, explained.",
    epilog="Start with `make run`, then: `flowhub ticket list`, `flowhub lanes`, `flowhub doctor`.",
)
app.add_typer(tickets.app, name="ticket", help="Create, read and move tickets.")
app.add_typer(roster.app, name="roster", help="Agents: who can be asked.")
app.add_typer(automation.app, name="automation", help="The stop switch of automation.")
app.add_typer(calendar.app, name="calendar", help="Business time: add, between, when it is open.")
app.add_typer(sla.app, name="sla", help="Why a deadline is when it is.")
app.add_typer(rules.app, name="rules", help="Check, test, read and explain rule packs.")
lanes.register(app)
feeds.register(app)
runtime.register(app)


def main() -> None:
    """Run the command line: exit code 0 ok, 1 a check failed, 2 bad usage or input."""
    code = _run()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of the Temporal SDK may outlive the interpreter and abort a process that has done
    # its work; a script would take that for a failure and repeat it.
    os._exit(code)


def _run() -> int:
    try:
        app()
    except FlowHubError as error:
        show_error(error, as_json="--json" in sys.argv)
        return 2
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    return 0
