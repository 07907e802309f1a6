"""Packs and publications for tests: each pack tags what it decides with its own name."""

from rules.bundle import Bundle
from rules.load import parse_pack
from rules.pack import Pack
from store import packs, publishing
from store.packs import Publication
from store.pool import Pool, transaction
from tests.rules.situations import MACROS

TENANT = "acme"


def tagging(tag: str, *, on: str = "created", then: str = "", when: str = "{}") -> Pack:
    """A pack named `tag` that tags every ticket with it (`when`), and does `then` besides."""
    more = f", {then}" if then else ""
    asked = "" if when == "{}" else f"    when: {when}\n"
    text = (
        f"name: {tag}\nrules:\n  - id: mark\n    description: d\n    on: [{on}]\n{asked}"
        f"    then: [{{tag: {{add: [{tag}]}}}}{more}]\n"
    )
    return parse_pack(Bundle(text, MACROS, f"{tag}.yaml", "m.yaml"))


async def remembered(pool: Pool, pack: Pack) -> str:
    """Keep the pack in the store and return its version."""
    async with pool.connection() as conn:
        await packs.remember(conn, version=pack.version, name=pack.name, body=pack.text)
    return pack.version


async def published(
    pool: Pool, pack: Pack, *, tenant: str = TENANT, base: str = "", by: str = "kim"
) -> Publication:
    """Publish the pack on top of `base`."""
    version = await remembered(pool, pack)
    async with transaction(pool) as conn:
        return await publishing.publish(
            conn, tenant=tenant, version=version, base=base, by=by, reason=f"try {pack.name}"
        )


async def shadowed(pool: Pool, pack: Pack, *, tenant: str = TENANT) -> Publication:
    """Let the pack be a shadow."""
    version = await remembered(pool, pack)
    async with transaction(pool) as conn:
        return await publishing.shadow(
            conn, tenant=tenant, version=version, by="kim", reason=f"try {pack.name}"
        )
