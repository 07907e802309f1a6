"""`flowhub rules history`, `show`, `diff` and `shadow`: what was published, and what it changes."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hub.cli.output import (
    TENANT,
    AsJson,
    Tenant,
    counted,
    of_tenant,
    print_json,
    print_table,
    quoted,
    say,
)
from hub.cli.rules_source import WHAT, pack_named
from hub.cli.session import operator, run, store
from hub.publishing import OWN_WORD
from rules.bundle import Bundle
from rules.diff import Change, PackDiff, diff
from rules.pack import Pack, Rule
from rules.words import action_in_words, rule_in_words
from store import packs, publishing, shadows
from store.packs import ActivePacks, Publication
from store.pool import transaction
from store.shadows import Summary
from support.errors import InputError
from support.model import checked_id
from support.needs import RuleAction

_A_PACK = f"A pack: {WHAT}."


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: `flowhub rules history --tenant acme`")(history)
    app.command(epilog="Example: `flowhub rules show 3f0c8a6be1d2`, or `flowhub rules show 4`")(
        show
    )
    app.command("diff", epilog="Example: `flowhub rules diff active my-pack.yaml`")(diff_)
    app.command(
        epilog="Example: `flowhub rules shadow`, or `flowhub rules shadow --off --reason seen`"
    )(shadow)


def history(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Only the last N.")] = 100,
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """List what was published, proposed and tried: who, when, why, and what became of it."""

    async def work() -> tuple[ActivePacks, tuple[Publication, ...]]:
        async with store() as pool, pool.connection() as conn:
            active = await packs.active(conn, tenant=tenant)
            return active, await packs.history(conn, tenant=tenant, limit=limit)

    active, found = run(work)
    if as_json:
        print_json({"tenant": tenant, "active": active, "publications": found})
        return
    if not found:
        say(f"{tenant} has published nothing: it decides by {publishing.OWN}.")
        return
    print_table(
        f"Rules of {tenant}",
        ("no.", "status", "kind", "pack", "version", "by", "at", "why", "answered by"),
        (
            (
                one.number,
                one.status,
                one.kind,
                one.name or (OWN_WORD if one.kind in packs.CHANGES_RULES else ""),
                one.version,
                one.author,
                one.made_at,
                one.reason,
                one.answered_by,
            )
            for one in found
        ),
    )
    if active.approval_required:
        say(
            "Changes need a second person: "
            f"`flowhub rules approve NUMBER{of_tenant(tenant)} --reason ...`"
        )
    for one in found:
        if one.parked_at is not None:
            say(
                f"[bold red]{one.number} is parked[/] since {one.parked_at:%Y-%m-%d %H:%M:%S} UTC: "
                f"{quoted(one.parked_error)}"
            )


def show(
    pack: Annotated[str, typer.Argument(metavar="PACK", help=_A_PACK)],
    macros: Annotated[bool, typer.Option("--macros", help="Print macros and texts.")] = False,
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Print the source of a pack as it was published."""
    found = pack_named(pack, tenant)
    bundle = Bundle.from_json(found.text)
    if as_json:
        print_json({"pack": found.name, "version": found.version, "source": bundle})
        return
    typer.echo(bundle.macros if macros else bundle.text, nl=False)


def diff_(
    before: Annotated[str, typer.Argument(metavar="A", help=_A_PACK)],
    after: Annotated[str, typer.Argument(metavar="B", help=_A_PACK)],
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Say what changes, rule by rule, when B takes the place of A."""
    old, new = pack_named(before, tenant), pack_named(after, tenant)
    changes = diff(old, new)
    if as_json:
        print_json({"before": _named(old), "after": _named(new), "diff": changes})
        return
    show_diff(changes, old, new)


def _named(pack: Pack) -> Mapping[str, str]:
    return {"pack": pack.name, "version": pack.version}


def show_diff(changes: PackDiff, before: Pack, after: Pack) -> None:
    """Print what changes from one pack to the other."""
    versions = f"from {before.name} {before.version} to {after.name} {after.version}"
    if changes.empty:
        say(f"Nothing that decides changes {versions}.")
        return
    rows = [("added", i, "", "", rule_in_words(_rule(after, i))) for i in changes.added]
    rows += [("removed", i, "", rule_in_words(_rule(before, i)), "") for i in changes.removed]
    for one in changes.changed:
        rows += _rows("changed", one.rule_id, one.changes)
    if changes.reordered:
        rows.append(("changed", "", "order of the rules", "", ""))
    rows += _rows("setting", "", changes.settings)
    rows += _rows("macro", "", changes.macros)
    rows += _rows("text", "", changes.texts)
    print_table(f"What changes {versions}", ("what", "rule", "part", "before", "after"), rows)


def _rule(pack: Pack, rule_id: str) -> Rule:
    return next(rule for rule in pack.rules if rule.id == rule_id)


def _rows(
    what: str, rule_id: str, changes: tuple[Change, ...]
) -> list[tuple[str, str, str, str, str]]:
    return [(what, rule_id, one.part, one.before, one.after) for one in changes]


def shadow(
    off: Annotated[bool, typer.Option("--off", help="End it.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why it ends.")] = "",
    actor: Annotated[str, typer.Option("--as", metavar="PERSON", help="Who ends it.")] = "",
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Say what the tenant's shadow, or its last one, would have done otherwise; or end it."""
    if off:
        _end(tenant, actor, reason, as_json=as_json)
        return

    async def work() -> tuple[ActivePacks, Publication, Summary] | None:
        async with store() as pool, pool.connection() as conn:
            active = await packs.active(conn, tenant=tenant)
            last = await packs.last_shadow(conn, tenant=tenant)
            if last is None:
                return None
            return active, last, await shadows.summary(conn, tenant=tenant, number=last.number)

    found = run(work)
    if as_json:
        parts = found or (ActivePacks(), None, None)
        running = found is not None and parts[0].shadow_number is not None
        print_json({"running": running, "shadow": parts[1], "summary": parts[2]})
    elif found is None:
        say(
            f"{tenant} never had a shadow: "
            f"`flowhub rules publish FILE --shadow{of_tenant(tenant)}` begins one."
        )
    else:
        _show_shadow(*found)


def _show_shadow(active: ActivePacks, one: Publication, summary: Summary) -> None:
    running = active.shadow_number == one.number
    say(
        f"Shadow [bold]{one.name} {one.version}[/], publication {one.number} by {one.author}, "
        f"{'is running' if running else 'has ended'}: "
        f"{counted(summary.compared, 'decision')} compared, "
        f"[bold]{summary.differing}[/] differ"
    )
    if not summary.differing:
        return
    print_table(
        "By rule", ("rule", "decisions"), ((r.rule_id, r.decisions) for r in summary.by_rule)
    )
    print_table(
        "The latest that differ",
        ("ticket", "decision", "on", "rules", "active", "shadow"),
        (
            (d.ticket_id, d.decision_seq, d.trigger, d.rules, _did(d.active), _did(d.shadow))
            for d in summary.examples
        ),
    )


def _did(said: Mapping[str, Any]) -> str:
    asked = [
        f"{a['rule_id']}: " + action_in_words(RuleAction(a["rule_id"], a["kind"], a["params"]))
        for a in said["asked"]
    ]
    return "; ".join(asked) or ", ".join(said["fired"]) or "nothing"


def _end(tenant: str, actor: str, reason: str, *, as_json: bool) -> None:
    if not reason.strip():
        raise InputError("say why it ends, with --reason", field="reason")
    by = checked_id(operator(actor).id, "person")

    async def work() -> Publication | None:
        async with store() as pool, transaction(pool) as conn:
            return await publishing.end_shadow(conn, tenant=tenant, by=by, reason=reason)

    done = run(work)
    if as_json:
        print_json(done)
    elif done is not None:
        say(f"The shadow {done.name} {done.version} of {tenant} has ended.")
