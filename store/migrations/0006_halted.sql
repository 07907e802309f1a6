-- Automation that is halted on a ticket until somebody looks, with the reason; and what the rules
-- said, within one decision, of what rules had done.
alter table tickets add column halted text not null default '';
alter table decisions add column rounds jsonb not null default '[]';
create index tickets_halted on tickets (tenant, ticket_id) where halted <> '';
