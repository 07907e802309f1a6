"""`flowhub rules ...`: check, test, read and explain packs."""

from typing import Annotated

import typer

from hub.cli import rules_explain, rules_history, rules_publish, rules_simulate
from hub.cli.output import (
    TENANT,
    AsJson,
    Tenant,
    counted,
    print_json,
    print_table,
    quoted,
    say,
    show_error,
)
from hub.cli.rules_source import PackWord, pack_named
from hub.cli.rules_tests import show_outcomes, tested_in_sight
from rules.compiler import compile_pack
from rules.handbook import facts_page, pack_page
from rules.pack import Pack, Rule
from rules.words import rest_in_words, scope_in_words
from support.errors import PackError
from support.relations import QUALIFIED
from support.situation import CATALOGUE

app = typer.Typer(no_args_is_help=True)

AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print a page of Markdown.")]


@app.command(epilog="Example: `flowhub rules check my-pack.yaml`")
def check(named: PackWord = "", tenant: Tenant = TENANT, as_json: AsJson = False) -> None:
    """Check a pack; exit code 1 where it is refused, with file, line and what to do."""
    try:
        pack = pack_named(named, tenant)
    except PackError as error:
        show_error(error, as_json=as_json)
        raise typer.Exit(1) from error
    program = compile_pack(pack)
    read = program.facts
    asked = [rule for rule in pack.rules if rule.enabled]
    tests = sum(len(rule.tests) for rule in asked)
    untested = [rule.id for rule in asked if not rule.tests]
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
        f"{counted(len(pack.rules), 'rule')}, {counted(len(program.shards), 'ruleset')}, "
        f"{counted(len(read), 'fact')} read, {counted(tests, 'test')}"
    )
    if untested:
        say(f"Without a test: {', '.join(untested)}")


@app.command("test", epilog="Example: `flowhub rules test my-pack.yaml`")
def run_tests(named: PackWord = "", tenant: Tenant = TENANT, as_json: AsJson = False) -> None:
    """Run the tests of a pack through the rules engine; exit code 1 where one fails."""
    pack = pack_named(named, tenant)
    outcomes = tested_in_sight(pack)
    show_outcomes(pack, outcomes, as_json=as_json)
    if not all(outcome.passed for outcome in outcomes):
        raise typer.Exit(1)


@app.command("list", epilog="Example: `flowhub rules list my-pack.yaml`")
def list_rules(
    named: PackWord = "",
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
) -> None:
    """List the rules of a pack, in the order in which they are asked."""
    pack = pack_named(named, tenant)
    if as_markdown:
        typer.echo(pack_page(pack), nl=False)
        return
    ordered = sorted(pack.rules, key=lambda rule: rule.priority)
    if as_json:
        print_json(
            {
                "pack": pack.name,
                "version": pack.version,
                "tenant": pack.tenants,
                "imports": pack.imports,
                "settings": _settings(pack),
                "rules": [_form(rule) for rule in ordered],
            }
        )
        return
    print_table(
        f"Pack {pack.name}, version {pack.version}",
        ("rule", "on", "priority", "owner", "description"),
        ((r.id, r.on, _place_in_order(r), r.owner, r.description) for r in ordered),
    )
    for line in scope_in_words(pack):
        say(quoted(line))


def _form(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.id,
        "on": rule.on,
        "priority": rule.priority,
        "stop": rule.stop,
        "enabled": rule.enabled,
        "owner": rule.owner,
        "description": rule.description,
        "file": rule.file,
        "line": rule.line,
        "cooldown_s": rule.cooldown and rule.cooldown.total_seconds(),
        "once_per": rule.once_per,
    }


def _place_in_order(rule: Rule) -> str:
    more = ("stops" if rule.stop else "", "" if rule.enabled else "off", rest_in_words(rule))
    return ", ".join((str(rule.priority), *filter(None, more)))


def _settings(pack: Pack) -> dict[str, object]:
    """Return the limits, durations in seconds."""
    limits = pack.limits
    return {
        "message_every_s": limits.message_every.total_seconds(),
        "notifications_a_day": limits.notifications_a_day,
        "deepest_chain": limits.deepest_chain,
        "most_rounds": limits.most_rounds,
    }


@app.command(epilog="Example: `flowhub rules facts`")
def facts(as_json: AsJson = False, as_markdown: AsMarkdown = False) -> None:
    """List the facts that conditions can ask."""
    if as_markdown:
        typer.echo(facts_page(), nl=False)
        return
    specs = (*CATALOGUE.values(), *QUALIFIED.values())
    if as_json:
        columns = ("name", "subjects", "type", "unit", "meaning", "choices")
        print_json([{name: getattr(spec, name) for name in columns} for spec in specs])
        return
    print_table(
        "Facts",
        ("name", "of", "type", "unit", "meaning", "choices"),
        (
            (s.name, s.of, s.type, s.unit, s.meaning, [choice or "empty" for choice in s.choices])
            for s in specs
        ),
    )


for part in (rules_explain, rules_simulate, rules_history, rules_publish):
    part.register(app)
