-- Why an agent is not at work, as it was last acted upon; empty: at work, or may be back soon.
alter table agents
    add column left_cause text not null default ''
        check (left_cause in ('', 'shift_ended', 'on_leave', 'offline'));

-- So that what falls due about those who are here already is known.
insert into outbox (tenant, kind, about, alarm)
select tenant, 'agent_due', jsonb_build_object('agent', agent_id), 'agent/' || agent_id
  from agents;
