"""What one comparison of a pack means, in plain Python and in words."""

from collections.abc import Callable, Mapping

from rules.facts import Value, show
from rules.pack import Op, Test
from rules.patterns import found_in

_COMPARE: Mapping[Op, Callable[[int, int], bool]] = {
    Op.LT: lambda a, b: a < b,
    Op.LE: lambda a, b: a <= b,
    Op.GT: lambda a, b: a > b,
    Op.GE: lambda a, b: a >= b,
}
_SIGNS = {
    Op.EQ: "",
    Op.NE: "other than ",
    Op.LT: "less than ",
    Op.LE: "at most ",
    Op.GT: "more than ",
    Op.GE: "at least ",
    Op.IN: "one of ",
    Op.CONTAINS: "one with ",
    Op.MATCHES: "one that matches ",
}


def passes(test: Test, value: Value) -> bool:
    """Whether one comparison with values of the pack is true of the fact's value."""
    wanted = test.values[0]
    match test.op:
        case Op.EQ:
            return value == wanted
        case Op.NE:
            return value != wanted
        case Op.IN:
            return value in test.values
        case Op.CONTAINS:
            return isinstance(value, frozenset | str) and str(wanted) in value
        case Op.MATCHES:
            texts = [value] if isinstance(value, str) else value
            return isinstance(texts, list | frozenset) and any(
                found_in(str(wanted), text) for text in texts
            )
        case _:
            number = isinstance(value, int) and isinstance(wanted, int)
            return number and _COMPARE[test.op](int(str(value)), int(str(wanted)))


def in_words(test: Test, *, held: bool, most: int | None = None) -> str:
    """Say what a fact is where `test` comes out as `held`: `at least 45m`, `not one of a, b`.

    Of more than `most` values only the first are said, and how many there are.
    """
    if test.op is Op.SAME_AS:
        return f"{'' if held else 'not '}the same as {test.values[0]} of the ticket"
    wanted = ", ".join(show(test.fact, value) for value in test.values[:most])
    if most is not None and len(test.values) > most:
        wanted += f", ... ({len(test.values)} in all)"
    return f"{'' if held else 'not '}{_SIGNS[test.op]}{wanted}"
