"""Tables keep their words whole however narrow the terminal is."""

import io

import pytest
from rich.console import Console

from hub.cli.tables import Cut, Sheet

COLUMNS = ("rule", "on", "what for")
ROWS = (
    ("assign-when-owner-is-away", "customer_message", "The owner is not online; somebody is."),
    ("lock-urgent", "created, priority", "An urgent ticket stays with its owner for an hour."),
)


def drawn(sheet: Sheet, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(sheet.within(width))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_no_word_is_broken_and_no_line_too_long(width: int) -> None:
    text = drawn(Sheet("Rules", COLUMNS, ROWS), width)
    words = {word for row in (COLUMNS, *ROWS) for cell in row for word in cell.split()}
    assert words <= set(text.split())
    assert max(map(len, text.splitlines())) <= width


def test_where_words_do_not_fit_every_row_stands_by_itself() -> None:
    lines = drawn(Sheet("Rules", COLUMNS, ROWS), 50).splitlines()
    assert lines[:3] == ["Rules", "", f"  rule      {ROWS[0][0]}".ljust(len(lines[2]))]
    assert [line.split()[0] for line in lines if line.startswith("  on")] == ["on", "on"]


def test_a_row_stands_by_itself_where_that_takes_fewer_lines() -> None:
    long = ("r", "created", "word " * 60)
    wide = ("r" * 32, "created", "word")
    assert "what for" not in drawn(Sheet("Rules", COLUMNS, (long, wide)), 200).splitlines()[0]
    assert drawn(Sheet("Rules", COLUMNS, (long, wide)), 70).count("what for") == 2


def test_empty_columns_are_left_out_where_there_is_no_room() -> None:
    rows = tuple((name, on, "") for name, on, _ in ROWS)
    assert "what for" in drawn(Sheet("Rules", COLUMNS, rows), 80)
    narrow = drawn(Sheet("Rules", COLUMNS, rows), 52)
    assert "what for" not in narrow
    assert narrow.count("rule") == 1


def test_cells_are_no_markup_and_some_are_cut_to_the_line() -> None:
    rows = (("[bold]a[/]", "x", Cut("first\n" + "long " * 40)),)
    lines = drawn(Sheet("[red]T", COLUMNS, rows), 80).splitlines()
    assert "[red]T" in lines[0]
    assert [line for line in lines if "[bold]a[/]" in line]
    assert [line for line in lines if line.rstrip().endswith("…")]


def test_a_table_without_rows_shows_its_columns() -> None:
    assert drawn(Sheet("Rules", COLUMNS, ()), 80).count("what for") == 1
    assert "Rules" in drawn(Sheet("Rules", COLUMNS, ()), 10)
