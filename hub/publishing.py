"""From a pack to a publication: checked, tested through the real engine, compared, published."""

from dataclasses import dataclass

from rules.bundle import Bundle
from rules.diff import PackDiff, diff
from rules.engine import Engine
from rules.examples import Outcome, Progress, run_examples
from rules.load import load_pack, parse_pack
from rules.pack import Pack
from settings import Settings
from store import packs, publishing
from store.packs import ActivePacks, Publication
from store.pool import Connection, Pool, transaction
from support.errors import InputError, PackError, PackMovedError

MOST_SAID = 6
"""Rules that an error names before it says how many more there are."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes what a tenant decides by, and why."""

    tenant: str
    by: str
    reason: str


async def stored_pack(conn: Connection, version: str, *, tenant: str) -> Pack:
    """Return a pack of the store; InputError where the tenant has no such version."""
    body = await packs.body(conn, version, tenant=tenant)
    if body is None:
        raise InputError(f"{tenant} has no pack {version}: see `flowhub rules history`")
    return parse_pack(Bundle.from_json(body, version))


async def active_pack(pool: Pool, settings: Settings, *, tenant: str) -> tuple[ActivePacks, Pack]:
    """Return what the tenant decides by; without a publication the pack that settings name here."""
    async with pool.connection() as conn:
        active = await packs.active(conn, tenant=tenant)
        if active.version:
            return active, await stored_pack(conn, active.version, tenant=tenant)
    return active, load_pack(settings.pack)


def refuse_foreign(pack: Pack, tenant: str) -> None:
    """Raise InputError where the pack is not for this tenant."""
    if not pack.serves(tenant):
        raise InputError(
            f"pack {pack.name} is for {', '.join(pack.tenants)}, not for {tenant}: add it to the "
            "`tenant` of the pack, or name another with --tenant"
        )


def tested(pack: Pack, settings: Settings, progress: Progress) -> tuple[Outcome, ...]:
    """Return what comes of the pack's own tests in a real engine."""
    with Engine(pack, timeout_s=settings.engine_timeout_s) as engine:
        return run_examples(pack, engine, progress)


async def publish(pool: Pool, pack: Pack, author: Author, *, base: str) -> Publication:
    """Publish, or propose, a pack that is checked.

    PackMovedError says what changed where `base` is not what counts any more.
    """
    try:
        async with transaction(pool) as conn:
            await packs.remember(conn, version=pack.version, name=pack.name, body=pack.text)
            return await publishing.publish(
                conn,
                tenant=author.tenant,
                version=pack.version,
                base=base,
                by=author.by,
                reason=author.reason,
            )
    except PackMovedError as moved:
        raise await explained(pool, moved, author.tenant, retry="--base") from moved


async def try_out(pool: Pool, pack: Pack, author: Author) -> Publication:
    """Let the pack be asked beside the active one."""
    async with transaction(pool) as conn:
        await packs.remember(conn, version=pack.version, name=pack.name, body=pack.text)
        return await publishing.shadow(
            conn, tenant=author.tenant, version=pack.version, by=author.by, reason=author.reason
        )


async def roll_back(pool: Pool, author: Author, *, to: int | None, base: str) -> Publication:
    """Let an earlier publication count again, or propose that."""
    try:
        async with transaction(pool) as conn:
            return await publishing.roll_back(
                conn, tenant=author.tenant, to=to, base=base, by=author.by, reason=author.reason
            )
    except PackMovedError as moved:
        raise await explained(pool, moved, author.tenant, retry="again") from moved


async def approve(pool: Pool, author: Author, number: int) -> Publication:
    """Approve a proposal of another person."""
    try:
        async with transaction(pool) as conn:
            return await publishing.approve(
                conn, tenant=author.tenant, number=number, by=author.by, reason=author.reason
            )
    except PackMovedError as moved:
        raise await explained(pool, moved, author.tenant, retry="propose") from moved


async def explained(
    pool: Pool, moved: PackMovedError, tenant: str, *, retry: str
) -> PackMovedError:
    """Return the refusal with the rules that changed meanwhile, and what to do."""
    base, active = str(moved.details["base"]), str(moved.details["active"])
    try:
        async with pool.connection() as conn:
            old = await stored_pack(conn, base, tenant=tenant) if base else None
            new = await stored_pack(conn, active, tenant=tenant) if active else None
        changes = diff(old, new) if old and new else None
    except (InputError, PackError):
        changes = None
    what = {
        "--base": f"Put your change on top of it, then publish with `--base {active or OWN_WORD}`",
        "again": "Look at `flowhub rules history`, then roll back again if it is still wanted",
        "propose": "Reject the proposal and make a new one on top of it",
    }[retry]
    between = f"; what changed: {in_short(changes)}" if changes else ""
    return PackMovedError(f"{moved}{between}. {what}", **moved.details, diff=changes)


OWN_WORD = "own"
"""What commands call the pack of the worker's settings."""


def in_short(changes: PackDiff) -> str:
    """Say in one line what changed: `rule a added; rule b changed: when, priority`."""
    said = [f"rule {rule_id} added" for rule_id in changes.added]
    said += [f"rule {rule_id} removed" for rule_id in changes.removed]
    said += [
        f"rule {one.rule_id} changed: {', '.join(change.part for change in one.changes)}"
        for one in changes.changed
    ]
    said += ["order of the rules"] if changes.reordered else []
    for what, listed in (
        ("setting", changes.settings),
        ("macro", changes.macros),
        ("text", changes.texts),
    ):
        said += [f"{what} {change.part}" for change in listed]
    if not said:
        return "nothing that decides"
    more = f"; {len(said) - MOST_SAID} more" if len(said) > MOST_SAID else ""
    return "; ".join(said[:MOST_SAID]) + more
