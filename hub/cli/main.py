"""Puts the commands together, and turns errors into one sentence and an exit code."""

import os
import sys
from collections.abc import Sequence

import typer

from hub.cli import (
    assignment,
    automation,
    calendar,
    feeds,
    lanes,
    parked,
    roster,
    rules,
    runtime,
    sla,
    tickets,
)
from hub.cli.output import show_error
from support.errors import FlowHubError, UsageError

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
app.add_typer(assignment.app, name="assignment", help="Balance the work; audit and undo that.")
app.add_typer(automation.app, name="automation", help="The stop switch of automation.")
app.add_typer(calendar.app, name="calendar", help="Business time: add, between, when it is open.")
app.add_typer(sla.app, name="sla", help="Why a deadline is when it is.")
app.add_typer(rules.app, name="rules", help="Rule packs: try, publish, roll back, read.")
lanes.register(app)
parked.register(app, tickets.app)
feeds.register(app)
runtime.register(app)


def main() -> None:
    """Run the command line: exit code 0 ok, 1 a check failed, 2 bad usage or input."""
    code = run(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of the Temporal SDK may outlive the interpreter and abort a process that has done
    # its work; a script would take that for a failure and repeat it.
    os._exit(code)


def run(words: Sequence[str]) -> int:
    """Run one command and return its exit code; where `--json` is asked for, errors are JSON."""
    as_json = "--json" in words
    try:
        code = app(args=words, prog_name="flowhub", standalone_mode=False)
    except typer.TyperException as error:
        if what := error.format_message():  # Nothing where help was printed: no words were given.
            show_error(_wrong_usage(what, error, words), as_json=as_json)
        return 2
    except FlowHubError as error:
        show_error(error, as_json=as_json)
        return 2
    except typer.Abort:
        return 1
    except SystemExit as end:
        code = end.code if end.code is None or isinstance(end.code, int) else 1
    return int(code or 0)


def _wrong_usage(what: str, error: typer.TyperException, words: Sequence[str]) -> UsageError:
    """Say what typer found, for which command, and where its usage is told."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else _named(words)
    stop = "" if what.endswith((".", "?")) else "."
    return UsageError(f"{what}{stop} See `{command} -h`", command=command)


def _named(words: Sequence[str]) -> str:
    """Return the command that the words name, as far as they name one."""
    path, within = ["flowhub"], typer.main.get_command(app)
    for word in words:
        inner = getattr(within, "commands", {}).get(word)
        if inner is not None:
            path, within = [*path, word], inner
    return " ".join(path)
