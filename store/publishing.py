"""What may follow what: a pack is published, proposed, approved, rolled back, tried, parked.

Each function is called within one `store.pool.transaction`, locks the tenant's row of
`active_packs`, and adds one entry to its sequence. Who changes what another has changed meanwhile
is refused.
"""

from store import packs
from store.packs import CHANGES_RULES, ActivePacks, Entry, Kind, Publication
from store.pool import Connection
from support.errors import InputError, LedgerError, PackMovedError

OWN = "the pack of the worker's settings"
_NEED_APPROVAL = CHANGES_RULES | {Kind.WAIVE}


async def publish(
    conn: Connection, *, tenant: str, version: str, base: str, by: str, reason: str
) -> Publication:
    """Let the tenant decide by `version`, or propose it where a second person is required.

    Raises PackMovedError where `base` (empty: the worker's own pack) is not what counts now.
    """
    now = await packs.locked(conn, tenant=tenant)
    await _unmoved(conn, now, tenant=tenant, base=base)
    if version == now.version:
        raise InputError(
            f"version {version} is active already, as publication {now.number} of {tenant}: "
            "there is nothing to publish"
        )
    return await _add(conn, Entry(Kind.PUBLISH, by, reason, version), tenant=tenant, now=now)


async def roll_back(
    conn: Connection, *, tenant: str, to: int | None, base: str, by: str, reason: str
) -> Publication:
    """Let an earlier publication count again; `to` None: the one before; 0: the worker's own pack.

    Raises PackMovedError as `publish` does.
    """
    now = await packs.locked(conn, tenant=tenant)
    await _unmoved(conn, now, tenant=tenant, base=base)
    if now.number is None:
        raise InputError(f"{tenant} decides by {OWN}: there is nothing to roll back")
    if to is None:
        target = await packs.before(conn, now, tenant=tenant)
    else:
        target = await _target(conn, to, tenant=tenant) if to else None
    version = target.version if target else ""
    if version == now.version:
        what = f"publication {to}" if to else OWN
        raise InputError(
            f"{what} is what {tenant} decides by now: name another with --to, see "
            "`flowhub rules history`"
        )
    number = (target.brings_back or target.number) if target else 0
    entry = Entry(Kind.ROLLBACK, by, reason, version, brings_back=number)
    return await _add(conn, entry, tenant=tenant, now=now)


async def _target(conn: Connection, number: int, *, tenant: str) -> Publication:
    found = await packs.publication(conn, tenant=tenant, number=number)
    if found is None or found.kind not in CHANGES_RULES or found.status in ("proposed", "rejected"):
        raise InputError(
            f"{tenant} never decided by a publication {number}: see `flowhub rules history`"
        )
    return found


async def shadow(
    conn: Connection, *, tenant: str, version: str, by: str, reason: str
) -> Publication:
    """Let `version` be asked beside the active pack at every decision, without doing anything."""
    now = await packs.locked(conn, tenant=tenant)
    return await _add(conn, Entry(Kind.SHADOW, by, reason, version), tenant=tenant, now=now)


async def end_shadow(
    conn: Connection, *, tenant: str, by: str, reason: str, number: int | None = None
) -> Publication | None:
    """End the shadow; with `number` only that one, and None where it has ended already.

    Raises InputError where there is none to end.
    """
    now = await packs.locked(conn, tenant=tenant)
    if number is not None and now.shadow_number != number:
        return None
    if now.shadow_number is None:
        raise InputError(f"no pack is a shadow of {tenant}: there is nothing to end")
    entry = Entry(Kind.UNSHADOW, by, reason, now.shadow_version)
    return await _add(conn, entry, tenant=tenant, now=now)


async def set_approval(
    conn: Connection, *, tenant: str, required: bool, by: str, reason: str
) -> Publication:
    """Require a second person for changes of the rules, or waive that, which needs one too."""
    now = await packs.locked(conn, tenant=tenant)
    if now.approval_required is required:
        word = "required" if required else "not required"
        raise InputError(f"approval is {word} for {tenant} already")
    kind = Kind.REQUIRE if required else Kind.WAIVE
    return await _add(conn, Entry(kind, by, reason), tenant=tenant, now=now)


async def approve(
    conn: Connection, *, tenant: str, number: int, by: str, reason: str
) -> Publication:
    """Let a proposal of another person count.

    Raises PackMovedError where other rules count than when it was made.
    """
    now = await packs.locked(conn, tenant=tenant)
    proposal = await _proposal(conn, number, tenant=tenant)
    if proposal.author.casefold() == by.casefold():
        raise InputError(
            f"proposal {number} is by {proposal.author}: another person must approve it "
            "(`--as` says who you are)"
        )
    if proposal.kind in CHANGES_RULES and proposal.base_number != now.number:
        raise await _moved(conn, now, f"proposal {number}", proposal.base_version, tenant=tenant)
    await packs.answer(conn, tenant=tenant, number=number, status="done", by=by, reason=reason)
    await _apply(conn, proposal.kind, number, proposal.version, tenant=tenant)
    return await _kept(conn, number, tenant=tenant)


async def reject(
    conn: Connection, *, tenant: str, number: int, by: str, reason: str
) -> Publication:
    """Turn a proposal down; whoever made it may take it back so."""
    await packs.locked(conn, tenant=tenant)
    await _proposal(conn, number, tenant=tenant)
    await packs.answer(conn, tenant=tenant, number=number, status="rejected", by=by, reason=reason)
    return await _kept(conn, number, tenant=tenant)


async def park(conn: Connection, *, tenant: str, number: int, error: str) -> ActivePacks:
    """Take a publication that cannot decide out of use and return what counts instead.

    Where another counts already, nothing changes: another worker has seen it too.
    """
    now = await packs.locked(conn, tenant=tenant)
    if now.number != number:
        return now
    await packs.mark_parked(conn, tenant=tenant, number=number, error=error)
    target = await packs.before(conn, now, tenant=tenant)
    await packs.activate(
        conn,
        tenant=tenant,
        number=target.number if target else None,
        version=target.version if target else "",
    )
    return await packs.active(conn, tenant=tenant)


async def _add(conn: Connection, entry: Entry, *, tenant: str, now: ActivePacks) -> Publication:
    waits = now.approval_required and entry.kind in _NEED_APPROVAL
    status = "proposed" if waits else "done"
    number = await packs.add(conn, entry, tenant=tenant, base=now, status=status)
    if not waits:
        await _apply(conn, entry.kind, number, entry.version, tenant=tenant)
    return await _kept(conn, number, tenant=tenant)


async def _apply(conn: Connection, kind: str, number: int, version: str, *, tenant: str) -> None:
    match Kind(kind):
        case Kind.PUBLISH | Kind.ROLLBACK:
            await packs.activate(conn, tenant=tenant, number=number, version=version)
        case Kind.SHADOW:
            await packs.set_shadow(conn, tenant=tenant, number=number, version=version)
        case Kind.UNSHADOW:
            await packs.set_shadow(conn, tenant=tenant, number=None, version="")
        case Kind.REQUIRE:
            await packs.require_approval(conn, tenant=tenant, required=True)
        case Kind.WAIVE:
            await packs.require_approval(conn, tenant=tenant, required=False)


async def _kept(conn: Connection, number: int, *, tenant: str) -> Publication:
    found = await packs.publication(conn, tenant=tenant, number=number)
    if found is None:
        raise LedgerError(f"publication {number} of {tenant} is gone within its own transaction")
    return found


async def _proposal(conn: Connection, number: int, *, tenant: str) -> Publication:
    found = await packs.publication(conn, tenant=tenant, number=number)
    if found is None:
        raise InputError(f"{tenant} has no publication {number}: see `flowhub rules history`")
    if found.status != "proposed":
        answered = f", answered by {found.answered_by}" if found.answered_by else ""
        raise InputError(f"publication {number} is {found.status}{answered}: it is no proposal")
    return found


async def _unmoved(conn: Connection, now: ActivePacks, *, tenant: str, base: str) -> None:
    if base != now.version:
        raise await _moved(conn, now, "this change", base, tenant=tenant)


async def _moved(
    conn: Connection, now: ActivePacks, what: str, base: str, *, tenant: str
) -> PackMovedError:
    """Say who put which rules in the place of those that `what` was made on."""
    said = [f"{what} was made on {base or OWN}, and {tenant} decides by {now.version or OWN} now"]
    if now.number is not None:
        active = await _kept(conn, now.number, tenant=tenant)
        said.append(
            f"{active.kind} {active.number} by {active.answered_by or active.author} at "
            f"{active.answered_at or active.made_at:%Y-%m-%d %H:%M:%S} UTC: {active.reason}"
        )
    before = await packs.latest_of(conn, base, tenant=tenant) if base else None
    if before is not None and before.parked_at is not None:
        said.append(
            f"publication {before.number} was parked at {before.parked_at:%Y-%m-%d %H:%M:%S} UTC: "
            f"{before.parked_error}"
        )
    return PackMovedError("; ".join(said), base=base, active=now.version, number=now.number)
