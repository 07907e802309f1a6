"""`flowhub rules ...`: check, test, read and explain packs."""

from pathlib import Path
from typing import Annotated

import typer

from hub.cli import rules_explain, rules_simulate
from hub.cli.output import AsJson, print_json, print_table, quoted, say, show_error
from rules.compiler import compile_pack
from rules.engine import Engine
from rules.examples import Outcome, run_examples
from rules.handbook import facts_page, pack_page
from rules.load import load_pack
from rules.pack import Pack
from rules.words import action_in_words
from settings import read_settings
from support.errors import PackError
from support.needs import RuleAction
from support.situation import CATALOGUE

app = typer.Typer(no_args_is_help=True)
rules_explain.register(app)
rules_simulate.register(app)

PackFile = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]",
        exists=True,
        dir_okay=False,
        help="Rule pack; default: FLOWHUB_PACK, else the one that ships.",
    ),
]

AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print a page of Markdown.")]


def _load(file: Path | None) -> Pack:
    return load_pack(file or read_settings().pack)


@app.command(epilog="Example: `flowhub rules check my-pack.yaml`")
def check(file: PackFile = None, as_json: AsJson = False) -> None:
    """Check a pack; exit code 1 where it is refused, with file, line and what to do."""
    try:
        pack = _load(file)
    except PackError as error:
        show_error(error, as_json=as_json)
        raise typer.Exit(1) from error
    program = compile_pack(pack)
    read = sorted(program.plain | {test.fact for test in program.derived.values()})
    tests = sum(len(rule.tests) for rule in pack.rules)
    untested = [rule.id for rule in pack.rules if not rule.tests]
    if as_json:
        print_json(
            {
                "file": pack.file,
                "name": pack.name,
                "version": pack.version,
                "rules": len(pack.rules),
                "rulesets": len(program.shards),
                "facts_read": read,
                "tests": tests,
                "untested": untested,
            }
        )
        return
    say(
        f"[bold]{quoted(pack.file)}[/] is good: pack {pack.name}, version {pack.version}; "
        f"{_count(len(pack.rules), 'rule')}, {_count(len(program.shards), 'ruleset')}, "
        f"{_count(len(read), 'fact')} read, {_count(tests, 'test')}"
    )
    if untested:
        say(f"Without a test: {', '.join(untested)}")


@app.command("test", epilog="Example: `flowhub rules test my-pack.yaml`")
def run_tests(file: PackFile = None, as_json: AsJson = False) -> None:
    """Run the tests of a pack through the rules engine; exit code 1 where one fails."""
    pack = _load(file)
    with Engine(pack, timeout_s=read_settings().engine_timeout_s) as engine:
        outcomes = run_examples(pack, engine)
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
    else:
        _show_outcomes(pack, outcomes, failed)
    if failed:
        raise typer.Exit(1)


def _show_outcomes(pack: Pack, outcomes: tuple[Outcome, ...], failed: list[Outcome]) -> None:
    if failed:
        print_table(
            f"Failed tests of {pack.file}",
            ("rule", "line", "expected", "got", "why"),
            ((o.rule_id, o.line, _words(o.expected), _words(o.got), o.reason) for o in failed),
        )
    say(
        f"Pack {pack.name}, version {pack.version}: {len(outcomes) - len(failed)} of "
        f"{_count(len(outcomes), 'test')} passed"
    )


def _words(actions: tuple[RuleAction, ...]) -> str:
    return "; ".join(action_in_words(action) for action in actions) or "nothing"


@app.command("list", epilog="Example: `flowhub rules list my-pack.yaml`")
def list_rules(
    file: PackFile = None, as_json: AsJson = False, as_markdown: AsMarkdown = False
) -> None:
    """List the rules of a pack, in the order in which they are asked."""
    pack = _load(file)
    if as_markdown:
        typer.echo(pack_page(pack), nl=False)
        return
    ordered = sorted(pack.rules, key=lambda rule: rule.priority)
    if as_json:
        print_json(
            {
                "pack": pack.name,
                "version": pack.version,
                "rules": [
                    {
                        "id": rule.id,
                        "on": rule.on,
                        "priority": rule.priority,
                        "stop": rule.stop,
                        "enabled": rule.enabled,
                        "owner": rule.owner,
                        "description": rule.description,
                        "line": rule.line,
                    }
                    for rule in ordered
                ],
            }
        )
        return
    print_table(
        f"Pack {pack.name}, version {pack.version}",
        ("rule", "on", "priority", "owner", "description"),
        (
            (
                rule.id,
                rule.on,
                f"{rule.priority}{', stops' if rule.stop else ''}{'' if rule.enabled else ', off'}",
                rule.owner,
                rule.description,
            )
            for rule in ordered
        ),
    )


@app.command(epilog="Example: `flowhub rules facts`")
def facts(as_json: AsJson = False, as_markdown: AsMarkdown = False) -> None:
    """List the facts that conditions can ask."""
    if as_markdown:
        typer.echo(facts_page(), nl=False)
        return
    columns = ("name", "type", "unit", "meaning", "choices")
    rows = [tuple(getattr(spec, column) for column in columns) for spec in CATALOGUE.values()]
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    print_table(
        "Facts",
        columns,
        ((*row[:-1], [choice or "empty" for choice in row[-1]]) for row in rows),
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
