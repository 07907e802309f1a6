-- Late events: what a decision put right, and breaches that late evidence disproved. A withdrawn
-- breach stays on record with the decision that withdrew it, and is not counted.
alter table decisions add column corrections jsonb not null default '[]';
alter table breaches add column withdrawn_seq bigint;

-- Escalation steps that are no plain fraction of a target have a name: -30m, +1h, 1#2.
alter table escalations add column step text not null default '';
