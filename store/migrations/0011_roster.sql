-- Where and when agents work, what they know, and how much they take.
-- kind_capacity and kind_load are units by kind of work (chat, ticket, callback); a kind that is
-- not in kind_capacity has no limit of its own beside capacity_units. recent_claims are the last
-- limit_new claims, the latest last. scheduled: shift_spans says when the agent works, up to
-- spans_until; else always.
alter table agents
    add column tz             text          not null default '',
    add column country        text          not null default '',
    add column languages      text[]        not null default '{}',
    add column skill_levels   jsonb         not null default '{}',
    add column kind_capacity  jsonb         not null default '{}',
    add column kind_load      jsonb         not null default '{}',
    add column limit_new      integer       check (limit_new between 1 and 100),
    add column limit_window   interval      check (limit_window > interval '0'),
    add column recent_claims  timestamptz[] not null default '{}',
    add column has_shifts     boolean       not null default false,
    add column scheduled      boolean       not null default false,
    add column spans_until    timestamptz,
    add constraint agents_limit_whole check ((limit_new is null) = (limit_window is null));

update agents as a
   set kind_load = carried.by_kind
  from (select tenant, agent_id, jsonb_object_agg(kind, units) as by_kind
          from (select c.tenant, c.agent_id, sum(c.units) as units,
                       case t.channel when 'chat' then 'chat' else 'ticket' end as kind
                  from claims as c join tickets as t using (tenant, ticket_id)
                 group by c.tenant, c.agent_id, kind) as one
         group by tenant, agent_id) as carried
 where a.tenant = carried.tenant and a.agent_id = carried.agent_id;

-- Local wall time; a dated shift is valid from and until its date.
create table shifts (
    tenant       text    not null,
    agent_id     text    not null,
    shift_id     bigint  generated always as identity,
    starts       time    not null,
    ends         time    not null,
    weekdays     text[]  not null,
    first        date,
    last         date,
    on_holidays  boolean not null,
    primary key (tenant, agent_id, shift_id),
    constraint shifts_once unique nulls not distinct
        (tenant, agent_id, starts, ends, weekdays, first, last, on_holidays)
);

-- Why somebody is away is nobody's business here: no reason is kept.
create table leaves (
    tenant     text        not null,
    agent_id   text        not null,
    leave_id   bigint      generated always as identity,
    starts_at  timestamptz not null,
    ends_at    timestamptz,
    primary key (tenant, agent_id, leave_id),
    check (ends_at > starts_at)
);

-- Shifts less holidays and leave, as instants, apart: what a decision asks. Made of the above.
create table shift_spans (
    tenant     text        not null,
    agent_id   text        not null,
    starts_at  timestamptz not null,
    ends_at    timestamptz not null,
    primary key (tenant, agent_id, starts_at),
    check (ends_at > starts_at)
);
create index agents_to_extend on agents (spans_until) where scheduled;
