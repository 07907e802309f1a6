"""What the migration of sought roles causes for what is there already."""

from pathlib import Path
from typing import Any

from store import rotas
from store.pool import Connection
from support.rota import Rota
from tests.store.seeding import START, add_agent, add_ticket

MIGRATION = Path(__file__).parents[2] / "store" / "migrations" / "0019_sought_roles.sql"


async def caused(conn: Connection) -> list[tuple[Any, ...]]:
    cursor = await conn.execute(
        "select tenant, kind, alarm, due_at <= now() as due from outbox order by tenant, kind"
    )
    return [tuple(row.values()) for row in await cursor.fetchall()]


async def test_what_waits_is_handed_out_and_who_is_on_a_rota_looked_at(conn: Connection) -> None:
    for name in ("ada", "bo"):
        await add_agent(conn, name)
    rota = Rota("UTC", ("ada",), START.replace(tzinfo=None))
    await rotas.put(conn, tenant="global", rota_id="nights", rota=rota)
    for number in range(2):
        await add_ticket(conn, f"T-{number}", waits_since=START)
    await add_ticket(conn, "T-elsewhere", tenant="other")
    await conn.execute("delete from outbox where kind = 'hand_out'")
    assert await caused(conn) == [("global", "agent_due", "agent/ada", False)]
    await conn.execute("alter table tickets drop column sought_roles")
    await conn.execute(MIGRATION.read_bytes())
    assert await caused(conn) == [
        ("global", "agent_due", "agent/ada", True),
        ("global", "hand_out", None, True),
    ]
