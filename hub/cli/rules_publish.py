"""`flowhub rules publish`, `rollback`, `approve`, `reject`, `approval`: who changes the rules."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hub import publishing as packs_of
from hub.cli.output import TENANT, AsJson, Tenant, of_tenant, print_json, quoted, say, show_error
from hub.cli.rules_history import show_diff
from hub.cli.rules_tests import show_outcomes, tested_in_sight
from hub.cli.session import operator, run, store
from hub.drafts import MAX_SUBJECT, checked_line
from hub.publishing import OWN_WORD, Author
from rules.diff import PackDiff, diff
from rules.examples import Outcome
from rules.load import load_pack
from rules.pack import Pack
from settings import read_settings
from store import packs, publishing
from store.packs import ActivePacks, Publication
from store.pool import Connection, transaction
from support.errors import InputError, PackError
from support.model import checked_id

Reason = Annotated[str, typer.Option("--reason", help="Why, kept with the publication.")]
As = Annotated[str, typer.Option("--as", metavar="PERSON", help="Who does it; default: you.")]
Number = Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="Number of the proposal.")]

PackFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Rule pack.")]
MacrosFile = Annotated[
    Path | None,
    typer.Option(
        "--macros",
        exists=True,
        dir_okay=False,
        help="Macros and texts that go with it; default: those that ship.",
    ),
]
Base = Annotated[
    str,
    typer.Option(
        "--base",
        metavar="VERSION",
        help="What the change was made on; default: what is active as the command begins; "
        f"`{OWN_WORD}`: the worker's own pack.",
    ),
]
AsShadow = Annotated[
    bool, typer.Option("--shadow", help="Only ask it beside the active pack; it does nothing.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check, test and compare, and publish nothing.")
]

PUBLISH_EXAMPLE = 'flowhub rules publish my-pack.yaml --reason "chats go to the chat team"'
ROLLBACK_EXAMPLE = 'flowhub rules rollback --reason "chats stay unassigned"'
APPROVE_EXAMPLE = 'flowhub rules approve 7 --as lou --reason "tried on last month"'
REJECT_EXAMPLE = 'flowhub rules reject 7 --as lou --reason "mails would wait"'
APPROVAL_EXAMPLE = 'flowhub rules approval require --reason "audit of May"'


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=f"Example: `{PUBLISH_EXAMPLE}`")(publish)
    app.command(epilog=f"Example: `{ROLLBACK_EXAMPLE}`")(rollback)
    app.command(epilog=f"Example: `{APPROVE_EXAMPLE}`")(approve)
    app.command(epilog=f"Example: `{REJECT_EXAMPLE}`")(reject)
    app.command(epilog=f"Example: `{APPROVAL_EXAMPLE}`")(approval)


def author_of(tenant: str, actor: str, reason: str) -> Author:
    """Return who does it and why; InputError where the reason is missing or no line of text."""
    if not reason.strip():
        raise InputError("say why, with --reason", field="reason")
    checked_line(reason, "reason", MAX_SUBJECT)
    return Author(tenant, checked_id(operator(actor).id, "person"), reason)


def publish(
    file: PackFile,
    reason: Reason = "",
    macros: MacrosFile = None,
    base: Base = "",
    shadow: AsShadow = False,
    dry_run: DryRun = False,
    actor: As = "",
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Let a tenant decide by a pack, from its next decision on; no restart.

    It is checked, its own tests run through the rules engine, and what changes is shown. Exit code
    1, and nothing published, where it is refused or a test fails.
    """
    author = None if dry_run else author_of(tenant, actor, reason)
    # First of all: what others publish from here on is something that this author has not seen.
    now, before = _active(tenant)
    try:
        pack = load_pack(file, macros)
    except PackError as error:
        show_error(error, as_json=as_json)
        raise typer.Exit(1) from error
    packs_of.refuse_foreign(pack, tenant)
    outcomes = _tested(pack, as_json=as_json)
    changes = diff(before, pack)
    if not as_json:
        show_diff(changes, before, pack)
        if untested := _untested(pack):
            say(f"[yellow]Without a test[/]: {', '.join(untested)}")
    made_on = now.version if not base else "" if base == OWN_WORD else base
    done = None if author is None else _publish(pack, author, made_on, shadow=shadow)
    if as_json:
        _print(pack, changes, outcomes, done)
    elif done is None:
        say("Nothing was published: --dry-run.")
    else:
        _say_done(tenant, done)


def _active(tenant: str) -> tuple[ActivePacks, Pack]:
    async def work() -> tuple[ActivePacks, Pack]:
        async with store() as pool:
            return await packs_of.active_pack(pool, read_settings(), tenant=tenant)

    return run(work)


def _tested(pack: Pack, *, as_json: bool) -> tuple[Outcome, ...]:
    """Run the tests; leave with exit code 1 where one fails."""
    if not as_json:
        say(f"Testing pack {pack.name}, version {pack.version}")
    outcomes = tested_in_sight(pack)
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if failed:
        show_outcomes(pack, outcomes, as_json=as_json)
        raise typer.Exit(1)
    return outcomes


def _publish(pack: Pack, author: Author, base: str, *, shadow: bool) -> Publication:
    async def work() -> Publication:
        async with store() as pool:
            if shadow:
                return await packs_of.try_out(pool, pack, author)
            return await packs_of.publish(pool, pack, author, base=base)

    return run(work)


def _untested(pack: Pack) -> list[str]:
    return [rule.id for rule in pack.rules if rule.enabled and not rule.tests]


def _print(
    pack: Pack, changes: PackDiff, outcomes: tuple[Outcome, ...], done: Publication | None
) -> None:
    print_json(
        {
            "pack": pack.name,
            "version": pack.version,
            "tests": len(outcomes),
            "untested": _untested(pack),
            "diff": changes,
            "publication": done,
        }
    )


_SECOND_PERSON = {
    packs.Kind.REQUIRE: "a second person is needed from now on for each change of the rules",
    packs.Kind.WAIVE: "no second person is needed any more for changes of the rules",
}


def _say_done(tenant: str, done: Publication) -> None:
    what = f"{done.name} {done.version}".strip() or publishing.OWN
    match done.status:
        case "proposed":
            say(
                f"[bold]Proposal {done.number}[/] of {tenant} does nothing until another person "
                f"runs `flowhub rules approve {done.number}{of_tenant(tenant)} --reason ...`"
            )
        case "shadowing":
            say(
                f"[bold]Publication {done.number}[/]: {quoted(what)} is asked beside the active "
                f"pack of {tenant}; see `flowhub rules shadow{of_tenant(tenant)}`"
            )
        case "active":
            say(
                f"[bold]Publication {done.number}[/]: {tenant} decides by {quoted(what)} from its "
                "next decision on"
            )
        case "done" if done.kind in _SECOND_PERSON:
            said = _SECOND_PERSON[packs.Kind(done.kind)]
            say(f"[bold]{done.number}[/]: {said} of {tenant}")
        case _:
            say(f"[bold]{done.number}[/]: {done.kind} by {done.author}, {done.status}")


def rollback(
    reason: Reason = "",
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="NUMBER|VERSION",
            help=f"Publication to bring back; default: the one before; `{OWN_WORD}`: the worker's "
            "own pack.",
        ),
    ] = "",
    actor: As = "",
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Let an earlier publication count again, from the next decision on."""
    author = author_of(tenant, actor, reason)

    async def work() -> Publication:
        async with store() as pool:
            async with pool.connection() as conn:
                now = await packs.active(conn, tenant=tenant)
                number = await _number(conn, to, tenant)
            return await packs_of.roll_back(pool, author, to=number, base=now.version)

    _show(tenant, run(work), as_json=as_json)


async def _number(conn: Connection, to: str, tenant: str) -> int | None:
    """Return the publication that `to` names; None for nothing, 0 for the worker's own pack."""
    if not to:
        return None
    if to == OWN_WORD:
        return 0
    if to.isascii() and to.isdigit() and len(to) < len("123456789abc"):
        return int(to) or -1
    found = await packs.latest_of(conn, to, tenant=tenant)
    if found is None:
        raise InputError(f"{tenant} never decided by version {to}: see `flowhub rules history`")
    return found.number


def approve(
    number: Number,
    reason: Reason = "",
    actor: As = "",
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Let a proposal of another person count, from the next decision on."""
    author = author_of(tenant, actor, reason)

    async def work() -> Publication:
        async with store() as pool:
            return await packs_of.approve(pool, author, number)

    _show(tenant, run(work), as_json=as_json)


def reject(
    number: Number,
    reason: Reason = "",
    actor: As = "",
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Turn a proposal down; whoever made it may take it back so."""
    author = author_of(tenant, actor, reason)

    async def work() -> Publication:
        async with store() as pool, transaction(pool) as conn:
            return await publishing.reject(
                conn, tenant=tenant, number=number, by=author.by, reason=author.reason
            )

    _show(tenant, run(work), as_json=as_json)


class Approval(StrEnum):
    """What to do about the second person."""

    REQUIRE = "require"
    WAIVE = "waive"


def approval(
    what: Annotated[Approval, typer.Argument(help="require, or waive")],
    reason: Reason = "",
    actor: As = "",
    tenant: Tenant = TENANT,
    as_json: AsJson = False,
) -> None:
    """Require a second person for publish and rollback; waiving it needs one too."""
    author = author_of(tenant, actor, reason)

    async def work() -> Publication:
        async with store() as pool, transaction(pool) as conn:
            return await publishing.set_approval(
                conn,
                tenant=tenant,
                required=what is Approval.REQUIRE,
                by=author.by,
                reason=author.reason,
            )

    _show(tenant, run(work), as_json=as_json)


def _show(tenant: str, done: Publication, *, as_json: bool) -> None:
    if as_json:
        print_json(done)
    else:
        _say_done(tenant, done)
