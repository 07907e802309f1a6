-- Heartbeat: whoever is online by one is offline once presence_until has passed; null: until said
-- otherwise. left_at: offboarded; nobody is given work, told or counted from then on.
alter table agents
    add column presence_until timestamptz,
    add column left_at timestamptz;

-- agent_due: something about an agent falls due (shift, leave, heartbeat, limit), at most one row
-- each (alarm). owner_left: tickets of who went. bulk_change: moves of one that go on.
alter table outbox
    add column alarm text,
    drop constraint outbox_kind_check,
    add constraint outbox_kind_check
        check (kind in ('hand_out', 'agent_due', 'owner_left', 'bulk_change'));
create unique index outbox_alarm on outbox (tenant, alarm)
 where alarm is not null and delivered_at is null;

-- Why nobody has a ticket that waits (no_owner), when the next suitable shift begins, which other
-- teams have been asked for it, and whether its skills are no longer insisted on.
alter table tickets
    add column no_owner text not null default '',
    add column next_shift_at timestamptz,
    add column sought_teams text[] not null default '{}';
