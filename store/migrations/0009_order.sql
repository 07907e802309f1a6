-- The number that a decision of a refused event would have had: where it belongs in the order of the
-- others, also at one instant. Null for those refused before.
alter table events add column refused_seq bigint;

-- Ids sort as Python sorts them, whatever the language of the database: ties and locks go by it.
alter table agents alter column agent_id type text collate "C";
alter table tickets alter column ticket_id type text collate "C";
