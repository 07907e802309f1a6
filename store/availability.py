"""Who is at work, said once for candidates and for what is handed out.

The pieces of SQL are about an agent `a`, and are part of the statement rather than a function of
the database: that would be called for each agent, where this is one join.
"""

from typing import LiteralString

ONLINE_NOW: LiteralString = """
 (a.presence = 'online' and a.left_at is null
  and (a.presence_until is null or a.presence_until > now()))
"""
"""Whether agent `a`, who has not left, is online when the transaction begins. Presence is known of
the present only: a decision about an earlier instant goes by it too. It implies the condition of
agents_online."""

PRESENCE_NOW: LiteralString = """
 case when a.presence = 'online' and a.presence_until <= now() then 'offline' else a.presence end
"""
"""The presence of agent `a` then: whose heartbeat has run out is offline."""

ON_SHIFT_AT: LiteralString = """
   and (not a.scheduled
        or exists (select from shift_spans as s
                    where s.tenant = a.tenant and s.agent_id = a.agent_id
                      and s.starts_at <= %(at)s and s.ends_at > %(at)s))
"""
"""Of agents `a`: those on shift at the instant `at`, and those without shifts."""

ON_SHIFT_NOW: LiteralString = """
   and (not a.scheduled
        or exists (select from shift_spans as s
                    where s.tenant = a.tenant and s.agent_id = a.agent_id
                      and s.starts_at <= now() and s.ends_at > now()))
"""
"""The same, when the transaction began."""
