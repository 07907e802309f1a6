"""The tests of a pack as commands run them, and what they print of them."""

from hub import publishing
from hub.cli.output import print_json, print_table, progress_bars, say
from rules.examples import Outcome
from rules.pack import Pack
from rules.words import action_in_words
from settings import read_settings
from support.needs import RuleAction


def tested_in_sight(pack: Pack) -> tuple[Outcome, ...]:
    """Run the tests of the pack, and show how far it is."""
    with progress_bars() as show:
        return publishing.tested(
            pack, read_settings(), lambda done, of: show("Tests of the pack", done, of)
        )


def show_outcomes(pack: Pack, outcomes: tuple[Outcome, ...], *, as_json: bool) -> None:
    """Print how many tests passed, and of those that failed what was expected, got, and why."""
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if as_json:
        print_json(
            {
                "pack": pack.name,
                "version": pack.version,
                "tests": len(outcomes),
                "failed": len(failed),
                "failures": failed,
            }
        )
        return
    if failed:
        print_table(
            f"Failed tests of {pack.file}",
            ("rule", "line", "expected", "got", "why"),
            (
                (o.rule_id, _place(o, pack), _words(o.expected), _words(o.got), o.reason)
                for o in failed
            ),
        )
    say(
        f"Pack {pack.name}, version {pack.version}: {len(outcomes) - len(failed)} of "
        f"{len(outcomes)} {'test' if len(outcomes) == 1 else 'tests'} passed"
    )


def _place(outcome: Outcome, pack: Pack) -> str:
    line = str(outcome.line)
    return line if outcome.file == pack.file else f"{outcome.file}, {line}"


def _words(actions: tuple[RuleAction, ...]) -> str:
    return "; ".join(action_in_words(action) for action in actions) or "nothing"
