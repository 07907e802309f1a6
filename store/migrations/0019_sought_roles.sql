-- Which roles beside agents have been asked for a ticket that waits: whoever of them comes to be at
-- work, or on duty, is offered it.
alter table tickets add column sought_roles text[] not null default '{}';
create index tickets_sought_roles on tickets (tenant)
 where waits_since is not null and sought_roles <> '{}';

-- Who is on a rota is looked at, as their duty counts as work from now on.
insert into outbox (tenant, kind, about, alarm)
select tenant, 'agent_due', jsonb_build_object('agent', agent_id), 'agent/' || agent_id
  from (select tenant, unnest(members) as agent_id from rotas
        union
        select tenant, agent_id from rota_swaps where ends_at > now()) as one
    on conflict (tenant, alarm) where alarm is not null and delivered_at is null do update
   set due_at = now();

-- What has waited since before alarms were set is offered once to who is here already.
insert into outbox (tenant, kind)
select distinct tenant, 'hand_out' from tickets where waits_since is not null;
