-- Who is not to be asked for a ticket that waits: they declined it, or did not accept it in time.
-- Else it would be offered for room that it cannot take, in the place of one that can.
alter table tickets add column declined_by text[] not null default '{}';

update tickets as t
   set declined_by = array(
           select d ->> 'agent_id' from jsonb_array_elements(t.state -> 'ownership' -> 'declined') as d
            where (d ->> 'until')::timestamptz > now())
 where t.waits_since is not null
   and jsonb_typeof(t.state -> 'ownership' -> 'declined') = 'array';
