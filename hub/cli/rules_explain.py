"""`flowhub rules explain`: what every rule said, of facts in a file or of a stored decision."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli.output import TENANT, AsJson, Tenant, print_json, print_table, quoted, say
from hub.cli.rules_source import WHAT, pack_named
from hub.cli.session import run, store
from hub.instants import read_instant
from rules.document import read
from rules.engine import Engine
from rules.findings import NOT_FOR
from rules.pack import Pack
from rules.policies_file import load_policies
from rules.values import completed, read_situation
from rules.words import action_in_words
from settings import Settings, read_settings
from store.chronicle import DecisionEntry, decision_at
from support.errors import InputError, PackError
from support.needs import Fact, Row, RuleAction


@dataclass(frozen=True, slots=True)
class Line:
    """What one rule said. `fired` is its place among those that fired; 0: it did not."""

    rule_id: str
    fired: int
    reason: str


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=(
            "Example: `flowhub rules explain --ticket T-1042 --at 2026-03-02T14:03`, or "
            "`flowhub rules explain --facts facts.yaml`, where facts.yaml holds "
            "`{on: created, priority: urgent, channel: email, active: true}`"
        )
    )(explain)


def explain(
    facts: Annotated[
        Path | None,
        typer.Option(
            "--facts",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Facts to decide, YAML or JSON; those left out are false, 0, empty, or the first "
            "of their choices.",
        ),
    ] = None,
    pack: Annotated[
        str,
        typer.Option(
            "--pack",
            metavar="PACK",
            help=f"Rule pack for the facts: {WHAT}; default: FLOWHUB_PACK, else the shipped one.",
        ),
    ] = "",
    ticket: Annotated[
        str, typer.Option("--ticket", metavar="TICKET", help="Ticket whose decision to read.")
    ] = "",
    at: Annotated[
        str,
        typer.Option(
            "--at",
            metavar="TIME",
            help="The last decision at or before, without offset on the office's clock; default: "
            "the latest.",
        ),
    ] = "",
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Show for every rule whether it fired and why, and what was asked for.

    With --ticket, as the ledger has it: which pack and version decided, and what came of each
    action.
    """
    if (facts is None) is (not ticket):
        raise InputError("name what to explain: --facts FILE, or --ticket TICKET")
    if facts is None:
        if pack:
            raise InputError("a ticket's decision has its own pack: use --pack with --facts")
        _explain_decision(ticket, at, tenant, as_json=as_json)
        return
    if at:
        raise InputError("facts have no time: use --at with --ticket")
    _explain_facts(facts, pack_named(pack, tenant), as_json=as_json)


def _explain_facts(file: Path, pack: Pack, *, as_json: bool) -> None:
    given, related = _facts(file)
    whole = completed(given)
    with Engine(pack, timeout_s=read_settings().engine_timeout_s) as engine:
        verdict = engine.evaluate_now(whole, related)
    lines = _lines(verdict.fired, ((trace.rule_id, trace.reason) for trace in verdict.trace))
    if as_json:
        print_json(
            {
                "pack": pack.name,
                "version": pack.version,
                "facts": whole,
                "related": related,
                "rules": lines,
                "actions": verdict.actions,
            }
        )
        return
    say(
        f"On [bold]{whole['on']}[/], pack {pack.name}, version {pack.version}; neutral where "
        f"{quoted(file.name)} is silent"
    )
    _show_lines(lines)
    if not verdict.actions:
        say("Nothing is asked for.")
        return
    print_table(
        "Asked for",
        ("rule", "action"),
        ((action.rule_id, action_in_words(action)) for action in verdict.actions),
    )


def _facts(file: Path) -> tuple[dict[str, Fact], dict[str, tuple[Row, ...]]]:
    try:
        found, related = read_situation(read(file.read_text(encoding="utf-8"), file.name))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read: {error}") from error
    except PackError as error:
        raise InputError(str(error), **error.details) from error
    if "on" not in found:
        raise InputError(f"{file}: has no `on`: name what is decided, such as `on: created`")
    return found, related


def _explain_decision(ticket: str, at: str, tenant: str, *, as_json: bool) -> None:
    when = _instant(at, read_settings()) if at else None

    async def work() -> DecisionEntry:
        async with store() as pool, pool.connection() as conn:
            return await decision_at(conn, tenant=tenant, ticket_id=ticket, at=when)

    decision = run(work)
    lines = _stored_lines(decision.trace, decision.fired)
    if as_json:
        print_json(_form(ticket, decision, lines))
        return
    say(
        f"[bold]{quoted(ticket)}[/], decision {decision.seq}, on {decision.trigger} at "
        f"{decision.at:%Y-%m-%d %H:%M:%S} UTC, {decision.lateness_s:.1f} s late; pack "
        f"{decision.pack_name}, version {decision.pack_version}"
    )
    _show_lines(lines)
    for stored in decision.rounds:
        _show_round(stored)
    if not decision.actions:
        say("Nothing was asked for.")
        return
    print_table(
        "Asked for, and what came of it",
        ("rule", "action", "outcome", "detail"),
        (
            (action["rule_id"] or "-", _action(action), action["outcome"], action["detail"])
            for action in decision.actions
        ),
    )
    for action in decision.actions:
        _show_ranked(action)


def _show_ranked(action: Mapping[str, Any]) -> None:
    """Show who was weighed for the ticket, best first, and why somebody was passed over."""
    if not action["ranked"]:
        return
    print_table(
        f"Candidates of action {action['index']}, best first",
        ("agent", "units", "passed over because"),
        (
            (one["agent_id"], f"{one['load_units']}/{one['capacity_units']}", one["rejected"])
            for one in action["ranked"]
        ),
    )


def _stored_lines(trace: Sequence[Mapping[str, object]], fired: Sequence[str]) -> list[Line]:
    """Return what each rule said in one round; `fired` gives those of it their order."""
    here = {str(one["rule_id"]) for one in trace if one["fired"]} or set(fired)
    said = ((str(one["rule_id"]), str(one["reason"])) for one in trace)
    return _lines([rule_id for rule_id in fired if rule_id in here], said)


def _show_round(stored: Mapping[str, Any]) -> None:
    """Show what the rules said of what one of them had done."""
    path = " -> ".join(stored["path"])
    say(f"Then on [bold]{stored['trigger']}[/], which action {stored['cause']} made, by {path}")
    changed = ", ".join(
        f"{name} is {_show_fact(value)}"
        for name, value in stored["changed"].items()
        if name not in ("on", "actor_kind")
    )
    say(f"Changed since: {changed or 'nothing else'}")
    _show_lines(_stored_lines(stored["trace"], stored["fired"]))


def _show_fact(value: object) -> str:
    """Write a fact as a pack does."""
    return value or "empty" if isinstance(value, str) else json.dumps(value)


def _instant(at: str, settings: Settings) -> datetime:
    book, _ = load_policies(settings.policies)
    return read_instant(at, book.office.rules.tz)


def _form(ticket: str, decision: DecisionEntry, lines: list[Line]) -> Mapping[str, object]:
    return {
        "ticket_id": ticket,
        "decision_seq": decision.seq,
        "trigger": decision.trigger,
        "trigger_id": decision.trigger_id,
        "at": decision.at,
        "decided_at": decision.decided_at,
        "lateness_s": decision.lateness_s,
        "pack": decision.pack_name,
        "version": decision.pack_version,
        "facts": decision.inputs,
        "related": decision.related,
        "rules": lines,
        "rounds": decision.rounds,
        "actions": decision.actions,
    }


def _action(stored: Mapping[str, object]) -> str:
    params = stored["params"]
    known = dict(params) if isinstance(params, Mapping) else {}
    return action_in_words(RuleAction(str(stored["rule_id"]), str(stored["kind"]), known))


def _lines(fired: Sequence[str], trace: Iterable[tuple[str, str]]) -> list[Line]:
    """Return the rules that fired, in that order, then the others as they stand in the pack."""
    places = {rule_id: place for place, rule_id in enumerate(fired, start=1)}
    lines = [Line(rule_id, places.get(rule_id, 0), reason) for rule_id, reason in trace]
    return sorted(lines, key=lambda line: line.fired or len(places) + 1)


def _show_lines(lines: list[Line]) -> None:
    if not lines:
        say("No rule was asked.")
        return
    elsewhere = [line for line in lines if line.reason.startswith(NOT_FOR)]
    here = [line for line in lines if line not in elsewhere]
    if here:
        print_table(
            "Rules",
            ("rule", "fired", "why"),
            ((line.rule_id, line.fired or "no", line.reason) for line in here),
        )
    for reason in dict.fromkeys(line.reason for line in elsewhere):
        asked = ", ".join(line.rule_id for line in elsewhere if line.reason == reason)
        say(f"{reason.capitalize()}: {asked}\n")
