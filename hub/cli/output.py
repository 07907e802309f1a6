"""What commands print: tables for people, JSON for programs."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from hub.cli.tables import Cut, Sheet
from support.errors import FlowHubError
from support.model import DEFAULT_TENANT, checked_id

Tenant = Annotated[
    str,
    typer.Option(
        "--tenant",
        envvar="FLOWHUB_TENANT",
        help="Tenant; ids are its own.",
        callback=lambda tenant: checked_id(tenant, "tenant"),
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
TENANT = DEFAULT_TENANT

_out = Console(soft_wrap=False)
_err = Console(stderr=True)


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def print_json(value: object) -> None:
    """Print `value`, dataclasses included, as indented JSON."""
    typer.echo(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def say(text: str) -> None:
    """Print a line; `[bold]` and the like are markup."""
    _out.print(text, highlight=False, soft_wrap=True)


def counted(number: int, what: str) -> str:
    """Return such as `1 rule` or `2 rules`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def of_tenant(tenant: str) -> str:
    """Return what a command that is shown must add to be about this tenant; may be empty."""
    return "" if tenant == DEFAULT_TENANT else f" --tenant {tenant}"


def quoted(text: str) -> str:
    """Return text of others so that nothing in it is markup."""
    return escape(text)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; cells are shown as they are, never read as markup."""
    shown = tuple(tuple(_cell(value) for value in row) for row in rows)
    _out.print(Sheet(title, tuple(columns), shown).within(_out.width))


def print_renderable(renderable: Any) -> None:  # noqa: ANN401  whatever rich can draw
    """Print what rich can draw."""
    _out.print(renderable)


def _cell(value: object) -> str:
    if isinstance(value, Cut):
        return value
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}Z"
    if isinstance(value, tuple | list):
        return ", ".join(str(item) for item in value)
    return "" if value is None else str(value)


def show_error(error: FlowHubError, *, as_json: bool) -> None:
    """Print an error: one sentence, or its code and details."""
    if as_json:
        about = {"code": error.code, "message": str(error), "details": dict(error.details)}
        print_json({"error": about})
    else:
        text = f"[bold red]{error.code}[/]: {escape(str(error))}"
        _err.print(text, highlight=False, soft_wrap=True)


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], None]]:
    """Yield what shows progress on standard error: text, how much is done, of how much (0: ?)."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=_err, transient=True, disable=not _err.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def show(text: str, done: int, total: int) -> None:
            if text not in tasks:
                tasks[text] = bars.add_task(text, total=total or None)
            bars.update(tasks[text], completed=done, total=total or None)

        yield show
