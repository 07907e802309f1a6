-- Late events: what a decision put right, and breaches that late evidence disproved. A withdrawn
-- breach stays on record with the decision that withdrew it, and is not counted.
alter table decisions add column corrections jsonb not null default '[]';
alter table breaches add column withdrawn_seq bigint;
