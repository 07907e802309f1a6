"""The desk that `bench/assign.py` measures on: agents, waiting tickets, and what must hold."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
from psycopg import sql

from activities.records import state_to_json
from store import profiles, roster, shifts
from store.ledger import TicketRow
from store.pool import Connection, Pool, transaction
from store.profiles import Profile
from support.model import Channel, Priority, TicketStatus, workflow_id
from support.shifts import Shift, recurring
from support.ticket import TicketState

TENANT = "bench"
AGENTS, TEAMS = 1000, 20
CAPACITY_UNITS = Decimal(20)
SKILLS = ("billing", "hifi", "network", "radio", "returns", "tv")
LANGUAGES = ("sv", "en", "de", "fi", "da", "fr")
CUSTOMERS = 2000
SEED = 20_260_302


def ticket_id(number: int) -> str:
    """Return the id of a waiting ticket."""
    return f"T-{number:06}"


def _bundle(number: int, size: int) -> tuple[str, ...]:
    """Return skills that lie beside each other, so that some agents of every team have them."""
    return tuple(sorted(SKILLS[(number + step) % len(SKILLS)] for step in range(size)))


def _shifts(number: int, now: datetime) -> list[Shift]:
    """Return nothing for half of the agents, and of the others put every other on shift now."""
    if number % 2:
        return []
    starts = now + timedelta(hours=-4 if number % 4 else 6)
    return [recurring("mon-sun", f"{starts:%H:00}-{starts + timedelta(hours=9):%H:00}")]


async def add_agents(pool: Pool) -> None:
    """Fill the roster as its commands do: teams, skills, languages, shifts, limits of some."""
    now = datetime.now(UTC)
    for number in range(AGENTS):
        name = f"agent-{number:04}"
        teamwise = number // TEAMS
        skills = _bundle(teamwise, 3)
        limited = teamwise % 10 == 3
        profile = Profile(
            tz="UTC",
            languages=("en", LANGUAGES[teamwise % len(LANGUAGES)]),
            levels={skills[0]: 1 + teamwise % 5},
            kind_capacity={"chat": 8} if teamwise % 3 == 0 else {},
            limit_new=20 if limited else None,
            limit_window=timedelta(hours=1) if limited else None,
        )
        agent = roster.Agent(
            name,
            team=f"team-{number % TEAMS:02}",
            skills=skills,
            presence="away" if teamwise % 12 == 5 else "online",
            capacity_units=CAPACITY_UNITS,
        )
        async with transaction(pool) as conn:
            await roster.add(conn, tenant=TENANT, agent=agent)
            await profiles.set_profile(conn, tenant=TENANT, agent_id=name, profile=profile, now=now)
            hours = _shifts(teamwise, now)
            await shifts.add_shifts(conn, tenant=TENANT, shifts={name: hours}, now=now)


def row_of(state: TicketState, seq: int, next_due_at: datetime | None) -> TicketRow:
    """Return the projection of a ticket, as `decide` writes it."""
    return TicketRow(
        tenant=TENANT,
        ticket_id=state.ticket_id,
        run_id="run-1",
        channel=str(state.channel),
        priority=str(state.priority),
        status=str(state.status),
        team=state.team,
        customer_id=state.customer_id,
        opening_ref="m-1",
        follow_up_of="",
        created_at=state.created_at,
        changed_at=state.last_at,
        resolved_at=None,
        closed_at=None,
        active=True,
        breached=False,
        breached_held=False,
        escalation_due=False,
        sla_state="running",
        next_due_at=next_due_at,
        next_deadline=next_due_at,
        next_deadline_is="first_response",
        decision_seq=seq,
        pack_version="bench@1",
        state=state_to_json(state),
        skills=state.skills,
        waits_since=state.created_at if not state.owner else None,
    )


def _waiting(count: int, now: datetime) -> Iterator[TicketRow]:
    draw = random.Random(SEED)
    for number in range(count):
        came = now - timedelta(seconds=draw.randrange(5 * 86_400))
        due = came + timedelta(hours=draw.choice((1, 4, 8, 24)))
        state = TicketState(
            TENANT,
            ticket_id(number),
            Channel.CHAT if draw.random() < 0.1 else Channel.WEB,
            draw.choice(list(Priority)),
            TicketStatus.NEW,
            came,
            came,
            team=f"team-{draw.randrange(TEAMS):02}" if draw.random() < 0.8 else "",
            skills=_bundle(draw.randrange(6), draw.choices((0, 1, 2), (5, 4, 1))[0]),
            customer_id=f"c-{draw.randrange(CUSTOMERS)}",
        )
        yield row_of(state, 1, due if draw.random() < 0.95 else None)


def add_tickets(url: str, count: int) -> None:
    """Let so many tickets wait for an owner, of customers of whom the language is known."""
    columns = list(TicketRow.__dataclass_fields__)
    copying = sql.SQL("copy tickets ({}) from stdin").format(
        sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            "insert into customers (tenant, customer_id, locale)"
            " select %s, 'c-' || n, (%s::text[])[1 + n %% 6] from generate_series(0, %s) as n",
            (TENANT, list(LANGUAGES), CUSTOMERS - 1),
        )
        with conn.cursor() as cursor, cursor.copy(copying) as copy:
            for row in _waiting(count, datetime.now(UTC)):
                values = (getattr(row, name) for name in columns)
                copy.write_row([list(v) if isinstance(v, tuple) else v for v in values])
        conn.execute("delete from outbox")
        conn.execute("vacuum analyze")
        conn.execute("checkpoint")


_BROKEN = {
    "agents over their capacity": """
select count(*) from agents
 where load_units > capacity_units
    or exists (select from jsonb_each(kind_capacity) as most (kind, units)
                where coalesce((kind_load ->> kind)::numeric, 0) > units::numeric)
""",
    "agents over their limit of new assignments": """
select count(*) from agents as a
 where (select count(*) from claims as c
         where c.tenant = a.tenant and c.agent_id = a.agent_id) > a.limit_new
""",
    "agents whose load is not what their tickets take": """
select count(*) from agents as a
  left join (select tenant, agent_id, sum(units) as units,
                    coalesce(sum(units) filter (where channel = 'chat'), 0) as chats
               from claims join tickets using (tenant, ticket_id)
              group by tenant, agent_id) as c using (tenant, agent_id)
 where a.load_units <> coalesce(c.units, 0)
    or coalesce((a.kind_load ->> 'chat')::numeric, 0) <> coalesce(c.chats, 0)
    or coalesce((a.kind_load ->> 'ticket')::numeric, 0) <> coalesce(c.units - c.chats, 0)
""",
    "tickets with two owners, or an owner who is not the one of the claim": """
select count(*) from (select tenant, ticket_id from claims group by tenant, ticket_id
                      having count(*) > 1
                      union all
                      select t.tenant, t.ticket_id from tickets as t
                        left join claims as c using (tenant, ticket_id)
                       where c.agent_id is distinct from t.state ->> 'owner'
                          or (c.agent_id is null) <> (t.waits_since is not null)) as wrong
""",
}


async def broken(conn: Connection, claimed: int) -> tuple[str, ...]:
    """Return what does not hold after so many claims; nothing is as it should be."""
    found = []
    for what, query in _BROKEN.items():
        row = await (await conn.execute(query)).fetchone() or {}
        if row["count"]:
            found.append(f"{row['count']} {what}")
    row = await (await conn.execute("select count(*) from claims")).fetchone() or {}
    if row["count"] != claimed:
        found.append(f"{row['count']} claims where {claimed} were made")
    return tuple(found)


def key_of(number: int) -> tuple[str, str]:
    """Return the ids of a ticket and of its workflow."""
    return ticket_id(number), workflow_id(TENANT, ticket_id(number))
