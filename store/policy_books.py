"""Policies by version, whosever: a ticket goes on under those that it started with."""

from store.pool import Connection


async def remember(conn: Connection, *, version: str, body: str) -> None:
    """Keep a policy book, which tickets that started with it go on using; `body` is its form."""
    await conn.execute(
        "insert into policy_books (version, body) values (%s, %s) on conflict do nothing",
        (version, body),
    )


async def form_of(conn: Connection, *, version: str) -> str | None:
    """Return the form of a kept policy book, or None."""
    cursor = await conn.execute("select body from policy_books where version = %s", (version,))
    row = await cursor.fetchone()
    return str(row["body"]) if row else None
