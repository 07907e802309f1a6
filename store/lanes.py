"""The signals of the lanes: counted over what is active, exact after every commit."""

from fractions import Fraction

from store.pool import Connection
from support.lanes import Signals

_SIGNALS = """
select count(*) as open_tickets,
       count(*) filter (where t.priority = 'urgent') as urgent,
       count(*) filter (where t.breached) as breached,
       count(*) filter (where t.breached_held and not t.breached) as breached_held,
       count(*) filter (where t.escalation_due) as escalation_due,
       count(*) filter (where c.agent_id is null) as unassigned,
       count(*) filter (where t.status = 'waiting_internal') as waiting_internal,
       count(*) filter (where t.priority in ('high', 'urgent')) as high_urgent,
       (select coalesce(sum(a.capacity_units), 0) from agents as a
         where a.tenant = %(tenant)s and a.role = 'agent'
           and a.left_at is null) as rostered_units
  from tickets as t
  left join claims as c using (tenant, ticket_id)
 where t.tenant = %(tenant)s and t.active
"""


async def signals(conn: Connection, *, tenant: str) -> Signals:
    """Return what the lanes of the tenant count, from one snapshot. Served by tickets_active.

    Callbacks are 0: the ledger keeps none yet.
    """
    cursor = await conn.execute(_SIGNALS, {"tenant": tenant})
    row = await cursor.fetchone() or {}
    return Signals(**{**row, "rostered_units": Fraction(row["rostered_units"])})
