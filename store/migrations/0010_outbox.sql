-- Wake-ups of other workflows: written in the transaction that causes them, delivered by a relay.
create table outbox (
    id            bigint      generated always as identity primary key,
    tenant        text        not null,
    kind          text        not null check (kind in ('hand_out')),
    about         jsonb       not null default '{}',
    created_at    timestamptz not null default now(),
    due_at        timestamptz not null default now(),
    delivered_at  timestamptz,
    attempts      integer     not null default 0,
    last_error    text        not null default ''
);
create index outbox_due on outbox (due_at, id) where delivered_at is null;
create index outbox_delivered on outbox (delivered_at) where delivered_at is not null;

-- Since when a ticket has been active without an owner, and what its owner has to know. Passed by:
-- its rules did not even look for an owner when it was offered; until its next decision.
alter table tickets
    add column waits_since timestamptz,
    add column skills text[] not null default '{}',
    add column passed_by boolean not null default false;

update tickets as t
   set skills = array(select jsonb_array_elements_text(t.state -> 'skills'))
 where jsonb_typeof(t.state -> 'skills') = 'array';

-- Before now nobody wrote down when a ticket lost its owner: its last decision is certain.
update tickets as t
   set waits_since = t.changed_at
 where t.active
   and not exists (select from claims as c
                    where c.tenant = t.tenant and c.ticket_id = t.ticket_id);

-- What is handed out next: overdue first, then by due, then by age, as queues are sorted.
create index tickets_waiting on tickets (tenant, next_due_at, created_at, ticket_id)
 where waits_since is not null;
