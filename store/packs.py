"""Publications of rule packs: what a tenant decides by, what it did before, and what it proposes.

What may follow what is in `store.publishing`; here are the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from psycopg.rows import class_row

from store.pool import Connection
from support.errors import LedgerError


class Kind(StrEnum):
    """What a publication does once it is done."""

    PUBLISH = "publish"
    ROLLBACK = "rollback"
    SHADOW = "shadow"
    UNSHADOW = "unshadow"
    REQUIRE = "require"
    WAIVE = "waive"


CHANGES_RULES = frozenset({Kind.PUBLISH, Kind.ROLLBACK})


@dataclass(frozen=True, slots=True)
class ActivePacks:
    """What a tenant decides by. Without `number`: by the pack of the worker's settings."""

    number: int | None = None
    version: str = ""
    shadow_number: int | None = None
    shadow_version: str = ""
    approval_required: bool = False


@dataclass(frozen=True, slots=True)
class Publication:
    """One entry of a tenant's sequence. An empty `version` is the pack of the worker's settings.

    `status` is proposed, rejected, parked, active, shadowing, superseded (it counted until another
    did) or done (what is not about a pack).
    """

    number: int
    kind: str
    version: str
    name: str
    base_number: int | None
    base_version: str
    brings_back: int | None
    author: str
    reason: str
    made_at: datetime
    status: str
    answered_by: str
    answered_reason: str
    answered_at: datetime | None
    parked_at: datetime | None
    parked_error: str


_ACTIVE = """
select number, coalesce(version, '') as version, shadow_number,
       coalesce(shadow_version, '') as shadow_version, approval_required
  from active_packs where tenant = %s
"""


async def active(conn: Connection, *, tenant: str) -> ActivePacks:
    """Return what the tenant decides by."""
    async with conn.cursor(row_factory=class_row(ActivePacks)) as cursor:
        await cursor.execute(_ACTIVE, (tenant,))
        return await cursor.fetchone() or ActivePacks()


async def locked(conn: Connection, *, tenant: str) -> ActivePacks:
    """Return it for a change: nobody else changes it before the transaction ends."""
    await conn.execute(
        "insert into active_packs (tenant) values (%s) on conflict do nothing", (tenant,)
    )
    async with conn.cursor(row_factory=class_row(ActivePacks)) as cursor:
        await cursor.execute(_ACTIVE + " for update", (tenant,))
        return await cursor.fetchone() or ActivePacks()


_ADD = """
with counted as (
    update active_packs set last_number = last_number + 1 where tenant = %(tenant)s
    returning last_number
)
insert into pack_publications (tenant, number, kind, version, base_number, base_version,
                               brings_back, author, reason, status)
select %(tenant)s, last_number, %(kind)s, nullif(%(version)s, ''), %(base_number)s,
       nullif(%(base_version)s, ''), %(brings_back)s, %(author)s, %(reason)s, %(status)s
  from counted
returning number
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be added to a tenant's sequence."""

    kind: Kind
    author: str
    reason: str
    version: str = ""
    brings_back: int | None = None


async def add(
    conn: Connection, entry: Entry, *, tenant: str, base: ActivePacks, status: str
) -> int:
    """Add an entry under the lock of `locked` and return its number."""
    cursor = await conn.execute(
        _ADD,
        {
            "tenant": tenant,
            "kind": str(entry.kind),
            "version": entry.version,
            "base_number": base.number,
            "base_version": base.version,
            "brings_back": entry.brings_back,
            "author": entry.author,
            "reason": entry.reason,
            "status": status,
        },
    )
    row = await cursor.fetchone()
    return int(row["number"]) if row else 0


async def activate(conn: Connection, *, tenant: str, number: int | None, version: str) -> None:
    """Let the tenant decide by this version from now on; empty: by the worker's own pack."""
    await conn.execute(
        "update active_packs set number = %s, version = nullif(%s, ''),"
        " changed_at = clock_timestamp() where tenant = %s",
        (number, version, tenant),
    )


async def set_shadow(conn: Connection, *, tenant: str, number: int | None, version: str) -> None:
    """Let this version be asked beside the active one; None: none."""
    await conn.execute(
        "update active_packs set shadow_number = %s, shadow_version = nullif(%s, ''),"
        " changed_at = clock_timestamp() where tenant = %s",
        (number, version, tenant),
    )


async def require_approval(conn: Connection, *, tenant: str, required: bool) -> None:
    """Say whether changes of the rules need a second person."""
    await conn.execute(
        "update active_packs set approval_required = %s where tenant = %s", (required, tenant)
    )


async def answer(
    conn: Connection, *, tenant: str, number: int, status: str, by: str, reason: str
) -> None:
    """Write the answer to a proposal."""
    await conn.execute(
        "update pack_publications set status = %s, answered_by = %s, answered_reason = %s,"
        " answered_at = clock_timestamp() where tenant = %s and number = %s",
        (status, by, reason, tenant, number),
    )


async def mark_parked(conn: Connection, *, tenant: str, number: int, error: str) -> None:
    """Write that the tenant's engine could not decide by this publication."""
    await conn.execute(
        "update pack_publications set parked_at = clock_timestamp(), parked_error = %s"
        " where tenant = %s and number = %s",
        (error, tenant, number),
    )


_PUBLICATION = """
select p.number, p.kind, coalesce(p.version, '') as version, coalesce(k.name, '') as name,
       p.base_number, coalesce(p.base_version, '') as base_version, p.brings_back, p.author,
       p.reason, p.made_at,
       case when p.status <> 'done' then p.status
            when p.parked_at is not null then 'parked'
            when p.number = a.number then 'active'
            when p.number = a.shadow_number then 'shadowing'
            when p.kind in ('publish', 'rollback', 'shadow') then 'superseded'
            else 'done' end as status,
       p.answered_by, p.answered_reason, p.answered_at, p.parked_at, p.parked_error
  from pack_publications as p
  join active_packs as a using (tenant)
  left join packs as k on k.version = p.version
 where p.tenant = %(tenant)s
"""


async def publication(conn: Connection, *, tenant: str, number: int) -> Publication | None:
    """Return one entry, or None."""
    async with conn.cursor(row_factory=class_row(Publication)) as cursor:
        await cursor.execute(
            _PUBLICATION + " and p.number = %(number)s", {"tenant": tenant, "number": number}
        )
        return await cursor.fetchone()


async def history(conn: Connection, *, tenant: str, limit: int = 1000) -> tuple[Publication, ...]:
    """Return the tenant's entries, the latest first."""
    async with conn.cursor(row_factory=class_row(Publication)) as cursor:
        await cursor.execute(
            _PUBLICATION + " order by p.number desc limit %(limit)s",
            {"tenant": tenant, "limit": limit},
        )
        return tuple(await cursor.fetchall())


_EARLIER = """
   and p.status = 'done' and p.kind in ('publish', 'rollback') and p.parked_at is null
   and p.number < (select coalesce(brings_back, number) from pack_publications
                    where tenant = %(tenant)s and number = %(number)s)
   and p.version is distinct from nullif(%(version)s, '')
 order by p.number desc limit 1
"""


async def before(conn: Connection, now: ActivePacks, *, tenant: str) -> Publication | None:
    """Return the publication that counted before the active one and is another version.

    What a rollback brought back is followed by what was before it then, so that going back twice
    goes further back. None: the pack of the worker's settings.
    """
    async with conn.cursor(row_factory=class_row(Publication)) as cursor:
        await cursor.execute(
            _PUBLICATION + _EARLIER,
            {"tenant": tenant, "number": now.number, "version": now.version},
        )
        return await cursor.fetchone()


async def latest_of(conn: Connection, version: str, *, tenant: str) -> Publication | None:
    """Return the last publication of a version that the tenant decided by, or None."""
    async with conn.cursor(row_factory=class_row(Publication)) as cursor:
        await cursor.execute(
            _PUBLICATION
            + " and p.version = %(version)s and p.kind in ('publish', 'rollback')"
            + " and p.status = 'done' order by p.number desc limit 1",
            {"tenant": tenant, "version": version},
        )
        return await cursor.fetchone()


async def last_shadow(conn: Connection, *, tenant: str) -> Publication | None:
    """Return the entry that began the tenant's shadow, or its last one; None: it never had one."""
    async with conn.cursor(row_factory=class_row(Publication)) as cursor:
        await cursor.execute(
            _PUBLICATION + " and p.kind = 'shadow' order by p.number desc limit 1",
            {"tenant": tenant},
        )
        return await cursor.fetchone()


async def remember(conn: Connection, *, version: str, name: str, body: str) -> None:
    """Keep the text of a pack version, so that a decision can be read years later.

    What has been kept of it otherwise is put right: a version has one text.
    """
    await conn.execute(
        "insert into packs (version, name, body) values (%s, %s, %s)"
        " on conflict (version) do update set name = excluded.name, body = excluded.body"
        " where packs.body <> excluded.body",
        (version, name, body),
    )


_BODY = """
select body from packs as k
 where version = %(version)s
   and (exists (select from pack_publications where tenant = %(tenant)s and version = k.version)
        or not exists (select from pack_publications where version = k.version)
        or exists (select from decisions where tenant = %(tenant)s and pack_version = k.version))
"""


async def body(conn: Connection, version: str, *, tenant: str) -> str | None:
    """Return a stored pack that the tenant may read.

    It is its own, one that nobody published, or one that has decided for it, as the worker's own
    pack does, which another tenant may have published too.
    """
    cursor = await conn.execute(_BODY, {"tenant": tenant, "version": version})
    row = await cursor.fetchone()
    return str(row["body"]) if row else None


async def newest_in_use(conn: Connection, *, limit: int) -> Sequence[str]:
    """Return the versions that tenants decide by or try, those activated last first."""
    cursor = await conn.execute(
        "select v.version from active_packs cross join lateral"
        "       (values (version), (shadow_version)) as v (version)"
        " where v.version is not null group by v.version order by max(changed_at) desc limit %s",
        (limit,),
    )
    return [str(row["version"]) for row in await cursor.fetchall()]


async def body_for_worker(conn: Connection, version: str) -> str:
    """Return a stored pack for the worker that loads it, whosever it is.

    Raises LedgerError where it is gone.
    """
    cursor = await conn.execute("select body from packs where version = %s", (version,))
    row = await cursor.fetchone()
    if row is None:
        raise LedgerError(f"pack {version} is not in the store: restore it, or publish it again")
    return str(row["body"])


@dataclass(frozen=True, slots=True)
class ParkedPack:
    """A pack that could not decide, and that its tenant has not replaced since."""

    tenant: str
    number: int
    name: str
    version: str
    parked_at: datetime
    error: str


_PARKED = """
select p.tenant, p.number, k.name, p.version, p.parked_at, p.parked_error as error
  from pack_publications as p join packs as k using (version)
 where p.parked_at is not null and (%(tenant)s::text is null or p.tenant = %(tenant)s)
   and not exists (select from pack_publications as later
                    where later.tenant = p.tenant and later.number > p.number
                      and later.status = 'done' and later.kind in ('publish', 'rollback')
                      and later.parked_at is null)
 order by p.tenant, p.number limit %(limit)s
"""


async def parked(
    conn: Connection, *, tenant: str | None, limit: int = 100
) -> tuple[ParkedPack, ...]:
    """Return the parked packs of one tenant, or, for whoever runs the hub, of all (None).

    Served by the index pack_publications_parked.
    """
    async with conn.cursor(row_factory=class_row(ParkedPack)) as cursor:
        await cursor.execute(_PARKED, {"tenant": tenant, "limit": limit})
        return tuple(await cursor.fetchall())
