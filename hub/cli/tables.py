"""Lays a table out for the width of a terminal without breaking a word.

Where it does not fit, columns are narrowed to no less than their longest word and empty ones left
out; where that is not enough, or takes more lines, every row stands by itself, a cell a line.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

_LONGEST_WORD = 24
"""Longer words, such as addresses and paths, may be broken."""
_BETWEEN = 3
_AT_THE_EDGE = 4


class Cut(str):
    """A cell whose lines are cut to the width of the terminal instead of folded."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of text. The first column is never folded."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def within(self, width: int) -> RenderableType:
        """Return what rich can draw in this many cells."""
        wanted = [max(map(_longest_line, self._column(i))) for i in range(len(self.columns))]
        if sum(wanted) <= _room(len(wanted), width):
            return self._table(wanted)
        return self.without_empty_columns().narrowed(width)

    def without_empty_columns(self) -> "Sheet":
        """Return it without columns in which no row says anything."""
        if not self.rows:
            return self
        kept = [i for i in range(len(self.columns)) if any(row[i] for row in self.rows)]
        return Sheet(
            self.title,
            tuple(self.columns[i] for i in kept),
            tuple(tuple(row[i] for i in kept) for row in self.rows),
        )

    def narrowed(self, width: int) -> RenderableType:
        """Return the table, or its rows apart where words do not fit or lines are saved."""
        widths = self.widths(width)
        if widths is None or self._height(widths) > self._height_apart(width):
            return self._apart()
        return self._table(widths)

    def widths(self, width: int) -> list[int] | None:
        """Return how wide the columns may be, by what they want; None: words do not fit."""
        columns = [self._column(i) for i in range(len(self.columns))]
        wanted = [max(map(_longest_line, column)) for column in columns]
        least = [
            min(want, max(map(_longest_word, column)))
            for want, column in zip(wanted, columns, strict=True)
        ]
        least[:1] = wanted[:1]
        left = _room(len(columns), width) - sum(least)
        if left < 0:
            return None
        found = list(least)
        by_want = sorted(range(len(columns)), key=lambda i: wanted[i] - least[i])
        for place, i in enumerate(by_want):
            given = min(wanted[i] - least[i], left // (len(by_want) - place))
            found[i] += given
            left -= given
        return found

    def _column(self, number: int) -> list[str]:
        return [self.columns[number], *(row[number] for row in self.rows)]

    def _height(self, widths: Sequence[int]) -> int:
        rows = (self.columns, *self.rows)
        return sum(max(map(_lines, row, widths), default=0) for row in rows)

    def _height_apart(self, width: int) -> int:
        room = width - max(map(cell_len, self.columns), default=0) - _AT_THE_EDGE
        return sum(1 + sum(_lines(cell, room) for cell in row if cell) for row in self.rows)

    def _table(self, widths: Sequence[int]) -> Table:
        title = Text(self.title, style="bold")
        table = Table(title=title, title_justify="left", title_style="", box=SIMPLE_HEAD)
        for number, (column, width) in enumerate(zip(self.columns, widths, strict=True)):
            table.add_column(column, overflow="fold", no_wrap=number == 0, width=width)
        for row in self.rows:
            table.add_row(*map(_text, row))
        return table

    def _apart(self) -> Group:
        blocks: list[RenderableType] = [Text(self.title, style="bold")]
        label = max(map(cell_len, self.columns), default=0)
        for row in self.rows:
            block = Table.grid(padding=(0, 2))
            block.add_column(width=label + 2, no_wrap=True)
            block.add_column(overflow="fold")
            for number, (column, cell) in enumerate(zip(self.columns, row, strict=True)):
                if cell:
                    shown = _text(cell)
                    shown.stylize("bold" if number == 0 else "")
                    block.add_row(f"  {column}", shown)
            blocks += [Text(""), block]
        return Group(*blocks, Text(""))


def _text(cell: str) -> Text:
    if isinstance(cell, Cut):
        return Text(cell, no_wrap=True, overflow="ellipsis")
    return Text(cell)


def _room(columns: int, width: int) -> int:
    """Return what is left of the width for the cells themselves."""
    return width - _BETWEEN * (columns - 1) - _AT_THE_EDGE


def _longest_line(cell: str) -> int:
    return max(map(cell_len, cell.splitlines()), default=0)


def _longest_word(cell: str) -> int:
    if isinstance(cell, Cut):
        return _LONGEST_WORD
    return min(_LONGEST_WORD, max(map(cell_len, cell.split()), default=0))


def _lines(cell: str, width: int) -> int:
    """Return how many lines a cell takes, words whole."""
    if isinstance(cell, Cut):
        return len(cell.splitlines())
    lines = 0
    for line in cell.splitlines() or [""]:
        lines, used = lines + 1, 0
        if cell_len(line) <= width:
            continue
        for word in map(cell_len, line.split()):
            if used and used + 1 + word > width:
                lines, used = lines + 1, 0
            over, last = divmod(word, max(width, 1))
            lines, used = lines + (over if last else max(over - 1, 0)), used + bool(used) + word
            used = min(used, width) if not over else last
    return lines
